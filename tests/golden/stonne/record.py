"""Record STONNE's cycles on its output-stationary mesh, to ``cycles.csv`` beside this file.

STONNE is built from its source, commit 22634b8, with its own Makefile (``make all``); it needs a
C++ compiler only::

    python tests/golden/stonne/record.py STONNE_PROGRAM

It checks the product's values itself. Its options want sides of the mesh, and their sum, to be
powers of two: so meshes are square here.
"""

from __future__ import annotations

import itertools
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HEADER = (
    "# STONNE 22634b8, OS_MESH with TPU_OS_DENSE, its widest ports: record.py\nm,n,k,side,cycles\n"
)
NAMED = (
    (128, 128, 128, 32), (63, 65, 127, 32), (197, 197, 64, 32), (1000, 10, 300, 32),
    (128, 128, 128, 8), (63, 65, 127, 16), (1, 100, 40, 16),
)  # fmt: skip


def shapes() -> list[tuple[int, int, int, int]]:
    """Return products with the side of their mesh: small ones all over, and some of networks."""
    rng = random.Random(1)
    small = [(*mnk, 4) for mnk in itertools.product(range(1, 6), range(1, 6), (1, 2, 7))]
    drawn = [
        (rng.randint(1, 20), rng.randint(1, 20), rng.randint(1, 30), rng.choice((2, 4, 8)))
        for _ in range(60)
    ]
    return [*small, *drawn, *NAMED]


def run(program: str, folder: Path, m: int, n: int, k: int, side: int) -> int:
    command = [
        program, "-DenseGEMM", f"-M={m}", f"-N={n}", f"-K={k}", f"-ms_rows={side}",
        f"-ms_cols={side}", f"-dn_bw={2 * side}", f"-rn_bw={side * side}", f"-T_M={side}",
        f"-T_N={side}", "-T_K=1", "-accumulation_buffer=1", "-rn_type=TEMPORALRN",
        "-mn_type=OS_MESH", "-mem_ctrl=TPU_OS_DENSE",
    ]  # fmt: skip
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    found = re.search(r"Number of cycles running: (\d+)", ran.stdout)
    if found is None or "Test passed correctly" not in ran.stdout:
        raise SystemExit(f"{m}x{n}x{k} on {side}x{side}: {ran.stdout[-500:]}")
    return int(found[1])


def main() -> None:
    program = str(Path(sys.argv[1]).absolute())
    with tempfile.TemporaryDirectory() as folder:
        lines = [
            ",".join(map(str, (*shape, run(program, Path(folder), *shape)))) for shape in shapes()
        ]
    path = Path(__file__).with_name("cycles.csv")
    path.write_text(HEADER + "\n".join(lines) + "\n", "utf-8")
    print(f"{len(lines)} runs recorded")


if __name__ == "__main__":
    main()
