"""What a person types to ask a sweep's question: designs, workloads, axes, objectives, bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import PurePath
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from archsim.design import one_of
from archsim.mapper import Objective
from archsim.result import Fidelity
from archsim.sweep.columns import is_breakdown, metric_names
from archsim.sweep.condition import Condition, as_number

MAX_AXES = 32
MAX_AXIS_VALUES = 10_000
MAX_WORKLOADS = 64
MAX_DESIGNS = 200_000
SIGNIFICANT_DIGITS = 6  # of the values that `log` makes
NOT_SWEPT = ("name", "description")  # a design's digest leaves them out


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Value = Annotated[Any, BeforeValidator(as_number)]  # the design's own types judge it
Count = Annotated[int, BeforeValidator(as_number)]
Number = Annotated[int | float, BeforeValidator(as_number)]
Positive = Annotated[int | float, BeforeValidator(as_number), Field(gt=0)]
Text = Annotated[str, Field(max_length=4000)]


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


MetricName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
ValueName = Annotated[str, Field(min_length=1, max_length=80)]
DesignPath = Annotated[str, Field(min_length=1, max_length=200)]
Power = Annotated[int | float, BeforeValidator(as_number), Field(ge=-8, le=8)]
Powers = Annotated[dict[str, Power], Field(min_length=1, max_length=8)]
Conditions = Annotated[tuple[Condition, ...], BeforeValidator(_as_list)]


class Link(_Part):
    """Paths that move together: each row of ``values`` has one value a path."""

    paths: Annotated[tuple[str, ...], Field(min_length=1, max_length=MAX_AXES)]
    values: tuple[tuple[Value, ...], ...]

    @model_validator(mode="after")
    def _rows_have_a_value_a_path(self) -> Self:
        for row in self.values:
            if len(row) != len(self.paths):
                raise ValueError(
                    f"every row of values must have {len(self.paths)} values, one a path, "
                    f"not {list(row)!r}"
                )
        return self


class Axis(_Part):
    """What one part of the design is varied over: exactly one of the six ways to say it.

    Parameters
    ----------
    values
        As they are; a plain list means this.
    range
        ``[start, stop, step]``, stop included.
    pow2
        ``[low, high]``: the powers of two between them, both included.
    log
        ``[low, high, count]``: evenly spaced ratios, whole numbers if low and high are.
    link
        Several paths at once; the axis's key is then only its label.
    named
        Values under the names that tables and figures show in their place: for those that are
        whole parts of the design, as an engine with its fields.
    when
        The axis applies only where all of these hold; elsewhere the design keeps its own value.
        They see the design, the sweep's ``set``, and the axes written before this one.
    """

    values: tuple[Value, ...] | None = None
    range: tuple[Number, Number, Number] | None = None
    pow2: tuple[Count, Count] | None = None
    log: tuple[Positive, Positive, Count] | None = None
    link: Link | None = None
    named: dict[ValueName, Value] | None = None
    when: Conditions = ()

    @model_validator(mode="before")
    @classmethod
    def _plain_list(cls, value: Any) -> Any:
        return {"values": value} if isinstance(value, list) else value

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = ("values", "range", "pow2", "log", "link", "named")
        given = [way for way in ways if getattr(self, way) is not None]
        if len(given) != 1:
            raise ValueError(f"must be a list or have exactly one of {', '.join(ways)}")
        rows = self.rows()
        if not 1 <= len(rows) <= MAX_AXIS_VALUES:
            raise ValueError(f"must give 1 to {MAX_AXIS_VALUES:,} values, not {len(rows):,}")
        if len({repr(row) for row in rows}) < len(rows):
            raise ValueError("must give every value once")
        return self

    def paths(self, key: str) -> tuple[str, ...]:
        """Return the design paths that the axis sets, given its key in ``axes``."""
        return self.link.paths if self.link else (key,)

    def rows(self) -> tuple[tuple[Any, ...], ...]:
        """Return what the axis can be: rows with one value a path."""
        if self.link:
            return self.link.values
        return tuple((value,) for value in self._singles())

    def _singles(self) -> Sequence[Any]:
        if self.values is not None:
            return self.values
        if self.named is not None:
            return list(self.named.values())
        if self.range is not None:
            return _steps(*self.range)
        if self.pow2 is not None:
            low, high = self.pow2
            if low < 1:
                raise ValueError("pow2 must start at 1 or above")
            exponents = range((low - 1).bit_length(), max(high, 0).bit_length())
            return [1 << e for e in exponents]
        assert self.log is not None
        return _ratios(*self.log)


def _steps(start: float, stop: float, step: float) -> list[int | float]:
    if step <= 0 or stop < start:
        raise ValueError("range must be [start, stop, step] with step above 0 and stop >= start")
    # fractions of the typed decimals: 0.1, 0.2, 0.3 come out as typed
    first, last, stride = (Fraction(str(x)) for x in (start, stop, step))
    count = (last - first) // stride + 1
    if count > MAX_AXIS_VALUES:
        raise ValueError(f"must give 1 to {MAX_AXIS_VALUES:,} values, not {count:,}")
    whole = all(isinstance(x, int) for x in (start, stop, step))
    values = (first + i * stride for i in range(count))
    return [int(v) if whole else float(v) for v in values]


def _ratios(low: float, high: float, count: int) -> list[int | float]:
    if high < low or not 1 <= count <= MAX_AXIS_VALUES:
        raise ValueError(
            f"log must be [low, high, count] with high >= low and 1 <= count <= {MAX_AXIS_VALUES:,}"
        )
    gaps = max(count - 1, 1)
    raw = [low * (high / low) ** (i / gaps) for i in range(count)]
    if isinstance(low, int) and isinstance(high, int):
        return list(dict.fromkeys(round(x) for x in raw))
    return list(dict.fromkeys(float(f"{x:.{SIGNIFICANT_DIGITS}g}") for x in raw))


class Workload(_Part):
    """A model that every design runs.

    Parameters
    ----------
    model
        What `archsim.frontends.load` takes; a file is looked for beside the sweep's own file first.
    weight
        How often it runs in the mix that totals over workloads mean.
    name
        In tables; the model's own text unless given.
    """

    model: Annotated[str, Field(min_length=1, max_length=1000)]
    weight: Positive = 1
    name: Annotated[str, Field(max_length=200)] = ""

    @model_validator(mode="before")
    @classmethod
    def _plain_text(cls, value: Any) -> Any:
        return {"model": value} if isinstance(value, str) else value

    @property
    def label(self) -> str:
        return self.name or self.model


class Beside(_Part):
    """A design that no axis moves, run on the same workloads and shown beside the points.

    Parameters
    ----------
    design
        A shipped design's name, or a file.
    set
        Overrides by dotted path.
    name
        In tables and figures; the design's own text unless given.
    """

    design: Annotated[str, Field(min_length=1, max_length=1000)]
    set: dict[str, Value] = {}
    name: Annotated[str, Field(max_length=80)] = ""

    @model_validator(mode="before")
    @classmethod
    def _plain_text(cls, value: Any) -> Any:
        return {"design": value} if isinstance(value, str) else value

    @property
    def label(self) -> str:
        return self.name or PurePath(self.design).name.removesuffix(".yaml").removesuffix(".yml")


class Grid(_Part):
    """Every combination of the axes' values."""

    kind: Literal["grid"] = "grid"


