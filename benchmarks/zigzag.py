"""Side by side with ZigZag 3.9.1 on ResNet-50: mapping search and evaluation, and whose is best.

The 24 different layers of ResNet-50, as matrix products, on one output-stationary 32 x 32 array
behind one double-buffered SRAM and one DRAM. ZigZag searches for latency with its default engine
(LOMA, loop limit 6, uneven). Then it evaluates archsim's mappings, too, so that its own cost model
judges what both have found. It lives in an environment of its own, with a dependency that it does
not declare::

    python -m venv zigzag-venv
    zigzag-venv/bin/pip install zigzag-dse==3.9.1 six
    python benchmarks/zigzag.py --zigzag zigzag-venv/bin/python

What differs all the same:

- ZigZag splits loops at any prime factor and gives each operand its own share of the buffer;
  archsim cuts tiles at powers of two, and may leave a ragged last one, which ZigZag cannot express.
  So ZigZag is asked about archsim's eight best mappings without one, and the best of them counts.
- ZigZag decides itself what of the given loops each memory holds: archsim's choice of what is
  resident is not passed on.
- ZigZag has no skew, and may load during the computation what archsim loads before it. Its answer
  is no statement about the array's own cycles.
- Convolutions are products for both: the expanded matrix moves.
- ZigZag evaluates latency and energy of one mapping at a time; archsim time, bytes, room and energy
  of all of a product's at once.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from calibrate import Figure, least_s, show

from archsim.design import Design, design_from
from archsim.engines import discover
from archsim.frontends import load
from archsim.mapper import Machine, candidates, evaluate
from archsim.mapping import ORDERS, RESIDENT
from archsim.plan import Memo
from archsim.product import Product
from archsim.simulate import simulate
from archsim.trace import Gemm, Trace, as_gemm

LEAST_RATIO, MOST_EXCESS_PERCENT = 1000, 2
SIDE, BUFFER_BYTES, DRAM_BYTES_PER_CYCLE, PERIOD_PS = 32, 256 << 10, 8, 1000
SHORTLIST = 8  # mappings of a product that ZigZag is asked about
SCRIPT = Path(__file__).with_name("zigzag_layers.py")


@dataclass(frozen=True)
class Layer:
    """A product and how often ResNet-50 has it."""

    name: str
    gemm: Gemm
    count: int


def layers() -> list[Layer]:
    """Return ResNet-50's different convolutions and its classifier, as products."""
    found: dict[tuple[str, str], list[Any]] = {}
    for op in load("resnet50").ops:
        if op.kind in ("conv", "gemm"):
            found.setdefault((op.kind, str(sorted(op.attrs.items()))), []).append(op)
    return [Layer(same[0].name, as_gemm(same[0]), len(same)) for same in found.values()]


def design() -> Design:
    return design_from(
        {
            "name": "os_array",
            "engines": {
                "array": {
                    "kind": "systolic", "rows": SIDE, "cols": SIDE,
                    "clock_mhz": {"mhz": 1000, "assumed": "bytes a ns are bytes a cycle"},
                }
            },
            "memories": {
                "buffer": {
                    "capacity_bytes": BUFFER_BYTES, "banks": 64, "bank_width_bytes": 16,
                    "tile_share": 1.0,
                },
                "dram": {
                    "channels": 1, "channel_gb_per_s": DRAM_BYTES_PER_CYCLE, "latency_ns": 0,
                },
            },
            "link": {"gb_per_s": DRAM_BYTES_PER_CYCLE},
        }
    )  # fmt: skip


def trace_of(folder: Path, products: list[Layer]) -> Trace:
    path = folder / "resnet50.csv"
    rows = [f"{x.name},{x.gemm.m},{x.gemm.n},{x.gemm.k}" for x in products]
    path.write_text("\n".join(["name,M,N,K", *rows]) + "\n")
    return load(str(path))


def machine_of_design() -> Machine:
    """Return what archsim's objective needs of the design."""
    engine = discover()["systolic"]
    spec = design().engines["array"]
    return Machine(
        engine.blocks(spec), BUFFER_BYTES, lambda jobs: engine.time(spec, jobs).occupied,
        Fraction(PERIOD_PS, DRAM_BYTES_PER_CYCLE), 0, Fraction(PERIOD_PS),
    )  # fmt: skip


