"""The systolic array's cycles with ports that never stall: the engine's own, and their terms."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from archsim.compare.account import Account, ideal
from archsim.compare.shapes import Shape
from archsim.engines import GemmJobs, discover
from archsim.engines.systolic.spec import SystolicSpec


def cycles(shapes: Sequence[Shape], rows: int, cols: int, dataflow: str) -> list[int]:
    """Return the cycles of each product, as the engine's timing model has them."""
    spec = SystolicSpec.model_validate({"rows": rows, "cols": cols, "dataflow": dataflow})
    m, n, k = (np.array([getattr(s, x) for s in shapes], np.int64) for x in "mnk")
    jobs = GemmJobs(m, n, k, np.zeros(len(shapes), bool))
    return [int(c) for c in discover()["systolic"].time(spec, jobs).cycles]


def account(shape: Shape, rows: int, cols: int, dataflow: str) -> Account:
    return Account("archsim", dataflow, _TERMS[dataflow](shape, rows, cols))


def _output_stationary(shape: Shape, rows: int, cols: int) -> dict[str, int]:
    folds = -(-shape.m // rows) * -(-shape.n // cols)
    last_rows = (shape.m - 1) % rows + 1
    least = ideal(shape, rows, cols)
    hidden = (folds - 1) * (rows + cols - 2)
    return {
        "ideal": least,
        "edges": folds * shape.k - least,
        "short": (folds - 1) * (max(shape.k, rows, cols) - shape.k),
        "skew": hidden + last_rows + cols - 2,
        "drain": 2,  # the drain register and the output queue
        "overlap": -hidden,
    }


def _weight_stationary(shape: Shape, rows: int, cols: int) -> dict[str, int]:
    m, k, bank = shape.m, shape.k, SystolicSpec.model_fields["acc_rows"].default
    chunks, across, deep = -(-m // bank), -(-shape.n // cols), -(-k // rows)
    first, last = min(k, rows), k - (deep - 1) * rows  # rows of B in the first fold, and the last
    short = -max(0, first - (m - (chunks - 1) * bank))  # none follows the last fold
    for count, height in ((chunks - 1, bank), (1, m - (chunks - 1) * bank)):
        waits = (deep - 1) * max(0, first - height) + max(0, last - height)
        short += count * across * waits
    folds, least = chunks * across * deep, ideal(shape, rows, cols)
    loaded, skew = chunks * across * k, rows + cols - 2
    return {
        "ideal": least,
        "edges": across * deep * m - least,
        "short": short,
        "preload": loaded,
        "skew": folds * skew,
        "drain": 3,  # the input register, the levelled row, the result queue
        "overlap": -(loaded - first) - (folds - 1) * skew,
    }


def _input_stationary(shape: Shape, rows: int, cols: int) -> dict[str, int]:
    return _weight_stationary(Shape(shape.name, shape.n, shape.m, shape.k), rows, cols)


_TERMS: dict[str, Callable[[Shape, int, int], dict[str, int]]] = {
    "os": _output_stationary,
    "ws": _weight_stationary,
    "is": _input_stationary,
}
DATAFLOWS = tuple(_TERMS)
