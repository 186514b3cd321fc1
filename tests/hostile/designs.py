"""Broken designs: YAML that is none, that explodes, or that says what no design can be."""

from __future__ import annotations

import os
from pathlib import Path

from tests.hostile.case import Case, Content

PRODUCT = "name,M,N,K\nx,64,64,64\n"
ENGINES = "engines:\n  mxu: {kind: systolic}\n"


def design(name: str, text: Content, *more: str, exit_code: int = 2) -> Case:
    command = ("simulate", "d.yaml", "p.csv", *more)
    return Case(f"design: {name}", command, {"d.yaml": text, "p.csv": PRODUCT}, exit_code)


def bomb(levels: int, width: int) -> str:
    lines = ["a0: &a0 [lol, lol]"]
    for i in range(1, levels):
        lines.append(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * width)}]")
    return "\n".join([*lines, ENGINES])


def loop(folder: Path) -> None:
    (folder / "b.yaml").write_text("extends: d.yaml\n" + ENGINES)


def tower(folder: Path) -> None:
    for i in range(40):
        (folder / f"x{i}.yaml").write_text(f"extends: x{i + 1}.yaml\n")


BUFFER = ENGINES + "memories:\n  buffer: {%s}\n"
DRAM = ENGINES + "memories:\n  dram: {%s}\n"

MESHES = {
    "of one mode": "modes: 1",
    "of more modes than fit": "modes: 1000000",
    "of half a mode": "modes: 8.5",
    "of no kind": "mesh: hexagon",
    "with more chains than shifters": "modes: 2, chains: 9",
    "whose phases have no bits": "phase_bits: 0",
    "whose ranks are none": "rank: 0",
    "that loses the phase inside a train": "form: ttm, readout: mag",
    "whose results are narrower than samples": "adc_bits: 16, result_bits: 8",
    "without a clock": "clock_mhz: auto",
    "whose clock is not a number": "clock_mhz: .nan",
    "that gains": "hybrid_loss_db: -1",
    "whose sources give what they do not draw": "source_efficiency: 2",
    "whose detectors draw less than nothing": "detector_power_mw: -5",
    "whose power is without end": "adc_power_mw: .inf",
    "that settles before it is set": "settle_ps: -1",
    "whose clock is without end": "clock_mhz: .inf",
    "whose assumed clock is without end": "clock_mhz: {mhz: .inf, assumed: a dream}",
}
PROCESSORS = {
    "without engines": "engines: 0",
    "with three queries at once": "parallel: 3",
    "with more queries than engines": "engines: 2, parallel: 8",
    "with three banks": "banks: 3",
    "with more banks than entries": "banks: 64, table_log2: 6",
    "by parity in four banks": "bank_map: parity, banks: 4",
    "by luck": "bank_map: luck",
    "with a table beyond all": "table_log2: 25",
    "with half a feature": "features: 0.5",
    "with a queue of less than nothing": "fifo_depth: -1",
    "whose array has more stages than sums": "mlp_width: 4, mlp_stages: 9, outputs: 2",
    "with more outputs than the array": "mlp_width: 4, mlp_stages: 3, outputs: 5",
    "of 12 bits": "act_bits: 12",
}


def processor(name: str, fields: str) -> Case:
    return design(f"a processor {name}", f"engines: {{it: {{kind: ngpc, {fields}}}}}\n")


def mesh(name: str, fields: str) -> Case:
    return design(f"a mesh {name}", f"engines: {{rf: {{kind: rfnn, {fields}}}}}\n")


