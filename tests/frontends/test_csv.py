"""Lists of products: both column layouts, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from archsim.errors import InputError
from archsim.frontends import load
from archsim.trace import Gemm, as_gemm


def written(folder: Path, text: str) -> Path:
    path = folder / "list.csv"
    path.write_text(text, "utf-8")
    return path


def test_products_in_order(tmp_path: Path) -> None:
    trace = load(written(tmp_path, "name,M,N,K\nwide,1,1000,2048\n\nsquare, 64 ,64,64\n"))
    assert [(op.name, as_gemm(op)) for op in trace.ops] == [
        ("wide", Gemm(1, 1000, 2048)),
        ("square", Gemm(64, 64, 64)),
    ]
    assert trace.macs() == 1000 * 2048 + 64**3
    assert trace.tensors["wide.b"].shape == (2048, 1000)
    assert trace.weight_bytes() == 2048 * 1000 + 64 * 64
    assert trace.ops[0].epilogue == ("requantise",)


def test_columns_go_by_name_and_a_trailing_comma_is_none(tmp_path: Path) -> None:
    trace = load(written(tmp_path, "Layer, K, M, N,\na, 3, 1, 2,\n"))
    assert as_gemm(trace.ops[0]) == Gemm(1, 2, 3)


def test_formats_follow_the_policy(tmp_path: Path) -> None:
    trace = load(written(tmp_path, "name,M,N,K\na,2,2,2\n"), dtype="keep")
    assert {t.dtype for t in trace.tensors.values()} == {"fp32"}
    assert trace.ops[0].epilogue == ()


def test_a_scale_sim_topology(tmp_path: Path) -> None:
    header = (
        "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, "
        "Num Filter, Strides,\n"
    )
    trace = load(written(tmp_path, header + "conv1, 230, 230, 7, 7, 3, 64, 2,\n"))
    # ResNet's first layer, padded beforehand: 112 x 112 pixels, 7 x 7 x 3 taps
    assert as_gemm(trace.ops[0]) == Gemm(112 * 112, 64, 147)
    assert trace.tensors["conv1.c"].shape == (1, 64, 112, 112)


HEADER = "name,M,N,K\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", ("FILE: must begin with the columns name,M,N,K (A is MxK, B is KxN) or a SCALE-Sim "
             "topology's, not ''")),
        ("name,M,N\n", ("FILE:1: must begin with the columns name,M,N,K (A is MxK, B is KxN) or a "
                       "SCALE-Sim topology's, not 'name,M,N'")),
        (HEADER, "FILE: must hold a row for every product below its header"),
        (HEADER + "a,1,2\n", "FILE:2: must have 4 columns, not ['a', '1', '2']"),
        (HEADER + "a,1,2,3,4\n", "FILE:2: must have 4 columns, not ['a', '1', '2', '3', '4']"),
        (HEADER + "a,1,0,3\n", ("FILE:2: n: must be a whole number from 1 to 2,147,483,648, "
                               "not '0'")),
        (HEADER + "a,1,1e3,3\n", ("FILE:2: n: must be a whole number from 1 to 2,147,483,648, "
                                 "not '1e3'")),
        (HEADER + "a,1,٣,3\n", ("FILE:2: n: must be a whole number from 1 to 2,147,483,648, "
                               "not '٣'")),
        (HEADER + f"a,{'9' * 5000},2,3\n", ("FILE:2: m: must be a whole number from 1 to "
                                           f"2,147,483,648, not '{'9' * 199}...{'9' * 19}' "
                                           "(5,002 characters)")),
        (HEADER + "a,1,2,3\na,1,2,3\n", "FILE:3: name: must be a name of its own, not 'a'"),
    ],
)  # fmt: skip
def test_faults_are_named_with_their_line(tmp_path: Path, text: str, fault: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load(path)
    assert str(caught.value).replace(str(path), "FILE") == fault


def test_a_filter_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    header = (
        "name,IFMAP Height,IFMAP Width,Filter Height,Filter Width,Channels,Num Filter,Strides\n"
    )
    path = written(tmp_path, header + "c,4,4,7,7,3,8,1\n")
    with pytest.raises(InputError, match=r"list.csv: c: kernel: must fit the padded input, not"):
        load(path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_bytes(b"name,M,N,K\n\xff,1,1,1\n")
    with pytest.raises(InputError, match=r"b.csv: must be a readable CSV file: 'utf-8' codec"):
        load(tmp_path / "b.csv")


def test_the_list_that_ships_is_a_block_of_bert() -> None:
    listed = load(Path(__file__).parents[2] / "workloads" / "products" / "transformer.csv")
    block = [op for op in load("bert_base@seq=128").ops if op.block and op.kind == "gemm"]
    one_head = [replace(as_gemm(op), groups=1) for op in block]
    assert [as_gemm(op) for op in listed.ops] == one_head
