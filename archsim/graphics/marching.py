"""How the four applications ask a field along rays: instant-ngp's rules.

Each function renders a picture of whatever answers the queries, a scene or a network, and keeps the
queries in the order in which they are issued.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archsim.graphics.rays import STEP, Occupancy, Rays, to_next_cell
from archsim.graphics.scenes import SKY, Floats
from archsim.graphics.stream import Ints, Recorder, Stream

NEAR = 0.05  # distance at which NeRF's marching begins
OPAQUE = 0.01  # transmittance at which it ends
QUERIES_A_LOOP, MOST_STEPS = 1 << 21, 8  # which a loop over live rays aims at, and takes at most
SURFACE = 3e-4  # distance at which sphere tracing ends
STRIDE = 0.95  # share of a distance that it advances
MOST_ROUNDS = 10_000
COMPACTED = 4  # steps, at most, before rays that ended are dropped
NORMAL_QUERIES = 6  # differences of a hit's normal
NORMAL_STEP = 4e-3
ABSORBED, MOST_EVENTS = 0.99, 64  # where delta tracking ends

Colours = Floats  # [n, 3], from 0 to 1


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture and the queries that it took.

    Parameters
    ----------
    colours
        [height, width, 3], from 0 to 1; of some of a picture's rays [1, rays, 3].
    """

    colours: NDArray[np.float32]
    stream: Stream


def march(
    radiance: Callable[[Floats, Floats], tuple[Colours, Floats]],
    rays: Rays,
    occupancy: Occupancy,
    *,
    frame_pixels: int | None = None,
    seed: int = 1,
) -> Picture:
    """Render a radiance field: samples at even steps along rays, where cells are not empty.

    Parameters
    ----------
    radiance
        ``(positions, directions) -> (colours, extinctions)``.
    frame_pixels
        Of the frame that the rays stand for: the more rays live in it, the fewer steps a loop has.
    seed
        Of where each ray begins within its first step.
    """
    share = len(rays) / (frame_pixels or len(rays))
    start = np.random.default_rng(seed).random(len(rays))
    distance = np.maximum(rays.first, NEAR) + STEP * start
    clear, colour = np.ones(len(rays)), np.zeros((len(rays), 3))
    recorder = Recorder(3, len(rays))
    alive = np.flatnonzero(rays.first < rays.last)
    alive = _skip_empty(rays, occupancy, alive, distance)
    while alive.size:
        steps = int(np.clip(QUERIES_A_LOOP * share // len(alive), 1, MOST_STEPS))
        marching = alive
        for _ in range(steps):
            if not marching.size:
                break
            places, directions = rays.at(marching, distance[marching]), rays.directions[marching]
            dt = np.full(len(marching), STEP)
            recorder.add(marching, places, dt, directions)
            found, density = radiance(places, directions)
            weight = clear[marching] * -np.expm1(-density * STEP)
            lit = clear[marching] > OPAQUE  # what is asked beyond is not shown
            colour[marching] += np.where(lit, weight, 0)[:, None] * found
            clear[marching] -= np.where(lit, weight, 0)
            distance[marching] += STEP
            marching = _skip_empty(rays, occupancy, marching, distance)
        alive = marching[clear[marching] > OPAQUE]
    return Picture(_shaped(rays, colour + clear[:, None] * SKY), recorder.stream(7))


def _skip_empty(rays: Rays, occupancy: Occupancy, alive: Ints, distance: Floats) -> Ints:
    """Advance rays in whole steps to cells that are not empty; return those that find one."""
    seeking, found = alive, []
    while seeking.size:
        seeking = seeking[distance[seeking] < rays.last[seeking]]
        places = rays.at(seeking, distance[seeking])
        held = occupancy.holds(places)
        found.append(seeking[held])
        seeking, places = seeking[~held], places[~held]
        if seeking.size:
            gap = to_next_cell(places, rays.directions[seeking])
            distance[seeking] += STEP * np.maximum(np.ceil(gap / STEP), 1)
    return np.sort(np.concatenate(found)) if found else seeking


def trace_spheres(
    distance: Callable[[Floats], Floats],
    shade: Callable[[Floats, Floats], Colours],
    rays: Rays,
) -> Picture:
    """Render a distance field: each ray advances by what it is told, until it is at a surface.

    Parameters
    ----------
    shade
        ``(positions, normals) -> colours`` of what is hit.
    """
    along = rays.first.copy()
    hit = np.zeros(len(rays), bool)
    recorder = Recorder(3, len(rays))
    alive, done = np.flatnonzero(rays.first < rays.last), 1
    while alive.size and done < MOST_ROUNDS:
        steps = min(done, COMPACTED)
        live = np.ones(len(alive), bool)
        for _ in range(steps):  # rays that end meanwhile are asked on
            places = rays.at(alive, along[alive])
            recorder.add(alive, places)
            far = distance(places)
            near = live & (far <= SURFACE)
            hit[alive[near]] = True
            live &= ~near
            along[alive] += np.where(live, STRIDE * far, 0)
            live &= along[alive] < rays.last[alive]
        alive, done = alive[live], done + steps
    colour = np.tile(np.array(SKY), (len(rays), 1))
    struck = np.flatnonzero(hit)
    if struck.size:
        places = rays.at(struck, along[struck])
        normals = _slopes(distance, places, struck, recorder)
        colour[struck] = shade(places, normals)
    return Picture(_shaped(rays, colour), recorder.stream(3))


def _slopes(
    distance: Callable[[Floats], Floats], places: Floats, rays: Ints, recorder: Recorder
) -> Floats:
    """Return normals by differences of distances: six queries each."""
    slopes = []
    for axis in range(3):
        step = np.eye(3)[axis] * NORMAL_STEP
        sides = [np.clip(places + step, 0, 1), np.clip(places - step, 0, 1)]
        for side in sides:
            recorder.add(rays, side)
        slopes.append(distance(sides[0]) - distance(sides[1]))
    found = np.stack(slopes, axis=1)
    return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1), 1e-12)[:, None])


