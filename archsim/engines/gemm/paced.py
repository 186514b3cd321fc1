"""Closed form for ports that keep a pace, for jobs whose drain registers provably never block.

With ``p/q`` of a port, L its latency, and everything else as in
`archsim.engines.systolic.output_stationary`:

**Operands.** Without blocking only offers delay steps. Beat i of fold f is offered in cycle
``L + ceil((f k + i) q / p)`` and wanted in ``f period + i + 1``. The delay does not fall within a
fold, as q >= p, nor change its trend from fold to fold, as ``period`` is an integer; so its maximum
is at the last beat of the first or of the last fold.

**Output.** An output is ready in slots: slot j is cycle ``ceil((j + 1) q / p) - 1``, and
``floor(t p / q)`` slots come before cycle t. If each period has a slot for every row of a fold, the
slots before a fold's top row is complete suffice for all rows before, so that row i of the last
fold, the top one being complete in cycle x, takes slot ``floor((x + 2) p / q) + i``.

**No blocking.** Row i - 2 then goes no later than ``x + ceil((i - 1) q / p) + 1``, which frees the
queue for row i; row i of the next fold is captured in ``x + period - cols + 1 + i`` or later. This
is late enough for all rows if it is for the last one. Partial sums never bind if they come in
before the rows of the first fold do and, from then on, a fold's worth a period.

Products that reach their sum some steps behind let all captures come as much later.

Without skew all rows are complete in cycle x. They leave as before, one a cycle; but the next fold
captures all of them in ``x + period``, by when the last one must have left.

Where steps are late, the drain has a row a cycle later, and the row's way to the port is as much
longer; the next capture waits until the row has left. Folds last two steps longer for that. Rows
hold each other up as they do in a queue: row i leaves when row i - 2 goes. A stage, where a fold
has passes, is one more cycle and one more place: rows leave their registers no later than without.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import IDEAL, GemmJobs, Ints, Rate
from archsim.engines.gemm.cycle_loop import LATE_STEPS
from archsim.engines.gemm.folds import Folds
from archsim.engines.offers import is_ideal


@dataclass(frozen=True, slots=True)
class Paced:
    """Cycles and stalls of n jobs; rows in which ``holds`` is false mean nothing."""

    holds: NDArray[np.bool_]
    cycles: Ints
    stalls: Mapping[str, Ints]


def closed_form(folds: Folds, jobs: GemmJobs, rates: Mapping[str, Rate]) -> Paced:
    """Return what jobs take where nothing but offers and the last fold's output delays them."""
    a, b, c, out = (rates.get(port, IDEAL) for port in ("a", "b", "c", "result"))
    none = np.zeros_like(folds.count)
    delay = none + np.maximum(_delay(folds, a), _delay(folds, b))
    top = (folds.count - 1) * folds.period + folds.beats + folds.tail + delay  # x of the last fold
    bottom = top + (folds.last_rows - 1 if folds.skewed else none)
    slot = _slots_before(out, top + 2 + folds.way)
    cycles = -(-(slot + folds.last_rows) * out.q // out.p) - 1

    def gone(cycle: Ints) -> Any:
        return np.clip(_slots_before(out, cycle) - slot, 0, folds.last_rows)

    # after the last step a cycle passes no row if one waits, unless none has come that has not gone
    refused = cycles - bottom - (folds.last_rows - gone(bottom + 1))
    for i in range(1 + int(folds.way.max(initial=0))):
        under_way = 1 + folds.way - i if folds.skewed else folds.last_rows
        empty = gone(bottom + 1 + i) >= folds.last_rows - under_way
        refused = refused - (empty & (i <= folds.way))
    operand = "a" if is_ideal(b) else "b"  # if both are late, b is the nearer to the output
    stalls = {"a": none, "b": none, "c": none, "result": refused, operand: delay}
    holds = (is_ideal(a) or is_ideal(b) or a == b) & _never_blocked(folds, out)
    # late rows of the fold before may be on their way after the last step, which is not reckoned
    before = _slots_before(out, top - folds.period + 2 + folds.way) + _tallest(folds)
    gone_before = -(-before * out.q // out.p) - 1 <= bottom
    holds &= (folds.late == 0) | (folds.count == 1) | gone_before
    if not is_ideal(c):
        holds &= ~jobs.accumulate | _in_time(folds, c)
    return Paced(holds, cycles, stalls)


def _delay(folds: Folds, rate: Rate) -> Any:
    """Return how many cycles an operand port delays the last step."""
    if is_ideal(rate):
        return 0
    first = -(-(folds.beats - 1) * rate.q // rate.p) - folds.beats
    steps = (folds.count - 1) * folds.period + folds.beats
    last = -(-(folds.count * folds.beats - 1) * rate.q // rate.p) - steps
    return np.maximum(0, rate.latency + np.maximum(first, last))


def _slots_before(rate: Rate, cycle: Ints) -> Ints:
    return np.maximum(cycle, rate.latency) * rate.p // rate.q


def _tallest(folds: Folds) -> Ints:
    """Return the rows of a job's first fold, which no other exceeds."""
    return np.where(folds.down > 1, folds.rows, folds.last_rows)


def _never_blocked(folds: Folds, out: Rate) -> NDArray[np.bool_]:
    tallest = _tallest(folds)
    keeps_up = folds.period * out.p // out.q >= tallest
    ready_at_once = out.latency <= folds.beats + folds.tail + 2
    gaps = np.maximum(tallest - 2, 0)
    spare = folds.period - (folds.lag + 1 if folds.skewed else tallest) - LATE_STEPS * folds.late
    frees = -(-gaps * out.q // out.p) - gaps <= spare
    held: NDArray[np.bool_] = (folds.count == 1) | (keeps_up & ready_at_once & frees)
    return held


def _in_time(folds: Folds, c: Rate) -> NDArray[np.bool_]:
    below = _tallest(folds) - 1
    keeps_up = (folds.count == 1) | (folds.period * c.p // c.q > below)
    comes = c.latency - (-below * c.q // c.p) - below <= folds.beats + folds.tail + 2
    held: NDArray[np.bool_] = keeps_up & comes
    return held
