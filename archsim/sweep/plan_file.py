"""A plan on disk: ``plan.json``, column by column, so that 10^5 designs load in a second."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from archsim.errors import InputError
from archsim.sweep.plan import Plan, PlannedDesign, PlannedWorkload
from archsim.sweep.sample import MISSING
from archsim.sweep.schema import Sweep
from archsim.yaml_file import Document, validate

NOT_SET = -1  # number of a value that a design does not have on an axis


def plan_text(plan: Plan) -> str:
    """Return a plan as JSON.

    A design is a row: digest, swept, baseline, number of its format for float models, then the
    number of its value on each path.
    """
    paths = list(dict.fromkeys(path for design in plan.designs for path in design.point))
    levels: list[dict[str, tuple[int, Any]]] = [{} for _ in paths]  # by text: number, value
    dtypes = sorted({design.dtype for design in plan.designs})
    rows = []
    for design in plan.designs:
        codes = []
        for path, level in zip(paths, levels, strict=True):
            value = design.point.get(path, MISSING)
            text = repr(value)
            codes.append(
                NOT_SET if value is MISSING else level.setdefault(text, (len(level), value))[0]
            )
        dtype = dtypes.index(design.dtype)
        rows.append([design.digest, int(design.swept), int(design.baseline), dtype, *codes])
    content = {
        "identity": dict(plan.identity),
        "version": plan.version,
        "combinations": plan.combinations,
        "base": plan.base,
        "workloads": [asdict(workload) for workload in plan.workloads],
        "dtypes": dtypes,
        "paths": paths,
        "values": [[value for _, value in level.values()] for level in levels],
        "names": plan.names,
        "designs": rows,
        "trees": {d.digest: d.tree for d in plan.designs if d.tree is not None},
        "records": plan.records,
        "beside": {d.digest: d.beside for d in plan.designs if d.beside},
    }
    return json.dumps(content, separators=(",", ":")) + "\n"


def read_identity(path: Path) -> dict[str, str]:
    """Return the identity of the plan in a file.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    try:
        return dict(_content(path)["identity"])
    except (KeyError, TypeError, ValueError):
        raise _damaged(path, "it is no plan") from None


def read_plan(plan_path: Path, sweep_path: Path) -> Plan:
    """Return the plan in a file, of the sweep in another.

    Raises
    ------
    InputError
        If a file is damaged.
    """
    content = _content(plan_path)
    document = Document.load(sweep_path)
    sweep = validate(Sweep, document.value, document)
    try:
        return Plan(
            text=sweep_path.read_text("utf-8"),
            sweep=sweep,
            base=content["base"],
            designs=tuple(_designs(content)),
            workloads=tuple(PlannedWorkload(**w) for w in content["workloads"]),
            identity=content["identity"],
            version=content["version"],
            combinations=content["combinations"],
            names=content["names"],
            records=content.get("records", ""),
        )
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as fault:
        raise _damaged(plan_path, f"{type(fault).__name__}: {fault}") from None


def _designs(content: dict[str, Any]) -> list[PlannedDesign]:
    paths, values, trees = content["paths"], content["values"], content["trees"]
    beside = content.get("beside", {})  # plans of earlier versions have none
    designs = []
    for digest, swept, baseline, dtype, *codes in content["designs"]:
        places = zip(paths, values, codes, strict=True)
        point = {path: level[code] for path, level, code in places if code != NOT_SET}
        tree = trees.get(digest)
        kind = {"swept": bool(swept), "baseline": bool(baseline), "beside": beside.get(digest, "")}
        designs.append(PlannedDesign(digest, point, content["dtypes"][dtype], tree=tree, **kind))
    return designs


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as fault:
        raise _damaged(path, str(fault)) from None
    except RecursionError:
        raise _damaged(path, "it is nested too deep") from None
    if not isinstance(content, dict):
        raise _damaged(path, "it is no plan")
    return content


def _damaged(path: Path, why: str) -> InputError:
    return InputError(
        str(path), f"must be a readable plan of a sweep: {why}",
        fix="remove it and give `archsim sweep run` again: it makes a plan anew, and finished "
        "points of the same sweep are kept",
    )  # fmt: skip
