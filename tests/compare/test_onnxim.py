"""ONNXim's rule against runs of it, with bandwidth that never limits."""

from __future__ import annotations

import pytest

from archsim.compare import onnxim
from archsim.compare.shapes import Shape

# M, N, K, side of the array: cycles of the run, and how many of them the rule does not give
RUNS = (
    ((128, 128, 128, 8), 32_909, 77),
    ((128, 128, 128, 32), 2_184, 0),
    ((128, 128, 128, 128), 658, 0),
    ((63, 65, 127, 32), 901, 0),
    ((197, 197, 64, 32), 3_251, 0),
    ((197, 197, 64, 128), 975, 0),
    ((1000, 10, 300, 32), 10_379, 2),
    ((128, 768, 768, 128), 5_218, 0),
    ((1, 1000, 2048, 128), 16_903, 0),
)


@pytest.mark.parametrize(("shape", "ran", "short"), RUNS)
def test_the_rule_gives_its_runs(shape: tuple[int, int, int, int], ran: int, short: int) -> None:
    """Two runs took a little longer: what their memory did is not in the rule."""
    m, n, k, side = shape
    assert onnxim.account(Shape("", m, n, k), side, side).cycles == ran - short
    assert short <= 0.0025 * ran