class Random(_Part):
    """Distinct combinations drawn with equal chance."""

    kind: Literal["random"]
    count: Annotated[Count, Field(ge=1, le=MAX_DESIGNS)]
    seed: Annotated[Count, Field(ge=0)] = 0


class LatinHypercube(_Part):
    """Combinations in which every axis is covered evenly; equal ones count once."""

    kind: Literal["lhs"]
    count: Annotated[Count, Field(ge=1, le=MAX_DESIGNS)]
    seed: Annotated[Count, Field(ge=0)] = 0


class Bounds(_Part):
    """A constraint on a metric of a design."""

    min: Number | None = None
    max: Number | None = None

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("must have min, max or both")
        return self


def _check_metric(name: str, known: tuple[str, ...]) -> None:
    if name not in known and not is_breakdown(name):
        raise ValueError(
            f"{name} must be {one_of(known, name)}, energy.COMPONENT_pj or area.COMPONENT_um2"
        )


def _check_distinct(what: str, labels: Sequence[str]) -> None:
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise ValueError(f"every {what} must have its own name; {twice[0]!r} stands twice")


class MappingChoice(_Part):
    """What the mapping search makes small."""

    objective: Objective = "time"


class Sweep(_Part):
    """A question about a family of designs.

    Parameters
    ----------
    design
        Where points start from: a shipped design's name, a file, or the design itself.
    set
        Fixed overrides by dotted path, applied before the axes.
    axes
        Dotted design path (or a label, for ``link``) to the values it takes.
    when
        Points where one of these does not hold are left out.
    metrics
        Metrics of your own: a name to the powers of others that it is the product of, as
        ``ed2p: {energy_pj: 1, time_us: 2}``.
    objectives
        Metric to ``min`` or ``max``: what the answer trades off.
    constraints
        Metric to bounds that an acceptable design keeps.
    baseline
        What the answer is compared with: a design's name or file, or a point (path to value).
    beside
        Designs to show beside the points, such as GPUs: they run on the same workloads, and are
        never part of the answer. What is added here later runs by itself.
    records
        Folder of measurements that ``archsim gpu run`` wrote, to show beside the points, too.
    groups
        One or two paths: figures give designs a colour by what stands at the first, and a marker
        by what stands at the second.
    batches
        Items of a stream of each workload; see `simulate`.
    workers
        Processes; one a core unless given.
    timeout_s, memory_mb
        What one point may take, of time and of its worker's memory; a point that needs more is a
        failed row, and runs again only under another limit.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]
    question: Text = ""
    design: str | dict[str, Any]
    set: dict[str, Value] = {}
    workloads: Annotated[tuple[Workload, ...], Field(min_length=1, max_length=MAX_WORKLOADS)]
    fidelity: Fidelity = "analytic"
    mapping: MappingChoice = MappingChoice()
    batches: Annotated[Count, Field(ge=1, le=10**6)] = 1
    axes: Annotated[dict[str, Axis], Field(min_length=1, max_length=MAX_AXES)]
    when: Conditions = ()
    sampling: Annotated[Grid | Random | LatinHypercube, Field(discriminator="kind")] = Grid()
    metrics: dict[MetricName, Powers] = {}
    objectives: dict[str, Literal["min", "max"]] = {"time_us": "min", "area_mm2": "min"}
    constraints: dict[str, Bounds] = {}
    baseline: str | dict[str, Value] | None = None
    beside: Annotated[tuple[Beside, ...], BeforeValidator(_as_list), Field(max_length=16)] = ()
    records: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    groups: Annotated[tuple[DesignPath, ...], BeforeValidator(_as_list), Field(max_length=2)] = ()
    workers: Annotated[Count, Field(ge=1, le=1024)] | None = None
    timeout_s: Annotated[Number, Field(gt=0, le=10**6)] = 3600
    memory_mb: Annotated[Count, Field(ge=64, le=10**6)] = 4096

    @field_validator("metrics")
    @classmethod
    def _products_of_known_metrics(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        for name, powers in value.items():
            if name in metric_names():
                raise ValueError(f"{name} must be a new name: archsim has a metric of that name")
            for factor in powers:
                _check_metric(factor, metric_names())
        return value

    @field_validator("objectives", "constraints")
    @classmethod
    def _known_metrics(cls, value: Mapping[str, Any], info: ValidationInfo) -> Mapping[str, Any]:
        for name in value:
            _check_metric(name, (*metric_names(), *info.data.get("metrics", {})))
        return value

    @field_validator("objectives")
    @classmethod
    def _some_objective(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        if not value:
            raise ValueError("must name one metric or more")
        return value

    @field_validator("workloads")
    @classmethod
    def _distinct_workloads(cls, value: tuple[Workload, ...]) -> tuple[Workload, ...]:
        _check_distinct("workload", [w.label for w in value])
        return value

    @field_validator("beside")
    @classmethod
    def _distinct_designs(cls, value: tuple[Beside, ...]) -> tuple[Beside, ...]:
        _check_distinct("design beside", [b.label for b in value])
        return value

    @field_validator("axes")
    @classmethod
    def _distinct_paths(cls, value: Mapping[str, Axis]) -> Mapping[str, Axis]:
        seen: list[str] = []
        for key, axis in value.items():
            for path in axis.paths(key):
                if path in NOT_SWEPT:
                    raise ValueError(f"{path} cannot be an axis: it does not change the design")
                for other in seen:
                    if (
                        path == other
                        or path.startswith(f"{other}.")
                        or other.startswith(f"{path}.")
                    ):
                        raise ValueError(f"{path} and {other} set the same part of the design")
                seen.append(path)
        return value
