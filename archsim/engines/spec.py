"""What people type for an engine: the base of every spec, and many specs at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

Ints = NDArray[np.int64]


class AssumedClock(BaseModel):
    """A clock that no synthesis supports, with the reason for it; every result repeats it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    mhz: Annotated[float, Field(gt=0)]
    assumed: Annotated[str, Field(min_length=1)]


class EngineSpec(BaseModel):
    """Base of every engine's spec: what a person types under ``engines:`` in a design.

    Everything else of the engine (widths, cycles, area, RTL) derives from these fields.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: str
    clock_mhz: Literal["auto"] | Annotated[float, Field(gt=0)] | AssumedClock = Field(
        default="auto",
        description="auto: one clock with the other engines on auto, the slowest's Fmax; or MHz",
    )


class SpecBatch:
    """Many specs of one kind at once: the same field names, each an array with one row a spec.

    `time`, `area_um2` and `fmax_mhz` take a batch wherever they take a spec, row by row. Arrays
    are made when first asked for; derived properties (accumulator width ...) are fields too.
    """

    def __init__(self, specs: Sequence[EngineSpec]) -> None:
        if len({type(s) for s in specs}) != 1:
            raise TypeError("a batch holds one or more specs of one kind")
        self._specs = tuple(specs)
        self._source: SpecBatch | None = None
        self._rows: Ints = np.arange(len(specs))

    def __len__(self) -> int:
        return len(self._rows)

    def __getattr__(self, name: str) -> NDArray[Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        if self._source is None:
            value: NDArray[Any] = np.array([getattr(s, name) for s in self._specs])
        else:
            value = getattr(self._source, name)[self._rows]
        setattr(self, name, value)
        return value

    def specs(self) -> list[EngineSpec]:
        """Return the spec of each row."""
        every = self._specs if self._source is None else self._source.specs()
        return [every[row] for row in self._rows]

    def take(self, rows: Ints) -> SpecBatch:
        """Return the batch with the given rows, repeats allowed."""
        batch = object.__new__(SpecBatch)
        batch._specs, batch._source, batch._rows = self._specs, self, rows
        return batch
