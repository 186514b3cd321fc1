"""What a simulation answers: metrics, a row an op, a row a resource, and their provenance."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

Fidelity = Literal["analytic", "event"]
PS_PER_US = 10**6


@dataclass(frozen=True, slots=True)
class Metrics:
    """The figures that designs are compared by.

    Parameters
    ----------
    cycles
        Total time in cycles of the design's first engine, rounded up.
    time_us, energy_pj, area_mm2, power_mw
        Of the whole stream: one run of the trace, unless more were asked for. Power is energy over
        time.
    latency_us
        Until the first item of the stream was done; without a stream, the time.
    throughput_per_s
        Items a second between the end of the first and the end of the last; of a single item, one
        over its time.
    energy_per_item_pj
        Energy over items.
    macs
        Multiply-accumulates done.
    utilisation
        MACs done over MACs that all engines could have done in the time.
    dram_bytes
        Bytes read and written off chip.
    tied_percent
        Share of the engines' occupied time that RTL ties down: 100 x occupied time of exact jobs
        on engines with RTL over that of all jobs. DMA and DRAM time is in neither.
    extra
        Further ones by name: see `archsim.metric.Metric`.
    """

    cycles: int
    time_us: float
    energy_pj: float
    area_mm2: float
    power_mw: float
    macs: int
    utilisation: float
    dram_bytes: int
    latency_us: float
    throughput_per_s: float
    energy_per_item_pj: float
    tied_percent: float
    fidelity: Fidelity
    extra: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return all metrics by name, further ones beside the common ones."""
        plain = dataclasses.asdict(self)
        del plain["extra"]
        return {**plain, **self.extra}


@dataclass(frozen=True, slots=True)
class OpRow:
    """One op, all its repeats and all items together.

    Parameters
    ----------
    why
        What the design's policy went by.
    start_ps, end_ps
        Of its first execution: from when its engine was free for it to its last store.
    time_ps
        What the op adds to its engine's timeline, all repeats: occupied plus waits.
    occupied_ps
        Time that the op's jobs hold the engine.
    split_cycles
        The occupied cycles by what they were: busy, fill, drain, stall.PORT.
    counts
        The engine's own counters: `Timing.counts`.
    wait_ps
        Time that the engine waited for this op's ``load``, ``store`` or ``input``.
    bound
        What limits the op: ``compute``, ``dram``, ``latency`` or ``input``.
    energy_pj
        By component; idle time and leakage belong to the whole run, not to ops.
    kind_of_time
        ``exact``, ``expected`` or ``bound``, and whether RTL proves it: `Timing.kind`.
    bounds_cycles
        Where time is not exact: occupied cycles are at least ``lo`` and at most ``hi``.
    values
        Where time depends on operands' values, what was known of them: ``whole``, ``counts``,
        ``sample`` or ``assumed``; see `archsim.operands`.
    figures
        What the engine tells of the op beside counts: `Engine.figures`.
    """

    name: str
    kind: str
    engine: str
    repeat: int
    start_ps: int
    end_ps: int
    time_ps: int
    occupied_ps: int
    split_cycles: Mapping[str, int]
    wait_ps: Mapping[str, int]
    macs: int
    jobs: int
    dram_read_bytes: int
    dram_write_bytes: int
    buffer_read_bytes: int
    buffer_write_bytes: int
    energy_pj: Mapping[str, float]
    bound: str
    mapping: str
    kind_of_time: str
    on_chip: tuple[str, ...] = ()  # operands that did not go through DRAM
    counts: Mapping[str, int] = field(default_factory=dict)
    why: str = ""
    bounds_cycles: Mapping[str, int] = field(default_factory=dict)
    values: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ResourceRow:
    """One resource over the whole run: ``busy + sum(stall) + idle == total``."""

    name: str
    kind: Literal["engine", "dma", "dram"]
    total_ps: int
    busy_ps: int
    stall_ps: Mapping[str, int]
    idle_ps: int
    size_bytes: int  # moved through it; for an engine, in and out of the buffer


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time on a resource, for timelines.

    Parameters
    ----------
    figures
        Of a step on an engine: those of `OpRow.figures` that the engine has by step.
    """

    resource: str
    name: str
    start_ps: int
    end_ps: int
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """The answer to one (design, trace) question.

    Parameters
    ----------
    energy_pj, area_um2
        Breakdown by component, ``engine.part`` or ``buffer`` or ``dram``; sums to the metrics.
    peak
        What rooflines need: ``macs_per_s`` (all engines), ``dram_bytes_per_s``.
    spans
        Timeline; only from ``event``.
    engines
        Kind of each of the design's engines, by name.
    assumptions
        Conventions behind the numbers, as sentences.
    provenance
        Versions, digests, sources of technology numbers, the design itself.
    """

    metrics: Metrics
    per_op: tuple[OpRow, ...]
    per_resource: tuple[ResourceRow, ...]
    energy_pj: Mapping[str, float]
    area_um2: Mapping[str, float]
    peak: Mapping[str, float]
    assumptions: tuple[str, ...]
    provenance: Mapping[str, Any]
    mappings: Mapping[str, Any] = field(default_factory=dict)
    spans: tuple[Span, ...] = ()
    engines: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; spans are left to the timeline file."""
        plain = dataclasses.asdict(dataclasses.replace(self, spans=()))
        del plain["spans"]
        return plain | {"metrics": self.metrics.to_dict()}

    def save(self, folder: Path) -> None:
        """Write ``result.json``, ``per_op.csv`` and ``per_resource.csv`` into a folder.

        What a row has by name is a column each, as ``split.fill_cycles`` or ``wait.load_ps``: the
        group, the name, the unit. A name that has its group in it already, as ``stall.a`` of a
        resource's stalls, stands once: ``stall.a_ps``.
        """
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "result.json").write_text(json.dumps(self.to_dict(), indent=1) + "\n", "utf-8")
        self.per_op_frame().to_csv(folder / "per_op.csv", index=False)
        self.per_resource_frame().to_csv(folder / "per_resource.csv", index=False)

    def per_op_frame(self) -> pd.DataFrame:
        """Return one row an op, nested counts flattened to columns."""
        return _frame(self.per_op)

    def per_resource_frame(self) -> pd.DataFrame:
        """Return one row a resource."""
        return _frame(self.per_resource)

    def _repr_html_(self) -> str:
        import pandas as pd  # noqa: PLC0415

        metrics = pd.DataFrame([self.metrics.to_dict()])
        return str(metrics.to_html(index=False)) + str(self.per_op_frame().to_html(index=False))


def _frame(rows: tuple[Any, ...]) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415

    flat = []
    for row in rows:
        out: dict[str, Any] = {}
        for name, value in dataclasses.asdict(row).items():
            if isinstance(value, dict):
                stem, _, unit = name.rpartition("_")
                parts = (part.removeprefix(f"{stem}.") for part in value)
                names = (f"{stem}.{part}_{unit}" if stem else f"{name}.{part}" for part in parts)
                out.update(zip(names, value.values(), strict=True))
            else:
                out[name] = " ".join(value) if isinstance(value, tuple) else value
        flat.append(out)
    return pd.DataFrame(flat).fillna(0)
