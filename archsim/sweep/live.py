"""A running sweep in a terminal: a bar, the designs as a scatter plot, the front as a table."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from archsim.sweep.answers import Answers
from archsim.sweep.front import Front, front_of
from archsim.sweep.journal import Reader
from archsim.sweep.scatter import scatter

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    from archsim.sweep.plan import Plan
    from archsim.sweep.progress import Progress

EVERY_S = 1.0  # between looks at the front ...
SHARE = 20  # ... and at least so many times as long as a look takes
PLOT_COLUMNS, PLOT_ROWS = 44, 12
FRONT_ROWS = 8
WIDE = 110  # columns of a terminal that has room for the table beside the plot
ON_FRONT, BEHIND = "bold blue", "dim"


class View:
    """What is shown of a sweep; it follows the journals by itself."""

    def __init__(self, name: str, console: Console) -> None:
        self._name, self._console = name, console
        self._reader: Reader | None = None
        self._picture: RenderableType = Text("")
        self._next_s = 0.0

    def shown(self, now: Progress) -> RenderableType:
        """Return the picture of a sweep, with a new look at its front if it is time for one."""
        head = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=max(now.total, 1), completed=now.done, width=28)
        head.add_row(Text(now.name or self._name, style="bold"), bar, Text(str(now)))
        if now.folder is not None and (time.monotonic() >= self._next_s or now.done == now.total):
            start = time.monotonic()
            if self._reader is None:
                self._reader = Reader(now.folder.journals)
                self._answers = Answers(now.folder.plan)
            self._answers.add(self._reader.new())
            self._picture = self._drawn(now.folder.plan, front_of(self._answers))
            took_s = time.monotonic() - start
            self._next_s = time.monotonic() + max(EVERY_S, SHARE * took_s)
        return Group(head, self._picture)

    def _drawn(self, plan: Plan, front: Front) -> RenderableType:
        if not front.placed:
            return Text("")
        names = list(front.goals)
        table = front_table(plan, front, FRONT_ROWS)
        if len(names) == 1:
            return table
        beside = self._console.width >= WIDE
        both = Table.grid(padding=(0, 3, 0, 0))
        plot = _plot(front, braille=self._console.encoding.lower().startswith("utf"))
        if beside:
            both.add_row(plot, table)
        else:
            both.add_row(plot)
            both.add_row(table)
        return both


def front_table(plan: Plan, front: Front, rows: int) -> Table:
    """Return the front's first designs: their objectives and their settings."""
    from archsim.report.quantities import quantity, setting, short_names  # noqa: PLC0415

    shown = front.placed[:rows]
    title = f"front: {len(front.placed)} of {len(front.mask):,} designs"
    if len(shown) < len(front.placed):
        title += f", the first {len(shown)}"
    table = Table(title=title, box=None, title_justify="left", title_style="", pad_edge=False)
    short = short_names(dict.fromkeys(path for placed in shown for path in placed.point))
    for name in front.goals:
        table.add_column(quantity(name).title, justify="right", no_wrap=True)
    for name in short.values():
        table.add_column(name.removesuffix("_bytes"), justify="right", no_wrap=True)
    for placed in shown:
        table.add_row(
            *(quantity(name).text(value) for name, value in placed.metrics.items()),
            *(setting(path, placed.point.get(path)) for path in short),
        )
    return table


def _plot(front: Front, *, braille: bool) -> Text:
    """Return the designs by the first two objectives, the front in colour, the ends as text."""
    from archsim.report.quantities import quantity  # noqa: PLC0415

    (x_name, y_name), (x, y) = list(front.goals)[:2], front.values.T[:2]
    across, up = quantity(x_name), quantity(y_name)
    text = Text(no_wrap=True)
    text.append(f"{up.title} {up.text(y.max())}\n", BEHIND)
    for line in scatter(x, y, front.mask, PLOT_COLUMNS, PLOT_ROWS, braille=braille):
        for character, on_front in line:
            text.append(character, ON_FRONT if on_front else BEHIND)
        text.append("\n")
    text.append(f"{up.text(y.min())}\n", BEHIND)
    low, high = across.text(x.min()), f"{across.text(x.max())} {across.title}"
    text.append(low + high.rjust(PLOT_COLUMNS - len(low)), BEHIND)
    return text


@contextmanager
def live(name: str, stream: TextIO) -> Iterator[Callable[[Progress], None]]:
    """Give a callback that keeps a picture of the sweep in a terminal; the last one stays."""
    console = Console(file=stream)
    view = View(name, console)
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as screen:
        yield lambda now: screen.update(view.shown(now), refresh=True)
