"""Values of the integer lanes, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Data, Ints
from archsim.engines.vector.spec import VectorJobs, VectorSpec
from archsim.errors import InputError
from archsim.formats.requantise import narrowed, scaled, wrap

BIAS, MULTIPLIER, SHIFT = range(3)  # of a lane's parameters


def reference(spec: VectorSpec, jobs: VectorJobs, data: Data) -> list[Mapping[str, NDArray[Any]]]:
    """Return ``y`` [results] of every job; see `archsim.formats.requantise` for the arithmetic.

    Taps are scaled one by one and added, wrapping at ``lane_bits + scale_bits``, or compared; the
    result is rounded once.

    Raises
    ------
    InputError
        If a job is not for the integer lanes.
    """
    if jobs.refs is None:
        raise ValueError("jobs name no operands: values need refs x, parameters and tensor")
    if (jobs.taps == 0).any():
        raise InputError("engine 'vector'", "values are computed on the integer lanes only")
    return [{"y": _values(spec, jobs, row, refs, data)} for row, refs in enumerate(jobs.refs)]


def _values(
    spec: VectorSpec, jobs: VectorJobs, row: int, refs: Mapping[str, str], data: Data
) -> Ints:
    x = np.asarray(data[refs["x"]], np.int64)  # [results, taps]
    parameters = of_results(spec, jobs, row, np.asarray(data[refs["parameters"]], np.int64))
    tensor = [int(value) for value in data[refs["tensor"]]]
    odd_bias, odd_multiplier, zero_point, low, high = tensor
    odd = (np.arange(x.shape[1]) % 2 == 1) & bool(jobs.alternate[row])
    bias = np.where(odd, odd_bias, parameters[:, BIAS, None])
    multiplier = np.where(odd, odd_multiplier, parameters[:, MULTIPLIER, None])
    products = scaled(x, bias, multiplier, spec.lane_bits, spec.scale_bits)
    if jobs.maximum[row]:
        window = products.max(axis=1)
    else:
        window = wrap(products.sum(axis=1), spec.lane_bits + spec.scale_bits)
    return narrowed(
        window, parameters[:, SHIFT], zero_point, low, high, spec.lane_bits, spec.rounding
    )


def of_results(spec: VectorSpec, jobs: VectorJobs, row: int, parameters: Ints) -> Ints:
    """Return the parameters [results, 3] of each result, of those of sets and lanes."""
    beat, lane = np.divmod(np.arange(int(jobs.results[row])), spec.lanes)
    return np.asarray(parameters[beat // int(jobs.hold[row]), lane])
