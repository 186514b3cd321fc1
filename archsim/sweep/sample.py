"""From axes to points: all combinations, or a seeded sample of them."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from archsim.errors import InputError
from archsim.sweep.schema import MAX_DESIGNS, Axis, Grid, LatinHypercube, Random, Sweep
from archsim.yaml_file import Document

Point = dict[str, Any]  # design path to value, in the order of the axes

MAX_COMBINATIONS = 5_000_000  # that a grid walks through to find those that `when` keeps
TRIES = 50  # combinations drawn for each one wanted before a random sample gives up
MISSING = object()


class Space:
    """The points that a sweep can have.

    Parameters
    ----------
    base
        The design that points start from, as a complete tree: every default stands in it.
    document
        The sweep's file, for messages.
    """

    def __init__(self, sweep: Sweep, base: Mapping[str, Any], document: Document) -> None:
        self._sweep, self._base, self._document = sweep, base, document
        self._axes = tuple(sweep.axes.items())
        self._rows = tuple(axis.rows() for axis in sweep.axes.values())

    @property
    def combinations(self) -> int:
        """Points of the grid if no condition applied."""
        return math.prod(len(rows) for rows in self._rows)

    def points(self) -> list[Point]:
        """Return the points that the sampling asks for, each once, in a fixed order.

        Raises
        ------
        InputError
            If there are too many, or none.
        """
        sampling = self._sweep.sampling
        if isinstance(sampling, Grid):
            found = self._grid()
        elif isinstance(sampling, Random):
            found = self._random(sampling)
        else:
            found = self._latin_hypercube(sampling)
        points = list(itertools.islice(found, MAX_DESIGNS + 1))
        place = self._document.place(("axes",))
        if len(points) > MAX_DESIGNS:
            raise InputError(
                f"{place}: axes", f"must make at most {MAX_DESIGNS:,} designs", fix=_SAMPLE_INSTEAD
            )
        if not points:
            raise InputError(f"{place}: axes", "must leave at least one point; `when` leaves none")
        return points

    def _grid(self) -> Iterator[Point]:
        if self.combinations > MAX_COMBINATIONS:
            raise InputError(
                f"{self._document.place(('axes',))}: axes",
                f"must have at most {MAX_COMBINATIONS:,} combinations for a grid",
                self.combinations,
                fix=_SAMPLE_INSTEAD,
            )
        return filter(self._kept, self._extend({}, 0))

    def _extend(self, point: Point, depth: int) -> Iterator[Point]:
        if depth == len(self._axes):
            yield point
            return
        key, axis = self._axes[depth]
        if not self._applies(key, axis, point):
            yield from self._extend(point, depth + 1)
            return
        for row in self._rows[depth]:
            yield from self._extend(point | dict(zip(axis.paths(key), row, strict=True)), depth + 1)

    def _random(self, sampling: Random) -> Iterator[Point]:
        draw = random.Random(sampling.seed)
        sizes = [len(rows) for rows in self._rows]
        if self.combinations <= TRIES * sampling.count:  # few enough to shuffle them all
            numbers: Iterable[int] = draw.sample(range(self.combinations), self.combinations)
        else:
            numbers = (draw.randrange(self.combinations) for _ in range(TRIES * sampling.count))
        choices = (_digits(number, sizes) for number in numbers)
        return itertools.islice(self._distinct(choices), sampling.count)

    def _latin_hypercube(self, sampling: LatinHypercube) -> Iterator[Point]:
        draw, count = np.random.default_rng(sampling.seed), sampling.count
        columns = [
            (draw.permutation(count) + draw.random(count)) / count * len(rows)
            for rows in self._rows
        ]  # each axis: one draw from each of `count` equal strata
        choices = np.array(columns).astype(np.int64).T  # [count, axes]
        return self._distinct(map(tuple, choices.tolist()))

    def _distinct(self, choices: Iterable[tuple[int, ...]]) -> Iterator[Point]:
        """Yield the points of combinations (one row number an axis), those kept, each once."""
        seen: set[str] = set()
        for choice in choices:
            point: Point = {}
            for (key, axis), rows, number in zip(self._axes, self._rows, choice, strict=True):
                if self._applies(key, axis, point):
                    point |= zip(axis.paths(key), rows[number], strict=True)
            if repr(point) not in seen and self._kept(point):
                seen.add(repr(point))
                yield point

    def _applies(self, key: str, axis: Axis, point: Point) -> bool:
        where = ("axes", key, "when")
        return all(
            c.holds(lambda p: self._at(point, p, where), self._where(where)) for c in axis.when
        )

    def _kept(self, point: Point) -> bool:
        where = ("when",)
        return all(
            c.holds(lambda p: self._at(point, p, where), self._where(where))
            for c in self._sweep.when
        )

    def _where(self, path: tuple[str, ...]) -> str:
        return f"{self._document.place(path)}: {'.'.join(path)}"

    def _at(self, point: Point, path: str, where: tuple[str, ...]) -> Any:
        """Return the value at a path of the design that the point makes."""
        value = value_on(self._base, point, path)
        if value is MISSING:
            raise InputError(self._where(where), "path must lead to a value of the design", path)
        return value


_SAMPLE_INSTEAD = "take fewer values, or a sample: sampling: {kind: lhs, count: 1000}"


def value_at(tree: Any, dotted: str) -> Any:
    """Return what stands at a dotted path, or `MISSING`."""
    for name in dotted.split(".") if dotted else ():
        if not isinstance(tree, Mapping) or name not in tree:
            return MISSING
        tree = tree[name]
    return tree


def value_on(base: Any, point: Mapping[str, Any], path: str) -> Any:
    """Return what stands at a dotted path of a base with a point set, or `MISSING`."""
    for parent in _parents(path):
        if parent in point:
            return value_at(point[parent], path[len(parent) + 1 :])
    return value_at(base, path)


def _parents(path: str) -> Iterator[str]:
    """Yield the path itself, then each path above it."""
    while path:
        yield path
        path = path.rpartition(".")[0]


def _digits(number: int, sizes: list[int]) -> tuple[int, ...]:
    """Return a number's digits in mixed radix, the last size's digit changing fastest."""
    digits = []
    for size in reversed(sizes):
        number, digit = divmod(number, size)
        digits.append(digit)
    return tuple(reversed(digits))
