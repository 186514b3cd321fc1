"""Layers as commands for the RF control: which products it takes, their stages, their phases."""

from __future__ import annotations

from functools import lru_cache
from math import log
from typing import Any, Literal

import numpy as np

from archsim.engines import Blocks, Data, GemmJobs, Ints, Reason, SpecBatch
from archsim.engines.gemm import MAX_EXTENT
from archsim.engines.gemm.lowering import check_command
from archsim.engines.rfnn import counts
from archsim.engines.rfnn.jobs import MAX_STAGES, PASS, RELU, RfnnJobs, tiles
from archsim.engines.rfnn.spec import RfnnSpec
from archsim.engines.rfnn.tensor_train import Form, Stage, factors, stages
from archsim.trace import DTYPE_BITS, Op, as_gemm

PHASE_BYTES = 2  # a turn in 16 bits
FACTOR = 4  # about what the factors of a train's extents are
FEWEST, MOST = 2, MAX_STAGES // 2  # factors of an extent; a tt3 layer has a stage for each of both

Spec = RfnnSpec | SpecBatch


def accepts(spec: RfnnSpec, op: Op) -> Literal[True] | Reason:
    """Return whether the op is a layer that the meshes and the control between them can run."""
    if op.kind not in ("gemm", "conv"):
        return Reason(f"interferometer meshes multiply matrices (gemm, conv); they do no {op.kind}")
    gemm = as_gemm(op)
    widest = max(gemm.n, gemm.k)
    if spec.cores != "shared" and gemm.groups > 1:
        return Reason(
            f"cores: {spec.cores} builds meshes for one matrix, not for {gemm.groups:,} groups"
        )
    if spec.cores == "spatial" and widest > spec.modes:
        return Reason(
            f"cores: spatial passes a layer at once: its {gemm.k:,} inputs and {gemm.n:,} outputs "
            f"must be at most the {spec.modes:,} modes"
        )
    if spec.readout == "mag" and gemm.k > spec.modes:
        return Reason(
            f"readout: mag has no signs to add parts of a sum by: k of {gemm.k:,} must be at most "
            f"the {spec.modes:,} modes"
        )
    steps = layer_stages(spec.form, spec.cores, spec.rank, gemm.n, gemm.k)
    words = max(step.vectors * max(step.outputs, step.inputs) for step in steps)
    if words > spec.buffer_words:
        return Reason(
            f"a vector takes {words:,} words between stages of a layer of {gemm.k:,} x {gemm.n:,}, "
            f"more than the {spec.buffer_words:,} of buffer_words"
        )
    return True


def dtypes(spec: RfnnSpec) -> frozenset[str]:
    """Return the integers that a converter makes amplitudes of."""
    return frozenset(x for x in ("int4", "int8", "int16") if DTYPE_BITS[x] <= spec.dac_bits)


# ------------------------------------------------------------------------------------------ stages


def is_whole(spec: RfnnSpec) -> bool:
    """Return whether buffer tiles hold all of n and k: layers in trains, and meshes that stay."""
    return spec.form != "full" or spec.cores != "shared"


def blocks(spec: RfnnSpec) -> Blocks:
    """Return what tiles of a product are multiples of."""
    side = MAX_EXTENT if is_whole(spec) else spec.modes
    return None, side, side


