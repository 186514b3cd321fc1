"""Area, clock and energy of the systolic array, from fits through syntheses of its RTL.

Structure: PE x R x C, with a row multiplexer whose depth grows with R, + edges x (R + C), with skew
registers that grow as R^2 and C^2, + control. Coefficients and their errors stand in the
technology's table; `archsim.engines.systolic.study` says how they were measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.engines import Fmax, SpecBatch
from archsim.engines.systolic.spec import SystolicSpec
from archsim.tech.table import Terms

if TYPE_CHECKING:
    from archsim.tech import Tech

Spec = SystolicSpec | SpecBatch


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


def area_um2(spec: Spec, tech: Tech) -> dict[str, Any]:
    """Return cell area by component."""
    return tech.table("systolic").fit("area_um2").evaluate(AREA_TERMS, spec)


def fmax_mhz(spec: Spec, tech: Tech) -> Fmax:
    """Return the clock of the longest path, rounded down to a whole MHz."""
    table = tech.table("systolic")
    fit = table.fit("delay_ps")
    paths = fit.evaluate(DELAY_TERMS, spec)
    worst = np.maximum.reduce([np.asarray(p, float) for p in paths.values()])
    mhz = np.floor(1e6 / worst)
    sizes = [(r["spec"]["rows"], r["spec"]["cols"]) for r in table.rows]
    largest = "{} x {}".format(*max(sizes, key=lambda s: s[0] * s[1]))
    return Fmax(
        float(mhz) if mhz.ndim == 0 else mhz,
        f"fit through {len(table.rows)} syntheses up to {largest} in {table.made['library']} "
        f"({table.made['yosys']}), error at most {fit.max_error_percent:g} % on held-out ones; "
        "no wires, no clock tree, typical corner",
    )


def energy_pj(spec: Spec, tech: Tech) -> dict[str, Any]:
    """Return the energy of each action; see `archsim.engines.systolic.timing.actions`.

    ``idle_cycle`` is every flip-flop's clock; ``pe_clock`` spreads the same, and the control that
    moves in an occupied cycle, over the PEs, so that a cycle costs its clock exactly once.
    """
    table = tech.table("systolic")
    clock = table.fit("clock_pj").evaluate(WHOLE_TERMS, spec)["array"]
    leakage_uw = table.fit("leakage_uw").evaluate(WHOLE_TERMS, spec)["array"]
    actions = table.fit("energy_pj").evaluate(ENERGY_TERMS, spec)
    control = actions.pop("control_cycle")
    return {
        **actions,
        "pe_clock": (clock + control) / pes(spec),
        "idle_cycle": clock,
        "leak_ps": leakage_uw * 1e-6,  # 1 uW is 1e-6 pJ a ps
    }
