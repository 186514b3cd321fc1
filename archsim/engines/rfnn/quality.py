"""The accuracy of a design on a network whose weights are known.

Of the workload `digits_64_64_10` it is the mean over drawn devices: every phase has its code's
rounding and a normal error, fixed and of a pass. Weights are those trained for the design's readout
and form of layers, with the highest rank that the design allows; the meshes are its own. What
converters and detectors round is left out. Of any other workload nothing is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import get_args

from archsim.engines.rfnn.monte_carlo import (
    Errors,
    Hardware,
    Judge,
    Programmed,
    accuracies_percent,
    put,
    spread_rad,
)
from archsim.engines.rfnn.network import (
    NAME,
    RANKS,
    WIDTHS,
    Network,
    Training,
    Variant,
    judged,
    shipped,
)
from archsim.engines.rfnn.spec import RfnnSpec
from archsim.engines.rfnn.tensor_train import decompose
from archsim.trace import Trace, as_gemm

ACCURACY = "rfnn_accuracy_percent"
DRAWS = 20
SOURCE = f"zoo {NAME}"  # how the trace's source begins


def quality(spec: RfnnSpec, trace: Trace) -> Mapping[str, float]:
    """Return the accuracy of a design on a trace, by the metric's name; nothing if unknown."""
    training = training_of(trace)
    if training is None or spec.circuit == "unitary":  # these weights are no unitaries
        return {}
    if spec.readout == "mag" and (spec.form != "full" or max(WIDTHS) > spec.modes):
        return {}  # the engine refuses larger layers, and no such train was trained
    errors = Errors(spec.phase_bits, sigma_rad(spec))
    found = accuracies_percent(_programmed(spec, training), errors, _judge(), DRAWS)
    return {ACCURACY: float(found.mean())}


def sigma_rad(spec: RfnnSpec) -> float:
    """Return the spread of a phase about what its code means; a table takes fixed errors away."""
    static = 0.0 if spec.calibrated else spec.static_phase_deg
    return spread_rad(static, spec.dynamic_phase_deg)


def training_of(trace: Trace) -> Training | None:
    """Return how the network of a trace was trained; None if it is another network."""
    products = [as_gemm(op) for op in trace.ops if op.kind in ("gemm", "conv")]
    if [(p.k, p.n) for p in products] != [*pairwise(WIDTHS)]:
        return None
    name, _, options = trace.source.partition("@")
    given = [t for t in get_args(Training) if f"training={t}" in options.split(",")]
    return given[0] if name == SOURCE and given else None


def _programmed(spec: RfnnSpec, training: Training) -> Programmed:
    hardware = Hardware(None if spec.cores == "spatial" else spec.modes, spec.mesh, spec.drive)
    rank = 0 if spec.form == "full" else spec.rank
    return _put(Variant(training, spec.form, rank, spec.readout), hardware)


@lru_cache(maxsize=64)
def _put(variant: Variant, hardware: Hardware) -> Programmed:
    return put(at_rank(variant), hardware)


def at_rank(variant: Variant) -> Network:
    """Return a network of ranks up to the variant's: trained with the highest of those that ship.

    Below all of them it is cut by TT-SVD.
    """
    if variant.form == "full":
        return shipped(variant)
    fitting = [rank for rank in RANKS if rank <= variant.rank]
    trained = shipped(
        Variant(variant.training, variant.form, max(fitting, default=min(RANKS)), variant.readout)
    )
    if fitting:
        return trained
    cut = [
        decompose(layer.dense(), variant.form, layer.outputs, layer.inputs, variant.rank)[0]
        for layer in trained.layers
    ]
    return Network(trained.readout, tuple(cut))


@lru_cache(maxsize=1)
def _judge() -> Judge:
    return Judge(*judged())