def evaluated(layer: Layer, machine: Machine) -> int:
    """Return how many mappings of a product archsim's search evaluates."""
    product = Product(layer.gemm, a_bits=8, b_bits=8, c_bits=8, acc_bits=32)
    return len(candidates(product, machine)[0]) * len(ORDERS) * len(RESIDENT)


# ------------------------------------------------------------------------------- ZigZag's input


def _port(name: str, bits: int, *moves: str) -> dict[str, Any]:
    type_ = {"r": "read", "w": "write", "rw": "read_write"}[name.partition("_")[0]]
    return {
        "name": name, "type": type_, "bandwidth_min": 8, "bandwidth_max": bits,
        "allocation": list(moves),
    }  # fmt: skip


def _memory(size_bits: int, operands: str, *ports: dict[str, Any], **more: Any) -> dict[str, Any]:
    free = {"r_cost": 0.0, "w_cost": 0.0, "area": 0.0, "latency": 1}
    return {
        "size": size_bits, **free, "operands": operands.split(), "ports": list(ports),
        "served_dimensions": ["D1", "D2"], **more,
    }  # fmt: skip


def accelerator() -> dict[str, Any]:
    """Return the same machine for ZigZag: sums with a drain register, one SRAM, one DRAM."""
    lanes, dram = 8 * SIDE, 8 * DRAM_BYTES_PER_CYCLE
    everything = [f"{o}, {way}" for o in ("I1", "I2", "O") for way in ("fh", "tl")]
    sums = _memory(
        2 * 32, "O",
        _port("r_port_1", 32, "O, tl"), _port("r_port_2", 32, "O, th"),
        _port("w_port_1", 32, "O, fh"), _port("w_port_2", 32, "O, fl"),
        served_dimensions=[],
    )  # fmt: skip
    buffer = _memory(
        8 * BUFFER_BYTES, "I1 I2 O",
        _port("r_port_1", lanes, "I1, tl"), _port("r_port_2", lanes, "I2, tl"),
        _port("r_port_3", 4 * lanes, "O, tl"), _port("w_port_1", 4 * lanes, "O, fl"),
        _port("rw_port_1", 16 * dram, "I1, fh", "I2, fh", "O, fh", "O, th"),
        force_double_buffering=True,
    )  # fmt: skip
    memory = _memory(
        10**12, "I1 I2 O", _port("rw_port_1", dram, *everything, "O, fl", "O, th")
    )  # fmt: skip
    array = {"dimensions": ["D1", "D2"], "sizes": [SIDE, SIDE], "input_precision": [8, 8]}
    return {
        "name": "os_array",
        "memories": {"sums": sums, "buffer": buffer, "dram": memory},
        "operational_array": {**array, "unit_energy": 0.0, "unit_area": 1.0},
    }


MAPPING = {
    "spatial_mapping": {"D1": [f"B, {SIDE}"], "D2": [f"K, {SIDE}"]},
    "memory_operand_links": {"O": "O", "W": "I2", "I": "I1"},
}


def asked(layer: Layer) -> dict[str, Any]:
    g = layer.gemm
    return {"name": layer.name, "m": g.m, "n": g.n, "k": g.k, "mapping": MAPPING}