def factored(outputs: int, inputs: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the extents of a train's cores: both sides in equally many factors of about `FACTOR`.

    The count is the mean of both sides' logarithms to that base, rounded; `tensor_train.factors`
    makes the factors. 784 inputs and 256 outputs are (4, 7, 7, 4) and (4, 4, 4, 4).
    """
    mean = (log(outputs, FACTOR) + log(inputs, FACTOR)) / 2
    count = min(max(round(mean), FEWEST), MOST)
    return factors(outputs, count), factors(inputs, count)


@lru_cache(maxsize=4096)
def train_stages(form: Form, rank: int, outputs: int, inputs: int) -> tuple[Stage, ...]:
    """Return the stages of one vector through a layer."""
    if form == "full":
        return stages(form, (outputs,), (inputs,), rank)
    return stages(form, *factored(outputs, inputs), rank)


def layer_stages(form: Form, cores: str, rank: int, n: int, k: int) -> tuple[Stage, ...]:
    """Return what the control runs of one vector: the stages of a train, or one pass of them."""
    if cores == "spatial":
        return (Stage(n, k, 1, 1),)
    return train_stages(form, rank, n, k)


def passed_cells(spec: RfnnSpec, n: int, k: int) -> int:
    """Return the cells on the longest way from a converter to a converter."""
    if spec.cores != "spatial":
        return spec.depth_cells
    return sum(_stage_depth(spec, step) for step in train_stages(spec.form, spec.rank, n, k))


def _stage_depth(spec: RfnnSpec, step: Stage) -> int:
    """Return the cells through the meshes of a matrix that are as large as it is."""
    sides = (step.outputs, step.inputs)
    if spec.circuit == "unitary":
        return int(counts.depth(max(sides), spec.mesh))
    return sum(int(counts.depth(side, spec.mesh)) for side in sides) + 1


# ------------------------------------------------------------------------------------------ jobs


def lower(spec: Spec, op: Op, mapping: Any, data: Data | None = None) -> RfnnJobs:
    """Return one job a step of the mapping.

    Parameters
    ----------
    mapping
        Has ``m``, ``n``, ``k``, ``accumulate``, arrays [steps]; a batch of specs has as many rows.

    Raises
    ------
    InfeasibleError
        If a tile is larger than a command can say.
    """
    check_command(op, mapping)
    ends = np.asarray(mapping.k) == as_gemm(op).k  # no partial sum
    relu = ends & (op.epilogue[:1] == ("relu",))
    return jobs_of(spec, mapping, np.where(relu, RELU, PASS))


def jobs_of(spec: Spec, tile: Any, activation: Any = PASS) -> RfnnJobs:
    """Return jobs of tiles of any layer, by their extents."""
    rows = len(tile.m)
    specs: list[Any] = spec.specs() if isinstance(spec, SpecBatch) else [spec] * rows
    extents = list(zip(specs, tile.n.tolist(), tile.k.tolist(), strict=True))
    keys = [(id(own), n, k) for own, n, k in extents]  # specs are slow to hash
    layers = dict(zip(keys, extents, strict=True))
    number = {key: i for i, key in enumerate(layers)}
    which = np.array([number[key] for key in keys], np.int64)
    found = list(layers.values())
    table, shift = _tables(found)
    shared = np.array([s.cores == "shared" for s, _, _ in found])
    analog = np.array([s.passing_cycles(passed_cells(s, n, k)) for s, n, k in found], np.int64)
    return RfnnJobs(
        tile.m, tile.n, tile.k, tile.accumulate,
        stages=table[which],
        shift=shift[which],
        route=np.zeros_like(shift[which]),  # addresses do what a switch matrix could
        program=shared[which],
        calibrate=np.zeros(rows, bool),
        analog_cycles=analog[which],
        activation=np.broadcast_to(np.asarray(activation, np.int64), (rows,)),
    )  # fmt: skip


def _tables(layers: list[tuple[RfnnSpec, int, int]]) -> tuple[Ints, Ints]:
    """Return stages [layers, stages, 4] and shifts [layers, stages] of layers."""
    every = [layer_stages(s.form, s.cores, s.rank, n, k) for s, n, k in layers]
    most = max(map(len, every), default=1)
    table = np.zeros((len(every), most, 4), np.int64)
    shift = np.zeros((len(every), most), np.int64)
    for row, (steps, (spec, _, _)) in enumerate(zip(every, layers, strict=True)):
        table[row, : len(steps)] = [(s.outputs, s.inputs, s.before, s.after) for s in steps]
        shift[row, 1 : len(steps)] = max(spec.adc_bits - spec.dac_bits, 0)
    return table, shift


def weight_bytes(spec: Spec, op: Op, k: Ints, n: Ints) -> Ints:
    """Return the bytes of the phases that a layer's matrices are loaded as; none of what stays."""
    ones = np.ones_like(k)
    jobs = jobs_of(spec, GemmJobs(ones, n, k, ones > 1))
    matrices = np.where(jobs.program, tiles(spec.modes, jobs).sum(axis=1), 0)
    return np.asarray(matrices * spec.devices * PHASE_BYTES)


def peak_macs(spec: RfnnSpec) -> int:
    """Return MACs a cycle of vectors as wide as the mesh; 0 for trains.

    Products are counted as the dense layer's, of which a train does a small part only.
    """
    if spec.form != "full":
        return 0
    cycles = 2 * spec.modes + 1 + spec.analog_cycles + spec.sampling_cycles
    return -(-spec.modes * spec.modes // cycles)
