"""What costs of lockstep arrays are fitted to: terms of a spec, by component, path and action.

Structure: PEs, whose lanes are as many as a group has slices, + cells at the edges for each lane of
an operand and each slice + a row multiplexer + control.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from archsim.engines import SpecBatch
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.engines.gemm.terms import one, pes, where
from archsim.tech.table import CostTerms, Terms

Spec = BitsliceSpec | SpecBatch


def encoded_lanes(spec: Spec) -> Any:
    """Elements of a beat on the port of the encoded operand."""
    return spec.cols * spec.group


def other_lanes(spec: Spec) -> Any:
    return spec.rows * spec.group


def encoded_beat_bits(spec: Spec) -> Any:
    return encoded_lanes(spec) * spec.encoded_bits


def other_beat_bits(spec: Spec) -> Any:
    return other_lanes(spec) * spec.other_bits


def result_bits(spec: Spec) -> Any:
    return spec.rows * spec.acc_bits


def _beat_bits(port: str) -> Any:
    """Return the term of the bits of a beat of ``a`` or ``b``."""

    def bits(spec: Spec) -> Any:
        mine = np.asarray(spec.encoded) == port
        return np.where(mine, encoded_beat_bits(spec), other_beat_bits(spec))

    return bits


def exponents(spec: Spec) -> Any:
    """Powers of two that a product of terms can be."""
    return spec.a_bits + spec.b_bits - 1


ROW_MUX: Terms = {"cols*result_bits": lambda s: s.cols * result_bits(s)}
CONTROL: Terms = {"1": one, "rows+cols": lambda s: s.rows + s.cols}
RESULT_TERMS: Terms = {
    "result_bits": result_bits,
    "log2 cols*result_bits": lambda s: np.log2(s.cols) * result_bits(s),
}
BEAT_ENERGY: dict[str, Terms] = {
    "a_beat": {"beat_bits": _beat_bits("a")},
    "b_beat": {"beat_bits": _beat_bits("b")},
    "c_beat": {"result_bits": result_bits},
    "result_beat": RESULT_TERMS,
    "control_cycle": {"1": one, "rows+cols": lambda s: s.rows + s.cols},
}
# ps: from the cells at the edges, over all lanes, to what takes the next beat
STEP_DELAY: Terms = {
    "1": one,
    "log2 encoded_lanes": lambda s: np.log2(encoded_lanes(s)),
    "log2 other_lanes": lambda s: np.log2(other_lanes(s)),
    "log2 encoded_bits": lambda s: np.log2(s.encoded_bits),
    "log2 group": lambda s: np.log2(s.group),
    "log2 result_bits": lambda s: np.log2(result_bits(s)),
}

# ---------------------------------------------------------------------------------------- laconic

PAIR_PE: Terms = {
    "pe": pes,
    "pe.group": lambda s: pes(s) * s.group,
    "pe.group*exponents": lambda s: pes(s) * s.group * exponents(s),
    "pe.exponents": lambda s: pes(s) * exponents(s),
    "pe.acc_bits": lambda s: pes(s) * s.acc_bits,
}
SERIALISERS: Terms = {
    "encoded_lanes": encoded_lanes,
    "other_lanes": other_lanes,
    "encoded_beat_bits": encoded_beat_bits,
    "other_beat_bits": other_beat_bits,
    **where("encoding", "mbe", {"lanes": lambda s: encoded_lanes(s) + other_lanes(s)}),
    **where("encoding", "en_t", {"lanes": lambda s: encoded_lanes(s) + other_lanes(s)}),
}
LACONIC = CostTerms(
    area={
        "pe": PAIR_PE,
        "row_mux": ROW_MUX,
        "edge": SERIALISERS,
        "result_port": {"result_bits": result_bits, "1": one},
        "control": CONTROL,
    },
    whole={"array": {**PAIR_PE, **SERIALISERS, "result_bits": result_bits, "1": one}},
    delay={
        "pe": {
            "1": one,
            "log2 group": lambda s: np.log2(s.group),
            "log2 exponents": lambda s: np.log2(exponents(s)),
            "log2 acc_bits": lambda s: np.log2(s.acc_bits),
            "log2 pes": lambda s: np.log2(pes(s)),
        },
        "control": STEP_DELAY,
    },
    energy={
        "term": {"1": one, "exponents": lambda s: exponents(s) * one(s)},
        "pe_step": {
            "1": one,
            "group": lambda s: s.group * one(s),
            "exponents": lambda s: exponents(s) * one(s),
            "acc_bits": lambda s: s.acc_bits * one(s),
        },
        "edge_step": {"encoded_lanes": encoded_lanes, "other_lanes": other_lanes},
        **BEAT_ENERGY,
    },
)

# ----------------------------------------------------------------------------------------- bitlet


def picked_bits(spec: Spec) -> Any:
    """Bits of what a PE adds up in a cycle: an operand for each significance."""
    return spec.encoded_bits * spec.other_bits


PICKING_PE: Terms = {
    "pe": pes,
    "pe.picked_bits": lambda s: pes(s) * picked_bits(s),
    "pe.group*picked_bits": lambda s: pes(s) * s.group * picked_bits(s),
    "pe.acc_bits": lambda s: pes(s) * s.acc_bits,
}
PICKERS: Terms = {
    "cols*encoded_bits": lambda s: s.cols * s.encoded_bits,
    "encoded_beat_bits": encoded_beat_bits,
    "other_beat_bits": other_beat_bits,
    **where("encoding", "sign_magnitude", {"encoded_beat_bits": encoded_beat_bits}),
}
BITLET = CostTerms(
    area={**LACONIC.area, "pe": PICKING_PE, "edge": PICKERS},
    whole={"array": {**PICKING_PE, **PICKERS, "result_bits": result_bits, "1": one}},
    delay={
        "pe": {
            "1": one,
            "log2 group": lambda s: np.log2(s.group),
            "log2 encoded_bits": lambda s: np.log2(s.encoded_bits),
            "log2 other_bits": lambda s: np.log2(s.other_bits),
            "log2 acc_bits": lambda s: np.log2(s.acc_bits),
            "log2 pes": lambda s: np.log2(pes(s)),
        },
        "control": STEP_DELAY,
    },
    energy={
        "term": {"1": one, "other_bits": lambda s: s.other_bits * one(s)},
        "pe_step": {
            "1": one,
            "picked_bits": lambda s: picked_bits(s) * one(s),
            "acc_bits": lambda s: s.acc_bits * one(s),
        },
        "edge_step": {
            "encoded_beat_bits": encoded_beat_bits, "other_beat_bits": other_beat_bits,
        },
        **BEAT_ENERGY,
    },
)  # fmt: skip
