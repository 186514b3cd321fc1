"""The PEs of the study: the engines' own parts, each with operands that drive it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from archsim.reproduce.tpe_study import drive
from archsim.reproduce.tpe_study.drive import Drive, Operands

WIDTHS = (20, 24, 28, 32)  # bits of a sum
SUM_BITS = 32
ADDERS = ("inferred", "ripple", "prefix")
MULTIPLIERS = ("inferred", "booth")


@dataclass(frozen=True, slots=True)
class Element:
    """A PE built in one way.

    Parameters
    ----------
    design, variant, acc_bits
        As in `Run`.
    build
        Makes the part.
    drive
        Operands as they reach the part, cycle by cycle.
    """

    design: str
    variant: str
    acc_bits: int
    build: Callable[[], Any]
    drive: Callable[[Operands], Drive]

    @property
    def infers(self) -> bool:
        """Whether some of its adders are left to synthesis."""
        return "inferred" in self.variant

    @property
    def label(self) -> str:
        return " ".join(filter(None, (self.design, self.variant, f"{self.acc_bits} bits")))

    def verilog(self) -> str:
        """Return the part between registers, as a top called ``pe``."""
        from archsim.hdl.emit import to_verilog  # noqa: PLC0415 (no HDL tool to read the data)
        from archsim.hdl.part_top import PartTop  # noqa: PLC0415

        return to_verilog(PartTop(self.build()), "pe")

    def fingerprint(self) -> str:
        """Return what tells the part's Verilog from any other."""
        return sha256(self.verilog().encode()).hexdigest()[:16]


# what the PE of each design is and assumes, for the report
DESCRIPTIONS: Mapping[str, str] = {
    "mac": "PE of the output-stationary systolic array: operand, sum and drain registers",
    "opt1": "the same with its sum in carry-save form",
    "opt2": (
        "PE of the 2D-matrix array that takes four digits of one weight a cycle; digits and "
        "opposites reach it from its row and column, where they are made once"
    ),
    "opt3": "PE that encodes a group of four operands (EN-T) and takes its digits one by one",
    "opt4c": "PE that is told its digit: encoders stand at the column",
    "opt4e": "four lanes of these on one sum",
    "laconic": (
        "our rendering of Laconic: 16 pairs of terms (non-adjacent form, the fewest of radix 2) a "
        "cycle, counted by exponent, three pipeline stages with prefix adders; terms reach it from "
        "serialisers at the array's edge, which are not in it"
    ),
    "bitlet": (
        "our rendering of Bitlet: groups of eight operands, one bit of each weight a cycle, two "
        "pipeline stages with prefix adders; picks reach it from the array's edge"
    ),
}


def elements() -> Iterator[Element]:
    """Yield every PE of the study in every way that it can be built."""
    for bits in WIDTHS:
        for multiplier in MULTIPLIERS:
            for adder in ADDERS:
                yield _systolic("mac", bits, multiplier=multiplier, adder=adder)
        yield _systolic("opt1", bits)
    yield _opt2()
    yield _opt3()
    yield _told("opt4c", 1)
    yield _told("opt4e", 4)
    yield Element("laconic", "naf", SUM_BITS, _laconic, drive.laconic)
    yield Element("bitlet", "twos_complement", SUM_BITS, _bitlet, drive.bitlet)


def _systolic(pe: str, acc_bits: int, **arithmetic: str) -> Element:
    def build() -> Any:
        from archsim.engines.systolic.rtl import ProcessingElement  # noqa: PLC0415
        from archsim.engines.systolic.spec import SystolicSpec  # noqa: PLC0415

        fields: dict[str, Any] = {"pe": pe, "acc_bits": acc_bits, **arithmetic}
        return ProcessingElement(SystolicSpec(**fields))

    variant = " ".join(f"{how} {what}" for what, how in arithmetic.items())
    return Element(
        pe, variant, acc_bits, build, lambda operands: drive.dense(operands, acc_bits, pe == "opt1")
    )


def _opt2() -> Element:
    from archsim.engines.matrix2d.spec import Matrix2dSpec  # noqa: PLC0415

    spec = Matrix2dSpec(pe="opt2", acc_bits=SUM_BITS)

    def build() -> Any:
        from archsim.engines.matrix2d.rtl import ProcessingElement  # noqa: PLC0415

        return ProcessingElement(spec)

    return Element("opt2", "mbe", SUM_BITS, build, lambda o: drive.opt2(o, spec.pair_bits))


def _opt3() -> Element:
    from archsim.engines.bitslice.spec import BitsliceSpec  # noqa: PLC0415

    bits = BitsliceSpec(pe="opt3").pair_bits

    def build() -> Any:
        from archsim.hdl.digit_elements import EncodingElement  # noqa: PLC0415

        return EncodingElement(drive.GROUP, "en_t", drive.BITS, bits)

    return Element("opt3", "en_t", SUM_BITS, build, lambda o: drive.opt3(o, bits))


def _told(design: Literal["opt4c", "opt4e"], lanes: int) -> Element:
    from archsim.engines.bitslice.spec import BitsliceSpec  # noqa: PLC0415

    bits = BitsliceSpec(pe=design).pair_bits

    def build() -> Any:
        from archsim.hdl.digit_elements import SelectingElement  # noqa: PLC0415

        return SelectingElement(lanes, drive.BITS, bits)

    return Element(design, "en_t", SUM_BITS, build, lambda o: drive.told(o, bits, lanes))


def _laconic() -> Any:
    from archsim.hdl.term_pairs import TermPairElement  # noqa: PLC0415

    return TermPairElement(drive.TERM_LANES, drive.BITS, drive.BITS, SUM_BITS, "prefix")


def _bitlet() -> Any:
    from archsim.hdl.interleave import InterleavedElement  # noqa: PLC0415

    return InterleavedElement(drive.INTERLEAVED, drive.BITS, drive.BITS, SUM_BITS, "prefix")
