"""Kernels in CUDA C++: run on warps that a CPU plays, and made machine code for every target.

The sources are compiled for a CPU with another ``mma.cuh``, in which lanes take turns and a product
is computed element by element, from where PTX ISA says that elements lie. What is not run, the
inline PTX itself, is assembled.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archsim.errors import InputError
from archsim.formats import bipolar
from archsim.formats.requantise import wrap
from archsim.gpu.assemble import ARCHITECTURES, assembled
from archsim.gpu.cuda.ptx import FILES, FOLDER, FUNCTIONS, compiled, heading, kept
from archsim.gpu.native import native
from archsim.sparse.packed import pack_tiles, pack_two_of_four, prune_two_of_four
from archsim.verify.verilator import compiler

WARPS = Path(__file__).parent / "warps"
FEW = settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def warps(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The kernels, compiled for a CPU."""
    place = tmp_path_factory.mktemp("warps")
    for path in [*FOLDER.glob("*.cu"), *FOLDER.glob("*.cuh"), *WARPS.iterdir()]:
        shutil.copy(path, place)  # the header of warps takes the place of mma.cuh
    command = compiler()
    assert command, "these tests need a C++ compiler"
    options = ["-std=c++17", "-O1", "-shared", "-fPIC", "-Wno-unknown-pragmas"]
    subprocess.run([*command, *options, "launch.cpp", "-o", "warps.so"], cwd=place, check=True)
    return ctypes.CDLL(str(place / "warps.so"))


def pointer(array: Any) -> Any:
    assert array.flags.c_contiguous
    return array.ctypes.data_as(ctypes.c_void_p)


def run(function: Any, operands: list[Any], shape: tuple[int, int], kind: Any, *sizes: int) -> Any:
    """Return what a function writes, filled with something else before."""
    arrays = [np.ascontiguousarray(x) for x in operands]
    result = np.full(shape, 77, kind)
    function(*(pointer(x) for x in arrays), pointer(result), *(ctypes.c_int(s) for s in sizes))
    return result


@st.composite
def sizes(draw: Any, deepest: int) -> tuple[int, int, int, np.random.Generator]:
    """Draw m, n, k and a source of operands: below, at and beyond a tile."""
    m = draw(st.sampled_from([1, 7, 8, 15, 16, 17, 40]))
    n = draw(st.sampled_from([1, 5, 8, 9, 20]))
    return m, n, draw(st.integers(1, deepest)), np.random.default_rng(draw(st.integers(0, 99)))


@FEW
@given(sizes(600), st.integers(1, 4), st.integers(1, 4), st.booleans())
def test_binary_products(warps: ctypes.CDLL, size: Any, p: int, q: int, ends: bool) -> None:
    m, n, k, rng = size
    w, x = rng.integers(0, 1 << p, (m, k)), rng.integers(0, 1 << q, (n, k))
    if ends:
        w, x = np.where(w & 1, (1 << p) - 1, 0), np.where(x & 1, (1 << q) - 1, 0)
    planes = [bipolar.packed_planes(w, p), bipolar.packed_planes(x, q)]
    expected = bipolar.to_values(w, p) @ bipolar.to_values(x, q).T
    got = run(warps.run_xor, planes, (m, n), np.int32, m, n, k, p, q)
    np.testing.assert_array_equal(got, expected)
    ones = [np.bitwise_count(x).sum(axis=-1, dtype=np.int32) for x in planes]
    got = run(warps.run_and, [*planes, *ones], (m, n), np.int32, m, n, k, p, q)
    np.testing.assert_array_equal(got, expected)


def nibbles(matrix: Any) -> Any:
    """Return four-bit integers eight a word."""
    padded = np.pad(matrix & 15, [(0, 0), (0, -matrix.shape[1] % 8)]).reshape(len(matrix), -1, 8)
    return (
        (padded.astype(np.uint32) << 4 * np.arange(8, dtype=np.uint32)).sum(axis=-1).astype("<u4")
    )


@FEW
@given(sizes(200), st.booleans())
def test_four_bit_products(warps: ctypes.CDLL, size: Any, ends: bool) -> None:
    m, n, k, rng = size
    draw = (lambda s: rng.choice([-8, 7], s)) if ends else (lambda s: rng.integers(-8, 8, s))
    a, b = draw((m, k)), draw((n, k))
    got = run(warps.run_int4, [nibbles(a), nibbles(b)], (m, n), np.int32, m, n, k)
    np.testing.assert_array_equal(got, wrap(a @ b.T, 32))


