from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from archsim.errors import InputError
from archsim.report.against import against
from archsim.report.beside import Reference
from archsim.report.content import Detail, Report
from archsim.report.html import html, write
from archsim.report.study import Study, decide
from tests.report import samples

HOSTILE = """</script><img src=x onerror=alert(1)>'"&<!--"""
SECTIONS = ("front", "breakdown", "inside", "axes", "left-out", "assumptions", "provenance")
VOID = {"meta", "img", "br", "input", "link", "hr", "base", "embed", "source", "col"}


class Page(HTMLParser):
    """Elements with attributes, and the text of each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"unbalanced </{tag}> at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            attrs, text = self.scripts[-1]
            self.scripts[-1] = (attrs, text + data)
        elif self.open and self.open[-1] != "style":
            self.text.append(data)

    def data(self, name: str) -> dict:
        (text,) = [t for attrs, t in self.scripts if attrs.get("id") == name]
        return json.loads(text)


def report(study: Study | None = None, **more: object) -> Report:
    study = samples.study() if study is None else study
    details = {
        name: Detail(samples.result("analytic", name), samples.result("event", name))
        for name in study.weights
    }
    return Report(study, decide(study), **{"details": details, **more})


@pytest.fixture(scope="module")
def text() -> str:
    return html(report())


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_elements_are_balanced_and_ids_unique(page: Page) -> None:
    assert page.open == []
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_first_screen_has_question_verdict_front_and_yaml(page: Page) -> None:
    words = " ".join(page.text)
    place = [
        words.index(part)
        for part in (
            "Which array and buffer should", "the knee of a front of 30 designs", "Pareto front",
            "Chosen design: the knee", "extends: tpu_like", "The designs on the front",
        )
    ]  # fmt: skip
    assert place == sorted(place)


def test_every_section_is_there_and_named(page: Page) -> None:
    ids = {attrs.get("id") for _, attrs in page.elements}
    assert set(SECTIONS) <= ids
    links = {attrs["href"] for tag, attrs in page.elements if tag == "a" and "href" in attrs}
    assert {f"#{name}" for name in SECTIONS} <= links
    labels = [a["aria-labelledby"] for _, a in page.elements if "aria-labelledby" in a]
    assert set(labels) <= ids


def test_sections_without_content_are_left_out() -> None:
    study = samples.study(samples.table([(8, 8, 1 << 20, 4), (16, 16, 1 << 20, 4)]), constraints=())
    ids = {attrs.get("id") for _, attrs in Page(html(report(study, details={}))).elements}
    assert ids.isdisjoint({"inside", "left-out", "assumptions"})


def test_page_asks_the_network_for_nothing(page: Page) -> None:
    for tag, attrs in page.elements:
        for name in ("src", "href", "srcset", "poster", "action", "data"):
            value = attrs.get(name)
            assert value is None or not re.match(r"\s*(\w+:)?//", value), (tag, name, value)
        assert tag not in {"iframe", "object", "embed", "link", "base", "form"}
    policy = next(a["content"] for _, a in page.elements if a.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "http" not in policy
    assert "unsafe-eval" not in policy


def test_style_loads_nothing(text: str) -> None:
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_policy_allows_exactly_the_scripts_of_the_page(page: Page) -> None:
    policy = next(a["content"] for _, a in page.elements if a.get("http-equiv"))
    allowed = set(re.findall(r"'sha256-([^']+)'", str(policy)))
    code = [body for attrs, body in page.scripts if attrs.get("type") != "application/json"]
    digests = {base64.b64encode(hashlib.sha256(c.encode()).digest()).decode() for c in code}
    assert len(code) == 2
    assert digests == allowed


def test_no_element_has_an_event_handler(page: Page) -> None:
    assert [a for _, a in page.elements if any(name.startswith("on") for name in a)] == []


def test_hostile_names_stay_text() -> None:
    table = samples.table().rename(columns={})
    table["engines.mxu.rows"] = table["engines.mxu.rows"].map(lambda v: f"{HOSTILE}{v}")
    table.loc[table["status"] != "ok", "reason"] = HOSTILE
    table["workload"] = table["workload"].replace("resnet50", HOSTILE)
    baseline = samples.study().baseline
    assert baseline is not None
    study = samples.study(
        table,
        name=HOSTILE,
        question=HOSTILE,
        baseline=baseline.replace("resnet50", HOSTILE),
        baseline_name=HOSTILE,
        weights={HOSTILE: 1.0, "bert_base": 1.0},
        provenance={HOSTILE: HOSTILE},
    )
    figures = {"time_us": 1.0, "energy_pj": 1.0, "area_mm2": 1.0}
    references = [
        Reference(HOSTILE, HOSTILE, figures, HOSTILE, process, (HOSTILE,), HOSTILE)
        for process in (HOSTILE, "N7")
    ]
    more = {
        "references": references,
        "links": {HOSTILE: "results.csv"},
        "against": against(study, decide(study), study),
    }
    page = Page(html(report(study, **more)))
    assert page.open == []
    assert "img" not in {tag for tag, _ in page.elements}
    assert len(page.scripts) == 4
    assert HOSTILE in "".join(page.text)
    assert page.data("data")["references"][0]["name"] == HOSTILE
    # what plotly reads as HTML is escaped already, or escaped by the script before plotly sees it
    for figure in page.data("figures").values():
        assert HOSTILE not in json.dumps(figure, ensure_ascii=False)


def test_chosen_design_stands_in_page_and_data_alike(page: Page) -> None:
    data, decision = page.data("data"), decide(samples.study())
    knee = data["knee"]
    assert data["points"]["names"][knee] == f"edge-inference-{decision.chosen['design'][:8]}"
    time = data["points"]["values"]["time_us"][knee]
    assert time == pytest.approx(decision.chosen["time_us"], rel=1e-5)
    template = data["templates"][data["points"]["templates"][knee]]
    axes = data["axes"]
    text = "".join(
        piece
        if isinstance(piece, str)
        else data["points"]["names"][knee]
        if piece == data["nameToken"]
        else axes[piece]["yaml"][data["points"]["axes"][piece][knee]]
        for piece in template
    )
    assert text in "".join(page.text)


def test_every_front_design_is_in_the_table_and_drawn(page: Page) -> None:
    data, decision = page.data("data"), decide(samples.study())
    rows = [attrs for tag, attrs in page.elements if tag == "tr" and "data-point" in attrs]
    assert len(rows) == len(decision.front) == sum(data["points"]["front"])
    assert [row["class"] for row in rows if row.get("class")] == ["knee"]
    points = {int(str(row["data-point"])) for row in rows}
    assert {i for i, on in enumerate(data["points"]["front"]) if on} == points


def test_figures_have_a_place_and_a_text_alternative(page: Page) -> None:
    figures = page.data("figures")
    places = {a.get("id"): a for _, a in page.elements}
    assert set(figures) == {
        "area-breakdown", "energy-breakdown", "roofline-0", "roofline-1", "marginals",
    }  # fmt: skip
    for name in (*figures, "front-plot"):
        assert places[name]["role"] == "img"
        assert len(str(places[name]["aria-label"])) > 40


def test_resource_bars_fill_their_width(text: str) -> None:
    for bar in re.findall(r'<span class="bar".*?</span>', text, re.S):
        widths = [float(width) for width in re.findall(r"width:([\d.]+)%", bar)]
        assert sum(widths) == pytest.approx(100.0, abs=0.05)


def test_large_sweep_is_thinned_and_says_so() -> None:
    study = samples.large_study(20_000)
    page_text = html(report(study, details={}), plotly_js="plotly.min.js")
    data = Page(page_text).data("data")
    drawn = len(data["points"]["front"])
    assert drawn < 6000
    assert f"Of 20,000 designs {drawn:,} are drawn" in page_text
    assert len(page_text) < 2_000_000


def test_size_is_the_library_and_little_more(text: str) -> None:
    alone = html(report(), plotly_js="../assets/plotly.min.js")
    assert len(text) < 6_000_000
    assert len(alone) < 300_000
    assert '<script src="../assets/plotly.min.js"></script>' in alone
    policy = next(a["content"] for _, a in Page(alone).elements if a.get("http-equiv"))
    assert "'self' file:;" in str(policy)


def test_same_table_makes_the_same_file(tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        study = samples.study()
        links = {"table": tmp_path / "results.csv"}
        write(study, decide(study), tmp_path / name, links=links)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert 'href="results.csv"' in (tmp_path / "a.html").read_text("utf-8")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.html", "b.html"]


def test_second_sweep_is_drawn_beside() -> None:
    other = samples.study(samples.table([(16, 16, 1 << 20, 4), (64, 64, 1 << 21, 4)]), name="other")
    study = samples.study()
    beside = against(study, decide(study), other)
    page = Page(html(report(study, against=beside), plotly_js="p.js"))
    drawn = page.data("data")["against"]
    assert drawn["name"] == "other"
    assert len(drawn["labels"]) == len(drawn["values"]["time_us"]) == 2
    assert "against" in {attrs.get("id") for tag, attrs in page.elements if tag == "section"}
    assert "other only" not in " ".join(page.text)


def test_second_sweep_must_run_the_same_workloads() -> None:
    other = samples.study(name="other", weights={"resnet50": 1.0, "bert_base": 2.0})
    expected = r"other: must run the workloads of edge-inference: .*, not \{.*'bert_base': 2.0\}"
    with pytest.raises(InputError, match=expected):
        against(samples.study(), decide(samples.study()), other)


def test_references_are_listed_and_never_on_the_front() -> None:
    gpu = Reference(
        "A100", "modelled", {"time_us": 1.0, "energy_pj": 1.0, "area_mm2": 0.1}, "datasheet",
        process="N7", notes=("what it assumes",),
    )  # fmt: skip
    lost = Reference("H100", "modelled", {}, "datasheet", missing="resnet50: it cannot")
    page = Page(html(report(references=[gpu, lost]), plotly_js="p.js"))
    data, text = page.data("data"), " ".join(page.text)
    assert data["references"][0]["values"]["time_us"] == 1.0
    assert [r["label"] for r in data["references"]] == ["A100 (N7)", "H100"]
    assert sum(data["points"]["front"]) == 30
    assert all(metric["log"] for metric in data["metrics"][:3])  # they stand far away
    for words in ("Beside the sweep", "what it assumes", "no answer: resnet50: it cannot"):
        assert words in text
    assert "normalised" in page.data("figures")
    assert "Moved from TSMC N7 to FreePDK45 (predictive 45 nm), A100 (modelled) does" in text
    assert "91.2 million transistors per mm2" in text  # the sources of factors


def test_without_references_there_is_no_such_section(page: Page) -> None:
    ids = {attrs.get("id") for _, attrs in page.elements}
    assert not {"beside", "normalised", "show-beside"} & ids
