"""What people type for a block of barrel cores that runs SMASH, and what its threads are told.

A block is multi-threaded cores (MTC), which issue an instruction a cycle, from one of their threads
after the other, single-threaded cores (STC) for what is serial, a scratchpad in banks, which does
atomics, and DMA.
The variants of SMASH differ in three choices, each of which can be made by itself:

=========  ======================  =====================  ==================================
algorithm  rows go to threads      slots are taken by     finished windows are written by
=========  ======================  =====================  ==================================
smash_v1   by number (static)      high bits of columns   threads, which scan, sort and store
smash_v2   when one is free (row)  low bits               threads, which scan and store
smash_v3   a nonzero at a time     low bits               DMA, from dense arrays
=========  ======================  =====================  ==================================
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from archsim.engines import EngineSpec
from archsim.sparse.hashing import HashRule, Scheme

Algorithm = Literal["smash_v1", "smash_v2", "smash_v3"]
Grain = Literal["static", "row", "nonzero"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
GRAINS: dict[Algorithm, Grain] = {"smash_v1": "static", "smash_v2": "row", "smash_v3": "nonzero"}
SCHEMES: dict[Algorithm, Scheme] = {"smash_v1": "high", "smash_v2": "low", "smash_v3": "low"}
WORD_BYTES = 8  # of an index, a pointer, a value
ENTRY_BYTES = 2 * WORD_BYTES  # an index and a value; a slot's tag and its value, or offset
OUTSIDE_INSTRUCTIONS = 3  # of an entry of B beyond the window's columns: load, compare, loop
OPERATIONS = 100_000  # products that are simulated operation by operation, at most


def _count(least: int, most: int, text: str) -> object:
    return Field(ge=least, le=most, description=text)


class PiumaSpec(EngineSpec):
    """Barrel cores around a scratchpad, which multiply sparse matrices as SMASH does.

    ``instruction_cycles`` and the fields ``..._instructions`` are a budget, fitted on one product.
    """

    kind: Literal["piuma"] = "piuma"
    algorithm: Annotated[Algorithm, Field(description="the variant of SMASH")] = "smash_v3"
    hash: Annotated[
        Literal["algorithm", "high", "low", "multiplicative"],
        Field(description="what of a column chooses its slot; algorithm: as the variant has it"),
    ] = "algorithm"
    token: Annotated[
        Literal["algorithm", "static", "row", "nonzero"],
        Field(description="what a thread takes at a time: rows by number, a row, a nonzero of A"),
    ] = "algorithm"
    eviction: Annotated[
        Literal["window", "rolling"],
        Field(
            description="window: all entries at the window's end; rolling (a what-if): each when "
            "it is complete, with neither scan nor barrier"
        ),
    ] = "window"
    detail: Annotated[
        Literal["token", "operation"],
        Field(description=f"operation: each load and atomic, up to {OPERATIONS:,} products"),
    ] = "token"

    mtcs: Annotated[int, _count(1, 64, "multi-threaded cores")] = 4
    threads: Annotated[int, _count(1, 64, "threads of a multi-threaded core")] = 16
    stcs: Annotated[int, _count(0, 8, "single-threaded cores; one of them does serial work")] = 2
    spad_bytes: Annotated[int, _count(4096, 1 << 26, "scratchpad: hash table, dense arrays")] = (
        4 << 20
    )
    spad_banks: Annotated[int, _count(1, 256, "banks of the scratchpad")] = 8
    dense: Annotated[
        Literal["spad", "dram"], Field(description="where smash_v3 keeps its two dense arrays")
    ] = "spad"
    fill: Annotated[
        float, Field(ge=0.01, le=1, description="products of a window over slots of the table")
    ] = 0.25
    grain_bytes: Annotated[
        Literal[8, 32, 64], Field(description="of an access to DRAM: B's rows are rounded to it")
    ] = 8

    alu_cycles: Annotated[int, _count(1, 64, "from one instruction of a thread to its next")] = 4
    spad_cycles: Annotated[int, _count(1, 1000, "a scratchpad access takes")] = 16
    atomic_cycles: Annotated[int, _count(1, 1000, "an atomic in the scratchpad takes")] = 20
    atomic_busy_cycles: Annotated[int, _count(1, 64, "an atomic holds its bank")] = 2
    dram_cycles: Annotated[int, _count(1, 10_000, "an access to DRAM takes")] = 120
    dma_bytes: Annotated[int, _count(1, 1024, "that DMA moves in a cycle")] = 8
    dma_cycles: Annotated[int, _count(0, 10_000, "to set a transfer up")] = 40
    barrier_cycles: Annotated[
        int, _count(0, 10_000, "of a barrier, beside two for each doubling of threads")
    ] = 30

    instruction_cycles: Annotated[
        int, _count(1, 1000, "mean cycles of a thread's instruction, unless threads crowd it")
    ] = 28
    product_instructions: Annotated[int, _count(0, 10_000, "of a scalar product")] = 20
    probe_instructions: Annotated[int, _count(0, 10_000, "of a slot looked at")] = 5
    insert_instructions: Annotated[int, _count(0, 10_000, "of a new entry")] = 4
    dense_instructions: Annotated[int, _count(0, 10_000, "of a new entry of smash_v3")] = 10
    scan_instructions: Annotated[int, _count(0, 10_000, "of a slot scanned and cleared")] = 16
    emit_instructions: Annotated[int, _count(0, 10_000, "of an entry stored by a thread")] = 6
    sort_instructions: Annotated[int, _count(0, 10_000, "of an entry sorted, in smash_v1")] = 135
    token_instructions: Annotated[int, _count(0, 10_000, "of a token taken")] = 8
    dma_instructions: Annotated[int, _count(0, 10_000, "of a window given to DMA")] = 30
    bound_instructions: Annotated[
        int, _count(0, 10_000, "of a nonzero of A when windows are made")
    ] = 6

    @property
    def all_threads(self) -> int:
        """Threads of all multi-threaded cores."""
        return self.mtcs * self.threads

    @property
    def grain(self) -> Grain:
        return GRAINS[self.algorithm] if self.token == "algorithm" else self.token

    @property
    def scans(self) -> bool:
        """Whether threads scan the table and store its entries."""
        return self.algorithm != "smash_v3" and self.eviction == "window"

    @property
    def drains(self) -> bool:
        """Whether DMA stores entries from dense arrays."""
        return self.algorithm == "smash_v3" and self.eviction == "window"

    @property
    def sorts(self) -> bool:
        return self.algorithm == "smash_v1" and self.scans

    @property
    def entry_instructions(self) -> int:
        """Of a new entry, in the table."""
        dense = self.algorithm == "smash_v3"
        return self.dense_instructions if dense else self.insert_instructions

    @property
    def slots(self) -> int:
        """Of the hash table."""
        return self.rule.slots

    @property
    def rule(self) -> HashRule:
        """The hash table: what the scratchpad holds beside dense arrays, if they are there."""
        beside = 2 * self.fill if self.drains and self.dense == "spad" else 0.0
        slots = int(self.spad_bytes / (ENTRY_BYTES * (1 + beside)))
        scheme = SCHEMES[self.algorithm] if self.hash == "algorithm" else self.hash
        return HashRule(slots, max(1, int(slots * self.fill)), scheme)
