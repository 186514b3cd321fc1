"""What the engine's cost is fitted to: terms of its spec, by component.

Memories of the table and of the dense array are in no term: they are SRAMs, priced as such. Tokens
by their row's number are priced as those that follow a row, which need an arbiter more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archsim.engines.hash_spgemm.spec import Spec
from archsim.tech.table import CostTerms, Terms


def one(spec: Spec) -> Any:
    return np.ones_like(np.asarray(spec.lanes, float))


def lanes(spec: Spec) -> Any:
    return spec.lanes * one(spec)


def banks(spec: Spec) -> Any:
    return spec.banks * one(spec)


def queue(spec: Spec) -> Any:
    return spec.queue * one(spec)


def crossings(spec: Spec) -> Any:
    return spec.lanes * spec.banks * one(spec)


def readers(spec: Spec) -> Any:
    """Words in flight at most: what the route to their readers remembers."""
    return (spec.lanes + 3) * spec.queue * one(spec)


def has_hash(spec: Spec, scheme: str) -> Any:
    return np.asarray(np.asarray(spec.hash) == scheme, float)


def is_dense(spec: Spec) -> Any:
    return np.asarray(np.asarray(spec.write_back) == "dense", float)


def more_slots(spec: Spec) -> Any:
    """Slots that an operation looks at beyond the first."""
    return (np.asarray(spec.comparators) - 1) * one(spec)


def waiting_tokens(spec: Spec) -> Any:
    """Tokens that wait at a lane, at most."""
    return np.where(np.asarray(spec.token) == "nonzero", 0, spec.queue) * one(spec)


def log2_rows(spec: Spec) -> Any:
    """Bits of a slot's place in its bank."""
    return np.log2(np.asarray(spec.slots) / np.asarray(spec.banks)) * one(spec)


LANE_TERMS: Terms = {
    "lane": lanes,
    "lane.queue": lambda s: lanes(s) * s.queue,
    "lane.high": lambda s: lanes(s) * has_hash(s, "high"),
    "lane.multiplicative": lambda s: lanes(s) * has_hash(s, "multiplicative"),
    "lane.tokens": lambda s: lanes(s) * waiting_tokens(s),
}
BANK_TERMS: Terms = {
    "bank": banks,
    "bank.dense": lambda s: banks(s) * is_dense(s),
    "bank.log2_rows": lambda s: banks(s) * log2_rows(s),
    "bank.comparators": lambda s: banks(s) * more_slots(s),
}
FETCH_TERMS: Terms = {"1": one, "queue": queue}
PORT_TERMS: Terms = {"1": one, "readers": readers, "lanes": lanes, "lanes*banks": crossings}
WRITE_BACK_TERMS: Terms = {
    "1": one,
    "banks": banks,
    "dense": is_dense,
    "log2_rows": log2_rows,
}

AREA_TERMS: Mapping[str, Terms] = {
    "lanes": LANE_TERMS,
    "banks": BANK_TERMS,
    "fetch": FETCH_TERMS,
    "write_back": WRITE_BACK_TERMS,
    "port": PORT_TERMS,
}
# leakage and clock energy are the cells' and flip-flops' of the whole engine
WHOLE_TERMS: Mapping[str, Terms] = {
    "engine": {
        **{name: term for name, term in LANE_TERMS.items() if name != "lane.high"},
        "bank": banks,
        "bank.comparators": BANK_TERMS["bank.comparators"],
        "queue": queue,
        "1": one,
    }
}
DELAY_TERMS: Mapping[str, Terms] = {
    "lane": {
        "1": one,
        "multiplicative": lambda s: has_hash(s, "multiplicative") * one(s),
        "log2 queue": lambda s: np.log2(s.queue) * one(s),
        "lanes": lanes,
    },
    # from the table's memory through comparison and sum, or to what a lane does again
    "bank": {"1": one, "lanes": lanes, "lanes*banks": crossings, "comparators": more_slots},
    "control": {"1": one, "lanes": lanes, "lanes*banks": crossings},
}
# dynamic pJ of one action, flip-flop clocks aside
ENERGY_TERMS: Mapping[str, Terms] = {
    "word": {  # of B, which is multiplied in the window's columns or outside
        "1": one,
        "multiplicative": lambda s: has_hash(s, "multiplicative") * one(s),
        "queue": queue,
    },
    "operation": {"1": one, "lanes": lanes, "comparators": more_slots},
    "token": {"1": one},
    "read": {"1": one, "queue": queue},
    "write": {"1": one},
    "slot": {"1": one, "banks": banks},
    "control_cycle": {"1": one, "lanes": lanes},
}
COST = CostTerms(AREA_TERMS, WHOLE_TERMS, DELAY_TERMS, ENERGY_TERMS)
