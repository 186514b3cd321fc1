"""An op's tiles in the scratchpad: which slot each has, and what stays there for a later op."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from archsim.errors import InfeasibleError, InputError
from archsim.hdl.descriptors import Geometry
from archsim.mapping import GemmMapping, GemmSteps, Loops, steps_at
from archsim.planner import product_of
from archsim.program.placement import Matrix, Planes, Reading, Region, keep
from archsim.schedule import Placed
from archsim.schedule import Program as Schedule
from archsim.trace import Op, Trace, as_gemm

OPERANDS = {"a": "mk", "b": "kn", "c": "mn"}  # axes of their tiles
MOST_PIXELS = 2**15 - 1  # along an axis of an image
Kept = Mapping[str, tuple[int, Planes]]  # by tensor: its first slot and its planes


class Slots:
    """The tiles of one operand in their region: a streamed one takes the slots in turn.

    Parameters
    ----------
    tiles
        Index of each step's tile.
    """

    def __init__(self, region: Region, tiles: list[tuple[int, ...]]) -> None:
        self._region, self._tiles = region, tiles
        self._turn, self._place = 0, dict[tuple[int, ...], int]()

    def fill(self, step: int) -> int:
        """Return the slot that a step's tile is put into."""
        self._place[self._tiles[step]] = self._turn
        self._turn += 1
        return self.of(step)

    def of(self, step: int) -> int:
        """Return the slot that a step's tile has."""
        if self._tiles[step] not in self._place:
            return self.fill(step)
        return self._region.at(self._place[self._tiles[step]])


