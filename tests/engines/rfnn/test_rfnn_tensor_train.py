"""Tensor trains: shapes, counts, and execution through the addresses that hardware makes."""

from __future__ import annotations

from math import prod
from typing import get_args

import numpy as np
import pytest
import tensorly.decomposition
from hypothesis import given
from hypothesis import strategies as st
from tensorly.tt_matrix import tt_matrix_to_tensor
from tensorly.tt_tensor import tt_to_tensor

from archsim.engines.rfnn.tensor_train import (
    Cores,
    Form,
    TensorTrain,
    addresses,
    buffer_words,
    core_shapes,
    count,
    decompose,
    factors,
    parameters,
    run,
    stages,
)

LAYERS = {  # outputs; inputs
    "784 -> 256": ((4, 4, 4, 4), (4, 7, 7, 4)),
    "784 -> 1024": ((4, 8, 8, 4), (4, 7, 7, 4)),
    "1024 -> 1024": ((4, 8, 8, 4), (4, 8, 8, 4)),
    "1024 -> 1024 in five": ((4,) * 5, (4,) * 5),
    "3072 -> 512": ((4, 4, 8, 4), (4, 8, 8, 12)),
}
COUNTED = [  # rank; parameters, cells by `instance` and by `spatial` of ttm, then of tt3
    ("784 -> 256", 2, (288, 306, 29_784), (136, 314, 5_402)),
    ("784 -> 256", 4, (1_024, 1_248, 120_408), (512, 1_296, 18_180)),
    ("784 -> 256", 8, (3_840, 5_076, 488_856), (1_600, 3_718, 26_272)),
    ("784 -> 1024", 4, (1_920, 2_000, 266_712), (640, 2_048, 36_036)),
    ("1024 -> 1024", 4, (2_176, 2_236, 318_464), (672, 2_284, 42_540)),
    ("1024 -> 1024 in five", 2, (256, 236, 60_416), (144, 246, 8_514)),
    ("3072 -> 512", 4, (1_792, 1_920, 269_568), (640, 1_968, 44_332)),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "rank", "ttm", "tt3"), COUNTED)
def test_counts_of_layers(
    layer: str, rank: int, ttm: tuple[int, int, int], tt3: tuple[int, int, int]
) -> None:
    for form, wanted in (("ttm", ttm), ("tt3", tt3)):
        steps = stages(form, *LAYERS[layer], rank)
        shapes = core_shapes(form, *LAYERS[layer], rank)
        cells = tuple(count(steps, cores).cells for cores in ("instance", "spatial"))
        assert (parameters(shapes), *cells) == wanted


def test_the_dense_matrix_as_one_stage() -> None:
    cells = [
        count(stages("full", *LAYERS[layer], 1), "instance").cells
        for layer in ("784 -> 256", "784 -> 1024", "1024 -> 1024", "3072 -> 512")
    ]
    assert cells == [339_576, 830_712, 1_047_552, 4_847_872]


@pytest.mark.parametrize("rank", [1, 4, 8])
def test_slots_of_784_to_256_at_any_rank(rank: int) -> None:
    steps = stages("ttm", *LAYERS["784 -> 256"], rank)
    assert [s.vectors for s in steps] == [196, 112, 64, 64]
    assert count(steps, "instance").slots == 436
    assert count(steps, "instance").reprograms == 0
    assert count(steps, "spatial").slots == 1
    if rank == 4:  # a mesh of 16 and one of 28 modes; each stage programs them anew
        assert count(steps, "shared") == (378 + 120, 16, 436, 4)
        assert buffer_words(steps) == 3_136


def test_a_buffer_holds_what_goes_in_and_what_comes_out() -> None:
    for sides in ((5, 3), (3, 5)):
        assert buffer_words(stages("full", sides[:1], sides[1:], 1, vectors=2)) == 10


