"""SCALE-Sim's rule against its own recorded runs."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from archsim.compare import scalesim, shapes
from archsim.compare.shapes import Shape

GOLDEN = Path(__file__).parents[1] / "golden" / "scalesim" / "cycles.csv"
CONV_HEADER = (
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, "
    "Strides,"
)

# Per GEMM and array: what SCALE-Sim 3.0.0 reports for os, ws and is
RUNS = [
    ((128, 128, 128), 8, (36_351, 38_399, 38_399)),
    ((128, 128, 128), 32, (3_039, 3_551, 3_551)),
    ((128, 128, 128), 128, (381, 509, 509)),
    ((63, 65, 127), 32, (1_133, 1_883, 1_271)),
    ((197, 197, 64), 32, (6_173, 4_073, 4_073)),
    ((197, 197, 64), 128, (1_271, 1_157, 1_157)),
    ((1000, 10, 300), 32, (11_583, 10_939, 33_279)),
    ((128, 768, 768), 128, (6_131, 18_359, 6_899)),
    ((1, 1000, 2048), 128, (18_415, 49_023, 22_111)),
]


@pytest.mark.parametrize(("mnk", "side", "expected"), RUNS)
def test_the_rule_gives_earlier_runs(
    mnk: tuple[int, int, int], side: int, expected: tuple[int, int, int]
) -> None:
    found = tuple(scalesim.cycles(Shape("", *mnk), side, side, d) for d in ("os", "ws", "is"))
    assert expected == found


def recorded() -> list[dict[str, str]]:
    with GOLDEN.open() as lines:
        return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def test_the_rule_gives_every_recorded_run(tmp_path: Path) -> None:
    runs = recorded()
    assert len(runs) == 390
    known_shapes = {}
    for form, header in (("gemm", "Layer,M,N,K,"), ("conv", CONV_HEADER)):
        known = dict.fromkeys(run["shape"] for run in runs if run["form"] == form)
        path = tmp_path / f"{form}.csv"
        lines = [",".join((text, *text.split("x"))) + "," for text in known]
        path.write_text("\n".join([header, *lines]) + "\n")
        known_shapes |= {(form, s.name): s for s in shapes.read(path)}
    for run in runs:
        rows, cols = map(int, run["array"].split("x"))
        shape = known_shapes[run["form"], run["shape"]]
        assert scalesim.cycles(shape, rows, cols, run["dataflow"]) == int(run["cycles"]), run
