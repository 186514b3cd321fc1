"""What is compared: products from tables, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsim.compare import shapes
from archsim.compare.shapes import Shape
from archsim.errors import InputError

CONV_HEADER = (
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, "
    "Strides,"
)


def test_a_depthwise_layer_is_a_product_a_channel(tmp_path: Path) -> None:
    path = tmp_path / "dp.csv"
    path.write_text(f"{CONV_HEADER}\nconv,9,9,3,3,4,6,2,\nDP1,5,5,3,3,3,1,1,\n")
    assert shapes.read(path) == [
        Shape("conv", 16, 6, 36), *(Shape(f"DP1Channel_{i}", 9, 1, 9) for i in range(3)),
    ]  # fmt: skip


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
        shapes.read(path)
    assert message in str(caught.value)


def test_refuses_what_is_no_csv(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        shapes.read(tmp_path / "shapes.txt")
    assert str(caught.value).startswith("--shapes: must be a .csv file, not ")
    with pytest.raises(InputError, match="must be a readable CSV file"):
        shapes.read(tmp_path / "none.csv")
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="must be a readable CSV file"):
        shapes.read(binary)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("32", "--array: must be RxC, as in 32x32, not '32'"),
        ("32x", "--array: must be RxC, as in 32x32, not '32x'"),
        ("-1x8", "--array: must be RxC, as in 32x32, not '-1x8'"),
        ("0x8", "--array: must have 1 to 1024 rows and columns, not '0x8'"),
        ("8x1025", "--array: must have 1 to 1024 rows and columns, not '8x1025'"),
    ],
)
def test_refuses_arrays_that_the_engine_cannot_be(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        shapes.sides(text)
    assert str(caught.value) == message


def test_a_product_is_three_extents() -> None:
    assert shapes.product("2x30x4") == Shape("2x30x4", 2, 30, 4)
    assert shapes.sides("8x16") == (8, 16)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2x3", "MxNxK: must be MxNxK, as in 128x768x768, not '2x3'"),
        ("2x3x1e9", "MxNxK: must be MxNxK, as in 128x768x768, not '2x3x1e9'"),
        ("2x0x3", "2x0x3: must have extents from 1 to 16,777,215 and up to "),
        ("16777216x1x1", "16777216x1x1: must have extents from 1 to 16,777,215 and up to "),
        ("1048576x1048576x1048576", "1048576x1048576x1048576: must have extents from 1 to "),
    ],
)
def test_refuses_products_that_no_command_carries(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        shapes.product(text)
    assert str(caught.value).startswith(message)


def test_refuses_tables_with_products_that_no_command_carries(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    path.write_text(f"name,M,N,K\nx,{1 << 24},1,1\n")
    with pytest.raises(InputError, match=r"^x: must have extents from 1 to 16,777,215 and up to "):
        shapes.read(path)