@FEW
@given(sizes(6), st.sampled_from(["integers", "numbers", "special", "zeros"]))
def test_sparse_products(warps: ctypes.CDLL, size: Any, values: str) -> None:
    """Small integers add up exactly in any order; others lie as near as fp32 sums do."""
    m, n, sixteens, rng = size
    k = 16 * sixteens
    a, b = rng.integers(-8, 9, (m, k)).astype(np.float16), rng.integers(-8, 9, (n, k))
    if values == "numbers":
        a = (a * rng.standard_normal((m, k))).astype(np.float16)
    if values == "special":  # two a row, so that what is pruned are numbers
        a[:, 3], a[0, 5] = np.inf, np.nan
    if values == "zeros":
        a[:] = 0
    a, b = prune_two_of_four(a), b.astype(np.float16)
    kept_values, places = pack_two_of_four(a)
    words = [np.ascontiguousarray(x).view(np.uint32) for x in (kept_values, b)]
    got = run(warps.run_sparse, [words[0], places, words[1]], (m, n), np.float32, m, n, k)
    with np.errstate(invalid="ignore"):
        exact = a.astype(np.float64) @ b.T.astype(np.float64)
    np.testing.assert_allclose(got, exact, rtol=1e-5, atol=2e-3 if values == "numbers" else 0)


@settings(FEW, max_examples=6)
@given(sizes(90), st.sampled_from([0, 0.2, 1]), st.booleans())
def test_products_loaded_as_sparse(
    warps: ctypes.CDLL, size: Any, share: float, special: bool
) -> None:
    m, n, half, rng = size
    k, rows = 2 * half, 5 * m
    a = rng.integers(-8, 9, (rows, k)) * (rng.random((rows, k)) < share)
    a, b = a.astype(np.float16), rng.integers(-8, 9, (n, k)).astype(np.float16)
    if special:
        a[0, 0], a[-1, -1] = np.inf, np.nan
    packed = pack_tiles(a.view(np.uint16))
    operands = [packed.words, packed.offsets, b.view(np.uint32)]
    got = run(warps.run_tiles, operands, (rows, n), np.float32, rows, n, k)
    with np.errstate(invalid="ignore"):
        exact = a.astype(np.float64) @ b.T.astype(np.float64)
    np.testing.assert_array_equal(got, exact)


@pytest.mark.parametrize("file", FILES)
def test_ptx_is_of_the_sources_as_they_are(file: str) -> None:
    assert kept(file).splitlines()[0] == heading(file), "run: python -m archsim.gpu.cuda.ptx"


@pytest.mark.parametrize(
    "target",
    [t if t == "sm_90" else pytest.param(t, marks=pytest.mark.slow) for t in ARCHITECTURES],
)
def test_every_target_has_the_instructions_that_were_measured(target: str) -> None:
    """As often as sources have them, in loops that are not unrolled, and without spills."""
    found: dict[str, Any] = {}
    for file in FILES:
        functions = assembled(kept(file), target)
        assert functions is not None
        found |= functions
    assert found.keys() == FUNCTIONS.keys()
    for name, of in found.items():
        _, instruction, count = FUNCTIONS[name]
        becomes = native()[instruction, target]
        assert becomes is not None
        assert of.tensor == {op: count * n for op, n in becomes.tensor.items()}, name
        assert of.spills == 0, name


if shutil.which("nvcc"):  # elsewhere the PTX that is kept is assembled, above

    @pytest.mark.slow
    @pytest.mark.parametrize("file", FILES)
    def test_nvcc_makes_what_is_kept(file: str) -> None:
        now, before = compiled(file), kept(file)
        if now.splitlines()[1] == before.splitlines()[1]:  # the same release
            assert now == before
        ours, theirs = assembled(now, "sm_90"), assembled(before, "sm_90")
        assert ours is not None
        assert theirs is not None
        assert {n: f.tensor for n, f in ours.items()} == {n: f.tensor for n, f in theirs.items()}


def test_without_nvcc_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError) as caught:
        compiled("int4_gemm")
    assert str(caught.value) == "nvcc: must be installed, with CUDA's toolkit, to compile CUDA C++"
