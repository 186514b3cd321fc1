"""What one tensor instruction of PTX becomes on a target: itself, several others, or nothing.

``mma`` instructions of a format that a target's tensor cores lack are refused by ptxas, or spelled
out in others: operands are widened to a format that it has, and multiplied there. `measure`
assembles an instruction between loads and stores of its registers, and subtracts what the same
loads and stores take without it, and what a product of fp16 takes besides itself: from sm_90 on
warps are brought together before. ``native.yaml`` keeps what that gave, with the versions of the
tools; ``python -m archsim.gpu.native`` writes it anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from archsim.gpu.assemble import ARCHITECTURES, assembled, version


@dataclass(frozen=True, slots=True)
class Instruction:
    """An ``mma`` instruction of PTX.

    Parameters
    ----------
    opcode
        Without the leading ``mma``.
    registers
        Of 32 bits, of A, B and C.
    floats
        Whether sums are fp32, and not int32.
    scaled
        Whether blocks have scales: two more registers and their selectors.
    """

    opcode: str
    registers: tuple[int, int, int] = (4, 2, 4)
    floats: bool = True
    scaled: bool = False

    @property
    def sparse(self) -> bool:
        return self.opcode.startswith(".sp")


def _floats(form: str, shape: str, more: str = "") -> Instruction:
    return Instruction(f".sync.aligned{more}.{shape}.row.col.f32.{form}.{form}.f32")


def _integers(form: str, shape: str, more: str = "") -> Instruction:
    opcode = f".sync.aligned.{shape}.row.col.s32.{form}.{form}.s32{more}"
    return Instruction(opcode, floats=False)


def _sparse(dense: Instruction, shape: str) -> Instruction:
    opcode = re.sub(r"m16n8k\d+", shape, dense.opcode)
    return Instruction(f".sp::ordered_metadata{opcode}", (4, 4, 4), dense.floats)


def _scaled(kind: str, scale: str, blocks: str) -> Instruction:
    opcode = (
        f".sync.aligned.m16n8k64.row.col.kind::{kind}.block_scale.scale_vec::{blocks}"
        f".f32.e2m1.e2m1.f32.{scale}"
    )
    return Instruction(opcode, scaled=True)


_FP16, _E4M3 = _floats("f16", "m16n8k16"), _floats("e4m3", "m16n8k32")
_INT8, _INT4 = _integers("s8", "m16n8k32"), _integers("s4", "m16n8k64")
INSTRUCTIONS: Mapping[str, Instruction] = {
    "fp16": _FP16,
    "bf16": _floats("bf16", "m16n8k16"),
    "tf32": _floats("tf32", "m16n8k8"),
    "e4m3": _E4M3,
    "e2m1": _floats("e2m1", "m16n8k32", ".kind::f8f6f4"),
    "mxfp4": _scaled("mxf4", "ue8m0", "2X"),
    "nvfp4": _scaled("mxf4nvf4", "ue4m3", "4X"),
    "int8": _INT8,
    "int4": _INT4,
    "b1_xor": _integers("b1", "m16n8k256", ".xor.popc"),
    "b1_and": _integers("b1", "m16n8k256", ".and.popc"),
    "fp16_2:4": _sparse(_FP16, "m16n8k32"),
    "e4m3_2:4": _sparse(_E4M3, "m16n8k64"),
    "int8_2:4": _sparse(_INT8, "m16n8k64"),
    "int4_2:4": _sparse(_INT4, "m16n8k128"),
}


@dataclass(frozen=True, slots=True)
class Native:
    """What an instruction becomes.

    Attributes
    ----------
    tensor
        Machine instructions of tensor cores, by full name.
    others
        Other machine instructions.
    """

    tensor: Mapping[str, int]
    others: int

    @property
    def is_native(self) -> bool:
        """Whether it is one machine instruction."""
        return sum(self.tensor.values()) == 1 and self.others == 0


@cache
def native() -> Mapping[tuple[str, str], Native | None]:
    """Return what instructions become, by their names and targets; None is refused."""
    text = (resources.files("archsim.gpu") / "native.yaml").read_text("utf-8")
    measured: Mapping[str, Any] = yaml.safe_load(text)["instructions"]
    return MappingProxyType(
        {
            (name, target): None if of is None else Native(of["tensor"], of["others"])
            for name, by_target in measured.items()
            for target, of in by_target.items()
        }
    )


def measure(target: str) -> dict[str, Native | None]:
    """Return what instructions become on a target, by name; None is refused.

    Raises
    ------
    MissingExtra
        If Triton is not installed.
    """
    known = [name for name in INSTRUCTIONS if assembled(_ptx(target, [name]), target) is not None]
    functions = assembled(_ptx(target, known), target)
    assert functions is not None, "each was assembled by itself"
    more = {
        name: functions[f"whole_{i}"].others - functions[f"frame_{i}"].others
        for i, name in enumerate(known)
    }
    found: dict[str, Native | None] = dict.fromkeys(INSTRUCTIONS)
    for i, name in enumerate(known):
        found[name] = Native(functions[f"whole_{i}"].tensor, more[name] - more["fp16"])
    return found


def _ptx(target: str, names: list[str]) -> str:
    """Return two functions for each instruction: with it, and without."""
    head = f".version 8.7\n.target {ARCHITECTURES[target]}\n.address_size 64\n"
    functions = [
        _function(f"{part}_{number}", INSTRUCTIONS[name], at_work=part == "whole")
        for number, name in enumerate(names)
        for part in ("whole", "frame")
    ]
    return head + "".join(functions)


def _function(name: str, instruction: Instruction, *, at_work: bool) -> str:
    """Return a function that loads registers, multiplies once or not at all, and stores sums."""
    a, b, c = instruction.registers
    extra = instruction.sparse + 2 * instruction.scaled
    operands, more = [f"%r{i}" for i in range(a + b)], [f"%r{a + b + i}" for i in range(extra)]
    sums = [f"%c{i}" for i in range(c)]
    lists = [_list(sums), _list(operands[:a]), _list(operands[a:]), _list(sums)]
    if instruction.sparse:
        lists += [more[0], "0x0"]
    if instruction.scaled:
        lists += [f"{{{more[0]}}}", "{0, 0}", f"{{{more[1]}}}", "{0, 0}"]
    kind = "f32" if instruction.floats else "b32"
    lines = [
        f".visible .entry {name}(.param .u64 from, .param .u64 to) {{",
        f".reg .b32 %r<{a + b + extra}>; .reg .{kind} %c<{c}>; .reg .b64 %p<2>;",
        "ld.param.u64 %p0, [from]; ld.param.u64 %p1, [to];",
        # volatile, so that they are there without the product, too
        *(f"ld.volatile.global.{kind} {r}, [%p0+{4 * i}];" for i, r in enumerate(sums)),
        *(
            f"ld.volatile.global.b32 {r}, [%p0+{32 + 4 * i}];"
            for i, r in enumerate(operands + more)
        ),
        f"mma{instruction.opcode} {', '.join(lists)};" if at_work else "",
        *(f"st.volatile.global.{kind} [%p1+{4 * i}], {r};" for i, r in enumerate(sums)),
        "ret; }",
    ]
    return "\n".join(lines) + "\n"


def _list(registers: list[str]) -> str:
    return f"{{{', '.join(registers)}}}"


def write(to: Path) -> None:
    """Write what instructions become on every target, for `native` to read."""
    measured = {target: measure(target) for target in ARCHITECTURES}
    lines = [
        "# What PTX's mma instructions become: written by `python -m archsim.gpu.native`.",
        f"tools: {{ptxas: {version('ptxas-blackwell')}, nvdisasm: {version('nvdisasm')}}}",
        "instructions:",
    ]
    for name in INSTRUCTIONS:
        lines.append(f'  "{name}":')
        for target, of in measured.items():
            found = of[name]
            tensor = (
                "" if found is None else ", ".join(f"{k}: {n}" for k, n in found.tensor.items())
            )
            shown = "null" if found is None else f"{{tensor: {{{tensor}}}, others: {found.others}}}"
            lines.append(f"    {target}: {shown}")
    to.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    write(Path(__file__).parent / "native.yaml")
