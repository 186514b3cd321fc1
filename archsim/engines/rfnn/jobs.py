"""Commands for the RF control: layers as stages of small matrices, and what they need of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import GemmJobs, Ints

OUTPUTS, INPUTS, BEFORE, AFTER = range(4)  # of a stage
PASS, RELU, ABS = range(3)  # what becomes of a result
MAX_STAGES = 16


@dataclass(frozen=True, slots=True)
class RfnnJobs(GemmJobs):
    """Layers ``C[m,n] (+)= A[m,k] W``, of which W has so many stages on a mesh.

    Parameters
    ----------
    stages
        Outputs, inputs, and vectors before and after them in the buffer, of one vector of A
        (`tensor_train.Stage`) [jobs, stages, 4]; rows of zeros have no stage, and are last.
    shift
        Bits by which a stage's inputs are moved down to be amplitudes [jobs, stages].
    route
        With a switch matrix: log2 of the stride by which it orders a matrix's inputs
        [jobs, stages].
    program
        Whether meshes are programmed; else they are as the job before left them.
    calibrate
        Whether the table of codes is written first.
    analog_cycles
        From new amplitudes to the first sample.
    activation
        `PASS`, `RELU` or `ABS`.

    Refs, where values are wanted: ``x`` [m, k]; ``phase`` [tiles, devices], turns of 2^-16, in the
    order in which tiles come; ``table`` [devices, 256], codes, where calibrated; ``c`` [m, n].
    """

    stages: NDArray[np.int64]
    shift: Ints
    route: Ints
    program: NDArray[np.bool_]
    calibrate: NDArray[np.bool_]
    analog_cycles: Ints
    activation: Ints


def words(jobs: RfnnJobs) -> Ints:
    """Return by stage the words in the buffer that holds more of one vector of A [jobs, stages]."""
    around = jobs.stages[..., BEFORE] * jobs.stages[..., AFTER]
    return np.asarray(around * np.maximum(jobs.stages[..., OUTPUTS], jobs.stages[..., INPUTS]))


def tiles(modes: Any, jobs: RfnnJobs) -> Ints:
    """Return by stage into how many matrices of a mesh it is cut [jobs, stages]."""
    size = np.asarray(modes).reshape(-1, 1)
    outputs, inputs = jobs.stages[..., OUTPUTS], jobs.stages[..., INPUTS]
    return np.asarray(-(-outputs // size) * -(-inputs // size))


@dataclass(frozen=True, slots=True)
class Chunks:
    """The vectors of jobs by how many pass together, each [jobs].

    Parameters
    ----------
    vectors, count, last
        How many pass together, how often, and how many the last time.
    again
        Whether every time programs the meshes again: one mesh, and several matrices for it.
    """

    vectors: Ints
    count: Ints
    last: Ints
    again: NDArray[np.bool_]


def chunks(spec: Any, jobs: RfnnJobs) -> Chunks:
    """Return how a job's vectors pass, as many together as the buffers hold."""
    vectors = np.clip(np.asarray(spec.buffer_words) // words(jobs).max(axis=1), 1, jobs.m)
    count = -(-jobs.m // vectors)
    several = tiles(spec.modes, jobs).sum(axis=1) > 1
    again = jobs.program & several & (np.asarray(spec.cores) == "shared")
    return Chunks(vectors, count, jobs.m - (count - 1) * vectors, again)


def reloads(spec: Any, jobs: RfnnJobs) -> Ints:
    """Return how often the meshes of a job's tiles are programmed [jobs]."""
    parts = chunks(spec, jobs)
    return np.asarray(jobs.program + (parts.count - 1) * parts.again)


def fetches(spec: Any, jobs: RfnnJobs) -> Ints:
    """Return how often the phases of a job's tiles come in [jobs]: once, if they are kept."""
    parts = chunks(spec, jobs)
    kept = tiles(spec.modes, jobs).sum(axis=1) <= np.asarray(spec.profiles)
    return np.asarray(jobs.program + (parts.count - 1) * (parts.again & ~kept))
