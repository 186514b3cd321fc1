"""Problems drawn for kernels, and what is wrong with results of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from archsim.gpu.kernel import DRAWS, INTERPRETER, Draw, Kernel, accumulate_unit
from archsim.gpu.measure import differences
from archsim.gpu.without import Problem, interpret


@st.composite
def problems(draw: st.DrawFn, kernel: Kernel) -> Problem:
    """Draw a shape (each extent in its tested range), a way to draw operands, and a seed."""
    shape = {}
    for name, extent in kernel.extents.items():
        least, most = (-(-end // extent.step) for end in extent.tested)
        shape[name] = extent.step * draw(st.integers(least, most), label=name)
    values = draw(st.sampled_from(DRAWS), label="values")
    seed = draw(st.integers(0, 2**32 - 1), label="seed")
    return problem(kernel, shape, values, seed)


def problem(kernel: Kernel, shape: dict[str, int], values: Draw, seed: int) -> Problem:
    return Problem(kernel, shape, kernel.draw(shape, np.random.default_rng(seed), values))


def wrong(drawn: Sequence[Problem]) -> list[str]:
    """Interpret problems in one process, and name every result that its oracle does not allow."""
    found = []
    for one, results in zip(drawn, interpret(drawn), strict=True):
        kernel = one.kernel
        unit = accumulate_unit(INTERPRETER, kernel.summed)
        expected = kernel.oracle(one.shape, one.operands, unit)
        named = f"{kernel.name} {dict(one.shape)} "
        found += [named + text for text in differences(kernel, results, expected)]
    return found
