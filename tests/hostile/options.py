"""Broken arguments: settings, models, numbers, files that are none."""

from __future__ import annotations

import os

from tests.hostile.case import Case
from tests.hostile.designs import PRODUCT


def setting(name: str, *settings: str, exit_code: int = 2) -> Case:
    given = tuple(part for text in settings for part in ("--set", text))
    command = ("simulate", "tpu_like", "p.csv", *given)
    return Case(f"setting: {name}", command, {"p.csv": PRODUCT}, exit_code)


def model(name: str, text: str, *more: str, exit_code: int = 2) -> Case:
    return Case(f"model: {name}", ("simulate", "tpu_like", text, *more), exit_code=exit_code)


def module(name: str, spec: str, source: str = "") -> Case:
    return Case(f"torch: {name}", ("trace", spec), {"hostile_model.py": source} if source else {})


CASES = [
    setting("no value", "engines.mxu.rows"),
    setting("no path", "=3"),
    setting("an empty step", "engines..rows=3"),
    setting("an unknown engine", "engines.tpu.rows=8"),
    setting("an unknown field", "engines.mxu.colls=8"),
    setting("below a number", "engines.mxu.rows.x=8"),
    setting("a word for a number", "engines.mxu.rows=many"),
    setting("not a number", "memories.buffer.tile_share=.nan"),
    setting("a list for a number", "engines.mxu.rows=[1,2]"),
    setting("YAML that is none", "engines.mxu.rows={"),
    setting("an alias bomb", "name=[&a [x,x], &b [*a,*a], *b]"),
    setting("all engines gone", "engines=null"),
    setting("a tower of brackets", "name=" + "[" * 5000),
    model("a name that nobody has", "resnet51"),
    model("nothing", ""),
    model("an unknown option", "resnet50@layers=3"),
    model("an option without a value", "resnet50@batch="),
    model("an option twice", "resnet50@batch=1,batch=2"),
    model("a batch of none", "resnet50@batch=0"),
    model("a batch below none", "resnet50@batch=-1"),
    model("a batch in a word", "resnet50@batch=many"),
    model("a batch as 1e9", "resnet50@batch=1e9"),
    model("a batch of 0x10", "resnet50@batch=0x10"),
    model("a batch of 5,000 digits", "resnet50@batch=" + "9" * 5000),
    model("an unknown dtype", "resnet50@dtype=int3"),
    model("a picture of no pixels", "nerf@res=0x0"),
    model("a picture too large", "nsdf@res=99999x99999"),
    model("a grid too fine", "nsdf@growth=4"),
    model("a volume without a density", "nvr@majorant=nan"),
    model("an option of another field", "gia@majorant=3"),
    model("a file that is not there", "nobody.onnx"),
    model("a table that is not there", "nobody.csv"),
    Case(
        "model: a table that is a pipe",
        ("simulate", "tpu_like", "t.csv"),
        prepare=lambda folder: os.mkfifo(folder / "t.csv"),
    ),
    Case(
        "model: a trace that is a pipe",
        ("simulate", "tpu_like", "t.jsonl"),
        prepare=lambda folder: os.mkfifo(folder / "t.jsonl"),
    ),
    model("a trace that is not there", "nobody.jsonl"),
    model("a folder named like a model", "folder.onnx"),
    model("a fidelity that there is none of", "resnet50", "--fidelity", "exact"),
    model("an objective that there is none of", "resnet50", "--objective", "beauty"),
    module("a module that is not there", "no_such_module_at_all:make"),
    module("a factory that is not there", "math:make_model"),
    module("no factory", "math:"),
    module("no module", ":make"),
    module("a number for a factory", "math:pi"),
    module("a path for a module", "../../etc/passwd:make"),
    module("a call for a factory", "os:system('true')"),
    module("a factory of something else", "collections:OrderedDict"),
    Case("array: no array", ("compare", "explain", "1x1x1", "--array", "32")),
    Case("array: a negative one", ("compare", "explain", "1x1x1", "--array", "-1x4")),
    Case("array: a huge one", ("compare", "explain", "1x1x1", "--array", "99999x4")),
    Case("product: a fraction", ("compare", "explain", "1x1.5x1", "--array", "4x4")),
    Case("product: of nothing", ("compare", "explain", "0x1x1", "--array", "4x4")),
    Case("engine: unknown", ("rtl", "check", "systolik")),
    Case("engine: a field of another", ("rtl", "check", "systolic", "--set", "spec.lanes=4")),
    Case("engine: no field", ("rtl", "check", "systolic", "--set", "rows=4")),
    Case("library: not there", ("synth", "systolic", "--target", "liberty", "--liberty", "no.lib")),
    Case("schema: of nothing", ("schema", "universe")),
]
