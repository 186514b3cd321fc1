"""From a finished sweep's folder to its report: the study, the chosen design again, the files."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archsim.design import design_from
from archsim.frontends.policy import native_dtype, product_formats
from archsim.gpu.record import read_all
from archsim.report import figures
from archsim.report.against import against as beside
from archsim.report.beside import Beside, Reference, described
from archsim.report.content import Detail, Report
from archsim.report.html import write
from archsim.report.measured import measured
from archsim.report.pareto import Objective
from archsim.report.perfetto import perfetto
from archsim.report.study import Constraint, Decision, Study, decide
from archsim.report.yaml_text import design_yaml
from archsim.simulate import simulate
from archsim.sweep.columns import products
from archsim.sweep.plan import PlannedDesign, load_trace
from archsim.sweep.store import RESULTS, SWEEP, SweepFolder
from archsim.sweep.table import write_parquet
from archsim.tech import load as load_tech

if TYPE_CHECKING:
    import pandas as pd

REPORT, TABLE, CHOSEN, FIGURES = "report.html", "results.csv", "chosen.yaml", "figures"
UNFINISHED = "unfinished.parquet"  # the points so far, of a sweep that goes on
CSV_POINTS = 10_000  # a larger table is Parquet only: as text it would be some hundred megabytes


@dataclass(frozen=True, slots=True)
class Written:
    """A report on disk: its page, and all that it says."""

    page: Path
    report: Report
    files: tuple[Path, ...]


def study_of(folder: SweepFolder) -> Study:
    """Return a sweep as its report sees it; of an unfinished sweep, the points there are."""
    plan, sweep = folder.plan, folder.sweep
    table = folder.results()
    axes = [path for key, axis in sweep.axes.items() for path in axis.paths(key)]
    baseline = table[table["baseline"]]
    designs = {d.digest: d for d in plan.designs if d.beside}
    return Study(
        name=sweep.name,
        question=sweep.question.strip(),
        objectives=tuple(Objective(metric, goal) for metric, goal in sweep.objectives.items()),
        axes=tuple(path for path in axes if path in table.columns),
        weights={w.label: float(w.weight) for w in plan.workloads},
        table=table[table["swept"]].reset_index(drop=True),
        base=plan.base,
        baseline=baseline if len(baseline) else None,
        baseline_name=_stem(sweep.baseline) if isinstance(sweep.baseline, str) else "baseline",
        products=products(sweep.metrics),
        constraints=tuple(Constraint(m, b.min, b.max) for m, b in sweep.constraints.items()),
        linked=tuple(axis.link.paths for axis in sweep.axes.values() if axis.link),
        groups=sweep.groups,
        models={w.label: _typed_here(w.model) for w in plan.workloads},
        typed=_typed(folder, table),
        beside=tuple(
            _beside(folder, d, table[table["design"] == d.digest]) for d in designs.values()
        ),
        unfinished=len(plan) - len(table),
        provenance=_provenance(folder),
    )


def _beside(folder: SweepFolder, planned: PlannedDesign, rows: pd.DataFrame) -> Beside:
    design = design_from(folder.plan.tree(planned))
    words = design.description or design.name
    source = f"{words}; float models run in {planned.dtype}"
    notes, is_bound = described(design)
    return Beside(planned.beside, rows, source, load_tech(design.node).name, notes, is_bound)


def _measured(
    folder: SweepFolder, study: Study, records: Path | str | None
) -> tuple[Reference, ...]:
    """Return the points of a folder of measurements, if the sweep or the caller names one."""
    if records is None:
        records = folder.plan.records
    if not records:
        return ()
    formats = dict.fromkeys(design.dtype for design in folder.plan.designs)
    traces = {
        w.label: [load_trace(w.model, dtype) for dtype in formats] for w in folder.plan.workloads
    }
    return measured(read_all(Path(records)), traces, study.weights)


def _typed(folder: SweepFolder, table: pd.DataFrame) -> dict[tuple[str, Any], Any]:
    """Return what each axis cell of the table stands for, as the plan has it."""
    points = {design.digest: design.point for design in folder.plan.designs}
    swept = table[table["swept"]]
    found: dict[tuple[str, Any], Any] = {}
    for path in {path for point in points.values() for path in point} & set(table.columns):
        rows = swept.drop_duplicates(path)
        cells = zip(rows["design"], rows[path].tolist(), strict=True)
        found.update({(path, c): points[d][path] for d, c in cells if path in points[d]})
    return found


def _typed_here(model: str) -> str:
    """Return a model as one types it in the working directory: files below it by relative path."""
    file, at, options = model.rpartition("@")
    file, rest = (file, at + options) if at and "=" in options else (model, "")
    path = Path(file)
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        file = path.relative_to(Path.cwd()).as_posix()
    return shlex.quote(file + rest)


def _stem(name_or_file: str) -> str:
    return Path(name_or_file).name.removesuffix(".yaml").removesuffix(".yml")


def _provenance(folder: SweepFolder) -> dict[str, Any]:
    plan, sweep = folder.plan, folder.sweep
    return {
        "command": f"archsim sweep run {SWEEP}",
        "version": plan.version,
        "base design": sweep.design if isinstance(sweep.design, str) else sweep.name,
        "fidelity": sweep.fidelity,
        "mapping objective": sweep.mapping.objective,
        "sampling": sweep.sampling.model_dump(),
        "combinations": f"{plan.combinations:,}",
        "digest": dict(plan.identity),
    }


def details_of(folder: SweepFolder, decision: Decision) -> dict[str, Detail]:
    """Simulate the chosen design again on every workload, in both fidelities, and keep it all."""
    design = folder.design(str(decision.chosen["design"]))
    dtype = native_dtype(product_formats(design).values())
    objective = folder.sweep.mapping.objective
    found = {}
    for workload in folder.plan.workloads:
        trace = load_trace(workload.model, dtype)
        runs = [
            simulate(design, trace, fidelity, objective=objective)
            for fidelity in ("analytic", "event")
        ]
        found[workload.label] = Detail(*runs)
    return found


def report(
    path: Path | str,
    *,
    against: Path | str | None = None,
    records: Path | str | None = None,
    output: Path | None = None,
    references: Sequence[Reference] = (),
    plotly_js: str | None = None,
    timelines: bool = True,
) -> Written:
    """Write the report of a sweep's folder, and what it links to, and return what it says.

    Beside the page: the whole table as Parquet and, up to `CSV_POINTS`, as CSV, the chosen design's
    YAML, figures for papers, and a timeline a workload.

    Parameters
    ----------
    against
        Folder of another sweep of the same workloads, to compare with.
    records
        Folder of measurements, in place of the one that the sweep names.
    output
        Folder to write to; the sweep's own unless given.
    references
        Points that no sweep made; see `Reference`.
    plotly_js
        See `html.html`.
    timelines
        Whether to write them; they are large.

    Raises
    ------
    InputError
        If a folder holds no sweep, or no design of it answers every workload.
    """
    folder = SweepFolder(path)
    study = study_of(folder)
    decision = decide(study)
    other = None
    if against is not None:
        other = beside(study, decision, study_of(SweepFolder(against)))
    output = folder.path if output is None else output
    output.mkdir(parents=True, exist_ok=True)
    details = details_of(folder, decision)
    table = _whole_table(folder, output)
    links = _write_beside(output, table, study, decision, details if timelines else {})
    modelled = (one.reference(study) for one in study.beside)
    shown = (*modelled, *_measured(folder, study, records), *references)
    said = write(
        study, decision, output / REPORT, details=details, against=other, references=shown,
        links=links, plotly_js=plotly_js,
    )  # fmt: skip
    papers = figures.save(said, output / FIGURES)
    return Written(output / REPORT, said, (*links.values(), *papers))


def _whole_table(folder: SweepFolder, output: Path) -> Path:
    """Return the file of the whole table: the sweep's own, where the report stands beside it."""
    own = folder.path / RESULTS
    if output.resolve() != folder.path.resolve():
        write_parquet(folder.results(), output / RESULTS)
        return output / RESULTS
    if not own.exists():  # the sweep goes on
        own = output / UNFINISHED
        write_parquet(folder.results(), own)
    return own


