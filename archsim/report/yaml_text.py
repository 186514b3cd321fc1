"""Designs of a study as ready-to-run YAML, told apart by what the axes set in it."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping
from typing import Any

import yaml

from archsim.report.quantities import applies
from archsim.report.study import Study

Piece = str | int  # text, or the number of the axis whose value stands there; NAME for the name
NAME = -1
_TOKEN = re.compile(r"ARCHSIM_AXIS_(\d+|NAME)")


def scalar(value: Any) -> str:
    """Return a value as it stands in YAML, on one line."""
    if isinstance(value, str) and "\n" in value:
        return json.dumps(value, ensure_ascii=False)  # a quoted scalar of YAML, too
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def inserted(path: str, value: Any) -> str:
    """Return what stands behind the key of a path: a scalar, or below it a part of the design."""
    if not isinstance(value, Mapping) or not value:
        return scalar(value)
    text = yaml.safe_dump(dict(value), sort_keys=False, width=10_000, allow_unicode=True)
    indent = "  " * len(path.split("."))
    return "\n" + textwrap.indent(text, indent).removesuffix("\n")


def pieces(study: Study, row: Mapping[str, Any]) -> tuple[Piece, ...]:
    """Return a design's file in pieces; rows in which the same axes apply have the same ones."""
    tokens = {
        path: f"ARCHSIM_AXIS_{number}" if applies(row[path]) else None
        for number, path in enumerate(study.axes)
    }
    tree = {"name": "ARCHSIM_AXIS_NAME"} | study.tree(tokens)
    tree["name"] = "ARCHSIM_AXIS_NAME"
    tree.pop("description", None)  # it describes the design that the axes have changed
    text = yaml.safe_dump(tree, sort_keys=False, default_flow_style=False, width=10_000)
    found: list[Piece] = []
    for number, part in enumerate(_TOKEN.split(text)):
        if number % 2 == 0:
            found.append(part)
        else:
            found.append(NAME if part == "NAME" else int(part))
    return tuple(found)


def design_name(study: Study, row: Mapping[str, Any]) -> str:
    """Return a name that tells the study and the design."""
    return f"{study.name}-{str(row['design'])[:8]}"


def design_yaml(study: Study, row: Mapping[str, Any]) -> str:
    """Return a design's file."""
    texts = [
        inserted(path, study.value(path, row[path])) if applies(row[path]) else ""
        for path in study.axes
    ]
    texts.append(scalar(design_name(study, row)))  # NAME is -1: the last
    text = "".join(texts[p] if isinstance(p, int) else p for p in pieces(study, row))
    return text.replace(": \n", ":\n")
