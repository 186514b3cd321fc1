"""What the integer lanes' cost is fitted to: terms of the unit's spec, by component.

Structure: lanes, each with a multiplier, registers and a shifter; a register of parameters a lane;
one sequencer. `archsim.engines.vector.study` fits the coefficients, `archsim.engines.vector.cost`
uses them. Rounding of ties is measured as half_even, which needs a little more than half_up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archsim.engines import SpecBatch
from archsim.engines.vector.spec import VectorSpec
from archsim.tech.table import Terms

Spec = VectorSpec | SpecBatch


def one(spec: Spec) -> Any:
    return np.ones_like(np.asarray(spec.lanes, float))


def multiplier(spec: Spec) -> Any:
    """Bits of a lane's partial products."""
    return spec.lane_bits * spec.scale_bits


def product_bits(spec: Spec) -> Any:
    return spec.lane_bits + spec.scale_bits


def shifter(spec: Spec) -> Any:
    """Two-way multiplexers of a lane's shifter."""
    return product_bits(spec) * np.log2(product_bits(spec))


LANE_TERMS: Terms = {
    "lane": lambda s: s.lanes * one(s),
    "lane.multiplier": lambda s: s.lanes * multiplier(s),
    "lane.product_bits": lambda s: s.lanes * product_bits(s),
    "lane.shifter": lambda s: s.lanes * shifter(s),
    "lane.lane_bits": lambda s: s.lanes * s.lane_bits,
}
PARAMETER_TERMS: Terms = {
    "lane": lambda s: s.lanes * one(s),
    "lane.product_bits": lambda s: s.lanes * product_bits(s),
    "lane_bits": lambda s: s.lane_bits * one(s),
}
CONTROL_TERMS: Terms = {"1": one}

AREA_TERMS: Mapping[str, Terms] = {
    "integer": LANE_TERMS,
    "parameters": PARAMETER_TERMS,
    "control": CONTROL_TERMS,
}
# leakage and clock energy are the cells' and flip-flops' of the whole unit
WHOLE_TERMS: Mapping[str, Terms] = {
    "unit": {**LANE_TERMS, "lane_bits": lambda s: s.lane_bits * one(s), "1": one}
}
# ps: multiplier, window or shifter, behind the tree that tells all lanes to move
DELAY_TERMS: Mapping[str, Terms] = {
    "lane": {
        "1": one,
        "log2 lane_bits": lambda s: np.log2(s.lane_bits),
        "log2 product_bits": lambda s: np.log2(product_bits(s)),
        "product_bits": lambda s: product_bits(s) * one(s),
        "log2 lanes": lambda s: np.log2(s.lanes) * one(s),
    },
    "control": {"1": one, "log2 lanes": lambda s: np.log2(s.lanes) * one(s)},
}
# dynamic pJ of one action, flip-flop clocks aside
ENERGY_TERMS: Mapping[str, Terms] = {
    "tap": {
        "1": one,
        "product_bits": lambda s: product_bits(s) * one(s),
        "multiplier": lambda s: multiplier(s) * one(s),
    },
    "operand_bit": {"1": one, "scale_bits": lambda s: s.scale_bits * one(s)},
    "result": {
        "1": one,
        "product_bits": lambda s: product_bits(s) * one(s),
        "shifter": lambda s: shifter(s) * one(s),
    },
    "parameter": {
        "product_bits": lambda s: product_bits(s) * one(s),
        "multiplier": lambda s: multiplier(s) * one(s),
    },
    "control_cycle": {"1": one, "lanes": lambda s: s.lanes * one(s)},
}
