"""What the cost of an array of adder trees is fitted to: terms of its spec, by component.

Structure: trees, each of multipliers with their operands, of adders and of ranks of registers, +
input registers + bank adders + result port + control. The accumulator bank's memory is in no term:
it is an SRAM, priced as one. Both PEs have the same terms, and tables of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archsim.engines.gemm.terms import PORT_TERMS, one, pes, result_bits
from archsim.tech.table import CostTerms, Terms


def input_bits(spec: Any) -> Any:
    return spec.depth * spec.a_bits


def log2_acc_rows(spec: Any) -> Any:
    return np.log2(spec.acc_rows)


def levels_a_stage(spec: Any) -> Any:
    """Levels of adders, multipliers being one, between ranks."""
    return (spec.levels + 1) / spec.stages


TREE_TERMS: Terms = {
    "pe": pes,
    "pe.a_bits*b_bits": lambda s: pes(s) * s.a_bits * s.b_bits,
    "pe.a_bits+b_bits": lambda s: pes(s) * (s.a_bits + s.b_bits),
    "pe.b_bits": lambda s: pes(s) * s.b_bits,
    "rank_bits": lambda s: s.cols * s.rank_bits,
    "sum_bits": lambda s: s.cols * s.sum_bits,
}
CONTROL_TERMS: Terms = {
    "1": one,
    "rows+cols": lambda s: s.depth + s.cols,
    "log2 acc_rows": log2_acc_rows,
}

AREA_TERMS: Mapping[str, Terms] = {
    "tree": TREE_TERMS,
    "edge": {"rows+cols": lambda s: s.depth + s.cols, "input_bits": input_bits},
    "accumulate": {**PORT_TERMS, "log2 acc_rows": log2_acc_rows},
    "result_port": PORT_TERMS,
    "control": CONTROL_TERMS,
}
WHOLE_TERMS: Mapping[str, Terms] = {
    "array": {
        **TREE_TERMS,
        "input_bits": input_bits,
        "result_bits": result_bits,
        "log2 acc_rows": log2_acc_rows,
        "1": one,
    }
}
DELAY_TERMS: Mapping[str, Terms] = {
    "tree": {
        "1": one,
        "log2 operand": lambda s: np.log2(np.minimum(s.a_bits, s.b_bits)),
        "a_bits+b_bits": lambda s: (s.a_bits + s.b_bits) * one(s),
        "levels a stage": levels_a_stage,
        "log2 pes": lambda s: np.log2(pes(s)),
    },
    # from the bank's memory to the register of what was read
    "accumulate": {"1": one, "log2 result_bits": lambda s: np.log2(result_bits(s))},
    # the bank's adders, and the result port
    "sum": {
        "1": one,
        "acc_bits": lambda s: s.acc_bits * one(s),
        "log2 acc_bits": lambda s: np.log2(s.acc_bits),
        "log2 result_bits": lambda s: np.log2(result_bits(s)),
    },
    "control": {
        "1": one,
        "log2 rows+cols": lambda s: np.log2(s.depth + s.cols),
        "log2 result_bits": lambda s: np.log2(result_bits(s)),
        "log2 acc_rows": log2_acc_rows,
    },
}
ENERGY_TERMS: Mapping[str, Terms] = {
    "mac": {
        "1": one,
        "a_bits*b_bits": lambda s: s.a_bits * s.b_bits * one(s),
        "a_bits+b_bits": lambda s: (s.a_bits + s.b_bits) * one(s),
    },
    "load_hop": {"b_bits": lambda s: s.b_bits * one(s)},
    "tree_sum": {
        "rank_bits": lambda s: s.rank_bits * one(s),
        "acc_bits": lambda s: s.acc_bits * one(s),
    },
    "a_beat": {"input_bits": input_bits},
    "b_beat": {
        # what it brings is at some time handed to a multiplier
        "cols*a_bits*b_bits": lambda s: s.cols * s.a_bits * s.b_bits * one(s),
        "1": one,
    },
    "acc_read": {"result_bits": result_bits},
    "acc_write": {"result_bits": result_bits},
    "c_beat": {"result_bits": result_bits},
    "result_beat": {"result_bits": result_bits},
    "control_cycle": {"1": one, "rows+cols": lambda s: s.depth + s.cols},
}

TERMS = CostTerms(AREA_TERMS, WHOLE_TERMS, DELAY_TERMS, ENERGY_TERMS)
