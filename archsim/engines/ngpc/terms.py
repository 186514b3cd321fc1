"""What a processor's cost is fitted to: terms of the engine's spec, by component.

Structure: an address pipeline an engine, whose multipliers grow with the table's address; behind it
queues, two crossbars between corners and banks, a product for every corner and feature; arrays of
dot products, with the square of their width; and what is around them. Memories of tables, and of
weights that an array reads layer by layer, are in no term: they are SRAMs, priced as such.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archsim.engines import Ints, SpecBatch, Timing
from archsim.engines.ngpc.jobs import NgpcJobs
from archsim.engines.ngpc.spec import AXES, CORNERS, FRACTION_BITS, NgpcSpec
from archsim.tech.table import CostTerms, Terms

Spec = NgpcSpec | SpecBatch
TURN_BITS = 3


def one(spec: Spec) -> Any:
    return np.ones_like(np.asarray(spec.engines, float))


def engines(spec: Spec) -> Any:
    return spec.engines * one(spec)


def bank_bits(spec: Spec) -> Any:
    return np.log2(spec.banks) * one(spec)


def lookup_bits(spec: Spec) -> Any:
    """Return the bits of what waits for the banks: places and turns of corners, weights' places."""
    corner = np.asarray(spec.table_log2) + TURN_BITS
    return CORNERS * corner + TURN_BITS + 1 + AXES * FRACTION_BITS


def entry_bits(spec: Spec) -> Any:
    return np.asarray(spec.features) * np.asarray(spec.feature_bits)


def join_bits(spec: Spec) -> Any:
    """Return the bits of what an engine keeps for the join."""
    return np.asarray(spec.join_depth) * np.asarray(spec.features) * np.asarray(spec.act_bits)


def multipliers(spec: Spec) -> Any:
    return np.asarray(spec.arrays) * np.asarray(spec.mlp_width, float) ** 2


def is_layered(spec: Spec) -> Any:
    return np.asarray(np.asarray(spec.mlp_mode) == "layered", float)


ADDRESS_TERMS: Terms = {
    "engine": engines,
    "engine.table_log2": lambda s: engines(s) * s.table_log2,
    "engine.bank_bits": lambda s: engines(s) * bank_bits(s),
}
ENCODER_TERMS: Terms = {
    "engine": engines,
    "queue": lambda s: engines(s) * s.fifo_depth * lookup_bits(s),
    "rows": lambda s: engines(s) * s.banks * (s.table_log2 - bank_bits(s)),
    "entries": lambda s: engines(s) * s.banks * entry_bits(s),
    "products": lambda s: engines(s) * entry_bits(s),
    "join": lambda s: engines(s) * join_bits(s),
}
MLP_TERMS: Terms = {
    "products": lambda s: multipliers(s) * np.asarray(s.act_bits, float) ** 2,
    "product.bits": lambda s: multipliers(s) * s.act_bits,
    "outputs": lambda s: s.arrays * np.asarray(s.mlp_width) * s.act_bits * one(s),
    "weights": lambda s: is_layered(s) * multipliers(s) * s.act_bits,
    "results": lambda s: s.result_depth * s.outputs * one(s),
}
CONTROL_TERMS: Terms = {
    "1": one,
    "engines": engines,
    "slots": lambda s: s.parallel * one(s),
    "engines*slots": lambda s: engines(s) * s.parallel,
    "vector": lambda s: s.mlp_width * s.act_bits * one(s),
}
AREA_TERMS: Mapping[str, Terms] = {
    "address": ADDRESS_TERMS,
    "encoder": ENCODER_TERMS,
    "mlp": MLP_TERMS,
    "control": CONTROL_TERMS,
}
# leakage and clock energy are the cells' and flip-flops' of a whole processor
WHOLE_TERMS: Mapping[str, Terms] = {
    "processor": {
        "1": one,
        "engine": engines,
        "queue": ENCODER_TERMS["queue"],
        "entries": ENCODER_TERMS["entries"],
        "join": ENCODER_TERMS["join"],
        "products": MLP_TERMS["products"],
        "product.bits": MLP_TERMS["product.bits"],
        "weights": MLP_TERMS["weights"],
    }
}
DELAY_TERMS: Mapping[str, Terms] = {
    "address": {"1": one, "table_log2": lambda s: s.table_log2 * one(s), "bank_bits": bank_bits},
    "encoder": {
        "1": one,
        "bank_bits": bank_bits,
        "log2 entry": lambda s: np.log2(entry_bits(s)) * one(s),
    },
    # products and their sums in so many stages, the last of which rounds
    "mlp": {
        "1": one,
        "log2 act": lambda s: np.log2(s.act_bits) * one(s),
        "log2 width / stage": lambda s: np.log2(s.mlp_width) / np.asarray(s.mlp_stages) * one(s),
    },
    # what counts reads of all banks of all engines
    "control": {
        "1": one,
        "bank_bits": bank_bits,
        "log2 engines": lambda s: np.log2(s.engines) * one(s),
    },
}
# dynamic pJ of one action, flip-flop clocks and memories aside
ENERGY_TERMS: Mapping[str, Terms] = {
    "encode": {
        "1": one,
        "table_log2": lambda s: s.table_log2 * one(s),
        "entry_bits": lambda s: entry_bits(s) * one(s),
        "first layer": lambda s: np.asarray(s.features) * s.mlp_width * s.act_bits * one(s),
    },
    "layer": {
        "products": lambda s: np.asarray(s.mlp_width, float) ** 2 * np.asarray(s.act_bits) ** 2,
        "product.bits": lambda s: np.asarray(s.mlp_width, float) ** 2 * s.act_bits,
    },
    "query": {"1": one, "vector": lambda s: s.mlp_width * s.act_bits * one(s)},
    "control_cycle": {"1": one, "engines": engines},
}
COST = CostTerms(AREA_TERMS, WHOLE_TERMS, DELAY_TERMS, ENERGY_TERMS)


def actions(spec: Spec, jobs: NgpcJobs, timing: Timing) -> dict[str, Ints]:
    """Return how often a processor does what costs it energy.

    ``encode`` levels of queries, whose features go through the first layer; ``lookup`` entries
    read; ``layer`` layers of queries behind the first, whose inputs fill an array; ``query``
    queries from port to port; ``control_cycle`` occupied cycles.
    """
    levels = np.array([encoding.levels for encoding in jobs.encoding], np.int64)
    return {
        "encode": jobs.queries * levels,
        "lookup": timing.counts["reads"],
        "layer": jobs.queries * (jobs.layers - 1),
        "query": jobs.queries,
        "control_cycle": timing.occupied,
    }
