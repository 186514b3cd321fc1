"""Hypothesis strategies for array extents and port environments."""

from __future__ import annotations

from hypothesis import strategies as st

from archsim.engines import Rate, Stalls
from archsim.engines.gemm import PORTS


@st.composite
def rates(draw: st.DrawFn) -> Rate:
    q = draw(st.integers(1, 7))
    return Rate(draw(st.sampled_from([0, 0, 1, 5, 40])), draw(st.integers(1, q)), q)


stalls = st.lists(st.booleans(), max_size=60).map(lambda bits: Stalls(tuple(bits)))


def environments(port: st.SearchStrategy[Rate | Stalls]) -> st.SearchStrategy[dict]:
    return st.dictionaries(st.sampled_from(PORTS), port)


# rows, cols, m, n, k, accumulate
jobs = st.tuples(
    st.integers(1, 6), st.integers(1, 6), st.integers(1, 20), st.integers(1, 30),
    st.integers(1, 14), st.integers(0, 1),
)  # fmt: skip

# rows, cols, rows of the bank, m, n, k, accumulate; wide arrays and small banks among them
stationary_jobs = st.tuples(
    st.integers(1, 6), st.sampled_from([1, 2, 3, 5, 15]), st.integers(2, 9), st.integers(1, 20),
    st.integers(1, 32), st.integers(1, 14), st.integers(0, 1),
)  # fmt: skip
StationaryJob = tuple[int, int, int, int, int, int, int]
