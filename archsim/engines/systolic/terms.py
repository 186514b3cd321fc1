"""What the output-stationary array's cost is fitted to: terms of its spec, by component.

Structure: PE x R x C, with a row multiplexer whose depth grows with R, + edges x (R + C), with skew
registers that grow as R^2 and C^2, + control. bf16 arrays have one width, so their PEs are one
term. `archsim.engines.systolic.study` fits the coefficients, `archsim.engines.systolic.cost` uses
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archsim.engines import SpecBatch
from archsim.engines.gemm.terms import (
    MAC_DELAY_TERMS,
    MAC_ENERGY_TERMS,
    OPT1_DELAY_TERMS,
    OPT1_PE_TERMS,
    PE_TERMS,
    PORT_TERMS,
    RESOLVE_AREA_TERMS,
    RESOLVE_DELAY_TERMS,
    RESOLVE_ENERGY_TERMS,
    one,
    only,
    operand_bits,
    pes,
    result_bits,
    skew_line_bits,
)
from archsim.engines.systolic.spec import SystolicSpec
from archsim.tech.table import CostTerms, Terms

Spec = SystolicSpec | SpecBatch


def skew_bits(spec: Spec) -> Any:
    """Bits of the triangular delay lines before the PEs: the one part quadratic in R and in C."""
    a, b = spec.rows * (spec.rows - 1) // 2, spec.cols * (spec.cols - 1) // 2
    return a * spec.a_bits + b * spec.b_bits


EDGE_TERMS: Terms = {"rows+cols": lambda s: s.rows + s.cols, "operand_bits": operand_bits}
CONTROL_TERMS: Terms = {"1": one, "rows+cols": lambda s: s.rows + s.cols}

AREA_TERMS: Mapping[str, Terms] = {
    "pe": PE_TERMS,
    "row_mux": {"rows*result_bits": lambda s: s.rows * result_bits(s)},
    "skew": {"skew_bits": skew_bits},
    "edge": EDGE_TERMS,
    "result_port": PORT_TERMS,
    "control": CONTROL_TERMS,
}

# leakage and clock energy are the cells' and flip-flops' of the whole array
WHOLE_TERMS: Mapping[str, Terms] = {
    "array": {
        **PE_TERMS,
        "skew_bits": skew_bits,
        "operand_bits": operand_bits,
        "result_bits": result_bits,
        "1": one,
    }
}

# ps: multiplier and adder, behind the trees that carry operand masks and enables to all PEs
DELAY_TERMS: Mapping[str, Terms] = {
    "pe": {
        **MAC_DELAY_TERMS,
        "log2 pes": lambda s: np.log2(pes(s)),
        "log2 rows+cols": lambda s: np.log2(s.rows + s.cols),
    },
    "control": {
        "1": one,
        "several rows": lambda s: np.minimum(s.rows - 1, 1),
        "log2 rows": lambda s: np.log2(s.rows),
        "log2 result_bits": lambda s: np.log2(result_bits(s)),
    },
}

# dynamic pJ of one action, flip-flop clocks aside
ENERGY_TERMS: Mapping[str, Terms] = {
    "mac": MAC_ENERGY_TERMS,
    "a_hop": {
        "a_bits": lambda s: s.a_bits * one(s),
        "a_bits*b_bits": lambda s: s.a_bits * s.b_bits,
    },
    "b_hop": {
        "b_bits": lambda s: s.b_bits * one(s),
        "a_bits*b_bits": lambda s: s.a_bits * s.b_bits,
    },
    "a_beat": {"line_bits": lambda s: skew_line_bits(s.rows, s.a_bits)},
    "b_beat": {"line_bits": lambda s: skew_line_bits(s.cols, s.b_bits)},
    "c_beat": {"result_bits": result_bits},
    "result_beat": {
        "result_bits": result_bits,
        "log2 rows*result_bits": lambda s: np.log2(s.rows) * result_bits(s),
    },
    "control_cycle": {"1": one, "rows+cols": lambda s: s.rows + s.cols},
}


INTEGER = CostTerms(AREA_TERMS, WHOLE_TERMS, DELAY_TERMS, ENERGY_TERMS)

BF16 = CostTerms(
    area={**AREA_TERMS, "pe": only(PE_TERMS, "pe")},
    whole={
        "array": only(WHOLE_TERMS["array"], "pe", "skew_bits", "operand_bits", "result_bits", "1")
    },
    delay={**DELAY_TERMS, "pe": only(DELAY_TERMS["pe"], "1", "log2 pes", "log2 rows+cols")},
    energy={
        **ENERGY_TERMS,
        "mac": only(ENERGY_TERMS["mac"], "1"),
        "a_hop": only(ENERGY_TERMS["a_hop"], "a_bits"),
        "b_hop": only(ENERGY_TERMS["b_hop"], "b_bits"),
    },
)

OPT1 = CostTerms(
    area={**AREA_TERMS, "pe": OPT1_PE_TERMS, "result_port": RESOLVE_AREA_TERMS},
    whole={"array": {**WHOLE_TERMS["array"], **OPT1_PE_TERMS}},
    delay={
        "pe": {**OPT1_DELAY_TERMS, **only(DELAY_TERMS["pe"], "log2 pes", "log2 rows+cols")},
        "control": {**DELAY_TERMS["control"], **only(DELAY_TERMS["pe"], "log2 pes")},
        "port": RESOLVE_DELAY_TERMS,
    },
    energy={**ENERGY_TERMS, "result_beat": {**ENERGY_TERMS["result_beat"], **RESOLVE_ENERGY_TERMS}},
)
