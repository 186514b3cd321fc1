"""What results and reports show of RF networks: parts, loss, where time and power go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from archsim.engines import Floats
from archsim.engines.rfnn import jobs as fields
from archsim.engines.rfnn import timing
from archsim.engines.rfnn.jobs import INPUTS, OUTPUTS, RfnnJobs
from archsim.engines.rfnn.meshes import parts_of, switches_of
from archsim.engines.rfnn.power import standing_pj
from archsim.engines.rfnn.quality import ACCURACY
from archsim.engines.rfnn.spec import RfnnSpec
from archsim.metric import Metric, Names, Panel, Series
from archsim.result import OpRow, Result

PARTS = ("meshes", "cells", "attenuators", "loss_db")
SHARE = "share"  # of a job's cycles
STATES = {
    "programming": "programming",
    "phases": "phases coming in",
    "load": "loading",
    "analog": "analog",
    "sampling": "sampling",
    "store": "storing",
    "ports": "activations and commands",
}
MW_OF_PJ_PER_PS = 1e3


def figures(spec: RfnnSpec, jobs: RfnnJobs) -> Mapping[str, Floats]:
    """Return what the meshes of an op's layer are, and the share of its cycles in each state.

    A layer whose meshes are its own is never cut along n and k, so its parts are those of any job.
    """
    found = {name: np.zeros(len(jobs)) for name in PARTS}
    layers, which = np.unique(np.stack([jobs.n, jobs.k], axis=1), axis=0, return_inverse=True)
    for row, (n, k) in enumerate(layers.tolist()):
        parts = parts_of(spec, n, k)
        for name in PARTS:
            found[name][which.ravel() == row] = getattr(parts, name)
    states = state_cycles(spec, jobs)
    occupied = timing.time(spec, jobs).occupied
    return found | {f"{SHARE}.{name}": states[name] / occupied for name in STATES}


def state_cycles(spec: RfnnSpec, jobs: RfnnJobs) -> Mapping[str, Floats]:
    """Return the cycles of jobs at ports that never wait, by what they are for."""
    outputs, inputs = jobs.stages[..., OUTPUTS], jobs.stages[..., INPUTS]
    around = jobs.stages[..., fields.BEFORE] * jobs.stages[..., fields.AFTER]
    passes = timing.passes(spec, jobs)
    found = {
        "programming": timing.programmed(spec, jobs) * (spec.bank_cycles + 1),
        "phases": timing.beats_of(spec, jobs)["phase"],
        "load": jobs.m * (around * inputs * -(-outputs // spec.modes)).sum(axis=1),
        "analog": passes * (1 + jobs.analog_cycles),
        "sampling": passes * spec.sampling_cycles,
        "store": jobs.m * (around * outputs * -(-inputs // spec.modes)).sum(axis=1),
    }
    known = np.sum(list(found.values()), axis=0)
    return found | {"ports": timing.time(spec, jobs).occupied - known}


# --------------------------------------------------------------------------------------- metrics


def rows_of(result: Result, names: Names) -> Iterator[tuple[RfnnSpec, list[OpRow]]]:
    """Yield each engine's spec and the ops that it ran."""
    for name in names:
        spec = RfnnSpec.model_validate(result.provenance["design"]["engines"][name])
        yield spec, [row for row in result.per_op if row.engine == name]


def built(result: Result, names: Names, part: str) -> float:
    """Return how many of a part engines have: of one mesh, or of the meshes of all layers."""
    total = 0.0
    for spec, rows in rows_of(result, names):
        if spec.cores == "shared":
            total += getattr(parts_of(spec, spec.modes, spec.modes), part)
        else:
            times = result.provenance["batches"]
            total += sum(row.figures[part] * row.repeat / times for row in rows)
    return total


def interferometers(result: Result, names: Names) -> float:
    return built(result, names, "cells")


def shifters(result: Result, names: Names) -> float:
    return 2 * built(result, names, "cells")


def attenuators(result: Result, names: Names) -> float:
    return built(result, names, "attenuators")


