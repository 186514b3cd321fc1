"""How far a sweep is, and how a terminal or a log shows it."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TextIO

from archsim.sweep.columns import OK

if TYPE_CHECKING:
    from archsim.sweep.store import SweepFolder

LINE_EVERY_S = 5.0  # between lines where there is no terminal


@dataclass(frozen=True, slots=True)
class Progress:
    """Points of a sweep.

    Parameters
    ----------
    total
        Of the whole sweep.
    statuses
        Points done, by how they ended: `archsim.sweep.columns.OK` ...
    ran, seconds
        Points that this run finished, and its time so far, of a clock that nobody can set.
    folder
        Where the answers are.
    """

    total: int
    statuses: Mapping[str, int]
    ran: int = 0
    seconds: float = 0.0
    folder: SweepFolder | None = None

    def after(self, more: Mapping[str, int], seconds: float) -> Progress:
        """Return the progress after more points, by status."""
        ran = self.ran + sum(more.values())
        return replace(
            self, statuses=Counter(self.statuses) + Counter(more), ran=ran, seconds=seconds
        )

    @property
    def name(self) -> str:
        """The sweep's; empty before its folder is known."""
        return "" if self.folder is None else self.folder.plan.sweep.name

    @property
    def done(self) -> int:
        return sum(self.statuses.values())

    @property
    def rate(self) -> float:
        """Points a second of this run; 0 before its first."""
        return self.ran / self.seconds if self.seconds else 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds to the end at this rate; None before the first point."""
        return (self.total - self.done) / self.rate if self.rate else None

    def __str__(self) -> str:
        text = f"{self.done:,} of {self.total:,} points"
        for status, count in self.statuses.items():
            if status != OK:
                text += f", {count:,} {status}"
        if self.left_s is not None:
            text += f", {self.rate:,.1f} points/s, {duration(self.left_s)} left"
        return text


def duration(seconds: float) -> str:
    """Return a duration as people say it: ``2 h 05 min``, ``3 min 20 s``, ``8 s``."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"


@contextmanager
def shown(name: str, stream: TextIO | None = None) -> Iterator[Callable[[Progress], None]]:
    """Give a callback that shows progress: live on a terminal, else a line now and then.

    ``name`` stands for the sweep until its own is known.
    """
    stream = stream or sys.stderr
    if not stream.isatty():
        yield _lines(name, stream)
        return
    from archsim.sweep.live import live  # noqa: PLC0415 (rich, pandas)

    with live(name, stream) as show:
        yield show


def _lines(name: str, stream: TextIO) -> Callable[[Progress], None]:
    last = -LINE_EVERY_S

    def show(now: Progress) -> None:
        nonlocal last
        if now.done == now.total or time.monotonic() - last >= LINE_EVERY_S:
            last = time.monotonic()
            print(f"{now.name or name}: {now}", file=stream, flush=True)

    return show
