"""Broken sweeps: questions that cannot be asked, folders that somebody has been in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.hostile.case import Case, Content
from tests.hostile.designs import PRODUCT

HEAD = "name: s\ndesign: tpu_like\nworkloads: [p.csv]\n"
AXES = "axes:\n  engines.mxu.rows: [8, 16]\n"
FINE = HEAD + AXES + "workers: 1\n"


def sweep(name: str, text: Content, exit_code: int = 2) -> Case:
    files: dict[str, Content] = {"s.yaml": text, "p.csv": PRODUCT}
    return Case(f"sweep: {name}", ("sweep", "run", "s.yaml", "-o", "out"), files, exit_code)


def axis(name: str, text: str) -> Case:
    return sweep(name, HEAD + f"axes:\n  engines.mxu.rows: {text}\n")


def folder(name: str, command: str, spoil: Callable[[Path], None], exit_code: int = 2) -> Case:
    """Return a finished sweep's folder ``out`` that something has happened to."""
    return Case(f"folder: {name}", (*command.split(), "out"), {}, exit_code, spoil)


def nothing(at: Path) -> None:
    (at / "out").mkdir()


def with_file(name: str, content: Content) -> Callable[[Path], None]:
    def spoil(at: Path) -> None:
        path = at / "out" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content() if callable(content) else content
        path.write_bytes(data.encode() if isinstance(data, str) else data)

    return spoil


