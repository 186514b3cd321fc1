"""From weights to results: meshes of the control are programmed, and its layers do the products."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest

from archsim.engines import GemmJobs
from archsim.engines.rfnn.cell import Drive
from archsim.engines.rfnn.counts import MeshKind
from archsim.engines.rfnn.errors import expected_error, rounding_rad
from archsim.engines.rfnn.lowering import factored, jobs_of
from archsim.engines.rfnn.phase_words import phase_words
from archsim.engines.rfnn.reference import reference
from archsim.engines.rfnn.spec import RfnnSpec
from archsim.engines.rfnn.tensor_train import TensorTrain, decompose
from archsim.errors import InputError
from tests.engines.rfnn.unitaries import haar

VECTORS = 20


def results(spec: RfnnSpec, matrices: Any, x: np.ndarray, outputs: int) -> np.ndarray:
    """Return what the control and its meshes make of vectors [vectors, inputs], gains applied."""
    words, gains = phase_words(spec, matrices)
    count = np.array([len(x)])
    tile = GemmJobs(count, np.array([outputs]), np.array([x.shape[1]]), np.zeros(1, bool))
    jobs = replace(jobs_of(spec, tile), refs=({"x": "x", "phase": "phase"},))
    (found,) = reference(spec, replace(jobs, program=np.ones(1, bool)), {"x": x, "phase": words})
    return found["result"] * np.prod(gains) * 2.0 ** (spec.dac_bits - spec.adc_bits)


def relative_error(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


def vectors(inputs: int) -> np.ndarray:
    return np.random.default_rng(1).integers(-400, 400, (VECTORS, inputs))


@pytest.mark.parametrize("mesh", get_args(MeshKind))
@pytest.mark.parametrize("drive", get_args(Drive))
def test_any_matrix(mesh: MeshKind, drive: Drive) -> None:
    """12 outputs and 20 inputs on meshes of 8 modes: six of them, partial sums added."""
    spec = RfnnSpec(mesh=mesh, drive=drive, phase_bits=12, adc_bits=16)
    weights = np.random.default_rng(0).normal(size=(12, 20))
    x = vectors(20)
    assert relative_error(results(spec, [weights], x, 12), x @ weights.T) < 0.01


@pytest.mark.parametrize("form", ["ttm", "tt3"])
def test_a_tensor_train(form: Any) -> None:
    spec = RfnnSpec(form=form, rank=3, phase_bits=12, adc_bits=16, dac_bits=16)
    outputs, inputs = factored(16, 16)
    weights = np.random.default_rng(0).normal(size=(16, 16))
    train, _ = decompose(weights, form, outputs, inputs, spec.rank)
    assert isinstance(train, TensorTrain)
    x = 16 * vectors(16)
    wanted = x @ train.dense().T
    assert relative_error(results(spec, train.matrices(), x, 16), wanted) < 0.02


def test_a_unitary() -> None:
    spec = RfnnSpec(circuit="unitary", phase_bits=12, adc_bits=16)
    x = vectors(8)
    found = results(spec, [haar(8)], x, 8)
    assert relative_error(found, (x @ haar(8).T).real) < 0.01
    with pytest.raises(InputError, match="must have orthonormal rows"):
        phase_words(spec, [2 * haar(8)])


@pytest.mark.parametrize("bits", [4, 6, 8])
def test_few_bits_err_as_the_law_of_errors_says(bits: int) -> None:
    spec = RfnnSpec(circuit="unitary", phase_bits=bits, adc_bits=16)
    x = vectors(8)
    errors = [
        relative_error(results(spec, [haar(8, seed)], x, 8), (x @ haar(8, seed).T).real)
        for seed in range(12)
    ]
    law = expected_error(rounding_rad(bits), 8)
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(law, rel=0.15)
