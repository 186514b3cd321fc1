"""How the cost table of a processor is measured: configurations, parts, stimuli.

Small memories of flip-flops stand in for the tables' banks, and for weights that an array reads
layer by layer, and are left out of every figure; the queues are flip-flops indeed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Data
from archsim.engines.ngpc import beats, terms, timing
from archsim.engines.ngpc.jobs import NgpcJobs, encodings, fixed, mapped
from archsim.engines.ngpc.reference import reference
from archsim.engines.ngpc.spec import MOST_LAYERS, RESULT_BITS, NgpcSpec
from archsim.errors import ArchsimError
from archsim.graphics.encoding import Encoding
from archsim.tech.stimuli import SIGMAS_OF_FULL_SCALE, exchange, lane_value, normal, reset, word
from archsim.tech.study import Stimulus, Study

if TYPE_CHECKING:
    from archsim.hdl.power import GateSimulator
    from archsim.hdl.synth import SynthResult

TOP = "ngpc"
MEMORIES = (f"{TOP}_grid_bank", f"{TOP}_weights")
STIMULUS = (
    "queries on the mapped netlist, 64 sets of tables and weights side by side; these are normal, "
    f"full scale at {SIGMAS_OF_FULL_SCALE:g} sigma; positions along rays and anywhere; ports never "
    "stall; loads and a warm-up job first; results checked against NumPy; memories of tables and "
    "weights left out"
)
FIELDS = (
    "engines", "parallel", "table_log2", "features", "feature_bits", "banks", "bank_map",
    "sram_cycles", "fifo_depth", "mlp_mode", "mlp_width", "mlp_layers", "mlp_stages", "act_bits",
    "outputs",
)  # fmt: skip


def _specs(*configurations: tuple[Any, ...]) -> tuple[NgpcSpec, ...]:
    return tuple(NgpcSpec(**dict(zip(FIELDS, c, strict=True))) for c in configurations)


POWERED = _specs(
    (1, 1, 6, 1, 8, 2, "index", 1, 0, "single", 4, 2, 3, 8, 1),
    (2, 1, 7, 2, 8, 4, "index", 1, 2, "single", 4, 2, 4, 8, 2),
    (2, 2, 8, 1, 16, 4, "padded", 1, 1, "single", 8, 2, 4, 8, 2),
)  # fmt: skip
POWERED_HELD_OUT = _specs((2, 1, 8, 2, 8, 4, "index", 1, 1, "single", 8, 2, 4, 8, 2))
FITTED = POWERED + _specs(
    (3, 2, 6, 2, 8, 4, "fold", 1, 6, "layered", 4, 2, 2, 8, 1),
    (2, 2, 9, 2, 16, 8, "padded", 2, 3, "single", 8, 2, 5, 8, 4),
    (2, 1, 6, 4, 8, 8, "index", 2, 1, "layered", 4, 3, 3, 16, 4),
    (4, 4, 8, 1, 16, 8, "parity", 1, 2, "single", 4, 3, 3, 16, 2),
    (1, 1, 8, 2, 16, 16, "index", 3, 4, "single", 8, 3, 4, 16, 1),
)  # fmt: skip
HELD_OUT = POWERED_HELD_OUT + _specs(
    (3, 1, 7, 2, 16, 4, "padded", 2, 3, "layered", 8, 2, 3, 8, 2),
    (5, 2, 8, 2, 8, 8, "index", 1, 4, "single", 16, 2, 5, 8, 4),
)  # fmt: skip


def verilog(spec: NgpcSpec) -> str:
    """Return a processor's Verilog."""
    from archsim.engines.ngpc.rtl import NeuralFieldsProcessor  # noqa: PLC0415 (needs HDL tools)
    from archsim.hdl.emit import to_verilog  # noqa: PLC0415

    return to_verilog(NeuralFieldsProcessor(spec), TOP)


def parts(spec: NgpcSpec, result: SynthResult) -> dict[str, float]:
    """Sum module areas; what is left holds the command, positions, the join and counters."""
    um2 = result.module_um2
    tables = spec.engines * spec.banks * um2[f"{TOP}_grid_bank"]
    weights = 0.0 if spec.mlp_mode == "layered" else spec.mlp_width * um2[f"{TOP}_weights"]
    found = {
        "address": spec.engines * um2[f"{TOP}_address"],
        "encoder": spec.engines * um2[f"{TOP}_encoder"] - tables,
        "mlp": um2[f"{TOP}.mlp"] - weights,
    }
    return {**found, "control": um2[TOP] - tables - weights - sum(found.values())}


def group_of(place: str) -> str:
    """Return the part that a cell belongs to; ``memory`` is none that counts."""
    names = place.split(".")
    in_array = any(name.startswith("array") for name in names)
    if names[0].startswith("encoder_") and names[1:2] and names[1].startswith("bank_"):
        return "memory"
    if in_array and any(name.startswith("weights_") for name in names):
        return "memory"
    head = names[0].rpartition("_")[0] or names[0]
    return head if head in ("address", "encoder", "mlp") else "control"


def path_group(place: str) -> str:
    group = group_of(place)
    if group == "memory":
        return "encoder" if place.startswith("encoder_") else "mlp"
    return group


# ---------------------------------------------------------------------------------------- stimuli

