from __future__ import annotations

import dataclasses
import io

from rich.console import Console, RenderableType

from archsim.report.content import Report
from archsim.report.study import decide
from archsim.report.text import simulation, verdict
from tests.report import samples


def printed(part: RenderableType, width: int = 140) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(part)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_metrics_ops_resources_and_assumptions_are_said() -> None:
    result = samples.result()
    text = printed(simulation(result))
    assert text.splitlines()[0].rstrip() == "resnet50 on tpu_like, event"
    assert f"{result.metrics.cycles:,}" in text
    assert "Ops by time: 10 of 13" in text
    for row in result.per_resource:
        assert f"\n{row.name} " in text
    for line in result.assumptions:
        assert line in text
    assert "Provenance" not in text


def test_longest_ops_come_first() -> None:
    result = samples.result()
    text = printed(simulation(result, top=3))
    names = [row.name for row in sorted(result.per_op, key=lambda row: -row.time_ps)]
    places = [text.index(name) for name in names[:3]]
    assert places == sorted(places)
    assert names[3] not in text


def test_resource_rows_add_up_to_the_whole() -> None:
    lines = printed(simulation(samples.result())).splitlines()
    (row,) = [line for line in lines if line.startswith("mxu ") and "engine" in line]
    shares = [
        float(word) for word, unit in zip(row.split(), row.split()[1:], strict=False) if unit == "%"
    ]
    assert abs(sum(shares) - 100) < 0.5


def test_explain_says_what_bounds_ops_and_where_numbers_come_from() -> None:
    text = printed(simulation(samples.result(), explain=True), width=400)
    assert "bound by dram: works" in text
    assert "waiting for operands" in text
    assert "cycles are exact" in text
    assert "technology.logic" in text
    assert "FreePDK45, synthesis of the generated RTL" in text
    assert "MACs done over those that all engines could have done in the time." in text


def test_component_shares_are_of_the_whole() -> None:
    result = samples.result()
    text = printed(simulation(result, explain=True))
    (line,) = [line for line in text.splitlines() if line.startswith("mxu.pe ")]
    share = result.energy_pj["mxu.pe"] / sum(result.energy_pj.values())
    assert f"{100 * share:.1f} %" in line


def test_names_are_never_read_as_markup() -> None:
    row = dataclasses.replace(samples.result().per_op[0], name="[bold red]conv[/]", time_ps=10**15)
    result = dataclasses.replace(samples.result(), per_op=(row,))
    assert "[bold red]conv[/]" in printed(simulation(result, explain=True))


def test_verdict_is_the_page_s() -> None:
    study = samples.study()
    text = printed(verdict(Report(study, decide(study))), width=2000)
    assert text.startswith("Start from rows 32, cols 32, capacity 1 MiB, channels 4, the knee")