def switches(result: Result, names: Names) -> float:
    """Return the switches around the meshes of all layers."""
    meshes = {name: built(result, [name], "meshes") for name in names}
    specs = {name: spec for name in names for spec, _ in rows_of(result, [name])}
    return float(sum(switches_of(specs[name], round(meshes[name])) for name in names))


def loss_db(result: Result, names: Names) -> float:
    """Return the loss of the longest way that a wave takes in any op."""
    rows = [row for _, mine in rows_of(result, names) for row in mine]
    return max((row.figures["loss_db"] for row in rows), default=0.0)


def pj_per_mac(result: Result, names: Names) -> float:
    """Return the energy of engines and what is around them, over the MACs of their layers."""
    macs = sum(row.macs for row in result.per_op if row.engine in names)
    energy_pj = sum(pj for part, pj in result.energy_pj.items() if part.partition(".")[0] in names)
    return energy_pj / macs if macs else 0.0


METRICS = (
    Metric(
        "rfnn_interferometers", "Interferometers", value=interferometers,
        meaning="Of one mesh that all layers share, or of the meshes of all layers.",
    ),
    Metric("rfnn_shifters", "Phase shifters", value=shifters, meaning="Two an interferometer."),
    Metric(
        "rfnn_attenuators", "Attenuators", value=attenuators,
        meaning="Between the two meshes of a matrix, one a singular value.",
    ),
    Metric(
        "rfnn_switches", "RF switches", value=switches,
        meaning="Of switch matrices, and between meshes that take turns on the converters.",
    ),
    Metric(
        "rfnn_loss_db", "Loss to a detector", value=loss_db, units=(("dB", 1.0),),
        meaning="Of the longest way through meshes and switches. A log detector tells some 45 dB.",
    ),
    Metric(
        "rfnn_pj_per_mac", "RF energy per MAC", value=pj_per_mac,
        units=(("pJ", 1.0), ("nJ", 1e3)),
        meaning="Readout, sources, shifters and control, over the MACs of the dense layers.",
    ),
    Metric(
        ACCURACY, "Accuracy", "max", units=(("%", 1.0),),
        meaning="Of the digits network that ships, trained for the design's layers and readout: "
        "the mean over drawn devices, whose phases are rounded and off.",
    ),
)  # fmt: skip

# --------------------------------------------------------------------------------------- panels


def time_by_state(result: Result, names: Names) -> Sequence[Series]:
    """Return the cycles of each op by what they were for."""
    rows = [row for _, mine in rows_of(result, names) for row in mine]
    ops = tuple(row.name for row in rows)
    series = [
        Series(title, ops, tuple(_cycles(row) * row.figures[f"{SHARE}.{state}"] for row in rows))
        for state, title in STATES.items()
    ]
    return [one for one in series if any(one.y)]


def _cycles(row: OpRow) -> float:
    """Return the cycles of an op without those that it waited for its ports."""
    return sum(n for name, n in row.split_cycles.items() if not name.startswith("stall."))


def power_by_part(result: Result, names: Names) -> Sequence[Series]:
    """Return mean power by part: what is around the control, and the control itself."""
    total_ps = result.per_resource[0].total_ps
    found: dict[str, float] = {}
    for name in names:
        ((spec, _),) = rows_of(result, [name])
        around = standing_pj(spec)
        for part, pj in result.energy_pj.items():
            owner, _, what = part.partition(".")
            if owner == name:
                label = what if what in around else "control"
                found[label] = found.get(label, 0.0) + pj / total_ps * MW_OF_PJ_PER_PS
    return [Series("power", tuple(found), tuple(found.values()))] if total_ps else []


PANELS = (
    Panel(
        "Where the time goes", "layer", "cycles", time_by_state,
        meaning="A mesh that layers share is programmed for every matrix, which takes longer than "
        "a vector by far; meshes of their own leave converters and addresses.",
    ),
    Panel(
        "Where the power goes", "part", "mW", power_by_part,
        meaning="Detectors and converters dominate: fewer interferometers save hardware, and "
        "hardly any energy.",
    ),
)  # fmt: skip
