"""An account of one product's cycles: terms that every tool can be read in, with their sum.

Tools differ in what they charge and in what they let overlap. Written in the same terms, the
difference of two counts is the sum of the differences of their terms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from archsim.compare.shapes import Shape
from archsim.errors import InputError

TERMS: Mapping[str, str] = MappingProxyType(
    {
        "ideal": "MACs over PEs",
        "edges": "PEs that idle beyond ragged edges",
        "short": "folds shorter than what follows them needs",
        "preload": "loading what stays in the PEs",
        "skew": "filling and emptying the diagonal",
        "drain": "results on their way out",
        "overlap": "preload and skew that hide behind other folds",
        "overhead": "what a job or a fold costs besides",
    }
)


@dataclass(frozen=True, slots=True)
class Account:
    """Cycles by term, of those in `TERMS`; a term that is not there is none."""

    tool: str
    dataflow: str
    terms: Mapping[str, int]

    def __post_init__(self) -> None:
        if unknown := set(self.terms) - set(TERMS):
            raise ValueError(f"terms must be of {', '.join(TERMS)}, not {sorted(unknown)}")

    @property
    def cycles(self) -> int:
        return sum(self.terms.values())

    def __getitem__(self, term: str) -> int:
        return self.terms.get(term, 0)


@dataclass(frozen=True, slots=True)
class Peer:
    """Another tool's way to count.

    Parameters
    ----------
    name
        On the command line, and in the key ``NAME_cycles``.
    title
        With the version whose runs the rule was held to.
    dataflows
        Those that its rule is known for.
    account
        ``(shape, rows, cols, dataflow) -> Account``.
    square
        Whether its array must be square.
    """

    name: str
    title: str
    dataflows: tuple[str, ...]
    account: Callable[[Shape, int, int, str], Account]
    square: bool = False

    def check(self, rows: int, cols: int, dataflow: str) -> None:
        """Raise `InputError` if the tool has no such array."""
        if dataflow not in self.dataflows:
            raise InputError(
                "--dataflow",
                f"must be one that {self.title} has a rule for: {', '.join(self.dataflows)}",
                dataflow,
            )
        if self.square and rows != cols:
            raise InputError("--array", f"must be square for {self.title}", f"{rows}x{cols}")


def ideal(shape: Shape, rows: int, cols: int) -> int:
    """Return the cycles in which PEs that never idle do the product."""
    return -(-shape.m * shape.n * shape.k // (rows * cols))
