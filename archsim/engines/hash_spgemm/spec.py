"""What a person types to get a hash SpGEMM engine, and the jobs that it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from archsim.engines import EngineSpec, Ints, Jobs
from archsim.sparse.hashing import HashRule

TAG_BITS = 32  # row and column of an entry of C, within its window
VALUE_BITS = 32
INDEX_BITS = 32  # column of an entry of A or B
WORD_BITS = 64  # of memory: an index and a value
ADDRESS_BITS = 32  # of words


class HashSpgemmSpec(EngineSpec):
    """Product lanes over a hash table in banks: sparse matrices multiplied a window at a time."""

    kind: Literal["hash_spgemm"] = "hash_spgemm"
    lanes: Annotated[int, Field(ge=1, le=4, description="lanes, each with a multiplier")] = 4
    banks: Literal[1, 2, 4] = Field(4, description="banks of the table, an operation a cycle each")
    slots: Annotated[int, Field(ge=16, le=1 << 16, description="entries that the table holds")] = (
        4096
    )
    slots_per_product: Literal[1, 2, 4, 8] = Field(
        2, description="slots of the table for each product of a window"
    )
    hash: Literal["multiplicative", "low", "high"] = Field(
        "multiplicative",
        description="what chooses a slot: all bits of the column, low or high ones",
    )
    token: Literal["nonzero", "row", "static"] = Field(
        "nonzero",
        description="what goes to a lane that is free: nonzeros of A or rows; static: rows in turn",
    )
    atomics: Literal["fused", "cas_add"] = Field(
        "fused", description="an addition takes no comparator, or one as a comparison does"
    )
    comparators: Literal[1, 2, 4] = Field(
        1, description="slots, a line, that an operation of a bank looks at"
    )
    write_back: Literal["dense", "scan"] = Field(
        "dense", description="walk a dense array of the slots that are taken, or the whole table"
    )
    queue: Annotated[int, Field(ge=2, le=64, description="words read ahead, of each stream")] = 8
    col_bits: Annotated[
        int, Field(ge=8, le=28, description="bits of a column in a tag; its row has the rest")
    ] = 20
    exact_limit: Annotated[
        int, Field(ge=0, description="products of an op up to which its cycles are exact")
    ] = 50_000

    @model_validator(mode="after")
    def _slots_in_banks(self) -> Self:
        if self.slots & (self.slots - 1):
            raise ValueError(f"slots must be a power of two, not {self.slots}")
        if self.slots < 2 * self.banks * self.comparators:
            least = 2 * self.banks * self.comparators
            raise ValueError(f"slots must be at least {least}, two lines a bank, not {self.slots}")
        return self

    @property
    def cap(self) -> int:
        """Products of a window, at most."""
        return self.slots // self.slots_per_product

    @property
    def row_limit(self) -> int:
        """Rows of a window, at most."""
        return 1 << TAG_BITS - self.col_bits

    @property
    def rule(self) -> HashRule:
        """How windows are cut and where entries go."""
        return HashRule(
            self.slots, self.cap, self.hash, "power_of_two", self.comparators, self.row_limit
        )


@dataclass(frozen=True, slots=True)
class WindowJobs(Jobs):
    """Windows of a product C = A B: rows [first, last) of A and C, columns [left, right) of C.

    Refs ``a`` and ``b`` name matrices as `archsim.sparse` stores them.

    Parameters
    ----------
    rest
        Rows of A behind the window.
    entries
        Nonzeros of A in the rows.
    walked
        Nonzeros of B that these meet: what is read.
    products, results
        Of those the ones within the columns, and the entries of C that they make.
    probes
        Slots that the products look at, one after another.
    exact
        Whether cycles are found cycle by cycle.
    """

    first: Ints
    last: Ints
    left: Ints
    right: Ints
    rest: Ints
    entries: Ints
    walked: Ints
    products: Ints
    results: Ints
    probes: Ints
    exact: NDArray[np.bool_]


Spec = Any  # HashSpgemmSpec or SpecBatch
