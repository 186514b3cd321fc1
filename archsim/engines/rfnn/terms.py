"""What the control's cost is fitted to: terms of the engine's spec, by component.

Structure: a register a port and quadrature for amplitudes, an adder and a register for samples;
one path of words through the buffers, whose memories are not in it; walkers over addresses, and a
table of stages; chains' drivers and the counters of a loader.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archsim.engines import Ints, SpecBatch, Timing
from archsim.engines.rfnn.jobs import AFTER, BEFORE, INPUTS, OUTPUTS, RfnnJobs
from archsim.engines.rfnn.spec import RfnnSpec
from archsim.engines.rfnn.timing import passes, programmed
from archsim.tech.table import CostTerms, Terms

Spec = RfnnSpec | SpecBatch


def one(spec: Spec) -> Any:
    return np.ones_like(np.asarray(spec.modes, float))


def port_bits(spec: Spec, bits: Any) -> Any:
    """Return the bits of all ports' quadratures."""
    return spec.modes * spec.lanes * bits * one(spec)


def word_bits(spec: Spec) -> Any:
    return spec.lanes * spec.result_bits * one(spec)


def address_bits(spec: Spec) -> Any:
    return np.log2(spec.buffer_words) * one(spec)


def sum_bits(spec: Spec) -> Any:
    """Return the bits of a sum of samples."""
    return spec.adc_bits + np.asarray(spec.samples_log2)


AREA_TERMS: Mapping[str, Terms] = {
    "amplitudes": {
        "port.dac_bits": lambda s: port_bits(s, s.dac_bits),
        "port": lambda s: s.modes * one(s),
        "word_bits": word_bits,
    },
    "samples": {
        "port.sum_bits": lambda s: port_bits(s, sum_bits(s)),
        "adc_bits": lambda s: s.lanes * s.adc_bits * one(s),
    },
    "words": {"word_bits": word_bits, "result_bits": lambda s: s.result_bits * one(s)},
    "sequencer": {"1": one, "address_bits": address_bits},
    "stages": {"1": one, "address_bits": address_bits},
    "loader": {
        "1": one,
        "chain.phase_bits": lambda s: s.chains * s.phase_bits * one(s),
        "log2 devices": lambda s: np.log2(s.devices) * one(s),
    },
    "command": {"1": one, "address_bits": address_bits},
}
WHOLE_TERMS: Mapping[str, Terms] = {
    "control": {
        "1": one,
        "port.dac_bits": lambda s: port_bits(s, s.dac_bits),
        "port.sum_bits": lambda s: port_bits(s, sum_bits(s)),
        "word_bits": word_bits,
        "address_bits": address_bits,
        "chain.phase_bits": lambda s: s.chains * s.phase_bits * one(s),
    }
}
# ps, from a memory's output or a register on
DELAY_TERMS: Mapping[str, Terms] = {
    "words": {
        "1": one,
        "log2 result_bits": lambda s: np.log2(s.result_bits) * one(s),
        "log2 sum_bits": lambda s: np.log2(sum_bits(s)) * one(s),
        "log2 modes": lambda s: np.log2(s.modes) * one(s),
    },
    "control": {"1": one, "address_bits": address_bits},
}
# dynamic pJ of one action, flip-flop clocks and memories aside
ENERGY_TERMS: Mapping[str, Terms] = {
    "amplitude": {
        "1": one,
        "word_bits": word_bits,
        "adc_bits": lambda s: s.lanes * s.adc_bits * one(s),  # of the samples that it makes move
    },
    "sample": {"port.adc_bits": lambda s: port_bits(s, s.adc_bits)},
    "average": {
        "port.sum_bits": lambda s: port_bits(s, sum_bits(s)),
        "word_bits": word_bits,
    },
    "operand": {"1": one, "result_bits": lambda s: s.result_bits * one(s)},
    "result": {"1": one, "result_bits": lambda s: s.result_bits * one(s)},
    "phase": {"1": one, "phase_bits": lambda s: s.phase_bits * one(s)},
    "chain_bit": {"1": one, "chains": lambda s: s.chains * one(s)},
    "control_cycle": {"1": one, "address_bits": address_bits},
}
TERMS = CostTerms(AREA_TERMS, WHOLE_TERMS, DELAY_TERMS, ENERGY_TERMS)


def actions(spec: Spec, jobs: RfnnJobs, timing: Timing) -> dict[str, Ints]:
    """Return how often the control does what costs it energy.

    ``amplitude`` words to converters, ``sample`` samples of all outputs, ``average`` words of them
    stored, ``operand`` and ``result`` elements in and out, ``phase`` phases in, ``chain_bit`` bits
    sent to every chain, ``control_cycle`` occupied cycles.
    """
    size = np.asarray(spec.modes).reshape(-1, 1)
    outputs, inputs = jobs.stages[..., OUTPUTS], jobs.stages[..., INPUTS]
    vectors = jobs.m[:, None] * jobs.stages[..., BEFORE] * jobs.stages[..., AFTER]
    bits = np.asarray(spec.chain_devices) * np.asarray(spec.phase_bits)
    return {
        "amplitude": np.asarray((vectors * -(-outputs // size) * inputs).sum(axis=1)),
        "sample": passes(spec, jobs) << np.asarray(spec.samples_log2),
        "average": np.asarray((vectors * -(-inputs // size) * outputs).sum(axis=1)),
        "operand": timing.beats["x"],
        "result": timing.beats["result"],
        "phase": timing.beats["phase"],
        "chain_bit": np.asarray(programmed(spec, jobs) * bits),
        "control_cycle": timing.occupied,
    }
