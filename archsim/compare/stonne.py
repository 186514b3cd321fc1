"""STONNE's cycles on its output-stationary mesh (``OS_MESH``, memory controller ``TPU_OS_DENSE``).

A tile of m x n sums takes K + m + n + 3 cycles, one less if it is a single row or column. It is as
large as the sums that it has, so ragged tiles are cheaper; a tile begins when all sums of the one
before have arrived. The rule was read from its runs: see ``tests/golden/stonne``.
"""

from __future__ import annotations

from archsim.compare.account import Account, Peer, ideal
from archsim.compare.shapes import Shape

TITLE = "STONNE 22634b8"


def account(shape: Shape, rows: int, cols: int, dataflow: str = "os") -> Account:
    tiles = skew = single = 0
    for m, down in _cut(shape.m, rows):
        for n, across in _cut(shape.n, cols):
            tiles += down * across
            skew += down * across * (m + n - 2)
            single += down * across * (1 in (m, n))
    least = ideal(shape, rows, cols)
    terms = {
        "ideal": least,
        "edges": tiles * shape.k - least,
        "skew": skew,
        "overhead": 5 * tiles - single,  # configuring, injecting and collecting a tile
    }
    return Account(TITLE, dataflow, terms)


def _cut(extent: int, side: int) -> list[tuple[int, int]]:
    """Return the lengths of pieces of an extent, and how many of each there are."""
    full, rest = divmod(extent, side)
    return [piece for piece in ((side, full), (rest, 1)) if all(piece)]


PEER = Peer("stonne", TITLE, ("os",), account)