def given(layer: Layer, m: int, n: int, k: int, order: str) -> dict[str, Any] | None:
    """Return the product with archsim's tiles and loops; None if a last tile would be ragged."""
    extents = {"m": layer.gemm.m, "n": layer.gemm.n, "k": layer.gemm.k}
    tiles, lanes = {"m": m, "n": n, "k": k}, {"m": SIDE, "n": SIDE, "k": 1}
    trips = {x: -(-extents[x] // tiles[x]) for x in "mnk"}
    inside = {x: -(-tiles[x] // lanes[x]) for x in "mnk"}
    if any(trips[x] * inside[x] != -(-extents[x] // lanes[x]) for x in "mnk"):
        return None
    names = {"m": "B", "n": "K", "k": "C"}
    loops = [[names[x], inside[x]] for x in "knm"]
    loops += [[names[x], trips[x]] for x in reversed(order)]
    ordering = [loop for loop in loops if loop[1] > 1]
    return {**asked(layer), "mapping": {**MAPPING, "temporal_ordering": ordering}}


def shortlist(layer: Layer, machine: Machine) -> list[dict[str, Any]]:
    """Return archsim's best mappings by its own objective, of those that ZigZag can express."""
    g = layer.gemm
    product = Product(g, a_bits=8, b_bits=8, c_bits=8, acc_bits=32)
    m, n, k = candidates(product, machine)
    cost = evaluate(product, machine, m, n, k, np.ones_like(m))
    time = np.where(cost.buffer_bytes <= machine.capacity_bytes, cost.time_ps, np.inf)
    found: dict[str, dict[str, Any]] = {}
    for choice in np.lexsort((cost.dram_bytes.ravel(), time.ravel())):
        t, order, _ = np.unravel_index(choice, time.shape)
        item = given(layer, int(m[t]), int(n[t]), int(k[t]), ORDERS[order])
        if item:
            found.setdefault(str(item), item)
        if len(found) == SHORTLIST:
            break
    return list(found.values())


# ------------------------------------------------------------------------------- side by side


def run_zigzag(python: str, items: list[dict[str, Any]]) -> list[dict[str, float]]:
    task = json.dumps({"accelerator": accelerator(), "items": items})
    ran = subprocess.run(
        [python, "-P", str(SCRIPT)], input=task, capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise SystemExit(f"ZigZag failed: {ran.stderr[-3000:]}")
    answers: list[dict[str, float]] = json.loads(ran.stdout)
    return answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--zigzag", help="a Python that has ZigZag 3.9.1")
    python = parser.parse_known_args()[0].zigzag
    if python is None or not Path(python).exists():
        raise SystemExit(
            "ZigZag was not run: --zigzag must be a Python that has it, not "
            f"{python!r}; {Path(sys.argv[0]).name} says how to make one"
        )
    products, machine = layers(), machine_of_design()
    with tempfile.TemporaryDirectory() as folder:
        trace = trace_of(Path(folder), products)
    (ours_s,) = least_s(lambda: simulate(design(), trace, memo=Memo()), runs=10)
    count = sum(evaluated(layer, machine) for layer in products)

    python = str(Path(python).absolute())
    theirs = run_zigzag(python, [asked(layer) for layer in products])
    lists = [shortlist(layer, machine) for layer in products]
    judged = iter(run_zigzag(python, [item for items in lists for item in items]))
    ours = [min(next(judged)["latency"] for _ in items) for items in lists]
    ratios = [our / their["latency"] for our, their in zip(ours, theirs, strict=True)]
    excess = 100 * max(ratios) - 100
    weighted = [x.count * y for x, y in zip(products, ours, strict=True)]
    total = sum(weighted) / sum(
        x.count * y["latency"] for x, y in zip(products, theirs, strict=True)
    )
    theirs_s = sum(x["cpu_s"] for x in theirs)
    their_rate, our_rate = sum(x["evaluations"] for x in theirs) / theirs_s, count / ours_s
    took = f"{len(products)} products: ZigZag {theirs_s:.0f} CPU-s, archsim {1e3 * ours_s:.0f} ms"
    show(
        [
            Figure(
                "mappings evaluated: archsim over ZigZag 3.9.1", our_rate / their_rate,
                "times a CPU-s", f">= {LEAST_RATIO:,}", our_rate >= LEAST_RATIO * their_rate,
                f"{our_rate:,.0f} and {their_rate:,.0f} a CPU-s",
            ),
            Figure(
                "mapping and evaluation of ResNet-50's products", theirs_s / ours_s,
                "times the CPU time", note=took,
            ),
            Figure(
                "ZigZag's latency of archsim's mapping above its own's, worst product", excess,
                "%", f"<= {MOST_EXCESS_PERCENT}", excess <= MOST_EXCESS_PERCENT,
                f"best product {100 * min(ratios) - 100:.1f} %, "
                f"ResNet-50 as a whole {100 * total - 100:.1f} %",
            ),
        ]
    )  # fmt: skip


if __name__ == "__main__":
    main()
