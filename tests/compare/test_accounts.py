"""Rules written a second time and compared on many products; terms that add up."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

from archsim.compare import onnxim, ours, scalesim, stonne
from archsim.compare.account import TERMS, Account
from archsim.compare.shapes import Shape
from archsim.compare.table import PEERS, compare, explain
from archsim.errors import InputError

COUNT = 10_000
Case = tuple[Shape, int, int]


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    """Return random products on random arrays, small and ragged ones as likely as large ones."""
    rng = np.random.default_rng(8)
    sides = rng.integers(1, 24, (COUNT, 2))
    mnk = np.exp(rng.uniform(0, np.log(15 * sides.min(axis=1)), (3, COUNT)).T).astype(int)
    return [
        (Shape("x", *map(int, extents)), *map(int, side))
        for extents, side in zip(mnk, sides, strict=True)
    ]


def pieces(extent: int, side: int) -> Iterator[int]:
    """Yield the lengths that a side cuts an extent into, one by one."""
    for start in range(0, extent, side):
        yield min(side, extent - start)


def scalesim_by_fold(shape: Shape, rows: int, cols: int, dataflow: str) -> int:
    """Add up a whole array's folds along two extents; the third streams through all of them."""
    down, across, stream, loaded = {
        "os": (shape.m, shape.n, shape.k, 0),
        "ws": (shape.k, shape.n, shape.m, rows),
        "is": (shape.k, shape.m, shape.n, rows),
    }[dataflow]
    total = 0
    for _ in pieces(down, rows):
        total += math.ceil(across / cols) * (loaded + stream + (rows - 1) + (cols - 1))
    return total - 1


def stonne_by_tile(shape: Shape, rows: int, cols: int) -> int:
    total = 0
    widths = list(pieces(shape.n, cols))
    for m in pieces(shape.m, rows):
        for n in widths:
            total += shape.k + m + n + (2 if min(m, n) == 1 else 3)
    return total


def onnxim_by_instruction(shape: Shape, side: int) -> int:
    """Run the core: a list of instructions, each with its first and its last cycle."""
    loads = math.ceil(shape.m / side) + math.ceil(shape.n / side)
    first = (min(shape.m, side) + min(shape.n, side)) * shape.k
    start = max(loads + 3, math.ceil(first / 2048) + 5) + 2 * side - 1
    end, previous = 0, None
    rows = list(pieces(shape.m, side))
    deep = math.ceil(shape.k / side)
    for _ in pieces(shape.n, side):
        for height in rows:
            for _ in range(deep):
                if previous is not None:
                    start += max(previous, 4, side)
                end = start + 2 * side - 2 + max(height, 4)
                previous = height
    return end


@pytest.mark.parametrize("dataflow", ["os", "ws", "is"])
def test_scalesim_is_the_sum_of_its_folds(cases: list[Case], dataflow: str) -> None:
    for shape, rows, cols in cases:
        found = scalesim.cycles(shape, rows, cols, dataflow)
        assert found == scalesim_by_fold(shape, rows, cols, dataflow), (shape, rows, cols)


def test_stonne_is_the_sum_of_its_tiles(cases: list[Case]) -> None:
    for shape, rows, cols in cases:
        found = stonne.account(shape, rows, cols).cycles
        assert found == stonne_by_tile(shape, rows, cols), (shape, rows, cols)


def test_onnxim_is_the_end_of_its_instructions(cases: list[Case]) -> None:
    for shape, _, cols in cases:
        found = onnxim.account(shape, cols, cols).cycles
        assert found == onnxim_by_instruction(shape, cols), (shape, cols)


@pytest.mark.parametrize("dataflow", ours.DATAFLOWS)
def test_our_terms_add_up_to_what_the_engine_takes(cases: list[Case], dataflow: str) -> None:
    large = [(Shape("x", *mnk), 16, 8) for mnk in product((255, 256, 700), repeat=3)]
    for shape, rows, cols in [*cases[:2000], *large]:
        (cycles,) = ours.cycles([shape], rows, cols, dataflow)
        assert ours.account(shape, rows, cols, dataflow).cycles == cycles, (shape, rows, cols)


def test_terms_have_their_sign(cases: list[Case]) -> None:
    """Only what hides is negative, but for SCALE-Sim's missing cycle."""
    for shape, rows, cols in cases[:1000]:
        for account in explain(shape, rows, cols):
            for term in TERMS:
                if term == "overlap":
                    assert account[term] <= 0
                elif (account.tool, term) != (scalesim.TITLE, "overhead"):
                    assert account[term] >= 0, (account, shape, rows, cols)


def test_every_account_is_explained() -> None:
    everything = [(x.tool, x.dataflow) for x in explain(Shape("x", 5, 6, 7), 4, 4)]
    mine = [("archsim", d) for d in ours.DATAFLOWS]
    assert everything == [*mine, *((p.title, d) for p in PEERS for d in p.dataflows)]
    tools = {x.tool for x in explain(Shape("x", 5, 6, 7), 4, 8)}
    assert tools == {"archsim", scalesim.TITLE, stonne.TITLE}  # ONNXim's core is square


def test_why_adds_up_to_the_difference(cases: list[Case]) -> None:
    for peer in PEERS:
        for shape, rows, cols in cases[:300]:
            side = rows if peer.square else cols
            dataflow = peer.dataflows[0]
            if dataflow not in ours.DATAFLOWS:
                continue
            (row,) = compare(peer, [shape], rows, side, dataflow)
            counts = [int(part.split()[0].replace(",", "")) for part in row.why.split("; ") if part]
            assert sum(counts) == row.archsim_cycles - row.peer_cycles


def test_why_names_only_the_terms_that_count() -> None:
    shapes = [Shape("x", 8, 8, 32), Shape("y", 20, 16, 5)]
    one_fold, many = compare(scalesim.PEER, shapes, 8, 8, "os")
    assert one_fold.why == ("+2 results on their way out; +1 what a job or a fold costs besides")
    assert many.to_dict() == {
        "name": "y", "M": 20, "N": 16, "K": 5, "scalesim_cycles": 113, "archsim_cycles": 57,
        "why": "+15 folds shorter than what follows them needs; "
        "-4 filling and emptying the diagonal; +2 results on their way out; "
        "-70 preload and skew that hide behind other folds; "
        "+1 what a job or a fold costs besides",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("peer", "arguments", "message"),
    [
        (
            scalesim.PEER, (8, 8, "rs"),
            "--dataflow: must be one that SCALE-Sim 3.0.0 has a rule for: os, ws, is, not 'rs'",
        ),
        (
            stonne.PEER, (8, 8, "ws"),
            "--dataflow: must be one that STONNE 22634b8 has a rule for: os, not 'ws'",
        ),
        (
            onnxim.PEER, (8, 8, "os"),
            "--dataflow: must be one that ONNXim a1e8629 has a rule for: ws, not 'os'",
        ),
        (onnxim.PEER, (8, 4, "ws"), "--array: must be square for ONNXim a1e8629, not '8x4'"),
    ],
)  # fmt: skip
def test_refuses_what_a_peer_has_no_rule_for(
    peer: scalesim.Peer, arguments: tuple[int, int, str], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        compare(peer, [Shape("x", 1, 1, 1)], *arguments)
    assert str(caught.value) == message


def test_an_account_has_known_terms_only() -> None:
    with pytest.raises(ValueError, match=r"terms must be of ideal, .*, not \['magic'\]"):
        Account("x", "os", {"magic": 1})
