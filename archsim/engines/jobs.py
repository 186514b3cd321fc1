"""Commands for engines: arrays, one row a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Jobs:
    """Commands for one engine, as equal-length arrays: row i of every field is job i.

    Subclasses add the engine's command fields. ``refs`` names each job's operands in ``data`` by
    port, where values are wanted (`Engine.reference`, data-dependent timing, RTL).
    """

    refs: tuple[Mapping[str, str], ...] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        lengths = {f.name: len(getattr(self, f.name)) for f in fields(self) if f.name != "refs"}
        if self.refs is not None:
            lengths["refs"] = len(self.refs)
        if len(set(lengths.values())) > 1:
            raise ValueError(f"fields of jobs must have one length, not {lengths}")

    def __len__(self) -> int:
        name = next(f.name for f in fields(self) if f.name != "refs")
        return len(getattr(self, name))

    def take(self, rows: Ints) -> Self:
        """Return the given rows, repeats allowed."""
        columns = {
            f.name: np.asarray(getattr(self, f.name))[rows]
            for f in fields(self)
            if f.name != "refs"
        }
        refs = None if self.refs is None else tuple(self.refs[i] for i in rows)
        return type(self)(**columns, refs=refs)


@dataclass(frozen=True, slots=True)
class GemmJobs(Jobs):
    """Products of buffer-resident operands: ``C[m,n] (+)= A[m,k] B[k,n]``, all folds of the array.

    The command of every GEMM engine. ``accumulate`` rows add their result to partial sums that
    stream in on port ``c``. Refs: ``a`` [m,k], ``b`` [k,n], ``c`` [m,n].
    """

    m: Ints
    n: Ints
    k: Ints
    accumulate: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Windows:
    """A product as its engine cuts it, by patterns; arrays of shape [steps], in their order.

    Parameters
    ----------
    phase
        Number of the engine's phase that a step belongs to.
    first, stop
        Rows of the step: of C, or of what the phase goes through.
    left, right
        Its columns.
    load_bytes
        By input of the op: loaded from DRAM before the step.
    partial_bytes
        Partial results loaded again before it.
    store_bytes, final
        Stored after it, and whether that is results rather than partial ones.
    room_bytes
        Buffer that all of this takes.
    """

    phase: Ints
    first: Ints
    stop: Ints
    left: Ints
    right: Ints
    load_bytes: tuple[Ints, ...]
    partial_bytes: Ints
    store_bytes: Ints
    final: NDArray[np.bool_]
    room_bytes: int

    def __len__(self) -> int:
        return len(self.phase)
