"""A sweep made definite: every design validated, every model loaded once, all of it digested."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import archsim
from archsim.design import Design, design_from, load_design, one_of, typed_design
from archsim.engines import op_kinds
from archsim.errors import InputError
from archsim.frontends import load
from archsim.frontends.policy import DEFAULT
from archsim.operands import digests
from archsim.sweep import files
from archsim.sweep.parts import Parts, PointDesign, with_point
from archsim.sweep.sample import MISSING, Point, Space, value_at, value_on
from archsim.sweep.schema import Sweep, Workload
from archsim.sweep.subset import spread
from archsim.trace import Trace
from archsim.trace_io import trace_lines
from archsim.yaml_file import Document, validate

Names = Mapping[str, Mapping[str, str]]

FAULTS_SHOWN = 5
# changing how answers are shown or checked does not change them
NOT_MODEL = ("cli", "schema.py", "sweep", "report", "reproduce", "compare", "verify", "hdl")


@dataclass(frozen=True, slots=True)
class PlannedDesign:
    """A design of the sweep.

    Parameters
    ----------
    digest
        `Design.digest`.
    point
        Its values on every axis's path, as the design's own types read them.
    swept, baseline
        What it is: a point of the axes, the design to compare with, or both.
    tree
        The whole design, where it is not the base with a point set: a baseline of its own, or one
        beside the points.
    dtype
        What a float model becomes on it where the workload asks for no format.
    beside
        What it is called, if it is shown beside the points.
    """

    digest: str
    point: Point
    dtype: str
    swept: bool = True
    baseline: bool = False
    tree: Mapping[str, Any] | None = None
    beside: str = ""


@dataclass(frozen=True, slots=True)
class PlannedWorkload:
    """A model of the sweep: its name in tables, what to load, and its weight."""

    label: str
    model: str
    weight: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sweep runs: all designs times all workloads.

    Parameters
    ----------
    text, sweep
        The sweep's file and what it says.
    base
        What is typed of the design that points are set on, the sweep's ``set`` included: defaults
        that follow from a point's values are not in it.
    identity
        Part of the question to its digest; a folder holds the answers to one identity.
    version
        Of the model that answers.
    combinations
        Points of the grid before conditions and sampling.
    names
        Of the values of axes that name them: path to a value's text to its name.
    records
        Folder of measurements to show beside the points; empty for none.
    """

    text: str
    sweep: Sweep
    base: Mapping[str, Any]
    designs: tuple[PlannedDesign, ...]
    workloads: tuple[PlannedWorkload, ...]
    identity: Mapping[str, str]
    version: str
    combinations: int
    names: Names = field(default_factory=dict)
    records: str = ""

    def __len__(self) -> int:
        return len(self.designs) * len(self.workloads)

    def tree(self, design: PlannedDesign) -> dict[str, Any]:
        """Return what would be typed for a design."""
        return dict(design.tree) if design.tree is not None else with_point(self.base, design.point)

    def shown(self, design: PlannedDesign) -> Point:
        """Return a design's point as tables show it: values that have names by their names."""
        if not self.names:
            return design.point
        return {p: self.names.get(p, {}).get(repr(v), v) for p, v in design.point.items()}


def make_plan(path: Path | str, subset: int | None = None) -> Plan:
    """Read a sweep's file and return its plan.

    Parameters
    ----------
    subset
        Keep only so many designs, spread evenly over the axes; a larger subset holds a smaller one,
        see `subset.spread`. The baseline stays, and what is beside the points.

    Raises
    ------
    InputError
        With file, line and path of every fault: in the sweep, in a design, in a model.
    """
    path = Path(path)
    document = Document.load(path)
    if not isinstance(document.value, dict):
        raise InputError(document.place(()), "a sweep must be a mapping of keys", document.value)
    if subset is not None and subset < 1:
        raise InputError("subset", "must be a positive integer", subset)
    sweep = validate(Sweep, document.value, document)
    base = _base(sweep, path, document)
    whole = design_from(base).model_dump(mode="json")
    for key, axis in sweep.axes.items():
        for part in axis.paths(key):
            _check_path(whole, part, f"{document.place(('axes', key))}: axes.{key}")
    space = Space(sweep, whole, document)
    designs, names = _designs(sweep, base, space.points(), document)
    for number, group in enumerate(sweep.groups):
        if all(value_on(whole, d.point, group) is MISSING for d in designs.values()):
            where = f"{document.place(('groups', number))}: groups[{number}]"
            raise InputError(where, "path must lead to a value of some design", group)
    baseline = _baseline(sweep, base, path, document)
    if baseline is not None:
        _check_process(
            baseline, whole, designs.values(), f"{document.place(('baseline',))}: baseline"
        )
    dtypes = {d.dtype for d in (*designs.values(), *([baseline] if baseline else ()))}
    others = _others(sweep, path, document)
    if subset is not None and subset < len(designs):
        seed = 0 if sweep.sampling.kind == "grid" else sweep.sampling.seed
        points = [(d.point, digest) for digest, d in designs.items()]
        kept = {points[row][1] for row in spread(points, seed)[:subset]}
        designs = {digest: d for digest, d in designs.items() if digest in kept}
    if baseline is not None:
        swept = baseline.digest in designs
        designs[baseline.digest] = replace(baseline, swept=swept)
    for other in others:
        known = designs.get(other.digest, other)
        designs[other.digest] = replace(known, beside=other.beside)
    more = sorted({other.dtype for other in others} - dtypes)
    loaded = []
    for i, w in enumerate(sweep.workloads):
        where = f"{document.place(('workloads', i))}: workloads[{i}]"
        loaded.append(_workload(w, path, sorted(dtypes), where))
        _workload(w, path, more, where)  # they load; what is beside is no part of the question
    return Plan(
        text=path.read_text("utf-8"),
        sweep=sweep,
        base=base,
        designs=tuple(designs.values()),
        workloads=tuple(workload for workload, _ in loaded),
        identity=_identity(sweep, base, baseline, loaded),
        version=model_version(),
        combinations=space.combinations,
        names=names,
        records=files.records(sweep, path, document),
    )


