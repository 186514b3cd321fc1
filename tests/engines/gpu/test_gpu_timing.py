"""Kernels by themselves: accounts of their cycles, many GPUs at once, results as GPUs add them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.engines import Rate, SpecBatch, Stalls
from archsim.engines.gpu import ENGINE, products, timing
from archsim.engines.gpu.jobs import GpuJobs
from archsim.engines.gpu.numbers import COMPUTED, computed_in
from archsim.engines.gpu.shapes import Shape, kernel_us, tera_ops
from archsim.engines.gpu.spec import GpuSpec, spec_of
from archsim.errors import InputError
from archsim.formats.minifloat import E4M3
from archsim.gpu.accumulate import tensor_core_matmul
from archsim.tech import load as load_tech
from tests.engines.test_contract_types import check_timing

NAMES = ("a100", "h100", "b200", "rtx3090", "rtx4090")
EXTENT = st.integers(1, 5000)
FORMATS = st.sampled_from(("int4", "int8", "fp8", "fp16", "bf16", "fp32", "fp64", "int16"))


def together(jobs: list[GpuJobs]) -> GpuJobs:
    names = [name for name in GpuJobs.__slots__ if name != "refs"]
    columns: dict[str, Any] = {n: np.concatenate([getattr(x, n) for x in jobs]) for n in names}
    return GpuJobs(**columns)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(NAMES), EXTENT, EXTENT, EXTENT, FORMATS, FORMATS)
def test_accounts_close_and_nothing_beats_the_peak(
    name: str, m: int, n: int, k: int, a: str, b: str
) -> None:
    spec, shape = spec_of(name), Shape(m, n, k, a, b, "int32")
    found = ENGINE.time(spec, shape.job())
    check_timing(found, shape.job())
    levels = timing.kernels(spec, shape.job()).levels[:, 0]
    assert (np.diff(levels) >= 0).all()
    assert kernel_us(spec, shape) * spec.memory_gb_per_s * 1e3 >= shape.once_bytes
    assert levels[-1] >= found.split["busy"][0] - 1


@settings(deadline=None, max_examples=10)
@given(st.lists(st.tuples(EXTENT, EXTENT, EXTENT), min_size=3, max_size=3))
def test_many_gpus_at_once_are_each_by_itself(extents: list[tuple[int, int, int]]) -> None:
    specs = [spec_of(name) for name in ("a100", "h100", "b200")]
    jobs = together([Shape(*x, "fp16", "int4", "fp16").job() for x in extents])
    many = ENGINE.time(SpecBatch(specs), jobs)
    for row, spec in enumerate(specs):
        one = ENGINE.time(spec, jobs.take(np.array([row])))
        assert one.cycles[0] == many.cycles[row]
        assert {n: x[0] for n, x in one.split.items()} == {n: x[row] for n, x in many.split.items()}


def test_prices_of_many_gpus_are_those_of_each() -> None:
    specs, tech = [spec_of(name) for name in NAMES], load_tech("N7")
    for face in (ENGINE.area_um2, ENGINE.energy_pj):
        many = face(SpecBatch(specs), tech)
        for row, spec in enumerate(specs):
            assert {n: np.asarray(x)[row] for n, x in many.items()} == face(spec, tech)
    assert ENGINE.fmax_mhz(SpecBatch(specs), tech).mhz.shape == (len(specs),)


def test_slices_make_the_kernel_and_only_the_first_is_launched() -> None:
    spec, whole = spec_of("h100"), Shape(4096, 4096, 4096).job()
    parts = together([whole] * 8)
    first = np.arange(8) == 0
    jobs = replace(parts, first=first, all_results=np.full(8, 8))
    found = ENGINE.time(spec, jobs)
    alone = int(ENGINE.time(spec, whole).cycles[0])
    launch = int(timing.launch_cycles(spec, jobs)[0])
    assert launch == round(spec.launch_ns * spec.mhz * 1e-3)
    assert alone <= int(found.cycles.sum()) - launch <= alone + 8
    assert found.counts["launches"].tolist() == first.astype(int).tolist()


def test_a_slow_buffer_holds_kernels_up() -> None:
    spec, job = spec_of("a100"), Shape(512, 512, 512).job()
    free, held = ENGINE.time(spec, job), ENGINE.time(spec, job, {"read": Rate(0, 1, 50)})
    assert held.split["stall.l2"][0] > free.split["stall.l2"][0]
    check_timing(held, job)
    with pytest.raises(TypeError, match="a port of a model has a pace"):
        ENGINE.time(spec, job, {"read": Stalls(())})


def test_tiles_and_waves_are_whole() -> None:
    """One tile more than there are SMs takes as long as two for each."""
    spec = spec_of("a100")
    tile = products.TILES[0]
    full = [Shape(int(tile[0]) * rows, 128, 16384) for rows in (spec.sms, spec.sms + 1)]
    one, two = (products.bounds(spec, x.job()).tiles[0] for x in full)
    assert one < two <= 2.01 * one


def test_formats_widen_to_the_one_that_holds_both() -> None:
    pairs = {
        ("fp16", "int4"): "fp16", ("int8", "int4"): "int8", ("uint8", "int8"): "int8",
        ("fp8", "int4"): "fp8", ("int8", "fp8"): "fp16", ("bf16", "int8"): "bf16",
        ("int16", "int8"): "int32", ("fp32", "fp16"): "fp32",
    }  # fmt: skip
    assert {pair: COMPUTED[computed_in(*pair)] for pair in pairs} == pairs


def test_emulated_formats_are_no_faster_than_what_they_are_widened_to() -> None:
    for name, narrow, wide in (("h100", "int4", "int8"), ("a100", "fp8", "fp16")):
        spec = spec_of(name)
        rates = [tera_ops(spec, Shape(8192, 8192, 8192, x, x, "fp16")) for x in (narrow, wide)]
        assert rates[0] <= rates[1] * 1.02


# ---------------------------------------------------------------------------------------- values


def referred(fmt: str, spec: GpuSpec, a: Any, b: Any) -> Any:
    job = Shape(len(a), b.shape[1], a.shape[1], fmt, fmt, "fp32").job()
    jobs = replace(job, refs=({"a": "x", "b": "y"},))
    return ENGINE.reference(spec, jobs, {"x": a, "y": b})[0]["c"]


@pytest.mark.parametrize(
    ("name", "fmt", "operands"),
    [("a100", "fp16", "fp16"), ("h100", "fp16", "fp16"), ("h100", "fp8", "e4m3"),
     ("b200", "fp8", "e4m3"), ("a100", "fp32", "tf32"), ("h100", "bf16", "bf16")],
)  # fmt: skip
def test_results_are_what_tensor_cores_give(name: str, fmt: str, operands: str) -> None:
    rng, spec = np.random.default_rng(1), spec_of(name)
    a, b = rng.standard_normal((5, 96)), rng.standard_normal((96, 7))
    want = tensor_core_matmul(a, b, spec.architecture, operands)
    assert np.array_equal(referred(fmt, spec, a, b), want)


def test_fp8_is_rounded_before_it_is_widened() -> None:
    rng, spec = np.random.default_rng(1), spec_of("a100")
    a, b = rng.standard_normal((5, 96)), rng.standard_normal((96, 7))
    rounded = (E4M3.quantise(x) for x in (a, b))
    want = tensor_core_matmul(*rounded, spec.architecture, "fp16")
    assert np.array_equal(referred("fp8", spec, a, b), want)
    assert not np.array_equal(want, tensor_core_matmul(a, b, spec.architecture, "fp16"))


def test_architectures_differ_in_their_last_bits() -> None:
    rng = np.random.default_rng(2)
    a, b = np.abs(rng.standard_normal((8, 4096))), np.abs(rng.standard_normal((4096, 8)))
    hopper, blackwell = (referred("fp8", spec_of(x), a, b) for x in ("h100", "b200"))
    assert (hopper < blackwell).all()  # 13 bits of fraction are cut off, again and again
    assert np.allclose(hopper, blackwell, rtol=0.2)


def test_integers_are_exact_and_wrap() -> None:
    a, b = np.full((2, 1 << 18), 127), np.full((1 << 18, 1), 127)
    want = np.array(127 * 127 << 18).astype(np.int64)
    assert (referred("int8", spec_of("h100"), a, b) == want.astype(np.int32)).all()


def test_what_runs_on_lanes_has_no_reference() -> None:
    a = np.ones((2, 2))
    with pytest.raises(InputError) as refused:
        referred("fp64", spec_of("a100"), a, a)
    assert str(refused.value) == (
        "gpu: reference: must be of int4, int8, fp8, fp16, bf16, fp32 on tensor cores, not 'fp64'"
    )
    with pytest.raises(InputError, match="jobs must name operands a and b"):
        ENGINE.reference(spec_of("a100"), Shape(1, 1, 1).job(), {})
