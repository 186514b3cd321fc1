"""Products beside each other by two accounts, and one product by all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archsim.compare import onnxim, ours, scalesim, stonne
from archsim.compare.account import TERMS, Account, Peer
from archsim.compare.shapes import Shape
from archsim.errors import InputError

PEERS: tuple[Peer, ...] = (scalesim.PEER, stonne.PEER, onnxim.PEER)


@dataclass(frozen=True, slots=True)
class Row:
    """A product's cycles by a peer's account and ours; ``why`` adds up to the difference."""

    shape: Shape
    peer: str
    peer_cycles: int
    archsim_cycles: int
    why: str

    def to_dict(self) -> dict[str, Any]:
        s = self.shape
        return {
            "name": s.name, "M": s.m, "N": s.n, "K": s.k,
            f"{self.peer}_cycles": self.peer_cycles, "archsim_cycles": self.archsim_cycles,
            "why": self.why,
        }  # fmt: skip


def compare(peer: Peer, shapes: Sequence[Shape], rows: int, cols: int, dataflow: str) -> list[Row]:
    """Return a row a shape, in order.

    Raises
    ------
    InputError
        If the peer or the systolic engine has no such array or dataflow.
    """
    peer.check(rows, cols, dataflow)
    if dataflow not in ours.DATAFLOWS:
        raise InputError(
            "--dataflow",
            f"must be a dataflow that the systolic engine has: {', '.join(ours.DATAFLOWS)}",
            dataflow,
        )
    found = []
    for shape, count in zip(shapes, ours.cycles(shapes, rows, cols, dataflow), strict=True):
        theirs = peer.account(shape, rows, cols, dataflow)
        why = _why(theirs, ours.account(shape, rows, cols, dataflow))
        found.append(Row(shape, peer.name, theirs.cycles, count, why))
    return found


def _why(theirs: Account, mine: Account) -> str:
    changes = ((mine[term] - theirs[term], meaning) for term, meaning in TERMS.items())
    return "; ".join(f"{change:+,} {meaning}" for change, meaning in changes if change)


def explain(shape: Shape, rows: int, cols: int) -> list[Account]:
    """Return every account that there is of a product: ours by dataflow, then the peers'."""
    accounts = [ours.account(shape, rows, cols, dataflow) for dataflow in ours.DATAFLOWS]
    for peer in PEERS:
        if not peer.square or rows == cols:
            accounts += [peer.account(shape, rows, cols, d) for d in peer.dataflows]
    return accounts
