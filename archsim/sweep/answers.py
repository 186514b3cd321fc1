"""The finished points of a sweep, as journals tell them: column by column, to hold 10^5."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.metric import COMMON, product
from archsim.sweep.columns import ENERGY, KEY, OK, metric_names
from archsim.sweep.journal import Fault, Row
from archsim.sweep.plan import Plan
from archsim.sweep.table import as_column, typed

if TYPE_CHECKING:
    import pandas as pd

PointKey = tuple[str, str]  # design digest, workload; fidelity and version are the plan's


class Answers:
    """Finished points of a plan; rows may be added at any time, in any order.

    Of a point that was run twice the answer counts before a failure, so what is kept does not
    depend on the order of rows.

    Attributes
    ----------
    faults
        Damaged lines, whose points count as not run.
    stale
        Rows of other versions of the model, of designs no longer asked for, and of points that
        another limit stopped.
    """

    def __init__(self, plan: Plan, rows: Iterable[Row | Fault] = ()) -> None:
        self.plan = plan
        self.faults: list[Fault] = []
        self.stale = 0
        self._asked = plan.sweep.fidelity, plan.version
        self._designs = {design.digest: design for design in plan.designs}
        self._workloads = {workload.label for workload in plan.workloads}
        self._number: dict[PointKey, int] = {}
        self._status: list[str] = []
        self._reason: list[str] = []
        self._times: list[tuple[float, float]] = []  # how long, and when it ended
        self._cells: dict[str, list[Any]] = {}
        self.add(rows)

    def __len__(self) -> int:
        return len(self._number)

    def __contains__(self, key: object) -> bool:
        return key in self._number

    def add(self, rows: Iterable[Row | Fault]) -> None:
        """Take more of what a journal has."""
        for row in rows:
            if isinstance(row, Fault):
                self.faults.append(row)
            elif self._is_current(row):
                self._keep(row)
            else:
                self.stale += 1

    def _is_current(self, row: Row) -> bool:
        if (row["fidelity"], row["version"]) != self._asked:
            return False
        name, value = row.get("limit", (None, None))
        if name is not None and getattr(self.plan.sweep, name) != value:
            return False
        return row["design"] in self._designs and row["workload"] in self._workloads

    def _keep(self, row: Row) -> None:
        key = row["design"], row["workload"]
        status, reason = row["status"], row.get("reason", "")
        number = self._number.setdefault(key, len(self._status))
        if number == len(self._status):
            self._status.append(status)
            self._reason.append(reason)
            self._times.append((row["wall_s"], row["at_s"]))
        elif (status != OK, reason) < (self._status[number] != OK, self._reason[number]):
            self._status[number], self._reason[number] = status, reason
            self._times[number] = row["wall_s"], row["at_s"]
        else:
            return
        cells = self._cells
        for name, value in row.get("columns", {}).items():
            column = cells.get(name)
            if column is not None and len(column) == number:  # nearly always
                column.append(value)
                continue
            column = cells.setdefault(name, [])
            column.extend([None] * (number + 1 - len(column)))
            column[number] = value

    # ------------------------------------------------------------------------------------ counts

    @property
    def statuses(self) -> Counter[str]:
        """How many points ended how."""
        return Counter(self._status)

    @property
    def reasons(self) -> Counter[str]:
        """Why points have no result, and how many for each reason."""
        return Counter(reason for reason in self._reason if reason)

    @property
    def ends_s(self) -> list[float]:
        """When points ended, as Unix times: of the wall clock, which may have been set."""
        return [end for _, end in self._times]

    # ------------------------------------------------------------------------------------ frames

    def table(self) -> pd.DataFrame:
        """Return the table of finished points; a function of the plan and the answers alone."""
        import pandas as pd  # noqa: PLC0415

        keys, order = self._ordered()
        columns = self._key_columns(keys)
        for flag in ("swept", "baseline", "beside"):
            columns[flag] = [getattr(self._designs[digest], flag) for digest, _ in keys]
        columns["status"] = [self._status[at] for at in order]
        columns["reason"] = [self._reason[at] for at in order]
        points = [self.plan.shown(design) for design in self.plan.designs]
        for path in dict.fromkeys(p for point in points for p in point):
            values = as_column([point.get(path) for point in points])
            by_design = dict(zip(self._designs, values, strict=True))
            columns[path] = [by_design[digest] for digest, _ in keys]
        known = metric_names()
        for name in [*known, *sorted({*self._cells} - {*known}, key=_breakdown_order)]:
            if name in self._cells or name in COMMON or name in self.plan.sweep.objectives:
                columns[name] = self._column(name, order)
        frame = pd.DataFrame({name: typed(values) for name, values in columns.items()})
        own = {name: product(powers, frame) for name, powers in self.plan.sweep.metrics.items()}
        return frame.assign(**own)

    def wall_times(self) -> pd.DataFrame:
        """Return key, duration and end of each finished point."""
        import pandas as pd  # noqa: PLC0415

        keys, order = self._ordered()
        columns = self._key_columns(keys)
        for place, name in enumerate(("wall_s", "at_s")):
            columns[name] = [self._times[at][place] for at in order]
        return pd.DataFrame({name: typed(values) for name, values in columns.items()})

    def metrics(self, names: Iterable[str]) -> pd.DataFrame:
        """Return design, workload and metrics of the swept points that succeeded, unordered."""
        import pandas as pd  # noqa: PLC0415

        good = [
            (key, at) for key, at in self._number.items()
            if self._status[at] == OK and self._designs[key[0]].swept
        ]  # fmt: skip
        order = [at for _, at in good]
        columns: dict[str, Any] = {
            "design": [key[0] for key, _ in good],
            "workload": [key[1] for key, _ in good],
        }
        for name in names:
            columns[name] = np.array(self._column(name, order), np.float64)
        return pd.DataFrame(columns)

    def _ordered(self) -> tuple[list[PointKey], list[int]]:
        """Return the keys in order, and the number of each point."""
        keys = sorted(self._number)
        return keys, [self._number[key] for key in keys]

    def _key_columns(self, keys: list[PointKey]) -> dict[str, list[Any]]:
        both = list(zip(*keys, strict=True)) or [(), ()]
        asked = ([value] * len(keys) for value in self._asked)
        return dict(zip(KEY, (*map(list, both), *asked), strict=True))

    def _column(self, name: str, order: list[int]) -> list[Any]:
        column = self._cells.get(name, [])
        every = np.full(len(self._status), None, object)
        every[: len(column)] = column
        found: list[Any] = every[order].tolist()
        return found


def _breakdown_order(name: str) -> tuple[bool, str]:
    return (not name.startswith(ENERGY[0]), name)
