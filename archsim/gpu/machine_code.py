"""What compiled kernels hold: instructions of PTX and SASS by name, registers, spills, memory."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

TENSOR_PTX = ("mma.sync", "mma.sp.sync", "wgmma.mma_async", "tcgen05.mma")
TENSOR_SASS = re.compile(r"^(?:UT)?[A-Z]*MMA\b")  # HMMA, IMMA, QMMA, HGMMA, UTCHMMA, ...
SPILLS = ("STL", "LDL")
SASS_LINE = re.compile(r"^\S*\t(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]+)", re.MULTILINE)
PTX_LINE = re.compile(r"^\s*(?:@!?%\w+ )?([a-z][\w.:]*)", re.MULTILINE)
RESOURCES = re.compile(r"\b(REG|STACK|SHARED|LOCAL):(\d+)")


@dataclass(frozen=True, slots=True)
class Function:
    """One compiled function of a kernel.

    Attributes
    ----------
    tensor
        Its tensor instructions in PTX, by `TENSOR_PTX` name.
    sass
        Its machine instructions by full name, most frequent first.
    registers, stack_bytes
        Of a thread.
    spills
        Machine instructions that move registers to or from local memory.
    shared_bytes
        Of a block: what the launch asks for.
    """

    name: str
    target: str
    tensor: dict[str, int]
    sass: dict[str, int]
    registers: int
    stack_bytes: int
    spills: int
    shared_bytes: int

    @property
    def tensor_sass(self) -> dict[str, int]:
        """Return its machine instructions that are tensor cores'."""
        return {name: n for name, n in self.sass.items() if TENSOR_SASS.match(name)}

    def to_dict(self) -> dict[str, Any]:
        return {
            "function": self.name, "target": self.target, "tensor_ptx": self.tensor,
            "tensor_sass": self.tensor_sass, "registers": self.registers, "spills": self.spills,
            "stack_bytes": self.stack_bytes, "shared_bytes": self.shared_bytes, "sass": self.sass,
        }  # fmt: skip


def function(
    name: str, target: str, ptx: str, sass: str, resources: str, shared_bytes: int
) -> Function:
    """Return what a function's PTX, its disassembly and cuobjdump's resource line say of it."""
    opcodes = Counter(SASS_LINE.findall(sass))
    used = {what: int(number) for what, number in RESOURCES.findall(resources)}
    return Function(
        name=name,
        target=target,
        tensor=tensor_ptx(ptx),
        sass=dict(opcodes.most_common()),
        registers=used["REG"],
        stack_bytes=used["STACK"],
        spills=sum(n for op, n in opcodes.items() if op.split(".")[0] in SPILLS),
        shared_bytes=shared_bytes,
    )


def tensor_ptx(ptx: str) -> dict[str, int]:
    """Count the tensor instructions of PTX text by name; those that do not occur are left out."""
    counts: Counter[str] = Counter()
    for opcode in PTX_LINE.findall(ptx):
        for name in TENSOR_PTX:
            if opcode.startswith(name):
                counts[name] += 1
    return dict(counts)
