"""What costs of arrays of multiply-accumulate PEs are fitted to: terms of a spec, and choices.

A term is a function of a spec or of a batch of specs. Specs have ``rows``, ``cols``, ``pes``,
``a_bits``, ``b_bits`` and ``acc_bits``; an engine with other lanes has terms of its own for them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from archsim.tech.table import Terms


def one(spec: Any) -> Any:
    return np.ones_like(np.asarray(spec.cols, float))


def pes(spec: Any) -> Any:
    return spec.pes


def operand_bits(spec: Any) -> Any:
    return spec.rows * spec.a_bits + spec.cols * spec.b_bits


def result_bits(spec: Any) -> Any:
    return spec.cols * spec.acc_bits


def skew_line_bits(lanes: Any, bits: Any) -> Any:
    """Bits of delay line, masks included, that a beat crosses on its way in."""
    return lanes * (lanes + 1) / 2 * bits


def only(terms: Terms, *names: str) -> Terms:
    return {name: terms[name] for name in names}


def where(field: str, choice: str, terms: Terms) -> Terms:
    """Return terms that count only where a field has been given a choice, under names that say so.

    So structures that differ in one part share a table: it needs a few syntheses of each.
    """

    def chosen(spec: Any) -> Any:
        return np.asarray(getattr(spec, field)) == choice

    return {
        f"{choice}.{name}": lambda spec, term=term: chosen(spec) * term(spec)  # type: ignore[misc]
        for name, term in terms.items()
    }


# area, leakage and clock energy of all PEs
PE_TERMS: Terms = {
    "pe": pes,
    "pe.a_bits*b_bits": lambda s: pes(s) * s.a_bits * s.b_bits,
    "pe.a_bits+b_bits": lambda s: pes(s) * (s.a_bits + s.b_bits),
    "pe.acc_bits": lambda s: pes(s) * s.acc_bits,
}
PORT_TERMS: Terms = {"result_bits": result_bits, "1": one}
# ps: multiplier and adder
MAC_DELAY_TERMS: Terms = {
    "1": one,
    "log2 operand": lambda s: np.log2(np.minimum(s.a_bits, s.b_bits)),
    "a_bits+b_bits": lambda s: s.a_bits + s.b_bits,
    "acc_bits": lambda s: s.acc_bits,
    "log2 acc_bits": lambda s: np.log2(s.acc_bits),
}
# dynamic pJ of a product of real elements, flip-flop clocks aside
MAC_ENERGY_TERMS: Terms = {
    "1": one,
    "a_bits*b_bits": lambda s: s.a_bits * s.b_bits * one(s),
    "a_bits+b_bits": lambda s: (s.a_bits + s.b_bits) * one(s),
    "acc_bits": lambda s: s.acc_bits * one(s),
}
