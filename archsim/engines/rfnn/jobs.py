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


def vectors_at_once(buffer_words: Any, jobs: RfnnJobs) -> Ints:
    """Return how many vectors of A pass together through a job's stages, as buffers allow."""
    return np.asarray(np.clip(np.asarray(buffer_words) // words(jobs).max(axis=1), 1, jobs.m))