@dataclass(frozen=True, slots=True)
class Tiled:
    """An op's tiles and their places.

    Parameters
    ----------
    tiles
        Index of each step's tile along m, n and k.
    """

    placed: Placed
    steps: GemmSteps
    tiles: Mapping[str, list[int]]
    planes: Planes
    regions: Mapping[str, Region]
    slots: Mapping[str, Slots]

    @classmethod
    def of(cls, placed: Placed, trace: Trace, geometry: Geometry, kept: Kept) -> Tiled:
        """Return the tiles of an op.

        Raises
        ------
        InputError
            If partial sums leave the buffer.
        InfeasibleError
            If a memory of the scratchpad is too small.
        """
        op, mapping, g = placed.op, placed.plan.mapping, geometry
        assert isinstance(mapping, GemmMapping)
        product = product_of(op, trace.tensors, g.acc_bits)
        loops = Loops.of(product, mapping)
        if loops.again_c and loops.trips_k > 1:
            raise InputError(
                f"mapping of {op.name!r}", "must keep partial sums in the buffer",
                f"{mapping.order}, resident {mapping.resident!r}",
                fix="give k innermost or whole, or c resident",
            )  # fmt: skip
        number = np.arange(loops.count, dtype=np.int64)
        trips = {axis: int(getattr(loops, f"trips_{axis}")) for axis in "mnk"}
        tiles = {
            axis: (number // getattr(loops, f"inside_{axis}") % trips[axis]).tolist()
            for axis in "mnk"
        }
        regions, planes = _regions(placed, mapping, trips, g, kept)
        slots = {
            name: Slots(regions[name], list(zip(*(tiles[axis] for axis in axes), strict=True)))
            for name, axes in OPERANDS.items()
        }
        return cls(placed, steps_at(product, loops, number), tiles, planes, regions, slots)

    def span(self, axis: str, step: int) -> tuple[int, int]:
        """Return where a step's tile begins along an axis, and its extent."""
        first = self.tiles[axis][step] * int(getattr(self.placed.plan.mapping, axis))
        return first, int(getattr(self.steps, axis)[step])

    def origin(self, step: int) -> int:
        """Return how far image pixel (0, 0) would lie before a step's tile of A."""
        (m, rows), reading = self.span("m", step), self.planes.reading
        if reading.is_matrix:
            return m
        return reading.rows_of(m, m + rows)[0] // reading.stride[0] * self.planes.pitch

    def check_beside(self, running: Tiled) -> None:
        """Raise `InfeasibleError` unless the first weights fit beside the op that runs."""
        for name in ("a", "b", "bias"):
            x, y = running.regions[name], self.regions[name]
            if x.base < y.stop and y.base < x.stop:
                raise InfeasibleError(
                    f"op {self.placed.op.name!r}: tiles of {name} beside those of the op before",
                    demand=x.slots * x.slot_size + y.slots * y.slot_size,
                    bound=max(x.stop, y.stop), unit="slots of their memory in the scratchpad",
                    levers=("make tiles smaller", "raise memories.buffer.capacity_bytes"),
                )  # fmt: skip


def _regions(
    placed: Placed, mapping: GemmMapping, trips: Mapping[str, int], g: Geometry, kept: Kept
) -> tuple[dict[str, Region], Planes]:
    """Return each operand's room, and the planes of A."""
    op, folds = placed.op, -(-mapping.n // g.cols)
    planes, a_size = _planes(op, mapping, g)
    if op.inputs[0] in kept:
        planes, a_size = kept[op.inputs[0]][1], 0
    biases = -(-as_gemm(op).n // g.cols) if len(op.inputs) > 2 else 0
    rooms = {  # memory, tiles, size of one
        "a": (g.a_depth * g.rows, trips["m"] * trips["k"], a_size),
        "b": (g.b_depth, trips["k"] * trips["n"], folds * mapping.k),
        "c": (g.c_depth, trips["m"] * trips["n"], folds * mapping.m),
        "bias": (g.bias_depth, 1, biases),
    }
    regions = {
        name: Region.of(
            f"op {op.name!r}: its tiles of {name}", *room, resident=name in mapping.resident,
            high=placed.index % 2 == 1,
        )
        for name, room in rooms.items()
    }  # fmt: skip
    return regions, planes


def _planes(op: Op, mapping: GemmMapping, g: Geometry) -> tuple[Planes, int]:
    """Return the planes of an op's tiles of A, and the slots that the largest takes."""
    gemm, reading = as_gemm(op), Reading.of(op)
    longest = gemm.m if reading.is_matrix else max(reading.height, reading.width)
    if longest > MOST_PIXELS:
        raise InfeasibleError(
            f"op {op.name!r}", demand=longest, bound=MOST_PIXELS, unit="rows or columns of A",
            levers=("split it",),
        )  # fmt: skip
    rows = mapping.m
    if not reading.is_matrix:
        stride = reading.stride[0]
        starts = range(0, gemm.m, mapping.m)
        spans = (reading.rows_of(m, min(m + mapping.m, gemm.m)) for m in starts)
        rows = stride * max(
            (max(bottom, 1) - 1) // stride - top // stride + 1 for top, bottom in spans
        )
    planes = Planes.of(reading, g.rows, rows)
    groups = max(
        groups_of(k, min(k + mapping.k, gemm.k), reading.taps, g.cols)[1]
        for k in range(0, gemm.k, mapping.k)
    )
    return planes, groups * planes.group_step


def groups_of(k: int, stop: int, taps: int, cols: int) -> tuple[int, int]:
    """Return the first group of channels that depths [k, stop) touch, and how many."""
    first, last = k // taps // cols, (stop - 1) // taps // cols
    return first, last - first + 1


def kept_tensors(schedule: Schedule, matrices: Mapping[str, Matrix], g: Geometry) -> Kept:
    """Return where the tensors lie that stay on chip: in the planes of what reads them.

    Raises
    ------
    InputError
        If one is read as B, or in two ways that want different planes.
    InfeasibleError
        If they do not fit.
    """
    planes: dict[str, Planes] = {}
    lives: dict[str, tuple[int, int]] = {}
    for placed in schedule.ops:
        for name in placed.held_inputs:
            if name != placed.op.inputs[0] or name in placed.op.inputs[1:]:
                raise InputError(
                    f"op {placed.op.name!r}", "must read what stays on chip as A", name,
                    fix="the system has no datapath for it",
                )  # fmt: skip
            reading = Reading.of(placed.op)
            rows = matrices[name].rows if reading.is_matrix else reading.height
            found = Planes.of(reading, g.rows, rows)
            if planes.setdefault(name, found).walk(0, 0) != found.walk(0, 0):
                raise InputError(
                    f"op {placed.op.name!r}",
                    "must read what stays on chip with the stride and width of its other uses",
                    name,
                )
            lives[name] = (lives.get(name, (placed.index, 0))[0], placed.index + 1)
        if placed.held_output:
            lives[placed.op.outputs[0]] = (placed.index, placed.index + 1)
    sizes = {
        name: -(-matrices[name].columns // g.cols) * x.group_step for name, x in planes.items()
    }
    bases = keep(lives, sizes, g.kept_depth * g.rows)
    return {name: (bases[name], planes[name]) for name in planes}