def test_spatial_is_instance_times_vectors() -> None:
    steps = stages("tt3", *LAYERS["784 -> 256"], 4, vectors=3)
    one = stages("tt3", *LAYERS["784 -> 256"], 4)
    assert count(steps, "spatial").cells == 3 * count(one, "spatial").cells
    assert count(steps, "spatial").attenuators == sum(
        s.vectors * min(s.outputs, s.inputs) for s in steps
    )


# ---------------------------------------------------------------------------------------- shapes


@pytest.mark.parametrize(
    ("extent", "wanted"),
    [
        (784, (4, 7, 7, 4)),
        (256, (4, 4, 4, 4)),
        (1024, (4, 8, 8, 4)),
        (512, (4, 4, 8, 4)),
        (10, (1, 2, 5, 1)),
        (13, (1, 1, 13, 1)),
        (1, (1, 1, 1, 1)),
    ],
)
def test_factors(extent: int, wanted: tuple[int, ...]) -> None:
    assert factors(extent, 4) == wanted


@given(st.integers(1, 5_000), st.integers(1, 6))
def test_factors_multiply_to_the_extent(extent: int, number: int) -> None:
    found = factors(extent, number)
    assert prod(found) == extent
    assert len(found) == number
    peak = found.index(max(found))
    assert list(found[:peak]) == sorted(found[:peak])
    assert list(found[peak:]) == sorted(found[peak:], reverse=True)


def test_what_is_no_chain_is_refused() -> None:
    with pytest.raises(ValueError, match=r"ttm pairs factors of outputs and inputs"):
        core_shapes("ttm", (4, 4), (4, 4, 4), 2)
    with pytest.raises(ValueError, match=r"3 cores have 2 ranks of 1 or more, not \[2\]"):
        core_shapes("ttm", (4, 4, 4), (4, 4, 4), [2])
    with pytest.raises(ValueError, match=r"2 cores have 1 ranks of 1 or more, not 0"):
        core_shapes("tt3", (4,), (4,), 0)
    with pytest.raises(ValueError, match=r"weights must be 4 x 6, not \(6, 4\)"):
        decompose(np.zeros((6, 4)), "tt3", (4,), (6,), 2)
    with pytest.raises(ValueError, match=r"positive extent and count, not 0 and 2"):
        factors(0, 2)


# ---------------------------------------------------------------------------------------- values

dims = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)


@st.composite
def trains(draw: st.DrawFn) -> tuple[TensorTrain, int, np.random.Generator]:
    """Return random cores, a number of vectors, and a generator."""
    form = draw(st.sampled_from(get_args(Form)))
    outputs = draw(dims)
    inputs = draw(st.tuples(*[st.integers(1, 4)] * len(outputs)) if form == "ttm" else dims)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    is_complex = draw(st.booleans())
    cores = tuple(
        rng.normal(size=s) + (1j * rng.normal(size=s) if is_complex else 0)
        for s in core_shapes(form, outputs, inputs, draw(st.integers(1, 5)))
    )
    return TensorTrain(form, outputs, inputs, cores), draw(st.integers(1, 4)), rng


@given(trains())
def test_stages_equal_the_dense_product(
    case: tuple[TensorTrain, int, np.random.Generator],
) -> None:
    train, vectors, rng = case
    x = rng.normal(size=(vectors, prod(train.inputs)))
    steps = train.stages(vectors)
    for stage, matrix in zip(steps, train.matrices(), strict=True):
        assert matrix.shape == (stage.outputs, stage.inputs)
    wanted = x @ train.dense().T
    found = run(steps, train.matrices(), x).reshape(vectors, -1)
    assert np.abs(found - wanted).max() <= 1e-9 * max(1.0, np.abs(wanted).max())


@pytest.mark.parametrize("form", ["ttm", "tt3"])
def test_a_large_layer_through_its_addresses(form: Form) -> None:
    rng = np.random.default_rng(0)
    outputs, inputs = LAYERS["784 -> 256"]
    weights = rng.normal(size=(256, 784)) / 28
    train, missed = decompose(weights, form, outputs, inputs, 8)
    x = rng.normal(size=(3, 784))
    found = run(train.stages(3), train.matrices(), x).reshape(3, -1)
    assert np.abs(found - x @ train.dense().T).max() < 1e-9
    assert np.linalg.norm(train.dense() - weights) == pytest.approx(missed, rel=1e-9)


