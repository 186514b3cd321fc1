"""What the cost of an array with a stationary operand is fitted to: terms of its spec.

ws and is are one design with its operands exchanged, so they share tables, whose terms speak of the
streamed operand and of the stationary one. The accumulator bank's memory is in no term: it is an
SRAM, priced as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archsim.engines.gemm.terms import (
    MAC_DELAY_TERMS,
    MAC_ENERGY_TERMS,
    OPT1_DELAY_TERMS,
    OPT1_PE_TERMS,
    PORT_TERMS,
    one,
    only,
    pes,
    result_bits,
    skew_line_bits,
)
from archsim.engines.systolic.terms import Spec
from archsim.tech.table import CostTerms, Terms

# actions of the engine's ports, and what the terms call them
BEATS: Mapping[str, Mapping[str, str]] = {
    "os": {},
    "ws": {"a_beat": "stream_beat", "b_beat": "load_beat"},
    "is": {"b_beat": "stream_beat", "a_beat": "load_beat"},
}


def streamed_bits(spec: Spec) -> Any:
    return np.where(np.asarray(spec.dataflow) == "is", spec.b_bits, spec.a_bits)


def stationary_bits(spec: Spec) -> Any:
    return np.where(np.asarray(spec.dataflow) == "is", spec.a_bits, spec.b_bits)


def level_bits(spec: Spec) -> Any:
    """Bits of the triangle of registers that brings the sums of a row level."""
    return spec.cols * (spec.cols - 1) // 2 * spec.acc_bits


def skew_bits(spec: Spec) -> Any:
    """Bits of the triangles before and below the PEs."""
    streamed = spec.rows * (spec.rows + 1) // 2 * streamed_bits(spec)
    stationary = spec.cols * (spec.cols - 1) // 2 * stationary_bits(spec)
    return streamed + stationary + level_bits(spec)


def operand_bits(spec: Spec) -> Any:
    return spec.rows * streamed_bits(spec) + spec.cols * stationary_bits(spec)


def log2_acc_rows(spec: Spec) -> Any:
    return np.log2(spec.acc_rows)


PE_TERMS: Terms = {
    "pe": pes,
    "pe.a_bits*b_bits": lambda s: pes(s) * s.a_bits * s.b_bits,
    "pe.a_bits+b_bits": lambda s: pes(s) * (s.a_bits + s.b_bits),
    "pe.stationary_bits": lambda s: pes(s) * stationary_bits(s),
    "pe.acc_bits": lambda s: pes(s) * s.acc_bits,
}

AREA_TERMS: Mapping[str, Terms] = {
    "pe": PE_TERMS,
    "skew": {"skew_bits": skew_bits},
    "edge": {"rows+cols": lambda s: s.rows + s.cols, "operand_bits": operand_bits},
    "accumulate": {**PORT_TERMS, "log2 acc_rows": log2_acc_rows},
    "result_port": PORT_TERMS,
    "control": {"1": one, "rows+cols": lambda s: s.rows + s.cols, "log2 acc_rows": log2_acc_rows},
}
WHOLE_TERMS: Mapping[str, Terms] = {
    "array": {
        **PE_TERMS,
        "skew_bits": skew_bits,
        "operand_bits": operand_bits,
        "result_bits": result_bits,
        "log2 acc_rows": log2_acc_rows,
        "1": one,
    }
}
DELAY_TERMS: Mapping[str, Terms] = {
    "pe": {
        **MAC_DELAY_TERMS,
        "log2 pes": lambda s: np.log2(pes(s)),
        "log2 rows+cols": lambda s: np.log2(s.rows + s.cols),
    },
    # from the bank's memory and back to it, or into the result queue
    "accumulate": {
        "1": one,
        "acc_bits": lambda s: s.acc_bits * one(s),
        "log2 acc_bits": lambda s: np.log2(s.acc_bits),
        "log2 result_bits": lambda s: np.log2(result_bits(s)),
    },
    "control": {
        "1": one,
        "log2 rows+cols": lambda s: np.log2(s.rows + s.cols),
        "log2 result_bits": lambda s: np.log2(result_bits(s)),
        "log2 acc_rows": log2_acc_rows,
    },
}
ENERGY_TERMS: Mapping[str, Terms] = {
    "mac": MAC_ENERGY_TERMS,
    "stream_hop": {
        "streamed_bits": lambda s: streamed_bits(s) * one(s),
        "a_bits*b_bits": lambda s: s.a_bits * s.b_bits * one(s),
    },
    "load_hop": {"stationary_bits": lambda s: stationary_bits(s) * one(s)},
    "sum_hop": {
        "acc_bits": lambda s: s.acc_bits * one(s),
        # once a sum has passed all rows: its adder at the bank, and its level registers
        "acc_bits/rows": lambda s: s.acc_bits / s.rows * one(s),
        "level_bits/pes": lambda s: level_bits(s) / pes(s),
    },
    "stream_beat": {"line_bits": lambda s: skew_line_bits(s.rows, streamed_bits(s))},
    "load_beat": {
        "line_bits": lambda s: skew_line_bits(s.cols, stationary_bits(s)),
        # what it brings is at some time handed to a multiplier
        "cols*a_bits*b_bits": lambda s: s.cols * s.a_bits * s.b_bits * one(s),
        "1": one,
    },
    "acc_read": {"result_bits": result_bits},
    "acc_write": {"result_bits": result_bits},
    "c_beat": {"result_bits": result_bits},
    "result_beat": {"result_bits": result_bits},
    "control_cycle": {"1": one, "rows+cols": lambda s: s.rows + s.cols},
}

INTEGER = CostTerms(AREA_TERMS, WHOLE_TERMS, DELAY_TERMS, ENERGY_TERMS)

BF16 = CostTerms(
    area={**AREA_TERMS, "pe": only(PE_TERMS, "pe")},
    whole={
        "array": only(
            WHOLE_TERMS["array"],
            *("pe", "skew_bits", "operand_bits", "result_bits", "log2 acc_rows", "1"),
        )
    },
    delay={
        **DELAY_TERMS,
        "pe": only(DELAY_TERMS["pe"], "1", "log2 pes", "log2 rows+cols"),
        "accumulate": only(DELAY_TERMS["accumulate"], "1", "log2 result_bits"),
    },
    energy={
        **ENERGY_TERMS,
        "mac": only(ENERGY_TERMS["mac"], "1"),
        "stream_hop": only(ENERGY_TERMS["stream_hop"], "streamed_bits"),
    },
)

# a bank of pairs reads early: its memory's path ends in a register, its adders have another
OPT1_BANK_DELAY_TERMS: Mapping[str, Terms] = {
    "accumulate": only(DELAY_TERMS["accumulate"], "1", "log2 result_bits"),
    "sum": DELAY_TERMS["accumulate"],
}
OPT1 = CostTerms(
    area={**AREA_TERMS, "pe": {**PE_TERMS, **OPT1_PE_TERMS}},
    whole={"array": {**WHOLE_TERMS["array"], **OPT1_PE_TERMS}},
    delay={
        "pe": {**OPT1_DELAY_TERMS, **only(DELAY_TERMS["pe"], "log2 pes", "log2 rows+cols")},
        **OPT1_BANK_DELAY_TERMS,
        "control": DELAY_TERMS["control"],
    },
    energy=ENERGY_TERMS,
)
