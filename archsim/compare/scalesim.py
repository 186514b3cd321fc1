"""SCALE-Sim 3.0.0's compute cycles.

For every fold of a product ``A[M,K] B[K,N]`` on an R x C array it counts K + R + C - 2 cycles
(os), M + 2R + C - 2 (ws) or N + 2R + C - 2 (is); folds do not overlap, a ragged fold costs as much
as a full one, results that leave an os array are not counted, and the total is one short. The rule
was read from its runs: see ``tests/golden/scalesim``.
"""

from __future__ import annotations

from archsim.compare.account import Account, Peer, ideal
from archsim.compare.shapes import Shape

TITLE = "SCALE-Sim 3.0.0"


def account(shape: Shape, rows: int, cols: int, dataflow: str) -> Account:
    m, n, k = shape.m, shape.n, shape.k
    folds, stream = {
        "os": (-(-m // rows) * -(-n // cols), k),
        "ws": (-(-k // rows) * -(-n // cols), m),
        "is": (-(-k // rows) * -(-m // cols), n),
    }[dataflow]
    least = ideal(shape, rows, cols)
    terms = {
        "ideal": least,
        "edges": folds * stream - least,
        "preload": 0 if dataflow == "os" else folds * rows,
        "skew": folds * (rows + cols - 2),
        "overhead": -1,
    }
    return Account(TITLE, dataflow, terms)


def cycles(shape: Shape, rows: int, cols: int, dataflow: str) -> int:
    """Return the compute cycles that SCALE-Sim reports: ``os``, ``ws`` or ``is``."""
    return account(shape, rows, cols, dataflow).cycles


PEER = Peer("scalesim", TITLE, ("os", "ws", "is"), account)