# ---------------------------------------------------------------------------------------- designs


def _base(sweep: Sweep, path: Path, document: Document) -> dict[str, Any]:
    """Return what is typed of the design that points are set on, the sweep's ``set`` included."""
    if isinstance(sweep.design, str):
        name = files.beside(sweep.design, path)
        design, typed = load_design(name), typed_design(name)
    else:
        design = _placed(sweep.design, f"{document.place(('design',))}: design")
        typed = dict(sweep.design)
    whole = design.model_dump(mode="json")
    for key in sweep.set:
        _check_path(whole, key, f"{document.place(('set', key))}: set.{key}")
    base = with_point(typed, sweep.set)
    _placed(base, f"{document.place(('set',))}: set")
    return base


def _designs(
    sweep: Sweep, base: Mapping[str, Any], points: Iterable[Point], document: Document
) -> tuple[dict[str, PlannedDesign], Names]:
    """Return the points' designs by digest, equal ones once, and what their values are called."""
    parts = Parts(base, _axis_paths(sweep))
    designs: dict[str, PlannedDesign] = {}
    named = {p: {repr(v): n for n, v in a.named.items()} for p, a in sweep.axes.items() if a.named}
    names: dict[str, dict[str, str]] = {path: {} for path in named}
    faults: dict[str, str] = {}  # what is wrong, and the first point in which it is
    for point in points:
        try:
            found = parts.read(point)
        except InputError as fault:
            faults.setdefault(str(fault), _words(point))
            if len(faults) == FAULTS_SHOWN:
                break
            continue
        for path in names.keys() & point.keys():  # of equal values the first name counts
            names[path].setdefault(repr(found.values[path]), named[path][repr(point[path])])
        if found.digest not in designs:
            designs[found.digest] = PlannedDesign(found.digest, found.values, found.dtype)
    if faults:
        shown = "\n  ".join(f"{fault} (at {point})" for fault, point in faults.items())
        raise InputError(
            f"{document.place(('axes',))}: axes",
            f"every point must be a design; leave others out with `when`:\n  {shown}",
        )
    return designs, names


def _axis_paths(sweep: Sweep) -> list[str]:
    return [path for key, axis in sweep.axes.items() for path in axis.paths(key)]


def _baseline(
    sweep: Sweep, base: Mapping[str, Any], path: Path, document: Document
) -> PlannedDesign | None:
    where = f"{document.place(('baseline',))}: baseline"
    if sweep.baseline is None:
        return None
    if isinstance(sweep.baseline, str):
        design = load_design(files.beside(sweep.baseline, path))
    else:
        whole = design_from(base).model_dump(mode="json")
        for key in sweep.baseline:
            _check_path(whole, key, where)
        design = _placed(with_point(base, sweep.baseline), where)
    found = PointDesign.of(design, _axis_paths(sweep))
    return PlannedDesign(
        found.digest, found.values, found.dtype, swept=False, baseline=True,
        tree=design.model_dump(mode="json"),
    )  # fmt: skip


def _check_process(
    baseline: PlannedDesign, base: Mapping[str, Any], designs: Iterable[PlannedDesign], where: str
) -> None:
    """Refuse a baseline of a process that no point is made in: ratios to it would say nothing."""
    node = (baseline.tree or base)["node"]
    if node == base["node"]:
        return
    nodes = {str(value_on(base, design.point, "node")) for design in designs}
    if node not in nodes:
        raise InputError(
            where, f"must be made in the process of some point, {' or '.join(sorted(nodes))}", node,
            fix="say it as a point, or name the design under `beside`",
        )  # fmt: skip


