"""The recurrence that columns keep: how far each is after every bank, from when it may begin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from archsim.engines import Ints


@dataclass(frozen=True, slots=True)
class Passed:
    """A pass of columns over a chunk; leading axes are those of what was passed.

    Parameters
    ----------
    starts, ends
        The cycle in which a lane begins each bank, and the one after its last there:
        [..., cols, lanes, ring].
    bank_wait
        Cycles that lanes waited before banks: [...].
    """

    starts: Ints
    ends: Ints
    bank_wait: Ints

    @property
    def complete(self) -> Ints:
        """The first cycle in which all lanes of a column are through: [..., cols]."""
        found: Ints = self.ends[..., -1].max(axis=-1)
        return found


def run_pass(costs: Ints, go: Ints, before: list[Ints], slack: int, next_column: Ints) -> Passed:
    """Run a pass.

    A lane takes its banks one after the other. It may enter one only when the column before it, on
    its way ``slack`` banks ahead, has left it: in max-plus algebra, a linear recurrence.

    Parameters
    ----------
    costs
        Cycles of each bank, in a column's own order: [..., cols, lanes, ring].
    go
        The cycle in which each column may begin: [..., cols].
    before
        When lanes were through with each bank since the chunk began, [..., cols, lanes] each; this
        pass's are added.
    """
    at = go[..., None]
    starts, ends = np.empty((2, *costs.shape), np.int64)
    waits = np.zeros(costs.shape[:-3], np.int64)
    for step in range(costs.shape[-1]):
        start = at
        if len(before) >= slack:
            start = np.maximum(at, before[-slack][..., next_column, :])
            waits = waits + (start - at).sum(axis=(-2, -1))
        at = start + costs[..., step]
        starts[..., step] = start
        ends[..., step] = at
        before.append(at)
    return Passed(starts, ends, waits)
