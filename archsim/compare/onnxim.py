"""ONNXim's cycles on its weight-stationary core, where no memory holds it up.

Its core runs one instruction for every block of A x A weights and up to A rows of activations, on
an A x A array. An instruction begins A cycles after the one before (4 on smaller arrays), whatever
it holds: the next weights load meanwhile. It ends 2A - 2 cycles after its last row has entered. The
first waits for its weights, 2A - 1 cycles, and for what brings operands in: an instruction a cycle
for every block of either operand, or the first blocks' bytes.

The rule follows the core's description and was held to nine of its runs; it gives seven exactly,
and is 2 and 77 cycles short in two, where the memory of those runs shows. See
``tests/compare/test_onnxim.py``.
"""

from __future__ import annotations

from archsim.compare.account import Account, Peer, ideal
from archsim.compare.shapes import Shape

TITLE = "ONNXim a1e8629"
LEAST_STEP = 4  # cycles from instruction to instruction, at least
ISSUE_CYCLES = 3  # from issuing the last load of a tile to the first instruction
ARRIVAL_CYCLES = 5  # the same, where bytes are what it waits for
LOAD_ELEMENTS = 2048  # that arrive in a cycle, in the runs that the rule was held to


def account(shape: Shape, rows: int, cols: int, dataflow: str = "ws") -> Account:
    m, n, k, side = shape.m, shape.n, shape.k, rows
    across, down, deep = -(-n // side), -(-m // side), -(-k // side)
    count = across * down * deep
    last_rows = max(m - (down - 1) * side, LEAST_STEP)
    steps = (count - 1) * max(side, LEAST_STEP) + last_rows
    first = (min(m, side) + min(n, side)) * k
    least, streamed = ideal(shape, side, side), across * deep * m
    terms = {
        "ideal": least,
        "edges": streamed - least,
        "short": steps - streamed,
        "preload": count * (2 * side - 1),
        "skew": count * (2 * side - 2),
        "overlap": -(count - 1) * (4 * side - 3),
        "overhead": max(
            down + across + ISSUE_CYCLES, -(-first // LOAD_ELEMENTS) + ARRIVAL_CYCLES
        ),
    }  # fmt: skip
    return Account(TITLE, dataflow, terms)


PEER = Peer("onnxim", TITLE, ("ws",), account, square=True)
