"""Every kernel equals its oracle in the interpreter, and becomes the instructions it should."""

from __future__ import annotations

from importlib.metadata import version

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from archsim.errors import InputError
from archsim.gpu.kernel import DRAWS, INTERPRETER, Kernel, accumulate_unit
from archsim.gpu.kernels import kernels
from archsim.gpu.kernels.field import encoding_of
from archsim.gpu.measure import differences
from archsim.gpu.values import encode
from archsim.gpu.without import Build, Problem, compile_for
from archsim.graphics.network import Network
from tests.gpu.problems import problem, problems, wrong

KERNELS = kernels()
QUICK = "gemm_fp16"
ONE_PROCESS_AN_EXAMPLE = settings(  # and shrinking would start hundreds
    max_examples=2, phases=(Phase.explicit, Phase.reuse, Phase.generate)
)
SHARED_BYTES = {  # that a block can have
    "sm_80": 163 << 10, "sm_86": 99 << 10, "sm_89": 99 << 10,
    "sm_90": 227 << 10, "sm_100": 227 << 10, "sm_120": 99 << 10,
}  # fmt: skip
COUNTED = ("sm_80", "sm_90", "sm_100")


@ONE_PROCESS_AN_EXAMPLE
@given(st.tuples(*(problems(k) for k in KERNELS.values())))
def test_kernels_equal_their_oracles(drawn: tuple[Problem, ...]) -> None:
    assert wrong(drawn) == []


@pytest.mark.slow
@ONE_PROCESS_AN_EXAMPLE
@given(st.tuples(*(st.lists(problems(k), min_size=5, max_size=5) for k in KERNELS.values())))
def test_kernels_equal_their_oracles_often(drawn: tuple[list[Problem], ...]) -> None:
    assert wrong([problem for of_kernel in drawn for problem in of_kernel]) == []


@pytest.mark.parametrize("name", KERNELS)
def test_oracles_tell_results_apart(name: str) -> None:
    """A result that is off by a hundredth of the largest, or by one, is not allowed."""
    kernel = KERNELS[name]
    one = problem(kernel, kernel.small_shape, "normal", 1)
    expected = kernel.oracle(one.shape, one.operands, accumulate_unit(INTERPRETER, kernel.summed))
    for name_, of_result in expected.items():
        width = np.broadcast_to(of_result.error, of_result.value.shape)
        assert np.all(width <= 0.01 * np.abs(of_result.value).max()), name_


def test_wrong_results_are_named() -> None:
    kernel = KERNELS[QUICK]
    one = problem(kernel, {"m": 3, "n": 2, "k": 5}, "normal", 1)
    expected = kernel.oracle(one.shape, one.operands, accumulate_unit(INTERPRETER, "fp16"))
    results = {"c": encode(expected["c"].value, "fp16")}
    assert differences(kernel, results, expected) == []
    results["c"][1, 1] += np.float16(0.01)
    (text,) = differences(kernel, results, expected)
    assert text.startswith("c: 1 of 6 differ, first c[1, 1] = ")
    assert differences(kernel, {"d": results["c"]}, expected) == [
        "gemm_fp16 has the results d, not c"
    ]


