"""Which layers the RF engine takes, and what commands and phases they become."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.engines import GemmJobs, SpecBatch
from archsim.engines.rfnn.jobs import PASS, RELU
from archsim.engines.rfnn.lowering import (
    accepts,
    blocks,
    dtypes,
    factored,
    jobs_of,
    layer_stages,
    lower,
    passed_cells,
    peak_macs,
    weight_bytes,
)
from archsim.engines.rfnn.spec import RfnnSpec
from archsim.errors import InfeasibleError
from archsim.trace import Op

FORMS, CORES = ("full", "tt3", "ttm"), ("shared", "instance", "spatial")


def gemm(m: int, n: int, k: int, groups: int = 1, **op: Any) -> Op:
    return Op("layer", "gemm", ("a", "b"), ("c",), dict(m=m, n=n, k=k, groups=groups), **op)


def tile(m: int, n: int, k: int) -> GemmJobs:
    return GemmJobs(*(np.array([x]) for x in (m, n, k)), np.array([False]))


def step(m: int, n: int, k: int) -> Any:
    """Return a step of a mapping, as far as lowering looks at it."""
    return SimpleNamespace(**{x: np.array([e]) for x, e in zip("mnk", (m, n, k), strict=True)},
                           accumulate=np.array([False]))  # fmt: skip


# ------------------------------------------------------------------------------------- acceptance


def test_it_takes_products_and_nothing_else() -> None:
    assert accepts(RfnnSpec(), gemm(5, 300, 700)) is True
    refused = accepts(RfnnSpec(), Op("x", "vector", ("a",), ("b",), {"function": "relu"}))
    assert not refused
    assert refused.text == (  # type: ignore[union-attr]
        "interferometer meshes multiply matrices (gemm, conv); they do no vector"
    )


REFUSED = {
    "groups": (
        {"cores": "instance"}, gemm(1, 4, 4, 3),
        "cores: instance builds meshes for one matrix, not for 3 groups",
    ),
    "one pass": (
        {"cores": "spatial"}, gemm(1, 4, 9),
        ("cores: spatial passes a layer at once: its 9 inputs and 4 outputs must be at most the 8 "
         "modes"),
    ),
    "magnitudes": (
        {"readout": "mag"}, gemm(1, 4, 9),
        "readout: mag has no signs to add parts of a sum by: k of 9 must be at most the 8 modes",
    ),
    "words": (
        {"form": "ttm", "buffer_words": 1000}, gemm(1, 256, 784),
        ("a vector takes 3,136 words between stages of a layer of 784 x 256, more than the 1,000 "
         "of buffer_words"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "op", "why"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_run_says_why(fields: dict[str, Any], op: Op, why: str) -> None:
    refused = accepts(RfnnSpec(**fields), op)
    assert not refused
    assert refused.text == why  # type: ignore[union-attr]


def test_a_tile_may_not_be_larger_than_a_command() -> None:
    with pytest.raises(InfeasibleError, match="16,777,216 rows or columns in one command"):
        lower(RfnnSpec(), gemm(2**24, 4, 4), step(2**24, 4, 4))


def test_inputs_are_integers_that_a_converter_holds() -> None:
    assert dtypes(RfnnSpec(dac_bits=12)) == {"int4", "int8"}
    assert dtypes(RfnnSpec(dac_bits=16)) == {"int4", "int8", "int16"}
    assert dtypes(RfnnSpec(dac_bits=4)) == {"int4"}


# ------------------------------------------------------------------------------------- stages


@pytest.mark.parametrize(
    ("outputs", "inputs", "found"),
    [
        (256, 784, ((4, 4, 4, 4), (4, 7, 7, 4))),
        (1024, 1024, ((4, 4, 4, 4, 4),) * 2),
        (64, 64, ((4, 4, 4),) * 2),
        (10, 64, ((2, 5), (8, 8))),
        (1, 13, ((1, 1), (1, 13))),  # a prime is never padded
    ],
)
def test_extents_are_factored_by_one_rule(outputs: int, inputs: int, found: Any) -> None:
    assert factored(outputs, inputs) == found


@given(st.integers(1, 65_535), st.integers(1, 65_535))
def test_factors_make_up_their_extents(outputs: int, inputs: int) -> None:
    of_n, of_k = factored(outputs, inputs)
    assert (math.prod(of_n), math.prod(of_k)) == (outputs, inputs)
    assert 2 <= len(of_n) == len(of_k) <= 8


def test_a_train_of_784_to_256_takes_436_passes() -> None:
    for rank in (2, 4, 8):
        steps = layer_stages("ttm", "shared", rank, 256, 784)
        assert [s.vectors for s in steps] == [196, 112, 64, 64]
        assert sum(s.vectors for s in steps) == 436


def test_jobs_have_stages_of_one_vector() -> None:
    jobs = jobs_of(RfnnSpec(form="ttm", rank=4), tile(5, 256, 784))
    assert jobs.stages.tolist() == [
        [[16, 4, 196, 1], [16, 28, 28, 4], [16, 28, 4, 16], [4, 16, 1, 64]]
    ]
    assert jobs.program.all()
    assert not jobs_of(RfnnSpec(form="ttm", cores="instance"), tile(5, 256, 784)).program.any()


def test_a_layer_in_one_pass_is_one_stage_and_all_its_cells_deep() -> None:
    spec = RfnnSpec(form="ttm", rank=4, cores="spatial", modes=784, chains=1)
    jobs = jobs_of(spec, tile(1, 256, 784))
    assert jobs.stages.tolist() == [[[256, 784, 1, 1]]]
    # matrices of 16 x 4, 16 x 28 twice and 4 x 16, each V^H, attenuators and U
    assert passed_cells(spec, 256, 784) == (16 + 4) + 2 * (16 + 28) + (4 + 16) + 4
    assert jobs.analog_cycles.tolist() == [math.ceil((132 * 1000 + 10_000) / 10_000)]


def test_a_command_may_end_in_a_relu_where_sums_are_whole() -> None:
    op = gemm(4, 16, 24, epilogue=("relu", "requantise"))
    assert lower(RfnnSpec(), op, step(4, 8, 24)).activation.tolist() == [RELU]
    assert lower(RfnnSpec(), op, step(4, 8, 16)).activation.tolist() == [PASS]
    biased = gemm(4, 16, 24, epilogue=("bias", "relu"))
    assert lower(RfnnSpec(), biased, step(4, 8, 24)).activation.tolist() == [PASS]


# ------------------------------------------------------------------------------------- phases


def bytes_of(spec: RfnnSpec, n: int, k: int) -> int:
    return int(weight_bytes(spec, gemm(1, n, k), np.array([k]), np.array([n]))[0])


def test_weights_are_phases_of_the_matrices_that_are_programmed() -> None:
    # 2 meshes of 28 cells, 8 attenuators, 8 output phases: 128 phases of 16 bits
    assert RfnnSpec().devices == 128
    assert bytes_of(RfnnSpec(), 8, 8) == 256
    assert bytes_of(RfnnSpec(), 9, 17) == 2 * 3 * 256
    assert bytes_of(RfnnSpec(circuit="unitary"), 8, 8) == 2 * (56 + 8)
    # stages of 16 x 4, 16 x 28 twice and 4 x 16 in tiles of 8 x 8
    assert bytes_of(RfnnSpec(form="ttm"), 256, 784) == (2 + 8 + 8 + 2) * 256
    assert bytes_of(RfnnSpec(cores="instance"), 256, 784) == 0  # programmed before the run


def test_tiles_hold_whole_layers_where_nothing_else_makes_sense() -> None:
    assert blocks(RfnnSpec()) == (None, 8, 8)
    for fields in ({"form": "tt3"}, {"form": "ttm"}, {"cores": "instance"}, {"cores": "spatial"}):
        m, n, k = blocks(RfnnSpec(**fields))
        assert m is None
        assert min(n or 0, k or 0) >= 65_535


@given(
    st.lists(
        st.tuples(
            st.builds(
                RfnnSpec, form=st.sampled_from(FORMS), cores=st.sampled_from(CORES),
                rank=st.integers(1, 8), modes=st.sampled_from([2, 8, 64]), chains=st.just(1),
                clock_mhz=st.sampled_from([50.0, 100.0, 433.0]),
            ),
            st.integers(1, 9), st.integers(1, 64), st.integers(1, 64),
        ),
        min_size=1, max_size=8,
    )
)  # fmt: skip
def test_a_batch_is_lowered_row_by_row(rows: list[tuple[RfnnSpec, int, int, int]]) -> None:
    specs, m, n, k = zip(*rows, strict=True)
    extents = [np.array(x) for x in (m, n, k)]
    together = jobs_of(SpecBatch(specs), GemmJobs(*extents, np.zeros(len(rows), bool)))
    stored = weight_bytes(SpecBatch(specs), gemm(1, 1, 1), extents[2], extents[1])
    for row, (spec, *one) in enumerate(rows):
        alone = jobs_of(spec, tile(*one))
        count = alone.stages.shape[1]
        assert (together.stages[row, :count] == alone.stages[0]).all()
        assert not together.stages[row, count:].any()
        assert (together.shift[row, :count] == alone.shift[0]).all()
        assert together.analog_cycles[row] == alone.analog_cycles[0]
        assert together.program[row] == alone.program[0]
        assert stored[row] == bytes_of(spec, one[1], one[2])


def test_peak_is_of_vectors_as_wide_as_the_mesh_and_of_trains_unknown() -> None:
    spec = RfnnSpec()
    cycles = 8 + 1 + spec.analog_cycles + spec.sampling_cycles + 8
    assert peak_macs(spec) == math.ceil(64 / cycles)
    assert peak_macs(RfnnSpec(form="tt3")) == 0
