"""Slices of queries for tests: jobs with tables, weights and positions."""

from __future__ import annotations

from typing import Any

import numpy as np

from archsim.engines import Data, Ints
from archsim.engines.ngpc.jobs import NgpcJobs, encodings, fixed
from archsim.engines.ngpc.spec import MOST_LAYERS, NgpcSpec
from archsim.graphics.encoding import Encoding

SMALL: dict[str, Any] = {
    "engines": 4, "parallel": 4, "table_log2": 10, "mlp_width": 8, "mlp_layers": 3,
    "mlp_stages": 4, "act_bits": 8, "outputs": 3,
}  # fmt: skip
HASH = Encoding(levels=4, features=2, log2_table=9, coarsest=4, growth=2.0)


def walk(queries: int, dims: int = 3, seed: int = 0) -> Ints:
    """Return positions a small step apart."""
    rng = np.random.default_rng(seed)
    return fixed(np.cumsum(rng.normal(0, 0.01, (queries, dims)), axis=0) % 1)


def sliced(
    spec: NgpcSpec, encoding: Encoding = HASH, queries: int = 30, layers: int = 2, **fields: Any
) -> tuple[NgpcJobs, Data]:
    """Return one job and its data."""
    rng = np.random.default_rng(3)
    half = 1 << spec.feature_bits - 1
    shape = (spec.mlp_layers, spec.mlp_width, spec.mlp_width)
    data = {
        "x": fields.get("x", walk(queries, encoding.dims)),
        "table": rng.integers(-half, half, (encoding.entries, encoding.features)),
        "weight": rng.integers(-60, 60, shape),
    }
    jobs = NgpcJobs(
        np.array([len(data["x"])]), encodings(encoding), np.array([layers]),
        np.full((1, MOST_LAYERS), 7), np.array([fields.get("load", False)]),
        refs=({name: name for name in data},),
    )  # fmt: skip
    return jobs, data