def _others(sweep: Sweep, path: Path, document: Document) -> list[PlannedDesign]:
    """Return the designs beside the points."""
    found: dict[str, PlannedDesign] = {}
    for number, one in enumerate(sweep.beside):
        where = f"{document.place(('beside', number))}: beside[{number}]"
        name = files.beside(one.design, path)
        try:
            whole = load_design(name).model_dump(mode="json")
        except InputError as fault:
            raise InputError(where, f"must be a design: {fault}") from None
        for key in one.set:
            _check_path(whole, key, where)
        design = _placed(with_point(typed_design(name), one.set), where)
        point = PointDesign.of(design, _axis_paths(sweep))
        if point.digest in found:
            same = found[point.digest].beside
            words = f"must be a design of its own; it is the same as {same!r}"
            raise InputError(where, words, name)
        found[point.digest] = PlannedDesign(
            point.digest, point.values, point.dtype, swept=False,
            tree=design.model_dump(mode="json"), beside=one.label,
        )  # fmt: skip
    return [*found.values()]


def _placed(tree: Mapping[str, Any], where: str) -> Design:
    try:
        return design_from(tree)
    except InputError as fault:
        raise InputError(where, f"must make a design: {fault}") from None


def _check_path(tree: Mapping[str, Any], path: str, where: str) -> None:
    """Raise `InputError` unless the path leads to a part of the design, or to a new engine."""
    parent, _, name = path.rpartition(".")
    branch = value_at(tree, parent)
    if not isinstance(branch, Mapping):
        raise InputError(where, f"path must lead into the design; {parent!r} holds no keys", path)
    if name not in branch and parent != "engines":
        raise InputError(where, f"path must end in {one_of(list(branch), name)}", path)


def _words(point: Point) -> str:
    return ", ".join(f"{path}={value!r}" for path, value in point.items())


# ---------------------------------------------------------------------------------------- workloads


def _workload(
    workload: Workload, path: Path, dtypes: list[str], where: str
) -> tuple[PlannedWorkload, tuple[str, ...]]:
    """Return a workload as workers load it, and the digests of its traces in several formats."""
    model = files.model_beside(workload.model, path)
    try:
        traces = [load_trace(model, dtype) for dtype in dtypes]
    except InputError as fault:
        raise InputError(where, f"must be a model that loads: {fault}") from None
    lines = ("\n".join((*trace_lines(trace), *digests(trace))) for trace in traces)
    found = dict.fromkeys(map(_digest, lines))
    return PlannedWorkload(workload.label, model, workload.weight), tuple(found)


def load_trace(model: str, dtype: str = DEFAULT) -> Trace:
    """Return a model's trace, in the op kinds of all engines.

    Parameters
    ----------
    dtype
        What floats become, unless the model's own options say it.
    """
    return load(model, op_kinds(), dtype)


# ---------------------------------------------------------------------------------------- identity


def _identity(
    sweep: Sweep,
    base: Mapping[str, Any],
    baseline: PlannedDesign | None,
    loaded: list[tuple[PlannedWorkload, tuple[str, ...]]],
) -> dict[str, str]:
    """Return digests of what decides the answers; the question's words and goals do not."""
    typed = sweep.model_dump(mode="json", by_alias=True)
    return {
        "design": _digest(design_from(base).digest()),
        "workloads": _digest(sorted((w.label, *traces) for w, traces in loaded)),
        "baseline": _digest(baseline.digest if baseline else None),
        **{key: _digest(typed[key]) for key in ("axes", "when", "sampling", "fidelity", "mapping")},
        **({"batches": _digest(sweep.batches)} if sweep.batches > 1 else {}),
    }


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


@cache
def model_version() -> str:
    """Return the version that answers belong to: archsim's, its model's source, installed engines'.

    The source counts, so that editing an engine never mixes two models in one table.
    """
    root = Path(archsim.__file__).parent
    source = hashlib.sha256()
    for file in sorted(root.rglob("*")):
        inside = file.relative_to(root)
        if file.suffix in (".py", ".yaml") and inside.parts[0] not in NOT_MODEL:
            source.update(f"{inside.as_posix()}\0".encode() + file.read_bytes())
    engines = [
        f"+{p.dist.name}-{p.dist.version}"
        for p in sorted(importlib.metadata.entry_points(group="archsim.engines"))
        if p.dist
    ]
    return f"{archsim.__version__}+{source.hexdigest()[:12]}{''.join(engines)}"
