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


TOPOLOGY = (
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, "
    "Strides,"
)
ROW = "c, 9, 8, 3, 2, 4, 5, 2,"


@pytest.mark.parametrize(
    "header",
    [
        TOPOLOGY,
        TOPOLOGY.rstrip(","),
        "\ufeff" + TOPOLOGY.replace(", ", ",\u00a0 "),  # as spreadsheets save it
        TOPOLOGY.replace("Layer name", "Layer").replace("IFMAP Height", "IFMAP Width"),
        TOPOLOGY.lower().replace("channels", "channel").replace("num filter", "num filters"),
        TOPOLOGY.replace(",", "\t"),
        TOPOLOGY.replace("Strides", "Stride height, Stride width"),
    ],
)  # fmt: skip
def test_headers_of_scale_sims_own_files(tmp_path: Path, header: str) -> None:
    row = ROW.replace(",", "\t") if "\t" in header else ROW
    trace = load(written(tmp_path, f"{header}\n{row}\n"))
    (op,) = trace.ops
    names = ("height", "width", "kernel", "channels", "filters", "stride")
    assert [op.attrs[name] for name in names] == [9, 8, (3, 2), 4, 5, (2, 2)]


@pytest.mark.parametrize(
    ("header", "row", "batch", "stride"),
    [
        (TOPOLOGY, "c,9,9,3,3,4,5,2,3,", 1, (2, 3)),  # a second stride, as SCALE-Sim reads it
        (TOPOLOGY + "stride width,", "c,9,9,3,3,4,5,2,3,", 1, (2, 3)),
        (TOPOLOGY + "batch size,", "c,9,9,3,3,4,5,2,7,", 7, (2, 2)),
    ],
)
def test_what_stands_behind_the_strides(
    tmp_path: Path, header: str, row: str, batch: int, stride: tuple[int, int]
) -> None:
    (op,) = load(written(tmp_path, f"{header}\n{row}\n")).ops
    assert (op.attrs["batch"], op.attrs["stride"]) == (batch, stride)


def test_what_is_not_read_is_said(tmp_path: Path) -> None:
    rows = (",,,,,,,,", "Inception,,,,,,,,", "c,9,9,3,3,4,5,2,#dw,", "c,9,9,3,3,4,5,2,,,110")
    text = "\n".join([TOPOLOGY + ",,Eh", *rows, ",8,8,2,2,4,5,1,"])
    trace = load(written(tmp_path, text))
    assert [op.name for op in trace.ops] == ["c", "c#2", "layer2"]
    assert trace.notes[-2:] == (
        "rows without numbers are titles: Inception",
        "not read, behind a topology's columns: #dw, eh",
    )


def test_depthwise_layers_by_their_names(tmp_path: Path) -> None:
    trace = load(written(tmp_path, f"{TOPOLOGY}\nConv2_DP,9,9,3,3,4,1,2,\n"))
    (op,) = trace.ops
    # SCALE-Sim runs each of four channels as a layer of its own: 16 pixels, 9 taps, 1 filter
    assert as_gemm(op) == Gemm(16, 1, 9, groups=4)
    assert any("1 layers with DP in their names are depthwise" in note for note in trace.notes)


def test_outputs_that_scale_sim_rounds_up_are_noted(tmp_path: Path) -> None:
    trace = load(written(tmp_path, f"{TOPOLOGY}\nodd,230,230,7,7,3,64,2,\neven,9,9,3,3,1,1,2,\n"))
    assert as_gemm(trace.ops[0]).m == 112 * 112  # 113 x 113 there
    assert any(note.startswith("1 convolutions do not end on a whole") for note in trace.notes)


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


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("c,9,9,3,3,4,5", "FILE:2: must have 8 columns, not ['c', '9', '9', '3', '3', '4', '5']"),
        ("c,9,B,3,3,4,5,1", ("FILE:2: ifmap width: must be a whole number from 1 to "
                             "2,147,483,648, not 'B'")),
        ("c,9,9,3,3,4,5,1,0,", ("FILE:2: stride width: must be a whole number from 1 to "
                                "2,147,483,648, not '0'")),
        (",,,,,,,", "FILE: must hold a row for every product below its header"),
    ],
)  # fmt: skip
def test_faulty_topologies_are_named_with_their_line(tmp_path: Path, row: str, fault: str) -> None:
    path = written(tmp_path, f"{TOPOLOGY}\n{row}\n")
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