def test_fields_are_those_of_neural_graphics() -> None:
    kernel = KERNELS["neural_field"]
    shape = {**kernel.small_shape, "n": 500}
    operands = problem(kernel, shape, "normal", 4).operands
    w_in, w_out = (operands[name].T.astype(np.float32) for name in ("w_in", "w_out"))
    tables = operands["table"].astype(np.float32)
    network = Network(encoding_of(shape), tables, ((w_in, w_out),))
    expected = kernel.oracle(shape, operands, 0.0)["results"].value
    assert_allclose(network(operands["positions"]), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("values", DRAWS)
@pytest.mark.parametrize("name", KERNELS)
def test_draws_repeat(name: str, values: str) -> None:
    kernel = KERNELS[name]
    first, second = (problem(kernel, kernel.small_shape, values, 7).operands for _ in range(2))  # type: ignore[arg-type]
    assert first.keys() <= kernel.formats.keys()
    for operand, array in first.items():
        assert np.array_equal(array, second[operand], equal_nan=array.dtype.kind == "f")


# ----------------------------------------------------------------------------------- ahead of time


def faults(build: Build) -> list[str]:
    """Name what is wrong with a build: its tensor instructions, spills, or shared memory."""
    name = f"{build.kernel.name} {build.target}"
    found = []
    if build.tensor != build.expected:
        found.append(f"{name}: has {build.tensor}, not {build.expected}")
    if build.spills:
        found.append(f"{name}: spills {build.spills} times")
    for function in build.functions:
        if function["shared_bytes"] > SHARED_BYTES[build.target]:
            found.append(f"{name}: needs {function['shared_bytes']:,} bytes of shared memory")
    return found


def test_products_become_the_tensor_instructions_that_they_should() -> None:
    assert version("triton") == "3.9.0", "counts are those of this version"
    (build,) = compile_for([(KERNELS[QUICK], "sm_90")])
    assert faults(build) == []
    assert build.functions[0]["tensor_sass"] == {"HGMMA.64": 4}
    assert build.files.keys() == {"gemm.ptx", "gemm.sass", "gemm.cubin"}


@pytest.mark.slow
def test_kernels_become_the_tensor_instructions_that_they_should() -> None:
    wanted = [
        (kernel, target)
        for kernel in KERNELS.values() for target in COUNTED
        if target not in kernel.refused
    ]  # fmt: skip
    later = [("gemm_e4m3", "sm_89"), ("gemm_mxfp4", "sm_120"), ("attention", "sm_86")]
    wanted += [(KERNELS[name], target) for name, target in later]
    builds = compile_for(wanted, processes=2)
    assert [fault for build in builds for fault in faults(build)] == []
    machine = {
        (b.kernel.name, b.target): {op for f in b.functions for op in f["tensor_sass"]}
        for b in builds
    }
    assert machine["gemm_fp16", "sm_100"] == {"UTCHMMA"}
    assert machine["gemm_bf16", "sm_80"] == {"HMMA.16816.F32.BF16"}
    assert machine["gemm_tf32", "sm_80"] == {"HMMA.1688.F32.TF32"}
    assert machine["gemm_int8", "sm_80"] == {"IMMA.16832.S8.S8.SAT"}
    assert machine["gemm_e4m3", "sm_89"] == {"QMMA.16832.F32.E4M3.E4M3"}
    assert machine["gemm_e4m3", "sm_90"] == {"QGMMA.64"}
    assert machine["gemm_int8", "sm_90"] == {"IGMMA.64"}
    assert machine["gemm_mxfp4", "sm_80"] == {"HMMA.16816.F32.BF16"}, "widened to bf16"
    assert machine["gemm_mxfp4", "sm_100"] == {"UTCOMMA"}
    assert machine["gemm_mxfp4", "sm_120"] == {"OMMA.SF.16864.F32.E2M1.E2M1.E8"}


# ------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"m": 0}, "--shape m: must be an integer from 1 to 32,768, not 0"),
        ({"k": 1 << 20}, "--shape k: must be an integer from 1 to 32,768, not 1048576"),
        ({"q": 1}, "--shape: gemm_fp16 has the dimensions m, n, k, not 'q'"),
    ],
)
def test_shapes_that_no_kernel_takes_are_refused(given: dict[str, int], text: str) -> None:
    kernel = KERNELS[QUICK]
    with pytest.raises(InputError) as fault:
        kernel.shape(given, kernel.default_shape)
    assert str(fault.value) == text


def test_steps_of_extents_are_kept() -> None:
    kernel = KERNELS["gemm_w4a16"]
    with pytest.raises(InputError) as fault:
        kernel.shape({"k": 100}, kernel.default_shape)
    assert str(fault.value) == "--shape k: must be a multiple of 128 from 128 to 32,768, not 100"
    assert kernel.shape({"k": 256}, kernel.small_shape) == {**kernel.small_shape, "k": 256}


def test_targets_without_a_format_are_refused() -> None:
    kernel: Kernel = KERNELS["gemm_e4m3"]
    with pytest.raises(InputError, match=r"^gemm_e4m3 on sm_80: has no e4m3 products: e4m3 needs "):
        compile_for([(kernel, "sm_80")])
    with pytest.raises(InputError, match=r"^--target: must be one of sm_80, .*, not 'sm_70'$"):
        compile_for([(kernel, "sm_70")])
