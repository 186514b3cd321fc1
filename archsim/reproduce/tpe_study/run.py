"""One run of synthesis, as the data files have it: a row of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Run:
    """A design mapped to a library by one recipe for one clock target.

    Parameters
    ----------
    design
        A PE (``opt1``) or an array (``cube/opt1``).
    variant
        How its arithmetic is built, where that is a choice: ``booth prefix``.
    acc_bits
        Bits of a sum.
    recipe, target_ps
        The script and adder of synthesis; the clock that sizing was done for, None for the
        shortest path.
    parts_um2
        Area by part. A PE's parts are its ``logic`` and its ``registers``; the bench's registers
        that feed it are not counted.
    delay_ps, path
        The longest path and, in words, where it runs.
    energy_pj
        By stimulus: of one MAC's transitions and clock edges, without leakage.
    leakage_uw
    """

    design: str
    variant: str
    acc_bits: int
    recipe: str
    target_ps: float | None
    parts_um2: Mapping[str, float]
    delay_ps: float
    path: str
    energy_pj: Mapping[str, float]
    leakage_uw: float

    @property
    def area_um2(self) -> float:
        return sum(self.parts_um2.values())

    def to_row(self) -> dict[str, Any]:
        """Return plain values, in the order of the fields."""
        return asdict(self)

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Self:
        """Return the run that a row of a data file tells of."""
        return cls(**row)
