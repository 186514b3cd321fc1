"""SCALE-Sim's accounting against its own recorded runs, and the terms against the difference."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.compare import scalesim
from archsim.compare.scalesim import Shape
from archsim.errors import InputError

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
    shapes = {}
    for form, header in (("gemm", "Layer,M,N,K,"), ("conv", CONV_HEADER)):
        known = dict.fromkeys(run["shape"] for run in runs if run["form"] == form)
        path = tmp_path / f"{form}.csv"
        lines = [",".join((text, *text.split("x"))) + "," for text in known]
        path.write_text("\n".join([header, *lines]) + "\n")
        shapes |= {(form, s.name): s for s in scalesim.read_shapes(path)}
    for run in runs:
        rows, cols = map(int, run["array"].split("x"))
        shape = shapes[run["form"], run["shape"]]
        assert scalesim.cycles(shape, rows, cols, run["dataflow"]) == int(run["cycles"]), run


extents = st.integers(1, 400)


@given(extents, extents, extents, st.integers(1, 40), st.integers(1, 40))
def test_terms_add_up_to_the_difference(m: int, n: int, k: int, rows: int, cols: int) -> None:
    shape = Shape("", m, n, k)
    (row,) = scalesim.compare([shape], rows, cols)
    difference = sum(count for count, _ in scalesim.terms(shape, rows, cols))
    assert row.archsim_cycles - row.scalesim_cycles == difference


def test_why_names_only_the_terms_that_count() -> None:
    one_fold, many = scalesim.compare([Shape("x", 8, 8, 32), Shape("y", 20, 16, 5)], 8, 8)
    assert one_fold.why == (
        "+3 taking the command, the drain register and the output queue, a cycle each"
    )
    assert many.to_dict() == {
        "name": "y", "M": 20, "N": 16, "K": 5, "scalesim_cycles": 113, "archsim_cycles": 57,
        "why": "-70 fill and drain of 5 folds hide behind the next; "
        "+15 bubbles: a fold of 5 steps waits for the drain of the one before; "
        "-4 the last fold has 4 of 8 rows to drain; "
        "+3 taking the command, the drain register and the output queue, a cycle each",
    }  # fmt: skip


def test_a_depthwise_layer_is_a_product_a_channel(tmp_path: Path) -> None:
    path = tmp_path / "dp.csv"
    path.write_text(f"{CONV_HEADER}\nconv,9,9,3,3,4,6,2,\nDP1,5,5,3,3,3,1,1,\n")
    assert scalesim.read_shapes(path) == [
        Shape("conv", 16, 6, 36), *(Shape(f"DP1Channel_{i}", 9, 1, 9) for i in range(3)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (8, 8, "ws"),
            "--dataflow: must be a dataflow that the systolic engine has: os, not 'ws'",
        ),
        ((0, 8, "os"), "--array: must have 1 to 1024 rows and columns, not '0x8'"),
        ((8, 1025, "os"), "--array: must have 1 to 1024 rows and columns, not '8x1025'"),
    ],
)
def test_refuses_arrays_that_the_engine_cannot_be(
    arguments: tuple[int, int, str], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        scalesim.compare([Shape("x", 1, 1, 1)], *arguments)
    assert str(caught.value) == message


@pytest.mark.parametrize("mnk", [(1 << 24, 1, 1), (1 << 20, 1 << 20, 1 << 20)])
def test_refuses_shapes_that_no_command_carries(mnk: tuple[int, int, int]) -> None:
    with pytest.raises(InputError, match=r"^x: must have extents up to 16,777,215 and up to "):
        scalesim.compare([Shape("x", *mnk)], 8, 8)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must begin with the columns name,M,N,K"),
        ("name,M,N,K\n", "must hold a row for every product below its header"),
        ("name,M,N\nx,1,1\n", "must begin with the columns name,M,N,K"),
        ("name,M,N,K\nx,1,2\n", ":2: must have 4 columns"),
        ("name,M,N,K\nx,0,1,1\n", ":2: m: must be a whole number from 1 to"),
        ("name,M,N,K\nx,-1,1,1\n", ":2: m: must be a whole number from 1 to"),
        ("name,M,N,K\nx,1e9,1,1\n", ":2: m: must be a whole number from 1 to"),
        ("name,M,N,K\nx,99999999999999999999,1,1\n", ":2: m: must be a whole number from 1 to"),
        ("name,M,N,K\nx,\N{SUPERSCRIPT TWO},1,1\n", ":2: m: must be a whole number from 1 to"),
        ("name,M,N,K\n,1,1,1\n", ":2: name: must be a name of its own"),
        (f"name,M,N,K\n{'x' * 200_000},1,1,1\n", "must be a readable CSV file"),
    ],
)
def test_hostile_tables_are_refused_with_their_place(
    text: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "shapes.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        scalesim.read_shapes(path)
    assert message in str(caught.value)


def test_refuses_what_is_no_csv(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        scalesim.read_shapes(tmp_path / "shapes.txt")
    assert str(caught.value).startswith("--shapes: must be a .csv file, not ")
    with pytest.raises(InputError, match="must be a readable CSV file"):
        scalesim.read_shapes(tmp_path / "none.csv")
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="must be a readable CSV file"):
        scalesim.read_shapes(binary)
