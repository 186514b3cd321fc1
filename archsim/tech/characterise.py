"""Measure an engine in a cell library and fit its cost: the tables of ``archsim/tech``.

``python -m archsim.tech.characterise --tech freepdk45 --liberty gscl45nm.lib`` rewrites
``archsim/tech/freepdk45/systolic.yaml`` from RTL. It takes minutes of synthesis and netlist
simulation, the extra ``rtl`` and a library file of the user's.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from typing import Any

import numpy as np
import yaml

from archsim.errors import ArchsimError, InputError
from archsim.hdl.power import LACKS, GateSimulator, energy_model, standing
from archsim.hdl.synth import NO_WIRES, TREES, SynthResult, synthesise
from archsim.hdl.synth_liberty import Liberty, read_liberty
from archsim.hdl.synth_netlist import flatten
from archsim.hdl.synth_recipes import RECIPES
from archsim.hdl.synth_timing import worst_paths
from archsim.tech.lane import tech_folder
from archsim.tech.study import Study
from archsim.tech.table import Term, Terms, fit_terms, max_error_percent

RECIPE = RECIPES[0]  # smallest area x delay, or within a few percent of it, in every library tried
LANES, SEED = 64, 1

Row = dict[str, Any]


def _synthesised(study: Study, spec: Any, liberty: Liberty) -> SynthResult:
    return synthesise(
        study.verilog(spec), study.top, "liberty",
        liberty=liberty, recipes=(RECIPE,), keep_netlist=True, timed=False,
    )  # fmt: skip


def _counted(study: Study, result: SynthResult) -> Counter[str]:
    """Return the cells of a design by type, without the modules that are left out."""
    counted, netlist = Counter(result.cells), result.netlist or {}
    instances = _instances(netlist, study.top)
    for module in netlist.keys() & set(study.left_out):
        for cell in netlist[module]["cells"].values():
            counted[cell["type"]] -= instances[module]
    return counted


def _instances(netlist: Mapping[str, Any], module: str) -> Counter[str]:
    """Return how often each module stands in one."""
    found = Counter({module: 1})
    for cell in netlist[module]["cells"].values():
        if cell["type"] in netlist:
            found += _instances(netlist, cell["type"])
    return found


def measure(study: Study, spec: Any, liberty: Liberty, *, fitted: bool) -> Row:
    """Synthesise one configuration and return its row."""
    result = _synthesised(study, spec, liberty)
    leakage, clock = standing(_counted(study, result), liberty)
    netlist = flatten(result.netlist or {}, study.top, liberty)
    paths = worst_paths(netlist, study.path_group)
    for group, begins in study.path_begins.items():
        paths[group] = worst_paths(netlist, study.path_group, begins)[group]
    return {
        "spec": {name: getattr(spec, name) for name in study.spec_fields},
        "fitted": fitted,
        "area_um2": _rounded(study.parts(spec, result)),
        "leakage_uw": _digits(leakage),
        "clock_pj": _digits(clock),
        "delay_ps": _rounded({name: paths[name].delay_ps for name in study.terms.delay}),
    }


def measure_energy(study: Study, spec: Any, liberty: Liberty, *, fitted: bool) -> Iterator[Row]:
    """Simulate one configuration's mapped netlist and yield a row a stimulus."""
    result = _synthesised(study, spec, liberty)
    netlist = flatten(result.netlist or {}, study.top, liberty)
    model = energy_model(netlist, study.energy_group)
    rng = np.random.default_rng(SEED)
    for stimulus, toggles in study.run(spec, GateSimulator(netlist, LANES), rng):
        yield {
            "spec": {name: getattr(spec, name) for name in study.spec_fields},
            "fitted": fitted,
            "stimulus": stimulus.name,
            "counts": dict(stimulus.counts),
            "dynamic_pj": _rounded(
                {
                    group: energy / LANES
                    for group, energy in model.dynamic_pj(toggles).items()
                    if group in study.group_actions
                }
            ),
        }


# ---------------------------------------------------------------------------------------- fits


