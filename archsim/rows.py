"""One op on many designs: the steps of all of them as rows of arrays."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Env, Ints, SpecBatch
from archsim.mapper import footprints_bytes
from archsim.mapping import GemmMapping, GemmMappings, Loops, SliceMapping
from archsim.mapping import Mapping as OpMapping
from archsim.memory import DramBatch
from archsim.plan import Tiles, Unit
from archsim.planner import extra_bytes, is_product, product_of, product_tiles, stored_by
from archsim.product import Product
from archsim.slices import MAX_SLICES, Whole, slice_tiles
from archsim.trace import Op, Tensor

BLOCK = 1 << 13  # rows worked on at a time, so that they stay in cache
Masks = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class UnitBatch:
    """One engine of many designs.

    Parameters
    ----------
    unit
        Of one of them.
    env
        The same for all.
    specs, spec_of
        The specs that differ in what cycles depend on, and the number of each design's.
    num, den
        The clocks' periods in ps, as fractions: [designs].
    """

    unit: Unit
    env: Env
    specs: SpecBatch
    spec_of: list[int]
    num: Ints
    den: Ints


# ---------------------------------------------------------------------------------------- tiles


@dataclass(frozen=True, slots=True)
class Cut:
    """An op cut by a mapping for each design.

    Tiles depend on mapping and engine alone, so designs that agree in both share a variant.

    Parameters
    ----------
    specs, steps, room_bytes
        Engine, number of steps and buffer for the tiles: [variants].
    variant_of
        Variant of each design: [designs].
    tiles
        ``(variants, step) -> Tiles``: the given steps of the given variants.
    """

    unit: UnitBatch
    specs: SpecBatch
    steps: Ints
    room_bytes: Ints
    variant_of: Ints
    tiles: Callable[[Ints, Ints], Tiles]


def cut(
    op: Op, tensors: Mapping[str, Tensor], unit: UnitBatch, mappings: Sequence[OpMapping]
) -> Cut | None:
    """Return an op cut by a mapping for each design; None if one of them is no mapping of it."""
    numbers: dict[tuple[OpMapping, int], int] = {}
    pairs = zip(mappings, unit.spec_of, strict=True)
    variant_of = np.array([numbers.setdefault(pair, len(numbers)) for pair in pairs])
    specs = unit.specs.take(np.array([spec for _, spec in numbers]))
    different = [mapping for mapping, _ in numbers]
    make = _product if is_product(unit.unit, op) else _slices
    found = make(op, tensors, unit.unit, specs, different)
    return found and Cut(unit, specs, found[0], found[1], variant_of, found[2])


_Found = tuple[Ints, Ints, Callable[[Ints, Ints], Tiles]]


def _product(
    op: Op, tensors: Mapping[str, Tensor], unit: Unit, specs: SpecBatch, mappings: list[OpMapping]
) -> _Found | None:
    sum_bits = unit.engine.sum_bits
    assert sum_bits is not None
    chosen = [x for x in mappings if isinstance(x, GemmMapping)]
    product = product_of(op, tensors, 0)

    def of(specs: SpecBatch) -> Product:
        stored = stored_by(unit.engine, specs, op, tensors)
        return replace(product, acc_bits=sum_bits(specs), stored=stored)

    many = GemmMappings.of(chosen)
    if len(chosen) < len(mappings) or not many.cut(product.gemm).all():
        return None
    loops, extra = Loops.of_many(product, many), extra_bytes(op, tensors)

    def tiles(variants: Ints, step: Ints) -> Tiles:
        mine = specs.take(variants)
        return product_tiles(unit.engine, mine, op, of(mine), loops.take(variants), extra, step)

    room_bytes = footprints_bytes(of(specs), many)
    return np.asarray(loops.count), room_bytes, tiles


def _slices(
    op: Op, tensors: Mapping[str, Tensor], unit: Unit, specs: SpecBatch, mappings: list[OpMapping]
) -> _Found | None:
    chosen = [x.slices for x in mappings if isinstance(x, SliceMapping)]
    if len(chosen) < len(mappings) or not all(0 < n <= MAX_SLICES for n in chosen):
        return None
    whole, slices = Whole.of(op, tensors), np.array(chosen, np.int64)

    def tiles(variants: Ints, step: Ints) -> Tiles:
        mine = specs.take(variants)
        return slice_tiles(unit.engine, mine, op, whole, slices[variants], step)

    return slices, whole.room_bytes(slices), tiles


# ---------------------------------------------------------------------------------------- rows


@dataclass(frozen=True, slots=True)
class Ragged:
    """Members with a count of steps each, as rows: in order of step, then by falling count.

    Parameters
    ----------
    order
        Members by falling count: the rows of step 0.
    starts
        Where the rows of each step begin, and the end of the last: those of a step are a prefix
        of those of the step before.
    """

    order: Ints
    starts: Ints

    @classmethod
    def of(cls, count: Ints) -> Ragged:
        order = np.argsort(-count, kind="stable")
        taking = np.searchsorted(-count[order], -np.arange(count.max()))
        return cls(order, np.concatenate([[0], np.cumsum(taking)]))

    def rows(self, first: int, last: int) -> tuple[Ints, Ints]:
        """Return member and step of the rows of steps [first, last)."""
        starts = self.starts[first : last + 1]
        step = np.repeat(np.arange(first, last), np.diff(starts))
        place = np.arange(starts[0], starts[-1]) - self.starts[step]
        return self.order[place], step


@dataclass(frozen=True, slots=True)
class Rows:
    """What DMA and engine do for one op on many designs; see `plan.Moves`.

    Parameters
    ----------
    designs
        How rows stand for steps of designs.
    load_ps, store_ps, work
        By row; ``work`` is cycles times the clock period's numerator.
    last
        By place in ``designs.order``: the row of a design's last step.
    first_ps, rest_ps
        By design: the load of step 0, with and without what may have been prefetched.
    dram_bytes, dma_ps
        By design: of all steps, but for the time of the first load.
    longest_ps
        By design: a time that the op cannot exceed, about.
    """

    designs: Ragged
    load_ps: Ints
    store_ps: Ints
    work: Ints
    last: Ints
    first_ps: Ints
    rest_ps: Ints
    dram_bytes: Ints
    dma_ps: Ints
    longest_ps: Floats


def rows_of(
    cut: Cut,
    dram: DramBatch,
    prefetch_bytes: Ints,
    held_inputs: Sequence[Masks | None],
    held_output: Masks | None,
) -> Rows:
    """Return the rows of an op, given what each design prefetches of it and holds on chip.

    Parameters
    ----------
    held_inputs, held_output
        Masks of shape [designs]; None where no design does.
    """
    count = cut.steps[cut.variant_of]
    variants, designs = Ragged.of(cut.steps), Ragged.of(count)
    place = np.argsort(variants.order)[cut.variant_of]  # of a design's variant in each step
    load_ps, store_ps, work = np.empty((3, designs.starts[-1]), np.int64)
    dram_bytes, dma_ps = np.zeros((2, len(count)), np.int64)
    unit, worked = cut.unit, np.zeros(len(count))
    rest_ps = np.zeros(0, np.int64)
    first = 0
    while first < count.max():
        last = int(np.searchsorted(designs.starts, designs.starts[first] + BLOCK, side="right")) - 1
        last = max(last, first + 1)
        member, step = variants.rows(first, last)
        tiles = cut.tiles(member, step)
        timing = unit.unit.engine.time(cut.specs.take(member), tiles.jobs, unit.env)

        mine, step = designs.rows(first, last)
        at = variants.starts[step] - variants.starts[first] + place[mine]
        loads, stores = _bytes(tiles, at, mine, held_inputs, held_output)
        rows = slice(designs.starts[first], designs.starts[last])
        load_ps[rows] = dram.transfer_ps(loads, mine)
        store_ps[rows] = dram.transfer_ps(stores, mine)
        work[rows] = (timing.occupied * tiles.repeat)[at] * unit.num[mine]
        worked += np.bincount(mine, work[rows], len(count))
        dram_bytes += _totals(loads + stores, mine, len(count))
        dma_ps += _totals(load_ps[rows] + store_ps[rows], mine, len(count))
        if first == 0:
            rest_ps = dram.transfer_ps(loads[: len(count)] - prefetch_bytes[designs.order], mine)
        first = last
    back = np.argsort(designs.order)
    final = designs.starts[count[designs.order] - 1] + np.arange(len(count))
    first_ps = load_ps[back]
    longest_ps = (
        dma_ps + count * (dram.latency_ps + 2.0) + (worked + 2 * count * unit.num) / unit.den
    )
    return Rows(
        designs, load_ps, store_ps, work, final, first_ps, rest_ps[back], dram_bytes,
        dma_ps - first_ps, longest_ps,
    )  # fmt: skip


def _bytes(
    tiles: Tiles,
    at: Ints,
    designs: Ints,
    held_inputs: Sequence[Masks | None],
    held_output: Masks | None,
) -> tuple[Ints, Ints]:
    """Return what rows load and store, each row being a tile on a design."""
    streamed = [held is None for held in held_inputs]
    always = sum(itertools.compress(tiles.load_bytes, streamed), tiles.partial_bytes)
    loads = always[at]
    for size, held in zip(tiles.load_bytes, held_inputs, strict=True):
        if held is not None:
            loads += size[at] * ~held[designs]
    stores = tiles.store_bytes[at]
    if held_output is not None:
        stores *= ~(tiles.final[at] & held_output[designs])
    return loads, stores


def _totals(values: Ints, designs: Ints, count: int) -> Ints:
    """Return sums by design; exact, as none comes near 2^53."""
    return np.bincount(designs, values, count).astype(np.int64)
