"""PTX of the kernels in CUDA C++, made by nvcc and kept beside them.

Each ``.cu`` file says what its functions compute and how they are launched. Its PTX is for the
least capable target (later ones take it as it is), so that it can be assembled where there is no
nvcc; ``python -m archsim.gpu.cuda.ptx`` makes it anew. Its first line has a digest of its sources.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from archsim.errors import InputError

FOLDER = Path(__file__).parent
LEAST = "80"
FUNCTIONS: Mapping[str, tuple[str, str, int]] = MappingProxyType(
    {
        "binary_gemm_xor": ("binary_gemm", "b1_xor", 1),
        "binary_gemm_and": ("binary_gemm", "b1_and", 1),
        "int4_gemm": ("int4_gemm", "int4", 1),
        "sparse_gemm": ("sparse_gemm", "fp16_2:4", 1),
        "tiles_spmm": ("tiles_spmm", "fp16", 8),
    }
)
"""By name: the file that a function is in, its instruction (`archsim.gpu.native`), and how often it
has it."""

FILES = sorted({file for file, _, _ in FUNCTIONS.values()})


def kept(file: str) -> str:
    """Return the PTX that lies beside a source file."""
    return (FOLDER / f"{file}.ptx").read_text("utf-8")


def heading(file: str) -> str:
    """Return the line that PTX of a source file as it is now begins with."""
    sources = [FOLDER / f"{file}.cu", *sorted(FOLDER.glob("*.cuh"))]
    digest = hashlib.blake2b(b"".join(path.read_bytes() for path in sources), digest_size=8)
    return f"// {file}.cu and headers, {digest.hexdigest()}: python -m archsim.gpu.cuda.ptx"


def compiled(file: str) -> str:
    """Return PTX of a source file as nvcc makes it now.

    Raises
    ------
    InputError
        If there is no nvcc.
    """
    if shutil.which("nvcc") is None:
        raise InputError("nvcc", "must be installed, with CUDA's toolkit, to compile CUDA C++")
    made = subprocess.run(
        ["nvcc", "-std=c++17", f"-arch=compute_{LEAST}", "-ptx", "-o", "-", f"{file}.cu"],
        cwd=FOLDER, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    release = re.search(r"V[\d.]+", made)
    body = made[made.index(".version") :]
    by = "" if release is None else f"// by nvcc {release.group()}\n"
    return f"{heading(file)}\n{by}\n{body}"


if __name__ == "__main__":
    for name in FILES:
        (FOLDER / f"{name}.ptx").write_text(compiled(name), "utf-8")
