"""Points beside a sweep: designs that were run on its workloads, and what nobody simulated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import shorten
from typing import TYPE_CHECKING

import numpy as np

from archsim.engines import NoRtl, discover
from archsim.sweep.columns import OK
from archsim.tech import load

if TYPE_CHECKING:
    import pandas as pd

    from archsim.design import Design
    from archsim.report.study import Study
    from archsim.result import Result

REASON_CHARACTERS = 240
MODELLED, MEASURED = "modelled", "measured"


@dataclass(frozen=True, slots=True)
class Reference:
    """A point that is not of the sweep: a GPU, a published chip, a measurement.

    It is drawn and listed beside the front and never enters it.

    Parameters
    ----------
    name, kind
        What it is, and which sort of thing: points of one kind share a marker.
    metrics
        By `Metrics` field, summed over the study's workloads by weight as its designs are; a view
        whose axes it lacks leaves it out.
    source
        Where the figures come from and how much they can be trusted.
    process
        That it is made in, see `archsim.tech.process`; empty where nobody says.
    notes
        Conventions behind its figures.
    missing
        Why it lacks metrics.
    energy_bound
        Whether its energy is an upper bound.
    """

    name: str
    kind: str
    metrics: Mapping[str, float]
    source: str = ""
    process: str = ""
    notes: tuple[str, ...] = ()
    missing: str = ""
    energy_bound: bool = False


@dataclass(frozen=True, slots=True)
class Beside:
    """A design that was run beside the points of a sweep.

    Parameters
    ----------
    table
        Its rows, as in `Study.table`, one a workload.
    source, process, notes, energy_bound
        See `Reference`.
    """

    name: str
    table: pd.DataFrame
    source: str
    process: str
    notes: tuple[str, ...] = ()
    energy_bound: bool = False

    def reference(self, study: Study) -> Reference:
        """Return it as its study sums it over the workloads, or with the reason why it cannot."""
        totals = study.totals(self.table)
        metrics: dict[str, float] = {}
        if len(totals):
            row = totals.iloc[0].drop("design").items()
            metrics = {str(name): float(x) for name, x in row if np.isfinite(float(x))}
        missing = "" if metrics else self._unanswered(study)
        return Reference(
            self.name, MODELLED, metrics, self.source, self.process, self.notes, missing,
            self.energy_bound,
        )  # fmt: skip

    def _unanswered(self, study: Study) -> str:
        failed = self.table[self.table["status"] != OK]
        if len(failed):
            workload, reason = failed.iloc[0][["workload", "reason"]]
            return shorten(f"{workload}: {reason}", REASON_CHARACTERS, placeholder=" …")
        left = sorted({*study.weights} - {*self.table["workload"]})
        return f"not run yet on {', '.join(left)}"


def described(design: Design) -> tuple[tuple[str, ...], bool]:
    """Return what a design's engines and its process assume, and whether its energy is a bound."""
    lines: list[str] = []
    is_bound = False
    for name, spec in design.engines.items():
        engine = discover()[getattr(spec, "kind", "")]
        lines += engine.assumptions(spec)
        is_bound |= engine.energy_bound
        if isinstance(engine.rtl, NoRtl):
            lines.append(f"{name}: model only: {engine.rtl.reason}")
    return tuple(dict.fromkeys([*lines, *load(design.node).assumptions])), is_bound


def modelled(design: Design, result: Result) -> Reference:
    """Return a design's result as a point beside another."""
    notes, is_bound = described(design)
    figures = {name: x for name, x in result.metrics.to_dict().items() if name != "fidelity"}
    node = load(design.node).name
    return Reference(
        design.name, MODELLED, figures, design.description, node, notes, energy_bound=is_bound
    )