CASES = [
    design("empty file", ""),
    design("only a comment", "# nothing\n"),
    design("a scalar", "42\n"),
    design("a list", "- a\n- b\n"),
    design("a null", "null\n"),
    design("a tab as indentation", "engines:\n\tmxu: {kind: systolic}\n"),
    design("an open bracket", "engines: {mxu: {kind: systolic}\n"),
    design("an open quote", 'name: "x\n' + ENGINES),
    design("two documents", ENGINES + "---\n" + ENGINES),
    design("not UTF-8", b"\xff\xfe\x00engines"),
    design("UTF-16 with its mark", ENGINES.encode("utf-16")),
    design("a NUL inside", "name: a\0b\n" + ENGINES),
    design("a control character", "name: a\x07b\n" + ENGINES),
    design("billion laughs", bomb(12, 10)),
    design("an anchor inside itself", "a: &a [*a]\n" + ENGINES),
    design("a merge key of itself", "a: &a {<<: *a}\n" + ENGINES),
    design("an unknown alias", "name: *nobody\n" + ENGINES),
    design("nested 10,000 deep", "[" * 10_000 + "]" * 10_000),
    design("nested maps 1,000 deep", "".join(" " * i + "a:\n" for i in range(1000))),
    design("a Python object", "name: !!python/object/apply:os.system [ls]\n" + ENGINES),
    design("an unknown tag", "name: !secret x\n" + ENGINES),
    design("a set", "engines: !!set {a, b}\n"),
    design("a list as key", "? [a, b]\n: 1\n" + ENGINES),
    design("a key twice", ENGINES + "node: freepdk45\nnode: asap7\n"),
    design("an engine twice", ENGINES + "  mxu: {kind: systolic, rows: 8}\n"),
    design("a number of 5,000 digits for a name", "name: " + "9" * 5000 + "\n" + ENGINES),
    design("the 35th of May", "name: 2001-05-35\n" + ENGINES),
    design("five megabytes", lambda: b"#" * (5 << 20)),
    design("100,001 values", "x: [" + "1," * 100_001 + "]\n"),
    design("an unknown key", ENGINES + "memory: {}\n"),
    design("a key of no text", ENGINES + "1: x\n"),
    design("no engines", "name: x\n"),
    design("engines of none", "engines: {}\n"),
    design("engines as a list", "engines: [systolic]\n"),
    design("an engine as text", "engines: {mxu: systolic}\n"),
    design("an engine of no kind", "engines: {mxu: {rows: 8}}\n"),
    design("an unknown kind", "engines: {mxu: {kind: systolik}}\n"),
    design("a kind as a list", "engines: {mxu: {kind: [systolic]}}\n"),
    design("rows of none", "engines: {mxu: {kind: systolic, rows: 0}}\n"),
    design("rows below none", "engines: {mxu: {kind: systolic, rows: -4}}\n"),
    design("rows in a word", "engines: {mxu: {kind: systolic, rows: sixteen}}\n"),
    design("rows as text", "engines: {mxu: {kind: systolic, rows: 1e9}}\n"),
    design("rows of a fraction", "engines: {mxu: {kind: systolic, rows: 2.5}}\n"),
    design("rows of a truth", "engines: {mxu: {kind: systolic, rows: no}}\n"),
    design("rows as a huge number", "engines: {mxu: {kind: systolic, rows: 9999999999999999}}\n"),
    design(
        "rows of 5,000 digits",
        "engines: {mxu: {kind: systolic, rows: " + "9" * 5000 + "}}\n",
    ),
    design("rows not a number", "engines: {mxu: {kind: systolic, rows: .nan}}\n"),
    design("rows without end", "engines: {mxu: {kind: systolic, rows: .inf}}\n"),
    design("a dataflow that there is none of", "engines: {mxu: {kind: systolic, dataflow: rs}}\n"),
    design("sums narrower than products", "engines: {mxu: {kind: systolic, acc_bits: 8}}\n"),
    design("a clock below none", "engines: {mxu: {kind: systolic, clock_mhz: -1}}\n"),
    design("a clock that is not a number", "engines: {mxu: {kind: systolic, clock_mhz: .nan}}\n"),
    design(
        "a clock without end", "engines: {mxu: {kind: systolic, clock_mhz: .inf}}\n", exit_code=1
    ),
    design(
        "an assumed clock without a reason",
        "engines: {mxu: {kind: systolic, clock_mhz: {mhz: 100, assumed: ''}}}\n",
    ),
    design(
        "a clock that no synthesis supports",
        "engines: {mxu: {kind: systolic, clock_mhz: 90000}}\n",
        exit_code=1,
    ),
    *(mesh(name, fields) for name, fields in MESHES.items()),
    *(processor(name, fields) for name, fields in PROCESSORS.items()),
    design("a buffer of none", BUFFER % "capacity_bytes: 0"),
    design("a buffer of an exabyte", BUFFER % "capacity_bytes: 1152921504606846976"),
    design("a buffer of a date", BUFFER % "capacity_bytes: 2001-01-01"),
    design("a share above one", BUFFER % "tile_share: 1.5"),
    design("a share that is not a number", BUFFER % "tile_share: .nan"),
    design("a buffer that holds no tile", BUFFER % "capacity_bytes: 16", exit_code=1),
    design("bandwidth of none", DRAM % "channel_gb_per_s: 0"),
    design("bandwidth without end", DRAM % "channel_gb_per_s: .inf"),
    design("latency below none", DRAM % "latency_ns: -1"),
    design("channels in base sixty", DRAM % "channels: 1:30:00"),
    design("an unknown node", ENGINES + "node: tsmc3\n"),
    design("a node out of its folder", ENGINES + "node: ../../../etc\n"),
    design("an unknown policy", ENGINES + "policy: random\n"),
    design("a fallback without a reason", ENGINES + "fallback: {ns_per_element: 1}\n"),
    design("a name of none", ENGINES + "name: ''\n"),
    design("a name of 1,000 letters", ENGINES + f"name: {'x' * 1000}\n"),
    design("extends itself", "extends: d.yaml\n"),
    design("extends nobody", "extends: nobody.yaml\n"),
    design("extends a number", "extends: 3\n"),
    design("extends a list", "extends: [tpu_like]\n"),
    design("extends a folder", "extends: .\n"),
    design("extends a device", "extends: /dev/zero\n"),
    design("extends and takes all engines away", "extends: tpu_like\nengines: null\n"),
    Case(
        "design: extends in a circle", ("simulate", "d.yaml", "resnet50"),
        {"d.yaml": "extends: b.yaml\n"}, prepare=loop,
    ),
    Case(
        "design: extends in a tower", ("simulate", "d.yaml", "resnet50"),
        {"d.yaml": "extends: x0.yaml\n"}, prepare=tower,
    ),
    Case(
        "design: a pipe", ("simulate", "d.yaml", "resnet50"),
        prepare=lambda folder: os.mkfifo(folder / "d.yaml"),
    ),
    Case("design: does not exist", ("simulate", "nobody.yaml", "resnet50")),
    Case("design: is a folder", ("simulate", ".", "resnet50")),
    Case("design: a name of 5,000 letters", ("simulate", "x" * 5000, "resnet50")),
    Case("design: a NUL in its name", ("simulate", "a\0b", "resnet50")),
]  # fmt: skip
