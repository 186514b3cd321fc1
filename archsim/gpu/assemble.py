"""PTX made machine code without a GPU, by the assembler and disassembler that come with Triton."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from archsim.errors import MissingExtra
from archsim.gpu.machine_code import RESOURCES, SPILLS, TENSOR_SASS

ARCHITECTURES: Mapping[str, str] = {
    "sm_80": "sm_80", "sm_86": "sm_86", "sm_89": "sm_89",
    "sm_90": "sm_90a", "sm_100": "sm_100a", "sm_120": "sm_120a",
}  # fmt: skip
"""Targets, and the names under which ptxas gives all that they have."""

LINE = re.compile(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]+)")
PADDING = "NOP"  # fills functions up to whole lines


@dataclass(frozen=True, slots=True)
class Assembled:
    """What became of a function of PTX.

    Attributes
    ----------
    sass
        Its machine instructions, by full name.
    registers
        Of a thread.
    """

    sass: Mapping[str, int]
    registers: int

    @property
    def tensor(self) -> dict[str, int]:
        """Return its machine instructions of tensor cores."""
        return {name: n for name, n in sorted(self.sass.items()) if TENSOR_SASS.match(name)}

    @property
    def others(self) -> int:
        """Return how many machine instructions are no tensor cores'."""
        return sum(self.sass.values()) - sum(self.tensor.values())

    @property
    def spills(self) -> int:
        return sum(n for name, n in self.sass.items() if name.split(".")[0] in SPILLS)


def assembled(ptx: str, target: str) -> dict[str, Assembled] | None:
    """Return what functions of PTX become on a target; None if the assembler refuses one.

    Raises
    ------
    MissingExtra
        If Triton is not installed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        source, cubin = Path(scratch) / "one.ptx", Path(scratch) / "one.cubin"
        source.write_text(ptx, "utf-8")
        arch = f"-arch={ARCHITECTURES[target]}"
        command = [tool("ptxas-blackwell"), arch, str(source), "-o", str(cubin)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return None
        return disassembled(cubin)


def disassembled(cubin: Path) -> dict[str, Assembled]:
    """Return what the functions in a file of machine code hold, by name."""
    used = re.findall(r"Function (\S+):\s+(.*)", _output("cuobjdump", "-res-usage", str(cubin)))
    registers = {name: int(dict(RESOURCES.findall(line))["REG"]) for name, line in used}
    parts = re.split(r"^\.text\.(\w+):$", _output("nvdisasm", "-c", str(cubin)), flags=re.M)
    found = {}
    for name, text in zip(parts[1::2], parts[2::2], strict=True):
        sass = Counter(LINE.findall(text))
        del sass[PADDING]
        found[name] = Assembled(sass, registers[name])
    return found


def _output(name: str, *arguments: str) -> str:
    return subprocess.run(
        [tool(name), *arguments], capture_output=True, text=True, check=True
    ).stdout


def version(name: str) -> str:
    """Return the release of a tool."""
    found = re.search(r"release \S+, V(\S+)", _output(name, "--version"))
    if found is None:
        raise ValueError(f"{name} does not say its version")
    return found.group(1)


def tool(name: str) -> str:
    """Return the path of a tool that comes with Triton."""
    found = find_spec("triton")
    if found is None or found.origin is None:
        raise MissingExtra("triton", "gpu")
    return str(Path(found.origin).parent / "backends" / "nvidia" / "bin" / name)
