"""Values of the RF control and the behavioural mesh at its pins, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Data, Ints
from archsim.engines.rfnn.jobs import ABS, AFTER, BEFORE, INPUTS, OUTPUTS, RELU, RfnnJobs
from archsim.engines.rfnn.spec import PHASE_BITS, RfnnSpec
from archsim.engines.rfnn.twin import HELD_MESHES, envelope, passed

Passes = Callable[[RfnnSpec, Ints, int, Ints], Ints]  # `passed`


def reference(
    spec: RfnnSpec, jobs: RfnnJobs, data: Data, passes: Passes = passed
) -> list[Mapping[str, NDArray[Any]]]:
    """Return ``result`` [m, n] of every job, run one after another from power-up.

    Codes of phases are from the table, or rounded; amplitudes are a stage's inputs moved down and
    cut to the converter's bits; samples are those of `twin.passed`, averaged, rounded with ties
    upward, and added up over tiles of inputs. Sums saturate at ``result_bits``.

    Parameters
    ----------
    passes
        What amplitudes become on their way through a mesh.
    """
    if jobs.refs is None:
        raise ValueError("jobs name no operands: values need refs x, phase, table and c")
    board = _Board(spec, passes)
    return [{"result": board.run(jobs, row, refs, data)} for row, refs in enumerate(jobs.refs)]


class _Board:
    """Meshes and what they were last programmed with."""

    def __init__(self, spec: RfnnSpec, passes: Passes) -> None:
        self._spec, self._passes = spec, passes
        count = HELD_MESHES if spec.cores == "instance" else 1
        self._codes = np.zeros((count, spec.devices), np.int64)
        self._table: Ints | None = None

    def run(self, jobs: RfnnJobs, row: int, refs: Mapping[str, str], data: Data) -> Ints:
        spec = self._spec
        if jobs.calibrate[row]:
            self._table = np.asarray(data[refs["table"]], np.int64)
        words = np.zeros((int(jobs.m[row]), int(jobs.k[row]), spec.lanes), np.int64)
        words[..., 0] = data[refs["x"]]
        tile = 0
        for number, stage in enumerate(jobs.stages[row]):
            if stage[OUTPUTS] == 0:
                break
            shift, route = int(jobs.shift[row, number]), int(jobs.route[row, number])
            inputs = _folded(words, stage)
            sums = np.zeros((len(inputs), int(stage[OUTPUTS]), spec.lanes), np.int64)
            for outs, ins in _tiles(stage, spec.modes):
                mesh = tile if spec.cores == "instance" else 0
                if jobs.program[row]:
                    self._codes[mesh] = self._coded(np.asarray(data[refs["phase"]])[tile])
                average = self._pass(mesh, route, shift, inputs[:, ins])[
                    :, : outs.stop - outs.start
                ]
                sums[:, outs] = saturated(sums[:, outs] + average, spec.result_bits)
                tile += 1
            words = _unfolded(sums, stage, len(words))
        total = words[..., 0].reshape(len(words), -1)
        if jobs.accumulate[row]:
            total = saturated(total + data[refs["c"]], spec.result_bits)
        return self._activated(int(jobs.activation[row]), total, words)

    def _coded(self, phases: Ints) -> Ints:
        """Return the codes of a mesh's phases."""
        if self._table is not None:
            return np.asarray(self._table[np.arange(len(phases)), phases >> PHASE_BITS - 8])
        return codes_of(phases, self._spec.phase_bits)

    def _pass(self, mesh: int, route: int, shift: int, inputs: Ints) -> Ints:
        """Return averages [vectors, modes, lanes] of a pass of inputs [vectors, words, lanes]."""
        spec = self._spec
        amplitudes = np.zeros((len(inputs), spec.modes, spec.lanes), np.int64)
        moved = (inputs + ((1 << shift) >> 1)) >> shift
        amplitudes[:, : inputs.shape[1]] = saturated(moved, spec.dac_bits)
        samples = self._passes(spec, self._codes[mesh], route, amplitudes)
        half = (1 << spec.samples_log2) >> 1
        return np.asarray((samples.sum(axis=0) + half) >> spec.samples_log2)

    def _activated(self, activation: int, total: Ints, words: Ints) -> Ints:
        if activation == RELU:
            return np.asarray(np.maximum(total, 0))
        if activation == ABS:
            other = words[..., 1].reshape(total.shape) if self._spec.lanes == 2 else 0 * total
            return saturated(envelope(total, other), self._spec.result_bits)
        return total


def codes_of(phases: Ints, bits: int) -> Ints:
    """Return the codes of phases in turns of 2^-16: the nearest ones, ties upward."""
    dropped = PHASE_BITS - bits
    return np.asarray((phases + (1 << dropped - 1) >> dropped) % (1 << bits))


def saturated(values: Ints, bits: int) -> Ints:
    """Return values as the nearest ones of so many bits, signed."""
    high = (1 << bits - 1) - 1
    return np.asarray(np.clip(values, ~high, high))


def _tiles(stage: Ints, modes: int) -> Iterator[tuple[slice, slice]]:
    """Yield the tiles of a stage's matrix as slices of outputs and inputs, as they are done."""
    outputs, inputs = int(stage[OUTPUTS]), int(stage[INPUTS])
    for p in range(0, outputs, modes):
        for q in range(0, inputs, modes):
            yield slice(p, min(p + modes, outputs)), slice(q, min(q + modes, inputs))


def _folded(words: Ints, stage: Ints) -> Ints:
    """Return the words [m, k, lanes] of a buffer as a stage's vectors [vectors, inputs, lanes]."""
    before, inputs, after = (int(stage[i]) for i in (BEFORE, INPUTS, AFTER))
    lanes = words.shape[-1]
    viewed = words.reshape(len(words) * before, inputs, after, lanes)
    return np.asarray(viewed.transpose(0, 2, 1, 3).reshape(-1, inputs, lanes))


def _unfolded(sums: Ints, stage: Ints, m: int) -> Ints:
    """Return a stage's results [vectors, outputs, lanes] as words of a buffer [m, n, lanes]."""
    outputs, after, lanes = int(stage[OUTPUTS]), int(stage[AFTER]), sums.shape[-1]
    viewed = sums.reshape(-1, after, outputs, lanes).transpose(0, 2, 1, 3)
    return np.asarray(viewed.reshape(m, -1, lanes))