def fit(study: Study, rows: Sequence[Row], energy_rows: Sequence[Row]) -> Row:
    """Return every quantity's coefficients by the fitted rows, with errors on the others."""
    return {
        "area_um2": _fit_area(study, rows),
        "leakage_uw": _fit_whole(study, rows, "leakage_uw"),
        "clock_pj": _fit_whole(study, rows, "clock_pj"),
        "delay_ps": _fit_delay(study, rows),
        "energy_pj": _fit_energy(study, energy_rows),
    }


def specs_of(study: Study, rows: Sequence[Row]) -> list[Any]:
    """Return the specs that rows were measured of."""
    kind = type(study.fitted[0])
    return [kind(**row["spec"]) for row in rows]


def _fit_area(study: Study, rows: Sequence[Row]) -> Row:
    fitted = [r for r in rows if r["fitted"]]
    specs = specs_of(study, fitted)
    coefficients: dict[str, dict[str, float]] = {}
    for part, components in study.part_components.items():
        joined = {f"{c}\n{t}": term for c in components for t, term in study.terms.area[c].items()}
        solution = fit_terms(joined, specs, [r["area_um2"][part] for r in fitted])
        for key, value in solution.items():
            component, term = key.split("\n")
            coefficients.setdefault(component, {})[term] = value
    others = [r for r in rows if not r["fitted"]]
    totals = [sum(r["area_um2"].values()) for r in others]
    error = max_error_percent(coefficients, study.terms.area, specs_of(study, others), totals)
    return {"max_error_percent": error, "coefficients": coefficients}


def _fit_whole(study: Study, rows: Sequence[Row], quantity: str) -> Row:
    fitted, others = [r for r in rows if r["fitted"]], [r for r in rows if not r["fitted"]]
    (component,) = study.terms.whole
    terms = study.terms.whole[component]
    found = {component: fit_terms(terms, specs_of(study, fitted), [r[quantity] for r in fitted])}
    totals = [r[quantity] for r in others]
    error = max_error_percent(found, study.terms.whole, specs_of(study, others), totals)
    return {"max_error_percent": error, "coefficients": found}


def _fit_delay(study: Study, rows: Sequence[Row]) -> Row:
    fitted, others = [r for r in rows if r["fitted"]], [r for r in rows if not r["fitted"]]
    found = {
        group: fit_terms(terms, specs_of(study, fitted), [r["delay_ps"][group] for r in fitted])
        for group, terms in study.terms.delay.items()
    }
    errors = []
    for spec, row in zip(specs_of(study, others), others, strict=True):
        model = max(_value(found[g], study.terms.delay[g], spec) for g in found)
        errors.append(abs(model / max(row["delay_ps"].values()) - 1))
    return {"max_error_percent": round(100 * max(errors), 2), "coefficients": found}


def _value(coefficients: Mapping[str, float], terms: Terms, spec: Any) -> float:
    return float(sum(c * float(terms[name](spec)) for name, c in coefficients.items()))


def _fit_energy(study: Study, rows: Sequence[Row]) -> Row:
    """Fit group by group; an action's coefficient is the sum of what its groups need for it."""
    fitted, others = [r for r in rows if r["fitted"]], [r for r in rows if not r["fitted"]]
    found: dict[str, dict[str, float]] = {
        action: dict.fromkeys(terms, 0.0) for action, terms in study.terms.energy.items()
    }
    for group, actions in study.group_actions.items():
        names = [(action, term) for action, terms in actions.items() for term in terms]
        columns = {f"{a}\n{t}": _per_job(a, study.terms.energy[a][t]) for a, t in names}
        cases = _with_specs(study, fitted)
        solution = fit_terms(columns, cases, [r["dynamic_pj"][group] for r in fitted])
        for action, term in names:
            found[action][term] += solution[f"{action}\n{term}"]
    errors = [
        abs(_energy(found, study, row) / sum(row["dynamic_pj"].values()) - 1)
        for row in _with_specs(study, others)
    ]
    return {"max_error_percent": round(100 * max(errors), 2), "coefficients": found}


def _with_specs(study: Study, rows: Sequence[Row]) -> list[Row]:
    return [{**r, "as": s} for r, s in zip(rows, specs_of(study, rows), strict=True)]


def _per_job(action: str, term: Term) -> Term:
    """Return an action's term as a job's row has it: times how often the job did it."""
    return lambda row: _count(row, action) * term(row["as"])


