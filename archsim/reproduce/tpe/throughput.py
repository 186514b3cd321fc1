"""Figure 14, and a column of the authors': what PEs do in a cycle, by digits of their operands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from archsim.engines import Ints, discover
from archsim.engines.bitslice.jobs import BitsliceJobs
from archsim.formats.digits import Scheme, integers, rounded_normal
from archsim.reproduce.row import Row, Section
from archsim.reproduce.tpe.num_pp import TITLES
from archsim.reproduce.tpe.numbers import OPERAND_BITS, OPS_A_MAC, PUBLISHED, SIGMA

K = 65536  # of the sum that is timed: long, as the figure has no beginning and no end
CLOCK_MHZ = 2000
COLUMN, COLUMN_SIGMA = (64, 128), 20.0  # rows of A and their length, as they were simulated
DIGITS = OPERAND_BITS // 2
SEED = 1
OURS = f"ours: the engine's cycles for a sum of {K:,} products on one PE, at the figure's clock"
ZEROS = (
    "a group of four digits that are all zero takes a cycle here, as in the authors' RTL; the "
    "figure's does not"
)


def section() -> Section:
    """Return the throughput of a PE of OPT4C and one of OPT4E."""
    return Section(
        "Figure 14: operations a second of one PE at 2 GHz",
        tuple(_rows()),
        (OURS,),
    )


def _rows() -> Iterator[Row]:
    figure = PUBLISHED["figure_14"]
    for case in figure:
        scheme: Scheme = "mbe" if case == "mbe" else "en_t"
        drawn = case in ("mbe", "en_t")
        values = _normal(SIGMA, (K,)) if drawn else _with_digits(int(case))
        what = f"normal values, {TITLES[scheme]}" if drawn else f"{case} digits an operand"
        for pe in ("opt4c", "opt4e"):
            published = figure.value(case, f"{pe}_gops")
            ours = OPS_A_MAC * K / cycles(pe, scheme, values[None, :]) * CLOCK_MHZ * 1e-3
            row = Row(f"{pe.upper()}, {what}", published, figure.tag, ours, unit="GOPS")
            yield row.because(ZEROS)


def column() -> Row:
    """Return the cycles of a row of C on a column of OPT4C, by simulation of the authors' RTL."""
    measured = PUBLISHED["column"]
    (what,) = measured
    (rows, k), sigma = COLUMN, COLUMN_SIGMA
    ours = cycles("opt4c", "en_t", _normal(sigma, (rows, k))) / rows
    return Row(what, measured.value(what, "cycles"), measured.tag, ours, unit="cycles")


def cycles(pe: str, scheme: Scheme, values: Ints) -> int:
    """Return the cycles of products [m, k] x [k, 1] on one PE that encodes the first operand."""
    engine = discover()["bitslice"]
    spec: Any = engine.spec.model_validate({"pe": pe, "rows": 1, "cols": 1, "encoding": scheme})
    m, k = (np.array([extent]) for extent in values.shape)
    jobs = BitsliceJobs(
        m, np.ones(1, np.int64), k, np.zeros(1, bool), np.full((1, spec.passes), np.nan),
        refs=({"a": "a", "b": "b"},),
    )  # fmt: skip
    data: Mapping[str, Ints] = {"a": values, "b": np.ones((values.shape[1], 1), np.int64)}
    timing = engine.time(spec, jobs, {}, data)
    if timing.kind != "exact":
        raise ValueError(f"time of known operands must be exact, not {timing.kind}")
    return int(timing.cycles[0])


def _with_digits(count: int) -> Ints:
    """Return integers with so many digits that are not zero: [K].

    They take turns, so that any four neighbours, and any four that are four apart, have as many at
    each bit weight.
    """
    turn = np.arange(K) + np.arange(K) // DIGITS
    places = (turn[:, None] + np.arange(count)) % DIGITS
    found: Ints = (4**places).sum(axis=1)
    return found


def _normal(sigma: float, shape: tuple[int, ...]) -> Ints:
    share = rounded_normal(sigma, OPERAND_BITS)
    drawn = np.random.default_rng(SEED).choice(integers(OPERAND_BITS), shape, p=share)
    return drawn.astype(np.int64)
