"""Every kernel equals its oracle in the interpreter, and becomes the instructions it should."""

from __future__ import annotations

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from archsim.gpu.kernels import kernels
from archsim.gpu.without import Problem, compile_for
from tests.gpu.problems import problems, wrong

KERNELS = kernels()
ONE_PROCESS_AN_EXAMPLE = settings(  # and shrinking would start hundreds
    max_examples=2, phases=(Phase.explicit, Phase.reuse, Phase.generate)
)


@ONE_PROCESS_AN_EXAMPLE
@given(st.tuples(*(st.lists(problems(k), min_size=2, max_size=2) for k in KERNELS.values())))
def test_kernels_equal_their_oracles(drawn: tuple[list[Problem], ...]) -> None:
    assert wrong([problem for of_kernel in drawn for problem in of_kernel]) == []


def test_products_become_the_tensor_instructions_that_they_should() -> None:
    wanted = [(KERNELS["gemm_fp16"], target) for target in ("sm_80", "sm_90", "sm_100")]
    for build in compile_for(wanted):
        assert build.tensor == build.expected, build.target
        assert build.spills == 0, build.target
