"""Images in the scratchpad: every pixel in a slot of its own, no lane in another's way."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.errors import InfeasibleError
from archsim.program.placement import Planes, Reading, Region, keep

sides = st.integers(1, 9)
pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    kernel, stride, dilation = draw(pairs), draw(pairs), draw(pairs)
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    pad = tuple(draw(st.integers(0, k - 1)) if k > 1 else 0 for k in kernel)
    height, width = (
        draw(st.integers(max(r - 2 * p, 1), 12)) for r, p in zip(reach, pad, strict=True)
    )
    out_width = (width + 2 * pad[1] - reach[1]) // stride[1] + 1
    return Reading(height, width, out_width, kernel, stride, dilation, (pad[0], pad[1]))


def slots_of(planes: Planes) -> dict[tuple[int, int], int]:
    """Return the slot of each pixel, as the hardware's walk finds it, step by step."""
    reading = planes.reading
    walk = planes.walk(0, 0)
    row, pixel, found = walk["row"], walk["pixel"], {}
    row_phase = walk["row_phase"]
    for i in range(reading.height):
        column_phase = 0
        for j in range(reading.width):
            found[i, j] = pixel
            wraps = column_phase + 1 == walk["column_phases"]
            pixel += walk["column_wrap"] if wraps else walk["column_step"]
            column_phase = 0 if wraps else column_phase + 1
        wraps = row_phase + 1 == walk["row_phases"]
        row += walk["row_wrap"] if wraps else walk["row_step"]
        row_phase = 0 if wraps else row_phase + 1
        pixel = row
    return found


@given(readings(), st.sampled_from([2, 4, 8]))
def test_pixels_have_slots_of_their_own(reading: Reading, lanes: int) -> None:
    planes = Planes.of(reading, lanes, reading.height)
    slots = slots_of(planes)
    assert len(set(slots.values())) == len(slots)
    assert all(0 <= slot < planes.group_step for slot in slots.values())
    for number, (at, slot) in enumerate(slots.items()):
        assert planes.walk(0, number)["pixel"] == slot, at


@given(readings(), st.sampled_from([2, 4, 8]), st.data())
def test_neighbouring_outputs_read_neighbouring_banks(
    reading: Reading, lanes: int, data: st.DataObject
) -> None:
    planes = Planes.of(reading, lanes, reading.height)
    slots = slots_of(planes)
    (sh, sw), (top, left) = reading.stride, reading.pad
    out_height = data.draw(st.integers(1, 4))
    for tap in planes.taps():
        read = []
        for number in range(out_height * reading.out_width):
            row, column = divmod(number, reading.out_width)
            base = planes.pixels(0, number)
            slot = base["a_base"] + tap["offset"]
            assert (base["in_row"], base["in_column"]) == (row * sh - top, column * sw - left)
            at = (base["in_row"] + tap["row"], base["in_column"] + tap["column"])
            if at in slots:
                assert slots[at] == slot
            read.append(slot)
        assert all((b - a) % lanes == 1 % lanes for a, b in itertools.pairwise(read))


def test_tiles_take_turns_in_their_region() -> None:
    low = Region.of("x", 100, tiles=7, size=10, resident=False, high=False)
    high = Region.of("x", 100, tiles=7, size=10, resident=True, high=True)
    assert [low.at(i) for i in range(3)] == [0, 10, 0]
    assert [high.at(i) for i in (0, 6)] == [30, 90]
    with pytest.raises(InfeasibleError, match="x needs 110 slots of its memory"):
        Region.of("x", 100, tiles=11, size=10, resident=True, high=True)


def test_what_stays_on_chip_shares_no_slot_while_it_lives() -> None:
    lives = {"a": (0, 2), "b": (1, 3), "c": (2, 4), "d": (3, 5)}
    sizes = {"a": 10, "b": 20, "c": 8, "d": 30}
    placed = keep(lives, sizes, 60)
    for x in lives:
        for y in lives:
            if x < y and lives[x][0] < lives[y][1] and lives[y][0] < lives[x][1]:
                assert placed[x] + sizes[x] <= placed[y] or placed[y] + sizes[y] <= placed[x]
    with pytest.raises(InfeasibleError, match="tensor 'b', which stays on chip needs 30"):
        keep(lives, sizes, 25)