@given(trains())
def test_addresses_visit_each_word_once(case: tuple[TensorTrain, int, np.random.Generator]) -> None:
    train, vectors, _ = case
    for stage in train.stages(vectors):
        read, written = addresses(stage)
        assert np.array_equal(np.sort(read, axis=None), np.arange(read.size))
        assert np.array_equal(np.sort(written, axis=None), np.arange(written.size))


@given(trains(), st.lists(st.integers(1, 4), min_size=8, max_size=8))
def test_truncation_misses_what_it_says_and_little_more_than_it_must(
    case: tuple[TensorTrain, int, np.random.Generator], caps: list[int]
) -> None:
    train, _, _ = case
    dense, scale = train.dense(), max(1.0, float(np.linalg.norm(train.dense())))
    ranks = caps[: len(train.cores) - 1]
    found, missed = decompose(dense, train.form, train.outputs, train.inputs, ranks)
    assert np.linalg.norm(found.dense() - dense) == pytest.approx(missed, abs=1e-9 * scale)
    tails = [  # what is left of each unfolding at its rank: a lower bound each
        np.linalg.norm(np.linalg.svd(unfolding, compute_uv=False)[rank:])
        for unfolding, rank in zip(unfoldings(train), found.ranks, strict=True)
    ]
    assert missed >= max(tails, default=0.0) - 1e-9 * scale
    assert missed <= np.linalg.norm(tails) + 1e-9 * scale
    shapes = core_shapes(train.form, train.outputs, train.inputs, ranks)
    assert tuple(core.shape for core in found.cores) == shapes
    assert found.parameters == parameters(shapes)


def unfoldings(train: TensorTrain) -> list[np.ndarray]:
    """Return the whole tensor as a matrix, cut at each bond."""
    if train.form == "full":
        return []
    whole = np.ones((1, 1))
    for core in train.cores:
        whole = np.tensordot(whole, core, axes=1).reshape(-1, core.shape[-1])
    sizes = np.cumprod([prod(core.shape[1:-1]) for core in train.cores])
    return [whole.reshape(size, -1) for size in sizes[:-1]]


@given(trains())
def test_without_a_cap_nothing_is_missed(
    case: tuple[TensorTrain, int, np.random.Generator],
) -> None:
    train, _, _ = case
    dense = train.dense()
    again, missed = decompose(dense, train.form, train.outputs, train.inputs, 10**6)
    assert missed == 0.0
    assert np.allclose(again.dense(), dense, rtol=1e-9, atol=1e-9 * np.abs(dense).max())


@pytest.mark.parametrize("form", get_args(Form))
def test_modes_of_accounting_agree_where_there_is_one_vector(form: Form) -> None:
    steps = stages(form, (3,), (5,), 2)
    found = {cores: count(steps, cores) for cores in get_args(Cores)}
    assert found["instance"][:2] == found["spatial"][:2]


# ---------------------------------------------------------------------------------------- a peer


@pytest.mark.parametrize("rank", [1, 3, 6])
def test_a_peer_cuts_to_the_same_matrix(rank: int) -> None:
    outputs, inputs = (4, 3, 2), (3, 4, 5)
    weights = np.random.default_rng(rank).normal(size=(24, 60))
    tensor = weights.reshape(*outputs, *inputs)
    for form, peer in (
        ("tt3", lambda ranks: tt_to_tensor(tensorly.decomposition.tensor_train(tensor, ranks))),
        (
            "ttm",
            lambda ranks: tt_matrix_to_tensor(
                tensorly.decomposition.tensor_train_matrix(tensor, ranks)
            ),
        ),
    ):
        train, _ = decompose(weights, form, outputs, inputs, rank)
        theirs = peer([1, *train.ranks, 1]).reshape(weights.shape)
        assert np.abs(train.dense() - theirs).max() < 1e-12
