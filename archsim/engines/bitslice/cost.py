"""Area, clock and energy of bit-slice arrays, from fits through syntheses of their RTL.

opt3, opt4c and opt4e share a table. Their memories come from the technology's SRAMs: operand banks,
the encoded operand's buffers, the rows of C. Each is two single-port SRAMs of half the rows: of
operands one loads while the other is worked on; of C they stand for a memory that reads and writes
at once. What is smaller than the smallest SRAM costs as much as that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.engines import Fmax, SpecBatch
from archsim.engines.bitslice import lockstep_terms
from archsim.engines.bitslice.columns_terms import COLUMNS, lanes, result_bits, word_bits, words
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.engines.gemm.cost import Pricing, Structure
from archsim.tech.sram import SramCost

if TYPE_CHECKING:
    from archsim.tech import Tech

Spec = BitsliceSpec | SpecBatch
HALVES = 2

_COLUMNS = Structure("bitslice_columns", COLUMNS)
PRICING = Pricing(
    name="a bit-slice array",
    fields=("pe", "adder"),
    structures={
        **{(pe, "prefix"): _COLUMNS for pe in ("opt3", "opt4c", "opt4e")},
        ("laconic", "prefix"): Structure("bitslice_laconic", lockstep_terms.LACONIC),
        ("bitlet", "prefix"): Structure("bitslice_bitlet", lockstep_terms.BITLET),
    },
)


@dataclass(frozen=True, slots=True)
class Memory:
    """Equal memories of an array of columns, each of `HALVES` SRAMs like the one given.

    Parameters
    ----------
    count
        Memories, none in a lockstep array.
    reads, writes
        Accesses of one of them by action.
    """

    count: Any
    sram: SramCost
    reads: Mapping[str, Any]
    writes: Mapping[str, Any]


def memories(spec: Spec, tech: Tech) -> Mapping[str, Memory]:
    """Return the memories of an array by component."""
    here = np.where(spec.in_columns, 1, 0)
    banks = spec.lanes * spec.banks
    deep = spec.depth / banks  # elements of the other operand in a half of a bank
    stored = np.where(
        np.asarray(spec.encoding) == "en_t", 2 * np.asarray(spec.passes) + 1, spec.encoded_bits
    )
    of_c = result_bits(spec)
    per_digit = np.where(words(spec) == 1, 1, 0)  # opt3 reads a bank once a group
    other_beat, encoded_beat = (
        {port: np.where((np.asarray(spec.encoded) == port) == mine, 1, 0) for port in "ab"}
        for mine in (False, True)
    )
    return {
        "operand_banks": Memory(
            here * banks,
            tech.sram(deep * spec.rows * spec.other_bits / 8, word_bits(spec)),
            {"issue": here * per_digit, "group": here * (1 - per_digit)},
            {f"{port}_beat": here * spec.lanes * n for port, n in other_beat.items()},
        ),
        "digit_buffers": Memory(
            here * lanes(spec),
            tech.sram(spec.depth / spec.lanes * stored / 8, spec.group * stored),
            {"group": here},
            {f"{port}_beat": here * lanes(spec) * n for port, n in encoded_beat.items()},
        ),
        "accumulators": Memory(
            here,
            tech.sram(np.maximum(spec.cols, HALVES) / HALVES * of_c / 8, of_c),
            {"acc_read": here},
            {"acc_write": here},
        ),
    }


def area_um2(spec: Spec, tech: Tech) -> dict[str, Any]:
    """Return cell area by component, and the memories'."""
    area = PRICING.area_um2(spec, tech)
    for name, memory in memories(spec, tech).items():
        if np.any(memory.count):
            area[name] = _plain(HALVES * memory.count * memory.sram.area_um2)
    return area


def energy_pj(spec: Spec, tech: Tech) -> dict[str, Any]:
    """Return the energy of each action, accesses of memories included.

    A write of one element of a group is charged as one of the group.
    """
    energy = PRICING.energy_pj(spec, tech)
    for memory in memories(spec, tech).values():
        for accesses, access_pj in (
            (memory.reads, memory.sram.read_pj),
            (memory.writes, memory.sram.write_pj),
        ):
            for action, count in accesses.items():
                if np.any(count):
                    energy[action] = _plain(energy[action] + count * access_pj)
        leakage_uw = HALVES * memory.count * memory.sram.leakage_uw
        energy["leak_ps"] = _plain(energy["leak_ps"] + leakage_uw * 1e-6)
    return energy


def fmax_mhz(spec: Spec, tech: Tech) -> Fmax:
    """Return the clock of the longest path, rounded down to a whole MHz, or of the slowest SRAM."""
    logic = PRICING.fmax_mhz(spec, tech)
    slowest = np.maximum.reduce(
        [
            np.where(memory.count, memory.sram.cycle_ps, 0.0) * np.ones_like(logic.mhz)
            for memory in memories(spec, tech).values()
        ]
    )
    mhz = np.minimum(logic.mhz, np.floor(1e6 / np.maximum(slowest, 1.0)))
    source = f"{logic.source}; of arrays of columns no faster than the SRAMs of their operands"
    return Fmax(_plain(mhz), source if np.any(spec.in_columns) else logic.source)


def _plain(value: Any) -> Any:
    return float(value) if np.ndim(value) == 0 else value