GRID = Encoding("dense", levels=1, coarsest=3, dims=3)  # 27 entries; levels and features follow
HASH = Encoding("hash", levels=1, log2_table=5, coarsest=11, dims=3)
JOBS = (  # queries, grid, whether positions follow a ray, layers, whether it loads
    ("warm-up", 4, GRID, True, 2, True),
    ("dense, along a ray", 24, GRID, True, 2, False),
    ("dense, anywhere", 24, GRID, False, 1, False),
    ("hash: loads", 4, HASH, False, 2, True),
    ("hash, along a ray", 24, HASH, True, 1, False),
    ("hash, anywhere", 24, HASH, False, 2, False),
    ("few", 2, HASH, False, 1, False),
)
LOADS = ("warm-up", "hash: loads")


def run(
    spec: NgpcSpec, simulator: GateSimulator, rng: np.random.Generator
) -> list[tuple[Stimulus, NDArray[np.int64]]]:
    """Run jobs, those that load to warm up, and return what each did and switched."""
    reset(simulator)
    found = []
    held: list[dict[str, Any]] = []
    for name, queries, grid, along, layers, load in JOBS:
        before = simulator.toggles.copy()
        encoding = Encoding(
            grid.grid, spec.engines // spec.parallel, spec.features, grid.log2_table,
            grid.coarsest, 1.0, grid.dims,
        )  # fmt: skip
        if load:
            held = [_tables(spec, encoding, rng) for _ in range(simulator.lanes)]
        # all lanes walk alike, so that corners meet alike and cycles are the same
        data = [{**one, "x": _positions(queries, along)} for one in held]
        jobs = _job(spec, encoding, queries, layers, load)
        cycles = _run(spec, simulator, jobs, data)
        if name not in LOADS:
            timed = timing.time(spec, jobs, {}, data[0])
            counts: dict[str, float] = {
                action: int(n[0]) for action, n in terms.actions(spec, jobs, timed).items()
            }
            counts["cycle"] = cycles
            del counts["control_cycle"]
            text = f"{name}: {queries} queries, {layers} layers"
            found.append((Stimulus(text, counts), simulator.toggles - before))
    return found


def _job(spec: NgpcSpec, encoding: Encoding, queries: int, layers: int, load: bool) -> NgpcJobs:
    shift = np.full((1, MOST_LAYERS), spec.act_bits - 2)
    refs = ({name: name for name in ("x", "table", "weight")},)
    return NgpcJobs(
        np.array([queries]), encodings(encoding), np.array([layers]), shift, np.array([load]),
        refs=refs,
    )  # fmt: skip


def _tables(spec: NgpcSpec, encoding: Encoding, rng: np.random.Generator) -> dict[str, Any]:
    entries = mapped(spec, encoding).entries
    shape = (spec.mlp_layers, spec.mlp_width, spec.mlp_width)
    return {
        "table": normal(rng, (entries, spec.features), spec.feature_bits),
        "weight": normal(rng, shape, spec.act_bits),
    }


def _positions(queries: int, along: bool) -> NDArray[np.int64]:
    rng = np.random.default_rng(queries)
    if along:
        start, way = rng.random(3) / 4, 0.7 * rng.random(3)
        return fixed(start + way * np.linspace(0, 1, queries)[:, None])
    return fixed(rng.random((queries, 3)))


def _run(spec: NgpcSpec, simulator: GateSimulator, jobs: NgpcJobs, data: Sequence[Data]) -> int:
    """Run one job with other values in every lane, check the results, return its cycles."""
    from archsim.engines.ngpc.rtl import command_layout  # noqa: PLC0415 (needs HDL tools)

    packed = [beats.pack(spec, jobs, 0, values) for values in data]
    ports = beats.ports(spec)
    streams = {
        port: [[word(p[port][i], ports[port].bits) for p in packed]
               for i in range(len(packed[0][port]))]
        for port in timing.PORTS[:-1]
    }  # fmt: skip
    command = int(command_layout(spec).const(packed[0]["cmd"]).as_bits())
    words, cycles = exchange(simulator, command, streams, "result", int(jobs.queries[0]))
    for lane in (0, simulator.lanes - 1):
        got = [
            [lane_value(w[lane] >> RESULT_BITS * i, RESULT_BITS) for i in range(spec.outputs)]
            for w in words
        ]
        (wanted,) = reference(spec, jobs, data[lane])
        if not np.array_equal(np.array(got), wanted["result"]):
            raise ArchsimError("the mapped netlist's results differ from the reference's")
    return cycles


STUDY = Study(
    engine="ngpc",
    top=TOP,
    fitted=FITTED,
    held_out=HELD_OUT,
    powered=POWERED,
    powered_held_out=POWERED_HELD_OUT,
    verilog=verilog,
    parts=parts,
    part_components={name: (name,) for name in terms.AREA_TERMS},
    path_group=path_group,
    energy_group=group_of,
    group_actions={
        "address": {"encode": ("1", "table_log2")},
        "encoder": {"encode": ("1", "entry_bits")},
        "mlp": {
            "encode": ("first layer",),
            "layer": ("products", "product.bits"),
            "query": ("vector",),
        },
        "control": {"query": ("1", "vector"), "control_cycle": ("1", "engines")},
    },
    terms=terms.COST,
    run=run,
    stimulus=STIMULUS,
    spec_fields=FIELDS,
    left_out=MEMORIES,
)
