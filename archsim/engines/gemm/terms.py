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

# ---------------------------------------------------------------------------------- carry-save PEs


def digits(spec: Any) -> Any:
    """Radix-4 digits of A: rows of a product."""
    return (np.asarray(spec.a_bits) + 1) // 2


OPT1_PE_TERMS: Terms = {
    **PE_TERMS,
    "pe.digits*acc_bits": lambda s: pes(s) * digits(s) * s.acc_bits,
}
# ps: Booth rows and a tree of them and the pair
OPT1_DELAY_TERMS: Terms = {
    "1": one,
    "log2 digits": lambda s: np.log2(digits(s) + 2),
    "log2 b_bits": lambda s: np.log2(s.b_bits),
    "log2 acc_bits": lambda s: np.log2(s.acc_bits),
}
# lanes that make numbers of pairs: adders as chosen
RESOLVE_AREA_TERMS: Terms = {
    **PORT_TERMS,
    **where(
        "adder", "inferred", {"result_bits*log2": lambda s: result_bits(s) * np.log2(s.acc_bits)}
    ),
    **where(
        "adder", "prefix", {"result_bits*log2": lambda s: result_bits(s) * np.log2(s.acc_bits)}
    ),
}
# ps: from the queue of rows through a lane to the port
RESOLVE_DELAY_TERMS: Terms = {
    "1": one,
    "log2 result_bits": lambda s: np.log2(result_bits(s)),
    **where("adder", "inferred", {"log2 acc_bits": lambda s: np.log2(s.acc_bits)}),
    **where("adder", "prefix", {"log2 acc_bits": lambda s: np.log2(s.acc_bits)}),
    **where("adder", "ripple", {"acc_bits": lambda s: s.acc_bits * one(s)}),
}
RESOLVE_ENERGY_TERMS: Terms = {
    name: term
    for adder in ("inferred", "ripple", "prefix")
    for name, term in where("adder", adder, {"result_bits": result_bits}).items()
}
