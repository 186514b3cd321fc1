"""The op kind ``field``: a frame's queries of a neural field, as a trace says them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archsim.errors import InputError
from archsim.trace import Attr, Op

KIND = "field"
SAMPLES, TABLES, NETWORKS = 0, 1, 2  # what an op's inputs are


@dataclass(frozen=True, slots=True)
class Field:
    """A batch of queries: each reads entries of tables and goes through small matrices.

    Parameters
    ----------
    app, scene, order
        Where the queries come from, and the order in which they are issued.
    encoding
        Text of an `Encoding`, or the name of another representation with its numbers.
    queries, pixels
        Of the whole batch: of a frame.
    in_bytes, out_bytes
        Of one query's record and of its answer.
    reads
        Entries that a query reads, and values of each.
    layers
        Inputs and outputs of every matrix that a query goes through.
    macs
        Multiply-accumulates of one query: those of its matrices, and any beside them.
    gpu_us, rest_share, basis
        Time of the whole frame on the GPU that is compared with, the share of it that stays on the
        GPU, and how far to trust both.
    """

    app: str
    scene: str
    order: str
    encoding: str
    queries: int
    pixels: int
    in_bytes: int
    out_bytes: int
    reads: tuple[tuple[int, int], ...]
    layers: tuple[tuple[int, int], ...]
    macs: int
    gpu_us: float
    rest_share: float
    basis: str

    def attrs(self) -> Mapping[str, Attr]:
        """Return what an op of the kind carries."""
        return {
            "app": self.app, "scene": self.scene, "order": self.order, "encoding": self.encoding,
            "work": self.queries, "pixels": self.pixels, "in_bytes": self.in_bytes,
            "out_bytes": self.out_bytes, "reads": tuple(x for pair in self.reads for x in pair),
            "layers": tuple(x for pair in self.layers for x in pair), "macs": self.macs,
            "gpu_us": self.gpu_us, "rest_share": self.rest_share, "basis": self.basis,
        }  # fmt: skip

    @classmethod
    def of(cls, op: Op) -> Field:
        """Return what an op of the kind says.

        Raises
        ------
        InputError
            If its numbers cannot be those of queries.
        """
        where = f"op {op.name!r}"
        given: dict[str, Any] = dict(op.attrs)
        queries = given.pop("work")
        pairs = {name: _pairs(op.ints_attr(name), f"{where}: {name}") for name in _PAIRED}
        found = cls(queries=queries, **given | pairs)
        if found.gpu_us <= 0 or not 0 <= found.rest_share <= 1:
            raise InputError(
                f"{where}: gpu_us, rest_share", "must be above 0, and from 0 to 1",
                (found.gpu_us, found.rest_share),
            )  # fmt: skip
        return found


_PAIRED = ("reads", "layers")


def _pairs(numbers: tuple[int, ...], where: str) -> tuple[tuple[int, int], ...]:
    if len(numbers) % 2 or 0 in numbers:
        raise InputError(where, "must be pairs of numbers above 0", numbers)
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))