def track(
    volume: Callable[[Floats], tuple[Colours, Floats]],
    rays: Rays,
    occupancy: Occupancy,
    majorant: float,
    seed: int = 1,
) -> Picture:
    """Render a volume by delta tracking: free flights as if all of it were as dense as can be.

    Parameters
    ----------
    volume
        ``positions -> (colours, extinctions)``.
    majorant
        Extinction that no place exceeds.
    seed
        Of the lengths of flights.
    """
    rng = np.random.default_rng(seed)
    along, opacity = rays.first.copy(), np.zeros(len(rays))
    colour, events = np.zeros((len(rays), 3)), np.zeros(len(rays), np.int64)
    recorder = Recorder(3, len(rays))
    alive = np.flatnonzero(rays.first < rays.last)
    while alive.size:
        alive = _fly(rays, occupancy, alive, along, majorant, rng)
        if not alive.size:
            break
        places = rays.at(alive, along[alive])
        recorder.add(alive, places)
        found, density = volume(places)
        weight = (1 - opacity[alive]) * np.minimum(density / majorant, 1)
        colour[alive] += weight[:, None] * found
        opacity[alive] += weight
        events[alive] += 1
        alive = alive[(opacity[alive] <= ABSORBED) & (events[alive] < MOST_EVENTS)]
    return Picture(_shaped(rays, colour + (1 - opacity)[:, None] * SKY), recorder.stream(3))


def _fly(
    rays: Rays,
    occupancy: Occupancy,
    alive: Ints,
    along: Floats,
    majorant: float,
    rng: np.random.Generator,
) -> Ints:
    """Fly rays to their next events in cells that are not empty; return those that have one."""
    flying, found = alive, []
    left = -np.log1p(-rng.random(len(rays))) / majorant  # of each flight, in cells that count
    while flying.size:
        places = rays.at(flying, along[flying])
        gap = to_next_cell(places, rays.directions[flying]) + 1e-7
        held = occupancy.holds(places)
        lands = held & (left[flying] <= gap)
        along[flying] += np.where(lands, left[flying], gap)
        left[flying] -= np.where(held, gap, 0)
        inside = along[flying] < rays.last[flying]
        found.append(flying[lands & inside])
        flying = flying[~lands & inside]
    return np.sort(np.concatenate(found)) if found else flying


def raster(
    colours: Callable[[Floats], Colours], points: Floats, width: int, height: int
) -> Picture:
    """Render an image that a field holds: one query at each point [n, 2], row by row."""
    recorder = Recorder(2, len(points))
    recorder.add(np.arange(len(points)), points)
    found = np.clip(colours(points), 0, 1).astype(np.float32)
    return Picture(found.reshape(height, width, 3), recorder.stream(2))


def _shaped(rays: Rays, colours: Colours) -> NDArray[np.float32]:
    found = np.clip(colours, 0, 1).astype(np.float32)
    whole = len(rays) == rays.width * rays.height
    return found.reshape((rays.height, rays.width, 3) if whole else (1, len(rays), 3))
