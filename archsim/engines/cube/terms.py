"""What the cube's cost is fitted to: terms of its spec, by component.

Structure: PE x R x C x D, accumulators x R x C, with a row multiplexer whose depth grows with R,
skew registers that grow as R^2 D, C^2 D and (R + C) D^2, edges, result port and control.
`archsim.engines.cube.study` fits the coefficients, `archsim.engines.cube.cost` uses them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archsim.engines.gemm.terms import (
    MAC_DELAY_TERMS,
    MAC_ENERGY_TERMS,
    OPT1_DELAY_TERMS,
    PE_TERMS,
    PORT_TERMS,
    RESOLVE_AREA_TERMS,
    RESOLVE_DELAY_TERMS,
    RESOLVE_ENERGY_TERMS,
    digits,
    one,
    pes,
    result_bits,
)
from archsim.tech.table import CostTerms, Terms


def sums(spec: Any) -> Any:
    return spec.rows * spec.cols


def lane_skew(lanes: Any, depth: Any) -> Any:
    """Elements in the delay lines of an operand: lane (i, d) is ``i + d`` long."""
    return depth * lanes * (lanes - 1) // 2 + lanes * depth * (depth - 1) // 2


def skew_bits(spec: Any) -> Any:
    a, b = lane_skew(spec.rows, spec.depth), lane_skew(spec.cols, spec.depth)
    return a * spec.a_bits + b * spec.b_bits


def operand_bits(spec: Any) -> Any:
    return spec.depth * (spec.rows * spec.a_bits + spec.cols * spec.b_bits)


def beat_bits(lanes: Any, spec: Any, bits: Any) -> Any:
    """Bits of delay line, masks included, that a beat crosses on its way in."""
    return (lane_skew(lanes, spec.depth) + lanes * spec.depth) * bits * one(spec)


def multiplier(spec: Any) -> Any:
    return spec.a_bits * spec.b_bits * one(spec)


CHAIN_PE_TERMS: Terms = {
    **{name: term for name, term in PE_TERMS.items() if name != "pe.acc_bits"},
    "pe.chain_bits": lambda s: pes(s) * s.chain_bits,
}
SUM_TERMS: Terms = {
    "sums.acc_bits": lambda s: sums(s) * s.acc_bits,
    "sums": lambda s: sums(s) * one(s),
}
EDGE_TERMS: Terms = {
    "operand_bits": operand_bits,
    "rows*result_bits": lambda s: s.rows * result_bits(s),
    "skew_bits": skew_bits,
}
CONTROL_TERMS: Terms = {
    "1": one,
    "rows+cols": lambda s: s.rows + s.cols,
    "depth": lambda s: s.depth * one(s),
}
CONTROL_DELAY_TERMS: Terms = {
    "1": one,
    "log2 rows": lambda s: np.log2(s.rows),
    "log2 result_bits": lambda s: np.log2(result_bits(s)),
    "log2 pes": lambda s: np.log2(pes(s)),
}
PORT_DELAY_TERMS: Terms = {
    "1": one,
    "log2 result_bits": lambda s: np.log2(result_bits(s)),
    "log2 acc_bits": lambda s: np.log2(s.acc_bits) * one(s),
}


def _chained(delay: Terms) -> Terms:
    """Return terms of the path of a PE in a chain, behind the tree of its enable."""
    own = {name: term for name, term in delay.items() if "acc_bits" not in name}
    return {
        **own,
        "log2 chain_bits": lambda s: np.log2(s.chain_bits),
        "log2 pes": lambda s: np.log2(pes(s)),
    }


ENERGY_TERMS: Mapping[str, Terms] = {
    "mac": {name: term for name, term in MAC_ENERGY_TERMS.items() if name != "acc_bits"},
    # an operand that comes by switches a multiplier, whatever the other one
    "a_hop": {"a_bits": lambda s: s.a_bits * one(s), "a_bits*b_bits": multiplier},
    "b_hop": {"b_bits": lambda s: s.b_bits * one(s), "a_bits*b_bits": multiplier},
    "sum_hop": {
        "1": one,
        "chain_bits": lambda s: s.chain_bits * one(s),
        "a_bits*b_bits": multiplier,
    },
    "sum_add": {"acc_bits": lambda s: s.acc_bits * one(s)},
    "a_beat": {"line_bits": lambda s: beat_bits(s.rows, s, s.a_bits)},
    "b_beat": {"line_bits": lambda s: beat_bits(s.cols, s, s.b_bits)},
    "c_beat": {"result_bits": result_bits},
    "result_beat": {
        "result_bits": result_bits,
        "log2 rows*result_bits": lambda s: np.log2(s.rows) * result_bits(s),
    },
    "control_cycle": {"1": one, "rows+cols": lambda s: s.rows + s.cols},
}

MAC = CostTerms(
    area={
        "pe": CHAIN_PE_TERMS,
        "accumulate": SUM_TERMS,
        "edge": EDGE_TERMS,
        "result_port": PORT_TERMS,
        "control": CONTROL_TERMS,
    },
    whole={
        "array": {**CHAIN_PE_TERMS, **SUM_TERMS, **EDGE_TERMS, "result_bits": result_bits, "1": one}
    },
    delay={
        "pe": _chained(MAC_DELAY_TERMS),
        "accumulate": {**MAC_DELAY_TERMS, "log2 pes": lambda s: np.log2(pes(s))},
        "control": CONTROL_DELAY_TERMS,
        "port": PORT_DELAY_TERMS,
    },
    energy=ENERGY_TERMS,
)

CHAIN_OPT1_TERMS: Terms = {
    **CHAIN_PE_TERMS,
    "pe.digits*chain_bits": lambda s: pes(s) * digits(s) * s.chain_bits,
}
OPT1 = CostTerms(
    area={**MAC.area, "pe": CHAIN_OPT1_TERMS, "result_port": RESOLVE_AREA_TERMS},
    whole={"array": {**MAC.whole["array"], **CHAIN_OPT1_TERMS}},
    delay={
        "pe": _chained(OPT1_DELAY_TERMS),
        "accumulate": {
            "1": one,
            "log2 pes": lambda s: np.log2(pes(s)),
            "log2 acc_bits": lambda s: np.log2(s.acc_bits) * one(s),
        },
        "control": CONTROL_DELAY_TERMS,
        "port": RESOLVE_DELAY_TERMS,
    },
    energy={**ENERGY_TERMS, "result_beat": {**ENERGY_TERMS["result_beat"], **RESOLVE_ENERGY_TERMS}},
)
