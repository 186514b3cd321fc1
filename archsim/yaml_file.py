"""YAML that people type: read safely, validated by pydantic, every fault with its file and line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from archsim.errors import InputError, shown
from archsim.files import check_file

Model = TypeVar("Model", bound=BaseModel)
Path_ = tuple[str | int, ...]

MAX_FILE_BYTES = 1 << 20
MAX_NODES = 100_000  # aliases count each time they are used: a "billion laughs" file ends here
MAX_DEPTH = 40
PLAIN_TAGS = frozenset({"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})


class TooManyNodes(Exception):
    """A document holds more than anybody would type."""


class BoundedLoader(yaml.SafeLoader):
    """Stops at too many nodes or levels; libyaml's loader would overflow its stack on some.

    Raises
    ------
    TooManyNodes
    RecursionError
        More than `MAX_DEPTH` levels, before that many have been read.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._composed = self._depth = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        self._composed += 1
        if self._composed > MAX_NODES:
            raise TooManyNodes
        if self._depth > MAX_DEPTH:
            raise RecursionError
        self._depth += 1
        node: Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


class Document:
    """A YAML file's plain values, and the line that each of them stands on.

    Attributes
    ----------
    value
        Mappings, lists and scalars, as YAML's safe schema reads them.
    origin
        File name for messages.
    """

    def __init__(self, text: str, origin: str) -> None:
        self.origin = origin
        self._settings: set[Path_] = set()
        self._lines: dict[Path_, int] = {}
        self._nodes = 0
        self._scalars = yaml.SafeLoader("")
        try:
            node = yaml.compose(text, Loader=BoundedLoader)
            self.value: Any = {} if node is None else self._read(node, (), 0)
        except yaml.YAMLError as fault:
            mark = getattr(fault, "problem_mark", None)
            place = f"{origin}:{mark.line + 1}" if mark else origin
            problem = getattr(fault, "problem", None) or str(fault).splitlines()[0]
            raise InputError(place, f"must be valid YAML: {problem}") from None
        except TooManyNodes:
            raise self._too_large() from None
        except RecursionError:
            raise InputError(origin, f"must nest at most {MAX_DEPTH} levels deep") from None

    @classmethod
    def load(cls, path: Path) -> Document:
        """Read a file of bounded size."""
        try:
            check_file(path, MAX_FILE_BYTES)
            return cls(path.read_text("utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as fault:
            raise InputError(str(path), f"must be a readable UTF-8 file: {fault}") from None

    def place(self, path: Path_) -> str:
        """Return ``file:line`` of the nearest known ancestor of a path."""
        for length in range(len(path), -1, -1):
            if path[:length] in self._lines:
                return f"{self.origin}:{self._lines[path[:length]]}"
        return self.origin

    def where(self, path: Path_) -> str:
        """Return a path with its place in the file, or as the setting that it comes from."""
        if any(path[:length] in self._settings for length in range(1, len(path) + 1)):
            return f"--set {_dotted(path)}"
        return f"{self.place(path)}: {_dotted(path)}"

    def override(self, tree: dict[str, Any], dotted: str, value: Any) -> None:
        """Set ``a.b.c`` of a tree made from this document; faults there are the setting's."""
        names = tuple(dotted.split("."))
        below: Any = tree
        for length, name in enumerate(names, 1):
            below = below.get(name) if isinstance(below, Mapping) else None
            if below is None or length == len(names):  # the file has nothing of what is set
                self._settings.add(names[:length])
                break
        set_path(tree, dotted, value, f"--set {dotted}")

    def _too_large(self) -> InputError:
        words = f"must hold at most {MAX_NODES:,} values, {MAX_DEPTH} levels deep"
        return InputError(self.origin, words)

    def _read(self, node: Node, path: Path_, depth: int) -> Any:
        self._nodes += 1
        if self._nodes > MAX_NODES or depth > MAX_DEPTH:
            raise self._too_large()
        self._lines[path] = node.start_mark.line + 1
        if not isinstance(node, ScalarNode) and node.tag not in PLAIN_TAGS:
            raise InputError(self.place(path), "must be plain YAML without tags", node.tag)
        if isinstance(node, SequenceNode):
            return [self._read(n, (*path, i), depth + 1) for i, n in enumerate(node.value)]
        if isinstance(node, MappingNode):
            return self._read_mapping(node, path, depth)
        assert isinstance(node, ScalarNode)
        try:
            return self._scalars.construct_object(node)
        except ValueError as fault:  # a number of 5,000 digits, the 35th of May
            problem = str(fault).partition(";")[0]
            raise InputError(self.place(path), f"must be a plain value: {problem}") from None

    def _read_mapping(self, node: MappingNode, path: Path_, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                raise InputError(f"{self.origin}:{line}", "keys must be plain text")
            key = key_node.value
            if key in values:
                raise InputError(f"{self.origin}:{line}", "every key must stand once", key)
            values[key] = self._read(value_node, (*path, key), depth + 1)
            self._lines[*path, key] = line
        return values


def validate(model: type[Model], value: Any, document: Document | None, under: Path_ = ()) -> Model:
    """Return the model that a value describes, or raise `InputError` with every fault's place.

    Parameters
    ----------
    under
        Path of the value in the document.
    """
    try:
        return model.model_validate(value)
    except ValidationError as fault:
        raise InputError(*_message(fault, model, value, document, under)) from None


def _message(
    fault: ValidationError,
    model: type[BaseModel],
    value: Any,
    document: Document | None,
    under: Path_,
) -> tuple[str, str]:
    lines = []
    for error in fault.errors():
        path = (*under, *_real_path(error["loc"], value))
        where = document.where(path) if document else f"design: {_dotted(path)}"
        text = _WORDS.get(error["type"], error["msg"][:1].lower() + error["msg"][1:])
        if error["type"] == "model_type":
            text = f"must be a mapping with {_keys(model, error['ctx']['class_name'])}"
        if error["type"] not in ("missing", "extra_forbidden", "value_error"):
            text += f", not {shown(error['input'])}"
        line = f"{where}: {text.removeprefix('value error, ')}"
        if line not in lines:
            lines.append(line)
    first, _, rest = lines[0].partition(": ")
    return first, "\n".join([rest, *lines[1:]])


def _dotted(path: Path_) -> str:
    return ".".join(map(str, path)) or "top level"


def _keys(model: Any, class_name: str) -> str:
    """Return the keys of the class of a name, which is somewhere in a model's fields."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        if model.__name__ == class_name:
            return ", ".join(model.model_fields)
        inside = [field.annotation for field in model.model_fields.values()]
    else:
        inside = list(get_args(model))
    return next(filter(None, (_keys(part, class_name) for part in inside)), "")


_WORDS = {
    "missing": "is required and missing",
    "extra_forbidden": "is not a known key; remove it or check its spelling",
}


def _real_path(loc: tuple[str | int, ...], value: Any) -> Path_:
    """Drop pydantic's union tags from an error location: keep the parts that exist in the input."""
    path: list[str | int] = []
    for i, part in enumerate(loc):
        inside = isinstance(value, Mapping) and part in value
        if inside or (isinstance(value, list) and isinstance(part, int) and part < len(value)):
            path.append(part)
            value = value[part]
        elif i == len(loc) - 1 and isinstance(value, Mapping):
            path.append(part)  # a missing key is named though it is not there
    return tuple(path)


def set_path(tree: dict[str, Any], dotted: str, value: Any, where: str) -> None:
    """Set ``a.b.c`` in nested mappings, making levels as needed; None removes what was there."""
    *parents, last = dotted.split(".")
    for name in parents:
        branch = tree.setdefault(name, {})
        if not isinstance(branch, dict):
            raise InputError(where, f"{name!r} must hold keys to set {dotted!r} below it", branch)
        tree = branch
    if value is None:
        tree.pop(last, None)
    else:
        tree[last] = value


def merge(base: Mapping[str, Any], delta: Mapping[str, Any]) -> dict[str, Any]:
    """Return base overlaid with delta: mappings merge, a null removes, all else replaces."""
    merged = dict(base)
    for key, value in delta.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = value
    return merged
