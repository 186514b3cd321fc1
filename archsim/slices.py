"""Ops that are no products: cut into even slices of all that they read, write and work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Engine, Ints
from archsim.errors import InfeasibleError
from archsim.mapping import STREAM_TILES, SliceMapping
from archsim.plan import Site, Tiles, env_of
from archsim.trace import DTYPE_BITS, Op, Packed, Tensor

MAX_SLICES = 1 << 16


@dataclass(frozen=True, slots=True)
class Slices:
    """Even slices of an op: what `Engine.lower` gets for ops that are not products.

    Parameters
    ----------
    work, results
        Of each slice: work in the engine's unit, and elements that it writes.
    first
        Which slice is an op's first: what is done once an op is done there. None is, while the
        mapping search looks for a number of slices.
    all_work, all_results, operands, dtypes
        Of the whole op: work, elements that it writes, elements of each input, types of inputs and
        outputs.
    operand_bytes, packed
        Of each input as it lies in memory, packed, sparse or whole, what is read twice counted
        once; and how it is packed, if it is.
    """

    work: Ints
    results: Ints
    first: NDArray[np.bool_]
    all_work: int
    all_results: int
    operands: tuple[int, ...]
    operand_bytes: tuple[int, ...]
    packed: tuple[Packed | None, ...]
    dtypes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Whole:
    """What an op that is not a product reads, writes and works, to be cut into slices.

    Parameters
    ----------
    input_bytes
        By input of the op; what it reads twice counts once.
    work
        In the engine's unit: lane operations, or elements.
    results, operands, packed, dtypes
        See `Slices`.
    element_bits
        By direction: of what the op reads first, and of what it writes.
    """

    input_bytes: tuple[int, ...]
    output_bytes: int
    work: int
    results: int
    operands: tuple[int, ...]
    packed: tuple[Packed | None, ...]
    dtypes: tuple[str, ...]
    element_bits: Mapping[str, int]

    @classmethod
    def of(cls, op: Op, tensors: Mapping[str, Tensor]) -> Whole:
        output = sum(tensors[name].size_bytes for name in op.outputs)
        # a move reads no more than it writes: a gather, the rows that it picks of its table
        most = output if op.kind == "move" else None
        sizes = {n: min(tensors[n].size_bytes, most or tensors[n].size_bytes) for n in op.inputs}
        inputs = tuple(sizes.pop(name, 0) for name in op.inputs)
        asked = op.attrs.get("work", op.attrs.get("products"))
        elements = max(sum(tensors[name].elements for name in op.outputs), 1)
        firsts = {"in": op.inputs[:1], "out": op.outputs[:1]}
        return cls(
            inputs, output, asked if isinstance(asked, int) else elements, elements,
            tuple(tensors[name].elements for name in op.inputs),
            tuple(x if isinstance(x := tensors[n].data, Packed) else None for n in op.inputs),
            tuple(tensors[name].dtype for name in (*op.inputs, *op.outputs)),
            {way: DTYPE_BITS[tensors[n].dtype] for way, names in firsts.items() for n in names},
        )  # fmt: skip

    def slices(self, work: Ints, results: Ints, step: Ints | None = None) -> Slices:
        """Return slices of so much work and so many results; an empty one counts as one."""
        first = np.zeros(len(work), bool) if step is None else step == 0
        return Slices(
            np.maximum(work, 1), np.maximum(results, 1), first, self.work, self.results,
            self.operands, self.input_bytes, self.packed, self.dtypes,
        )  # fmt: skip

    def room_bytes(self, slices: Any) -> Any:
        """Return the buffer bytes of two slices: the one in use and the one being loaded."""
        return STREAM_TILES * (
            -(-sum(self.input_bytes) // slices) + -(-self.output_bytes // slices)
        )


def slice_of(total: int, slices: Any, number: Ints) -> Ints:
    """Return what the numbered slices have of a total: slices differ by at most one."""
    return np.asarray((number + 1) * total // slices - number * total // slices)


def slice_tiles(engine: Engine, spec: Any, op: Op, whole: Whole, slices: Any, step: Ints) -> Tiles:
    """Return slices of an op: of one mapping, or with a spec and a number of slices for each."""
    own = whole.slices(
        slice_of(whole.work, slices, step), slice_of(whole.results, slices, step), step
    )
    loads = tuple(slice_of(size, slices, step) for size in whole.input_bytes)
    store = slice_of(whole.output_bytes, slices, step)
    ones = np.ones_like(step)
    return Tiles(engine.lower(spec, op, own), ones, loads, 0 * ones, store, ones > 0)


def search_slices(site: Site, op: Op, whole: Whole) -> SliceMapping:
    """Return the power-of-two number of slices with the least time by the mapping objective.

    All of them move the same bytes and do the same work, so that is the least of every objective.
    """
    unit, dram = site.unit, site.dram
    counts = 2 ** np.arange(min(MAX_SLICES, max(whole.work, 1)).bit_length(), dtype=np.int64)
    counts = counts[counts <= MAX_SLICES]
    need = whole.room_bytes(counts)
    fits = need <= site.room_bytes
    if not fits.any():
        raise InfeasibleError(
            "the smallest slice", demand=int(need.min()), bound=site.room_bytes,
            unit="bytes of buffer", levers=("raise memories.buffer.capacity_bytes",),
        )  # fmt: skip
    counts = counts[fits]
    own = whole.slices(-(-whole.work // counts), -(-whole.results // counts))
    jobs = unit.engine.lower(unit.spec, op, own)
    cycles = unit.engine.time(unit.spec, jobs, env_of(unit, site.buffer)).occupied * counts
    period = unit.clock.period_ps
    compute_ps = -(-cycles * period.numerator // period.denominator)
    first = dram.transfer_ps(-(-sum(whole.input_bytes) // counts))
    last = dram.transfer_ps(-(-whole.output_bytes // counts))
    dma_ps = (first + last) * counts
    time_ps = first + last + np.maximum(compute_ps, dma_ps - first - last)
    return SliceMapping(int(counts[np.argmin(time_ps)]))
