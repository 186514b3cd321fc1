"""Sparse products as models: from files, from scipy, made up; and as traces on disk."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from scipy.io import mmwrite
from typer.testing import CliRunner

from archsim.cli import app
from archsim.design import load_design
from archsim.errors import InputError
from archsim.frontends import load
from archsim.frontends.matrices import MAKERS
from archsim.frontends.products import SparseTrace, trace_of
from archsim.patterns import Patterns
from archsim.simulate import simulate
from archsim.sparse import Csr
from archsim.sparse.generate import blocks, two_of_four, unstructured
from archsim.trace import Sparse, Trace
from archsim.trace_io import read_operands, read_trace, write_trace


def matrix(rows: int, columns: int, seed: int = 1) -> Any:
    rng = np.random.default_rng(seed)
    dense = rng.integers(-4, 5, (rows, columns)) * (rng.random((rows, columns)) < 0.3)
    return sparse.csr_array(dense.astype(float))


def file(path: Path, values: Any) -> Path:
    mmwrite(path, values, precision=17)
    return path


def attrs(trace: Trace) -> dict[str, Any]:
    (op,) = trace.ops
    return {"kind": op.kind, **op.attrs}


def of(a: Any, b: Any) -> dict[str, int]:
    products = int((abs(a).sign() @ abs(b).sign()).sum())
    return {"m": a.shape[0], "n": b.shape[1], "k": a.shape[1], "products": products}


# ------------------------------------------------------------------------------------- files


def test_a_file_is_its_square_or_a_product(tmp_path: Path) -> None:
    a, b = matrix(6, 6), matrix(6, 4, seed=2)
    paths = [str(file(tmp_path / name, x)) for name, x in (("a.mtx", a), ("b.mtx", b))]
    square, product = load(paths[0]), load(paths[0], times=paths[1])
    assert attrs(square) == {"kind": "spgemm", **of(a, a)}
    assert square.ops[0].inputs == ("A", "A")
    assert attrs(product) == {"kind": "spgemm", **of(a, b)}
    assert (square.name, product.name) == ("a squared", "a x b")
    assert product.macs() == of(a, b)["products"]
    found = Patterns(product).product(product.ops[0])
    assert (found.a.scipy().toarray() == a.toarray()).all()
    assert found.b is not None and (found.b.scipy().toarray() == b.toarray()).all()
    entries = Csr.of(abs(a).sign() @ abs(a).sign()).entries
    assert square.tensors["C"].data == Sparse(entries)


def test_a_dense_factor_is_columns_or_an_array_file(tmp_path: Path) -> None:
    a, dense = matrix(6, 5), np.arange(15.0).reshape(5, 3)
    path, other = file(tmp_path / "a.mtx", a), file(tmp_path / "d.mtx", dense)
    by_number, by_file = load(path, columns=3), load(path, times=str(other))
    expected = {"kind": "spmm", "m": 6, "n": 3, "k": 5, "products": 3 * a.nnz}
    assert attrs(by_number) == attrs(by_file) == expected
    assert by_number.tensors["C"].data is None
    assert (by_file.values["B"] == dense).all()


def test_notes_say_what_was_not_taken_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "a.mtx"
    path.write_text("%%MatrixMarket matrix coordinate pattern general\n2 2 3\n1 1\n1 1\n2 1\n")
    file(tmp_path / "d.mtx", np.ones((2, 2)))
    assert load(path).notes == (
        "a.mtx is a pattern: its entries count as ones",
        "1 entries of a.mtx stand at the place of others: they are added up",
    )
    assert load(tmp_path / "d.mtx").notes == ("d.mtx is a dense file: its zeros are no entries",)


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    a = matrix(6, 6)
    file(Path("a,b.mtx"), a)
    command = ["trace", "a,b.mtx", "--times", "a,b.mtx", "-o", "t.jsonl", "--json"]
    done = CliRunner().invoke(app, command)
    assert json.loads(done.stdout)["macs"] == of(a, a)["products"]
    again = read_trace(Path("t.jsonl"))
    assert attrs(again) == {"kind": "spgemm", **of(a, a)}
    assert (read_operands(Path("t.jsonl"))["A.values"] == a.data).all()
    lone = CliRunner().invoke(app, ["trace", "a,b.mtx", "-o", "-"])
    assert lone.exit_code == 2
    assert lone.stderr == (
        "error: --output: must be a file: the trace has arrays to be written beside it, not '-'; "
        "say -o FILE.jsonl\n"
    )


# ------------------------------------------------------------------------------------- scipy, disk


@pytest.mark.parametrize("kind", ["f4", "f8", "i8", "i4", "i1", "c16"])
def test_traces_on_disk_come_back_with_values_of_their_type(kind: str, tmp_path: Path) -> None:
    a = sparse.csr_array(matrix(5, 5).astype(kind))
    trace = trace_of(a)
    write_trace(trace, tmp_path / "t.jsonl", trace.values)
    again = read_trace(tmp_path / "t.jsonl")
    assert (again.tensors, again.ops) == (trace.tensors, trace.ops)
    found = Patterns(again).product(again.ops[0]).a
    assert found.values is not None and found.values.dtype == a.dtype
    assert (found.scipy().toarray() == a.toarray()).all()


def test_bytes_of_a_sparse_tensor_are_entries_indices_and_pointers() -> None:
    trace = trace_of(sparse.csr_array(matrix(5, 5).astype(np.float32)))
    entries = trace.tensors["A"].data
    assert isinstance(entries, Sparse)
    assert trace.tensors["A"].size_bytes == entries.entries * (4 + 4) + 6 * 8


def test_what_cannot_be_multiplied_is_refused() -> None:
    with pytest.raises(InputError) as refused:
        trace_of(matrix(3, 4), matrix(3, 4))
    assert str(refused.value) == "product: product: B must have 4 rows, as A has columns, not 3"
    with pytest.raises(InputError) as refused:
        trace_of(sparse.csr_array((3, 3)))
    assert str(refused.value).endswith(
        "must have something to multiply: no entry of A meets one of B"
    )
    with pytest.raises(InputError, match=r"must be numbers of fp32, fp64, .*, not 'bool'"):
        trace_of(matrix(3, 3).astype(bool))


def test_what_is_no_matrix_of_scipys_is_refused() -> None:
    beyond = sparse.csr_array(np.eye(3))
    beyond.indices[0] = 9
    nan = sparse.csr_array(np.array([[1, np.nan], [0, 1]]))
    for given, text in (
        ("x", "A: must be a matrix of scipy's or NumPy's, not 'str'"),
        (None, "A: must be a matrix of scipy's or NumPy's, not 'NoneType'"),
        (np.ones(3), "A: must be a matrix of scipy's or NumPy's, not 'ndarray'"),
        (beyond, "A: must have indices within its shape: "),
        (nan, "A: must hold finite numbers only, no NaN or infinity"),
    ):
        with pytest.raises(InputError) as refused:
            trace_of(given)
        assert str(refused.value).startswith(f"product: {text}")
    for form in ("csc_array", "coo_matrix", "lil_array", "dok_array", "dia_array"):
        assert trace_of(getattr(sparse, form)(np.eye(3))).macs() == 3, form
    with pytest.raises(InputError, match=r"^product: B: must be a matrix of scipy's or NumPy's"):
        trace_of(matrix(3, 3), "x")


def chain() -> SparseTrace:
    made = SparseTrace("chain", "test")
    made.sparse("A", Csr.of(matrix(8, 8)))
    made.multiply("first", "A", "A", "B", "activation")
    made.multiply("second", "B", "A", "C")
    return made


def test_a_chain_keeps_the_pattern_of_its_middle() -> None:
    trace = chain().build()
    ones = abs(matrix(8, 8)).sign()
    second = trace.ops[1]
    assert {k: second.attrs[k] for k in "mnk"} == {"m": 8, "n": 8, "k": 8}
    middle = Csr.of(ones @ ones)
    assert Patterns(trace).product(second).a.digest == middle.digest
    assert second.attrs["products"] == int(((ones @ ones).sign() @ ones).sum())
    result = simulate(load_design("spgemm_dataflow_like"), trace)
    assert result.per_op[1].on_chip == ("B",)


def test_a_middle_without_its_pattern_is_refused() -> None:
    trace = chain().build()
    middle = trace.tensors["B"].data
    assert isinstance(middle, Sparse)
    bare = replace(trace.tensors["B"], data=Sparse(middle.entries))
    with pytest.raises(InputError) as refused:
        simulate(
            load_design("spgemm_dataflow_like"),
            replace(trace, tensors={**trace.tensors, "B": bare}),
        )
    assert str(refused.value) == (
        "trace 'chain': pattern of 'B': must be known, as time and traffic follow from it"
    )


# ------------------------------------------------------------------------------------- made up


@pytest.mark.parametrize("name", MAKERS)
def test_names_simulate_and_are_the_same_again(name: str) -> None:
    small = {
        "rmat": "scale=6", "poisson": "points=9,side=8", "uniform": "rows=64,density=0.05",
        "gcn": "scale=6,features=50,hidden=4", "pruned": "outputs=32,inputs=64,vectors=4",
    }[name]  # fmt: skip
    one, again = (load(f"{name}@{small}") for _ in range(2))
    assert one == again
    assert all((one.values[x] == again.values[x]).all() for x in one.values)
    assert one.source.startswith(f"{name}@")
    assert load(one.source).ops[0].attrs == one.ops[0].attrs  # the source says all of it
    assert simulate(load_design("spgemm_dataflow_like"), one).metrics.macs == one.macs()


def test_another_seed_makes_another_graph() -> None:
    square, product = load("rmat@scale=6"), load("rmat@scale=6,times_seed=2")
    assert len(square.tensors) == 2
    assert len(product.tensors) == 3
    found = Patterns(product).product(product.ops[0])
    assert found.b is not None and found.a.digest != found.b.digest
    assert found.a.digest == Patterns(square).product(square.ops[0]).a.digest
    assert attrs(load("rmat@scale=6,columns=5"))["kind"] == "spmm"


def test_pruned_weights_have_their_structure() -> None:
    for columns in (16, 17, 18, 19):
        dense = two_of_four(9, columns).scipy().toarray()
        groups = [dense[:, i : i + 4].sum(axis=1) for i in range(0, columns, 4)]
        widths = [min(4, columns - i) for i in range(0, columns, 4)]
        assert all((g == min(2, w)).all() for g, w in zip(groups, widths, strict=True))
    dense = blocks(20, 30, 8, 0.5).scipy().toarray()
    tiles = [dense[i : i + 8, j : j + 8] for i in range(0, 20, 8) for j in range(0, 30, 8)]
    assert sum(tile.all() for tile in tiles) == 6
    assert all(tile.all() or not tile.any() for tile in tiles)
    assert unstructured(40, 50, 0.1).entries == 200


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ("rmat@a=0.9,b=0.9", "rmat: a, b, c: must add up to 1 or less, not (0.9, 0.9, 0.19)"),
        ("rmat@a=x", "rmat: a: must be a number from 0 to 1, not 'x'"),
        ("rmat@a=nan", "rmat: a: must be a number from 0 to 1, not 'nan'"),
        ("rmat@scale=24,edge_factor=1024",
         "rmat: must have at most 16,777,216 edges, not 17179869184"),
        ("poisson@points=6", "poisson: points: must be one of 5, 7, 9, 27, not '6'"),
        ("poisson@side=4000", "poisson: side: must make 33,554,432 entries or fewer, not 4000"),
        ("uniform@rows=100000,density=0.5",
         ("uniform: must have at most 33,554,432 entries, and where more than 2 % are, "
          "134,217,728 places, not '5,000,000,000 of 10,000,000,000'")),
        ("pruned@structure=dense",
         "pruned: structure: must be one of unstructured, 2:4, block, not 'dense'"),
        ("pruned@structure=2:4,density=0.3,outputs=8",
         "pruned: options: must be of outputs, inputs, vectors, structure, seed, not 'density'"),
    ],
)  # fmt: skip
def test_options_out_of_bounds_are_refused(model: str, text: str) -> None:
    with pytest.raises(InputError) as refused:
        load(model)
    assert str(refused.value) == text


# ru_maxrss would begin with what the process that starts it had
HUNDRED_MILLION = """
from pathlib import Path
from archsim import frontends
from archsim.design import load_design
from archsim.simulate import simulate

trace = frontends.load("poisson@side=54")
design = load_design("spgemm_dataflow_like", {"engines.spgemm.dataflow": "outer"})
assert simulate(design, trace).metrics.macs == trace.macs() == 107_850_176
lines = Path("/proc/self/status").read_text().splitlines()
print(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
"""


@pytest.mark.slow
def test_a_hundred_million_products_take_less_than_two_gigabytes() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HUNDRED_MILLION], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 2_000_000  # KB
