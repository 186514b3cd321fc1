"""The designs of a sweep's points, put together from parts that are validated once each.

A part is what stands at the first two names of a path: ``engines.mxu``, ``memories.dram``. A grid
of 10^5 points has a few hundred different parts, so nearly all of a point's design is known before
the point comes up: its digest is made from the parts' texts, and no design is built.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from archsim.design import UNDIGESTED, Design, design_from, digest_of
from archsim.errors import InputError
from archsim.frontends.policy import native_dtype, product_formats
from archsim.sweep.sample import MISSING, Point, value_at
from archsim.yaml_file import set_path

PART_NAMES = 2  # of a path: deep enough for an engine, or for one of the memories
MARK = "\0"  # before a part's name, where its text goes; no YAML can hold it
MARKED = re.compile(r'"\\u0000([^"]*)"')


def with_point(base: Mapping[str, Any], point: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tree with values set at dotted paths; it shares with base what they leave alone."""
    tree = dict(base)
    own = {id(tree)}  # branches that are copies already
    for path, value in point.items():
        branch: dict[str, Any] = tree
        for name in path.split(".")[:-1]:
            below = branch.get(name)
            if not isinstance(below, Mapping):
                break  # set_path makes it, or says why it cannot
            if id(below) not in own:
                branch[name] = below = dict(below)
                own.add(id(below))
            branch = branch[name]
        set_path(tree, path, value, path)
    return tree


Formats = Mapping[str, frozenset[str] | None]  # by engine, see `product_formats`


@dataclass(frozen=True, slots=True)
class PointDesign:
    """What is known of a point's design before it is built.

    Parameters
    ----------
    digest
        `Design.digest`.
    values
        On all paths, as the design's own types read them.
    dtype
        What a float model becomes on it where it asks for no format, see `native_dtype`.
    """

    digest: str
    values: Point
    dtype: str

    @classmethod
    def of(cls, design: Design, paths: Iterable[str]) -> PointDesign:
        """Return what is known of a whole design."""
        dtype = native_dtype(product_formats(design).values())
        return cls(design.digest(), values_at(design, paths), dtype)


@dataclass(frozen=True, slots=True)
class _Part:
    """A part at some values: its digested text, and those values as the design's types read them.

    ``text`` is None where the design has no such part; ``formats`` are of its engines alone.
    """

    text: str | None
    values: Mapping[str, Any]
    formats: Formats


class Parts:
    """The designs of points on a base design.

    A part is validated with the rest of the base beside it. What only a whole design could be
    refused for is found where the point is run.

    Parameters
    ----------
    base
        What is typed of it: a default that follows from what a point sets must be free to.
    paths
        That points may set, in their order.
    """

    def __init__(self, base: Mapping[str, Any], paths: Iterable[str]) -> None:
        self._base = base
        whole = design_from(base)
        self._whole = whole.model_dump(mode="json")
        self._paths = tuple(paths)
        self._groups: dict[str, list[str]] = {}
        for path in self._paths:
            self._groups.setdefault(".".join(path.split(".")[:PART_NAMES]), []).append(path)
        self._formats = {
            engine: formats
            for engine, formats in product_formats(whole).items()
            if not {"engines", f"engines.{engine}"} & self._groups.keys()
        }
        self._known: dict[tuple[str, str], _Part | None] = {}
        self._frames: dict[tuple[str, ...], list[str]] = {}

    def read(self, point: Point) -> PointDesign:
        """Return what a point's design is.

        Raises
        ------
        InputError
            If the point is no design.
        """
        texts: dict[str, str] = {}
        values: Point = {}
        formats = dict(self._formats)
        for name, paths in self._groups.items():
            part = self._part(name, {path: point[path] for path in paths if path in point})
            if part is None:  # what is wrong with it the whole point says, or mends
                return PointDesign.of(design_from(with_point(self._base, point)), self._paths)
            if part.text is not None:
                texts[name] = part.text
            values.update(part.values)
            formats.update(part.formats)
        frame = self._frame(tuple(texts))
        frame[1::2] = [texts[name] for name in frame[1::2]]
        ordered = {path: values[path] for path in self._paths if path in values}
        return PointDesign(digest_of("".join(frame)), ordered, native_dtype(formats.values()))

    def _part(self, name: str, own: Point) -> _Part | None:
        """Return a part at some values, or None if they make no design."""
        key = name, repr(own)
        if key not in self._known:
            self._known[key] = self._validated(name, own)
        return self._known[key]

    def _validated(self, name: str, own: Point) -> _Part | None:
        try:
            design = design_from(with_point(self._base, own))
        except InputError:
            return None
        tree = value_at(design.model_dump(mode="json"), name)
        text = None if tree is MISSING else json.dumps(tree, sort_keys=True)
        own_formats = {
            engine: formats
            for engine, formats in product_formats(design).items()
            if name in ("engines", f"engines.{engine}")
        }
        return _Part(text, values_at(design, self._groups[name]), own_formats)

    def _frame(self, parts: tuple[str, ...]) -> list[str]:
        """Return the base's digested text, cut where parts go: text, part's name, text ..."""
        if parts not in self._frames:
            tree = with_point(self._whole, {name: MARK + name for name in parts})
            content = {key: value for key, value in tree.items() if key not in UNDIGESTED}
            self._frames[parts] = MARKED.split(json.dumps(content, sort_keys=True))
        return list(self._frames[parts])


def values_at(design: Design, paths: Iterable[str]) -> Point:
    """Return a design's values at paths, as its types read them: 1e6 bytes are an integer."""
    tree = design.model_dump(mode="json")
    values = {path: value_at(tree, path) for path in paths}
    return {path: value for path, value in values.items() if value is not MISSING}