def _is_whole(column: pd.Series[Any]) -> bool:
    known = column.dropna()
    return column.dtype == "float64" and bool((known == known.round()).all()) and len(known) > 0


def _write_beside(
    output: Path, table: Path, study: Study, decision: Decision, details: Mapping[str, Detail]
) -> dict[str, Path]:
    """Write table, chosen design and timelines; return title to file."""
    links = {"All points (Parquet)": table}
    if len(study.table) <= CSV_POINTS:
        links["All points (CSV)"] = output / TABLE
        whole = {  # numbers of designs beside the sweep are missing, which made these floats
            path: "Int64" for path in study.axes if _is_whole(study.table[path])
        }
        study.table.astype(whole).to_csv(output / TABLE, index=False)
    else:
        (output / TABLE).unlink(missing_ok=True)  # an older one would say something else
    links["Chosen design (YAML)"] = output / CHOSEN
    (output / CHOSEN).write_text(design_yaml(study, decision.chosen), "utf-8")
    for workload, detail in details.items():
        if detail.event is not None and detail.event.spans:
            name = re.sub(r"[^A-Za-z0-9.-]+", "_", workload)
            links[f"Timeline of {workload} (Perfetto)"] = output / f"timeline.{name}.json"
            links[f"Timeline of {workload} (Perfetto)"].write_text(
                json.dumps(perfetto(detail.event)) + "\n", "utf-8"
            )
    return links
