"""What costs of arrays of columns are fitted to: terms of a spec, by component, path and action.

Structure: PEs + lanes, which find digits + columns, which pace them + the network between banks and
columns + lanes in which sums leave, with a multiplexer of columns before them + control. opt3,
opt4c and opt4e share a table; what differs between their PEs has terms of its own. Operand banks
and the rows of C are memories, and in no term.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from archsim.engines import SpecBatch
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.engines.gemm.terms import one, pes, where
from archsim.tech.table import CostTerms, Term, Terms

Spec = BitsliceSpec | SpecBatch


def lanes(spec: Spec) -> Any:
    """Streams of digits."""
    return spec.cols * spec.lanes


def words(spec: Spec) -> Any:
    """Elements of the other operand that a bank gives at once: a group's to opt3, else one."""
    return np.where(np.asarray(spec.pe) == "opt3", spec.group, 1)


def word_bits(spec: Spec) -> Any:
    """Bits that a bank gives at once."""
    return words(spec) * spec.rows * spec.other_bits


def network_bits(spec: Spec) -> Any:
    """Bits of the multiplexers that bring words of all banks to a column's lanes."""
    return lanes(spec) * spec.banks * word_bits(spec)


def encoded_beat_bits(spec: Spec) -> Any:
    return lanes(spec) * spec.encoded_bits


def other_beat_bits(spec: Spec) -> Any:
    return spec.rows * spec.lanes * spec.other_bits


def pairs_bits(spec: Spec) -> Any:
    """Bits of the multiplexer that takes a column's sums."""
    return spec.cols * spec.rows * spec.pair_bits


def result_bits(spec: Spec) -> Any:
    return spec.rows * spec.acc_bits


def log2_depth(spec: Spec) -> Any:
    return np.log2(spec.depth) * one(spec)


def _each_pe(terms: Terms) -> Terms:
    """Return terms that each kind of PE has its own coefficients for."""
    kinds = ("opt3", "opt4c", "opt4e")
    return {name: term for pe in kinds for name, term in where("pe", pe, terms).items()}


def _times(count: Term, terms: Terms) -> Terms:
    return {name: lambda s, term=term: count(s) * term(s) for name, term in terms.items()}  # type: ignore[misc]


PE_TERMS: Terms = {
    **_each_pe({"pe": pes}),
    "pe.picks*other_bits": lambda s: pes(s) * words(s) * s.lanes * s.other_bits,
    "pe.pair_bits": lambda s: pes(s) * s.pair_bits,
    "pe.lanes*pair_bits": lambda s: pes(s) * s.lanes * s.pair_bits,
}
LANE_TERMS: Terms = {
    "lane": lanes,
    "lane.group*passes": lambda s: lanes(s) * s.group * s.passes,
    "lane.log2 depth": lambda s: lanes(s) * log2_depth(s),
}
COLUMN_TERMS: Terms = {
    "cols": lambda s: s.cols * one(s),
    "cols*lanes": lanes,
    **where("pe", "opt3", {"cols*group": lambda s: s.cols * s.group}),
}
NETWORK_TERMS: Terms = {
    "network_bits": network_bits,
    "cols*banks": lambda s: lanes(s) * s.banks,
    "beat_bits": lambda s: encoded_beat_bits(s) + other_beat_bits(s),
    **where("encoding", "en_t", {"encoded_beat_bits": encoded_beat_bits}),
    "1": one,
}
RESULT_LANE_TERMS: Terms = {
    "pairs_bits": pairs_bits,
    "rows*pair_bits": lambda s: s.rows * s.pair_bits,
    "result_bits*passes": lambda s: result_bits(s) * s.passes,
    "result_bits": result_bits,
    "result_bits*log2": lambda s: result_bits(s) * np.log2(s.acc_bits),
}
CONTROL_TERMS: Terms = {"1": one, "log2 depth": log2_depth}

COLUMNS = CostTerms(
    area={
        "pe": PE_TERMS,
        "digit_lanes": LANE_TERMS,
        "columns": COLUMN_TERMS,
        "network": NETWORK_TERMS,
        "result_lanes": RESULT_LANE_TERMS,
        "result_port": {"result_bits": result_bits, "1": one},
        "control": CONTROL_TERMS,
    },
    whole={
        "array": {
            **PE_TERMS,
            **LANE_TERMS,
            "network_bits": network_bits,
            "beat_bits": NETWORK_TERMS["beat_bits"],
            "pairs_bits": pairs_bits,
            "result_bits": result_bits,
            "1": one,
        }
    },
    delay={
        "pe": {
            **_each_pe({"1": one}),
            "log2 other_bits": lambda s: np.log2(s.other_bits) * one(s),
            "log2 rows": lambda s: np.log2(s.rows) * one(s),
        },
        "digit_lanes": {
            "1": one,
            "log2 depth": log2_depth,
            "log2 group*passes": lambda s: np.log2(s.group * s.passes) * one(s),
            "log2 lanes": lambda s: np.log2(lanes(s)) * one(s),
        },
        # from banks through the network, and to the banks
        "network": {
            "1": one,
            "log2 banks": lambda s: np.log2(s.banks) * one(s),
            "log2 word_bits": lambda s: np.log2(word_bits(s)),
        },
        "result_lanes": {
            "1": one,
            "log2 cols": lambda s: np.log2(s.cols) * one(s),
            "log2 result_bits": lambda s: np.log2(result_bits(s)),
            "log2 acc_bits": lambda s: np.log2(s.acc_bits) * one(s),
        },
        "control": {
            "1": one,
            "log2 lanes": lambda s: np.log2(lanes(s)) * one(s),
            "log2 depth": log2_depth,
        },
    },
    energy={
        # a digit in a PE: its multiple, the pair
        "digit": {
            **_each_pe({"1": one}),
            "other_bits": lambda s: s.other_bits * one(s),
            "pair_bits": lambda s: s.pair_bits * one(s),
        },
        # a digit in a lane, and what comes for it through the network
        "issue": {
            "1": one,
            "log2 depth": log2_depth,
            "word_bits": word_bits,
            "banks*word_bits": lambda s: s.banks * word_bits(s),
        },
        "group": {"1": one, "group*passes": lambda s: s.group * s.passes * one(s)},
        # a PE's sum on its way to C
        "turn": {
            "pair_bits": lambda s: s.pair_bits * one(s),
            "cols*pair_bits": lambda s: s.cols * s.pair_bits * one(s),
            "acc_bits": lambda s: s.acc_bits * one(s),
        },
        "acc_read": {"result_bits": result_bits},
        "acc_write": {"result_bits": result_bits},
        "a_beat": {"beat_bits": lambda s: _beat_bits(s, "a")},
        "b_beat": {"beat_bits": lambda s: _beat_bits(s, "b")},
        "c_beat": {"result_bits": result_bits},
        "result_beat": {"result_bits": result_bits},
        "control_cycle": {"1": one, "lanes": lanes},
    },
)


def _beat_bits(spec: Spec, port: str) -> Any:
    mine = np.asarray(spec.encoded) == port
    return np.where(mine, encoded_beat_bits(spec), other_beat_bits(spec))