CASES = [
    sweep("empty", ""),
    sweep("a list", "- a\n"),
    sweep("not YAML", "axes: {a: [1\n"),
    sweep("billion laughs", "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"b{i}: &b{i} [{','.join([f'*b{i - 1}' if i else '*a'] * 9)}]\n" for i in range(10)
    ) + FINE),
    sweep("without a design", "name: s\nworkloads: [resnet50]\n" + AXES),
    sweep("without workloads", "name: s\ndesign: tpu_like\n" + AXES),
    sweep("workloads of none", "name: s\ndesign: tpu_like\nworkloads: []\n" + AXES),
    sweep("an unknown workload", "name: s\ndesign: tpu_like\nworkloads: [resnet51]\n" + AXES),
    sweep("an unknown design", "name: s\ndesign: tpu_lik\nworkloads: [resnet50]\n" + AXES),
    sweep("an unknown key", FINE + "axis: {}\n"),
    sweep("a key twice", FINE + AXES),
    sweep("axes as a list", HEAD + "axes: [1, 2]\n"),
    sweep("an axis of nowhere", HEAD + "axes:\n  engines.mxu.colls: [8]\n"),
    sweep("an axis of nobody", HEAD + "axes:\n  engines.tpu.rows: [8]\n"),
    axis("an axis of none", "[]"),
    axis("an axis of one text", "many"),
    axis("an axis of numbers that are none", "[.nan]"),
    axis("an axis of infinity", "[.inf]"),
    axis("an axis of a mapping", "{rows: 3}"),
    axis("a range without a step", "{range: [1, 10]}"),
    axis("a range by a step of none", "{range: [1, 10, 0]}"),
    axis("a range that runs away", "{range: [1, 1000000000000, 1]}"),
    axis("a range backwards", "{range: [10, 1, 1]}"),
    axis("powers of two from below none", "{pow2: [-4, 8]}"),
    axis("powers of two without end", "{pow2: [1, .inf]}"),
    axis("ratios from none", "{log: [0, 8, 3]}"),
    axis("a billion ratios", "{log: [1, 8, 1000000000]}"),
    sweep("axes that multiply without measure", HEAD + "axes:\n" + "".join(
        f"  memories.dram.{x}: {{log: [1, 1000, 1000]}}\n"
        for x in ("channel_gb_per_s", "latency_ns", "page_miss_ns")
    ) + "  memories.buffer.tile_share: {log: [0.1, 1, 1000]}\n"),
    sweep("an objective that there is none of", FINE + "objectives: {beauty: max}\n"),
    sweep("an objective without a direction", FINE + "objectives: {time_us: up}\n"),
    sweep("a constraint of words", FINE + "constraints: {area_mm2: {max: small}}\n"),
    sweep("a constraint that is not a number", FINE + "constraints: {area_mm2: {max: .nan}}\n"),
    sweep("a sample of none", FINE + "sampling: {kind: random, count: 0, seed: 1}\n"),
    sweep("a sample of an unknown kind", FINE + "sampling: {kind: magic, count: 1}\n"),
    sweep("workers of none", HEAD + AXES + "workers: 0\n"),
    sweep("a million workers", HEAD + AXES + "workers: 1000000\n"),
    sweep("a baseline that is nothing", FINE + "baseline: nobody\n"),
    sweep("a baseline of another process", FINE + "baseline: a100\n"),
    sweep("nobody beside it", FINE + "beside: [nobody]\n"),
    sweep("a number beside it", FINE + "beside: 7\n"),
    sweep("nothing beside it", FINE + "beside: [null]\n"),
    sweep("an empty name beside it", FINE + "beside: ['']\n"),
    sweep("a mapping beside it that names nothing", FINE + "beside: {name: a100}\n"),
    sweep("a design beside it with a key too many",
          FINE + "beside: {design: cube_like, kind: gpu}\n"),
    sweep("a design beside it that cannot be",
          FINE + "beside: {design: cube_like, set: {engines.mxu.rows: -1}}\n"),
    sweep("a design beside it with a part of nowhere",
          FINE + "beside: {design: cube_like, set: {engines.mxu.sm: 1}}\n"),
    sweep("the same beside it twice", FINE + "beside: [cube_like, cube_like]\n"),
    sweep("one design beside it by two names",
          FINE + "beside: [cube_like, {design: cube_like, name: again}]\n"),
    sweep("a hundred beside it", FINE + f"beside: [{', '.join(['cube_like'] * 100)}]\n"),
    sweep("a file beside it that is no design", FINE + "beside: [p.csv]\n"),
    sweep("records beside it that are nowhere", FINE + "records: nowhere\n"),
    sweep("records beside it that are a number", FINE + "records: 7\n"),
    sweep("records beside it that are a file", FINE + "records: p.csv\n"),
    Case("sweep: not there", ("sweep", "run", "nobody.yaml")),
    Case("sweep: is a folder", ("sweep", "run", ".")),
    Case("sweep: into a file", ("sweep", "run", "s.yaml", "-o", "file"),
         {"s.yaml": FINE, "file": "x", "p.csv": PRODUCT}),
    Case("sweep: no workers", ("sweep", "run", "s.yaml", "-j", "0"), {"s.yaml": FINE}),
    Case("sweep: a subset of none", ("sweep", "run", "s.yaml", "--subset", "0"), {"s.yaml": FINE}),
    folder("is not there", "sweep status", lambda at: None),
    folder("no report of nothing", "report", lambda at: None),
    folder("is empty", "sweep status", nothing),
    folder("no report of an empty one", "report", nothing),
    folder("is a file", "sweep status", lambda at: _write(at / "out")),
    folder("a plan that is no JSON", "sweep status", with_file("plan.json", "{")),
    folder("a plan that is a list", "sweep status", with_file("plan.json", "[]")),
    folder("a plan of nothing", "sweep status", with_file("plan.json", "{}")),
    folder("a plan that is no UTF-8", "sweep status", with_file("plan.json", b"\xff\xfe")),
    folder("a plan nested 100,000 deep", "sweep status", with_file("plan.json", "[" * 100_000)),
    folder("no report of a broken plan", "report", with_file("plan.json", "{")),
    folder("a table that is none", "report", with_file("results.parquet", b"PAR1 no")),
]  # fmt: skip


def _write(path: Path) -> None:
    path.write_text("x")
