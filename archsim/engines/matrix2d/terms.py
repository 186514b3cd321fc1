"""What the 2D-matrix array's cost is fitted to: terms of its spec, by component.

Structure: PE x R x C, with trees of buffers that carry operands and enables to all of them and a
row multiplexer whose depth grows with R, + a result port per column, + control. Trees count
buffers; the wires that they drive are in no figure.
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
    PE_TERMS,
    PORT_TERMS,
    RESOLVE_AREA_TERMS,
    RESOLVE_DELAY_TERMS,
    RESOLVE_ENERGY_TERMS,
    one,
    pes,
    result_bits,
    where,
)
from archsim.tech.table import CostTerms, Terms

CHOSEN = ("prefix", "inferred")  # adders of the mac PEs that are measured


def _either(terms: Terms) -> Terms:
    """Return terms that count for one choice of mac PEs each."""
    return {name: t for adder in CHOSEN for name, t in where("adder", adder, terms).items()}


def wires(spec: Any) -> Any:
    """Bits that all PEs are given."""
    return pes(spec) * (spec.a_wires + spec.b_wires)


def row_bits(spec: Any) -> Any:
    return spec.cols * spec.sum_bits


EDGE_TERMS: Terms = {
    "wires": wires,
    "pe": pes,
    "operand_bits": lambda s: s.rows * s.a_wires + s.cols * s.b_wires,
    "rows*row_bits": lambda s: s.rows * row_bits(s),
}
CONTROL_TERMS: Terms = {"1": one, "rows+cols": lambda s: s.rows + s.cols}
TREE_DELAY_TERMS: Terms = {"log2 pes": lambda s: np.log2(pes(s))}
CONTROL_DELAY_TERMS: Terms = {
    "1": one,
    "log2 rows": lambda s: np.log2(s.rows),
    "log2 pes": lambda s: np.log2(pes(s)),
}
# a register of their own tells PEs of a step: no path of control runs through their trees
LATE_CONTROL_DELAY_TERMS: Terms = {"1": one, "log2 rows": lambda s: np.log2(s.rows)}
PORT_DELAY_TERMS: Terms = {
    "1": one,
    "log2 rows": lambda s: np.log2(s.rows),
    "log2 result_bits": lambda s: np.log2(result_bits(s)),
    "log2 acc_bits": lambda s: np.log2(s.acc_bits) * one(s),
}
ENERGY_TERMS: Mapping[str, Terms] = {
    # a sum that is captured, and picked from its row's
    "resolve": {
        "sum_bits": lambda s: s.sum_bits * one(s),
        "log2 rows*sum_bits": lambda s: np.log2(s.rows) * s.sum_bits,
    },
    "a_beat": {"wires": lambda s: pes(s) * s.a_wires},
    "b_beat": {"wires": lambda s: pes(s) * s.b_wires},
    "c_beat": {"result_bits": result_bits},
    "acc_read": {"result_bits": result_bits},
    "acc_write": {"result_bits": result_bits},
    "control_cycle": {"1": one, "rows+cols": lambda s: s.rows + s.cols},
}

MAC = CostTerms(
    area={
        "pe": _either(PE_TERMS),
        "edge": EDGE_TERMS,
        "result_port": PORT_TERMS,
        "control": CONTROL_TERMS,
    },
    whole={"array": {**_either(PE_TERMS), **EDGE_TERMS, **PORT_TERMS}},
    delay={
        "pe": {**_either(MAC_DELAY_TERMS), **TREE_DELAY_TERMS},
        "control": CONTROL_DELAY_TERMS,
        "port": PORT_DELAY_TERMS,
    },
    energy={
        **ENERGY_TERMS,
        "mac": _either(MAC_ENERGY_TERMS),
        "result_beat": {"result_bits": result_bits},
    },
)

OPT1 = CostTerms(
    area={**MAC.area, "pe": OPT1_PE_TERMS, "result_port": RESOLVE_AREA_TERMS},
    whole={"array": {**OPT1_PE_TERMS, **EDGE_TERMS, **PORT_TERMS}},
    delay={
        "pe": {**OPT1_DELAY_TERMS, **TREE_DELAY_TERMS},
        "control": LATE_CONTROL_DELAY_TERMS,
        "port": {**RESOLVE_DELAY_TERMS, "log2 rows": lambda s: np.log2(s.rows)},
    },
    energy={**ENERGY_TERMS, "mac": MAC_ENERGY_TERMS, "result_beat": RESOLVE_ENERGY_TERMS},
)

OPT2_PE_TERMS: Terms = {
    "pe": pes,
    "pe.b_bits": lambda s: pes(s) * s.b_bits,
    "pe.pair_bits": lambda s: pes(s) * s.pair_bits,
}
OPT2 = CostTerms(
    area={**MAC.area, "pe": OPT2_PE_TERMS, "result_port": RESOLVE_AREA_TERMS},
    whole={"array": {**OPT2_PE_TERMS, **EDGE_TERMS, **PORT_TERMS}},
    delay={
        "pe": {
            "1": one,
            "log2 b_bits": lambda s: np.log2(s.b_bits) * one(s),
            "log2 pair_bits": lambda s: np.log2(s.pair_bits) * one(s),
            **TREE_DELAY_TERMS,
        },
        "control": LATE_CONTROL_DELAY_TERMS,
        "port": {**RESOLVE_DELAY_TERMS, "log2 rows": lambda s: np.log2(s.rows)},
        # from the bank into the queue, behind a cycle of its SRAM
        "accumulate": {"1": one, "log2 result_bits": lambda s: np.log2(result_bits(s))},
    },
    energy={
        **ENERGY_TERMS,
        # all passes over a product
        "mac": {
            "passes": lambda s: s.passes * one(s),
            "passes*b_bits": lambda s: s.passes * s.b_bits * one(s),
            "passes*pair_bits": lambda s: s.passes * s.pair_bits * one(s),
        },
        "result_beat": RESOLVE_ENERGY_TERMS,
    },
)
