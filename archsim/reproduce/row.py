"""What a reproduction is made of: a paper, its sections, and rows of published beside ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

EXPLAINED_ABOVE_PERCENT = 15.0  # a deviation beyond it needs a cause


@dataclass(frozen=True, slots=True)
class Row:
    """One quantity, published and ours.

    Parameters
    ----------
    quantity
        What it is, in words; ``unit`` is empty for a plain number.
    published
        The paper's number; None where the paper has none, and ours stands alone.
    tag
        Where the published number stands and how far it can be trusted.
    ours
        None where there is no answer; ``cause`` then says why.
    cause
        Why ours differs, or is not there.
    """

    quantity: str
    published: float | None
    tag: str
    ours: float | None
    cause: str = ""
    unit: str = ""

    @property
    def deviation_percent(self) -> float | None:
        """Ours over published, less one."""
        if self.ours is None or not self.published:
            return None
        return 100 * (self.ours / self.published - 1)

    @property
    def is_explained(self) -> bool:
        """Return whether the row says why, where it has to."""
        if self.published is None and self.ours is not None:
            return bool(self.tag or self.cause)  # ours stands alone
        deviation = self.deviation_percent
        if deviation is None:
            return bool(self.cause) or (self.ours is not None and self.ours == self.published)
        return abs(deviation) <= EXPLAINED_ABOVE_PERCENT or bool(self.cause)

    def because(self, cause: str) -> Row:
        """Return the row with a cause, if it differs so much that it needs one."""
        deviation = self.deviation_percent
        if deviation is None or abs(deviation) <= EXPLAINED_ABOVE_PERCENT:
            return self
        return replace(self, cause=cause)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; the deviation is in percent."""
        return {
            "quantity": self.quantity,
            "published": self.published,
            "tag": self.tag,
            "ours": self.ours,
            "deviation": self.deviation_percent,
            "cause": self.cause,
            "unit": self.unit,
        }


@dataclass(frozen=True, slots=True)
class Section:
    """Rows that belong together, under a title; ``notes`` say what they are by."""

    title: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    @property
    def is_alone(self) -> bool:
        """Return whether no row has a published number: tables then show ours only."""
        return all(row.published is None for row in self.rows)


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper whose numbers archsim has an answer to.

    Parameters
    ----------
    name
        On the command line.
    citation
        Authors, title, venue, year.
    sections
        Computes what is ours, and returns all rows.
    not_found
        What of the paper is not known here.
    """

    name: str
    citation: str
    sections: Callable[[], Sequence[Section]]
    not_found: tuple[str, ...] = ()