def _count(row: Row, action: str) -> float:
    return float(row["counts"]["cycle" if action == "control_cycle" else action])


def _energy(found: Mapping[str, Mapping[str, float]], study: Study, row: Row) -> float:
    return sum(
        _count(row, action) * _value(terms, study.terms.energy[action], row["as"])
        for action, terms in found.items()
    )


# ---------------------------------------------------------------------------------------- output


def _digits(value: float) -> float:
    return float(f"{value:.6g}")


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: _digits(value) for name, value in values.items()}


def as_yaml(
    study: Study, liberty: Liberty, licence: str, rows: Sequence[Row], energy: Sequence[Row]
) -> str:
    """Return the table as YAML, one measured row a line."""
    made = {
        "library": liberty.name,
        "licence": licence,
        "yosys": f"Yosys {metadata.version('pyosys')}",
        "recipe": RECIPE.label,
        "method": f"hierarchical synthesis of the generated Verilog; {NO_WIRES}; {TREES}",
        "delay": (
            "longest path into PEs and into control, by the library's tables: clock to output, "
            "cells at their loads, set-up"
        ),
        "energy": f"{study.stimulus}; {'; '.join(LACKS)}",
        "fits": "non-negative least squares of relative errors; fits, not physics",
    }
    fits = fit(study, rows, energy)
    text = yaml.safe_dump({"made": made, "fits": fits}, sort_keys=False, width=98)
    for name, part in (("rows", rows), ("energy_rows", energy)):
        text += f"{name}:\n"
        for row in part:
            line = yaml.safe_dump(row, default_flow_style=True, sort_keys=False, width=1 << 20)
            text += f"  - {line.strip()}\n"
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, fit and write one table."""
    parser = argparse.ArgumentParser(
        prog="python -m archsim.tech.characterise",
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--tech", required=True, help="folder of the technology, or its name")
    parser.add_argument("--liberty", required=True, help="cell library in Liberty format")
    parser.add_argument("--licence", required=True, help="the library's licence, to record")
    parser.add_argument(
        "--study", default="archsim.engines.systolic.study:STUDY", help="MODULE:NAME of the study"
    )
    parser.add_argument(
        "--keep", nargs="*", choices=("rows", "energy_rows"), default=(),
        help="do not measure these again: with both, only the fits are new",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    try:
        return _run(options)
    except ArchsimError as fault:
        print(f"error: {fault}", file=sys.stderr)
        return fault.exit_code


def _run(options: argparse.Namespace) -> int:
    study = _study(options.study)
    folder = tech_folder(options.tech)
    liberty = read_liberty(options.liberty)
    target = folder / f"{study.engine}.yaml"
    kept = yaml.safe_load(target.read_text("utf-8")) if options.keep else {}
    rows = kept["rows"] if "rows" in options.keep else _measured(study, liberty)
    energy = kept["energy_rows"] if "energy_rows" in options.keep else _simulated(study, liberty)
    target.write_text(as_yaml(study, liberty, options.licence, rows, energy), "utf-8")
    for quantity, found in fit(study, rows, energy).items():
        print(f"{quantity}: held-out error at most {found['max_error_percent']} %")
    return 0


def _measured(study: Study, liberty: Liberty) -> list[Row]:
    return [
        _noted(measure(study, spec, liberty, fitted=fitted))
        for specs, fitted in ((study.fitted, True), (study.held_out, False))
        for spec in specs
    ]


def _simulated(study: Study, liberty: Liberty) -> list[Row]:
    return [
        _noted(row)
        for specs, fitted in ((study.powered, True), (study.powered_held_out, False))
        for spec in specs
        for row in measure_energy(study, spec, liberty, fitted=fitted)
    ]


def _study(name: str) -> Study:
    module, _, attribute = name.partition(":")
    study = getattr(importlib.import_module(module), attribute, None)
    if not isinstance(study, Study):
        raise InputError("--study", "must be MODULE:NAME of a Study", name)
    return study


def _noted(row: Row) -> Row:
    print(row["spec"], row.get("stimulus", ""), file=sys.stderr, flush=True)
    return row


if __name__ == "__main__":
    sys.exit(main())
