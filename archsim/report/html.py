"""The report: one HTML file that needs nothing else, asks the network for nothing, and prints."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from archsim.report.against import Against
from archsim.report.beside import Reference
from archsim.report.content import Detail, Report
from archsim.report.drawn import script_json
from archsim.report.page import context
from archsim.report.study import Decision, Study

ASSETS = resources.files("archsim.report") / "template"


def html(report: Report, plotly_js: str | None = None) -> str:
    """Return the report's page.

    Parameters
    ----------
    plotly_js
        Relative address of a ``plotly.min.js`` that several committed reports share; by default
        the library stands in the page.
    """
    values = context(report)
    script = _asset("report.js")
    scripts = [script] if plotly_js else [script, _plotly()]
    sources = [f"'sha256-{_digest(text)}'" for text in scripts] + (
        ["'self' file:"] if plotly_js else []
    )
    policy = (
        f"default-src 'none'; script-src {' '.join(sources)}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    data, figures = (Markup(script_json(values.pop(name))) for name in ("data", "figures"))
    return render(
        "report.html.j2",
        **values,
        policy=policy,
        script=Markup(script),
        plotly=None if plotly_js else Markup(_plotly()),
        plotly_js=plotly_js,
        data=data,
        figures=figures,
    )


def write(
    study: Study,
    decision: Decision,
    path: Path,
    *,
    details: Mapping[str, Detail] | None = None,
    against: Against | None = None,
    references: Sequence[Reference] = (),
    links: Mapping[str, Path] | None = None,
    plotly_js: str | None = None,
) -> Report:
    """Write a study's report to a file, in one step, and return what it says.

    Parameters
    ----------
    decision
        What the study comes to.
    details
        By workload: the chosen design simulated again, for its ops and resources.
    against
        Another study of the same workloads, beside this one.
    references
        Points that no sweep made; see `Reference`.
    links
        Title to file: what the report offers to open; linked relative to the report.
    """
    relative = {
        title: Path(os.path.relpath(file, path.parent)).as_posix()
        for title, file in (links or {}).items()
    }
    report = Report(study, decision, details or {}, against, references, relative)
    partial = path.with_name(path.name + ".part")
    partial.write_text(html(report, plotly_js), "utf-8")
    partial.replace(path)
    return report


def render(template: str, **values: Any) -> str:
    """Return a page of the report's look from one of its templates; texts are escaped."""
    page = _environment().get_template(template)
    return page.render(**values, style=Markup(_asset("report.css")))


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("archsim.report", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _asset(name: str) -> str:
    return (ASSETS / name).read_text("utf-8")


@cache
def _plotly() -> str:
    from plotly.offline import get_plotlyjs  # noqa: PLC0415

    return str(get_plotlyjs()).replace("</script", "<\\/script")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
