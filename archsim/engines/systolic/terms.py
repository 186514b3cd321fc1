"""What the output-stationary array's cost is fitted to: terms of its spec, by component.

Structure: PE x R x C, with a row multiplexer whose depth grows with R, + edges x (R + C), with skew
registers that grow as R^2 and C^2, + control. bf16 arrays have one width, so their PEs are one
term. `archsim.engines.systolic.study` fits the coefficients, `archsim.engines.systolic.cost` uses
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from archsim.engines import SpecBatch
from archsim.engines.systolic.spec import SystolicSpec
from archsim.tech.table import Terms

Spec = SystolicSpec | SpecBatch


@dataclass(frozen=True, slots=True)
class CostTerms:
    """Terms by component (area), group of paths (delay) and action (energy).

    Parameters
    ----------
    whole
        Of leakage and clock energy, which are the whole array's.
    """

    area: Mapping[str, Terms]
    whole: Mapping[str, Terms]
    delay: Mapping[str, Terms]
    energy: Mapping[str, Terms]


def pes(spec: Spec) -> Any:
    return spec.rows * spec.cols


def skew_bits(spec: Spec) -> Any:
    """Bits of the triangular delay lines before the PEs: the one part quadratic in R and in C."""
    a, b = spec.rows * (spec.rows - 1) // 2, spec.cols * (spec.cols - 1) // 2
    return a * spec.a_bits + b * spec.b_bits


def operand_bits(spec: Spec) -> Any:
    return spec.rows * spec.a_bits + spec.cols * spec.b_bits


def result_bits(spec: Spec) -> Any:
    return spec.cols * spec.acc_bits


def one(spec: Spec) -> Any:
    return np.ones_like(np.asarray(spec.rows, float))


PE_TERMS: Terms = {
    "pe": pes,
    "pe.a_bits*b_bits": lambda s: pes(s) * s.a_bits * s.b_bits,
    "pe.a_bits+b_bits": lambda s: pes(s) * (s.a_bits + s.b_bits),
    "pe.acc_bits": lambda s: pes(s) * s.acc_bits,
}
EDGE_TERMS: Terms = {"rows+cols": lambda s: s.rows + s.cols, "operand_bits": operand_bits}
CONTROL_TERMS: Terms = {"1": one, "rows+cols": lambda s: s.rows + s.cols}

AREA_TERMS: Mapping[str, Terms] = {
    "pe": PE_TERMS,
    "row_mux": {"rows*result_bits": lambda s: s.rows * result_bits(s)},
    "skew": {"skew_bits": skew_bits},
    "edge": EDGE_TERMS,
    "result_port": {"result_bits": result_bits, "1": one},
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
        "1": one,
        "log2 operand": lambda s: np.log2(np.minimum(s.a_bits, s.b_bits)),
        "a_bits+b_bits": lambda s: s.a_bits + s.b_bits,
        "acc_bits": lambda s: s.acc_bits,
        "log2 acc_bits": lambda s: np.log2(s.acc_bits),
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


def skew_line_bits(lanes: Any, bits: Any) -> Any:
    """Bits of delay line, masks included, that a beat crosses on its way in."""
    return lanes * (lanes + 1) / 2 * bits


# dynamic pJ of one action, flip-flop clocks aside
ENERGY_TERMS: Mapping[str, Terms] = {
    "mac": {
        "1": one,
        "a_bits*b_bits": lambda s: s.a_bits * s.b_bits * one(s),
        "a_bits+b_bits": lambda s: (s.a_bits + s.b_bits) * one(s),
        "acc_bits": lambda s: s.acc_bits * one(s),
    },
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


def only(terms: Terms, *names: str) -> Terms:
    return {name: terms[name] for name in names}


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
