"""The text of Liberty files: groups, attributes and arguments, read without trusting the file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from archsim.errors import InputError
from archsim.files import check_file

MAX_BYTES = 256 << 20
MAX_DEPTH = 12  # library > cell > pin > timing > table is 5
_TOKEN = re.compile(
    r"""/\*.*?\*/ | //[^\n]* | \\\n | [\s]+      # skipped
      | (?P<string>"[^"]*")
      | (?P<mark>[{}():;,])
      | (?P<word>[^\s{}():;,"/]+ | /)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Group:
    """``kind(arguments) { attributes; groups }``, as written."""

    kind: str
    arguments: tuple[str, ...]
    attributes: Mapping[str, tuple[str, ...]]
    groups: tuple[Group, ...]

    def all(self, *kinds: str) -> Iterator[Group]:
        return (group for group in self.groups if group.kind in kinds)

    def text(self, name: str, default: str = "") -> str:
        return self.attributes.get(name, (default,))[0]

    def number(self, name: str, default: float = 0.0) -> float:
        try:
            return float(self.text(name, str(default)))
        except ValueError:
            return default


def parse_liberty(path: Path) -> Group:
    """Return the ``library`` group of a Liberty file.

    Raises
    ------
    InputError
        With ``file:line`` of what is not Liberty.
    """
    text = _text(path)
    tokens: list[str] = []
    lines: list[int] = []
    position, line = 0, 1
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise InputError(
                f"{path}:{line}", "must be Liberty text", text[position : position + 20]
            )
        if match.lastgroup:
            tokens.append(match.group())
            lines.append(line)
        line += text.count("\n", position, match.end())
        position = match.end()
    reader = _Reader(tokens, lines, str(path))
    library = reader.statement(0)
    if not isinstance(library, Group) or library.kind != "library":
        raise InputError(f"{path}:1", "must begin with library (NAME) {")
    return library


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            raise InputError(str(path), "must be a Liberty file", fix="give --liberty FILE")
        check_file(path, MAX_BYTES)
        return path.read_text("utf-8", errors="strict")
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError(str(path), f"must be a readable text file: {fault}") from None


class _Reader:
    """Recursive descent over tokens; the grammar has three statements, all starting with a word."""

    def __init__(self, tokens: list[str], lines: list[int], origin: str) -> None:
        self._tokens, self._lines, self._origin, self._next = tokens, lines, origin, 0

    def _fault(self, expected: str, got: str) -> InputError:
        at = min(self._next, len(self._lines)) - 1
        line = self._lines[at] if self._lines else 1
        return InputError(f"{self._origin}:{line}", expected, got)

    def _take(self) -> str:
        token = self._tokens[self._next] if self._next < len(self._tokens) else ""
        self._next += 1
        return token

    def _peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def statement(self, depth: int) -> Group | tuple[str, tuple[str, ...]]:
        name, mark = self._take(), self._take()
        if mark == ":":
            words = []
            line = self._lines[self._next - 1]  # some writers forget the semicolon: a line ends too
            while self._peek() not in {";", "}", ""} and self._lines[self._next] == line:
                words.append(self._take().strip('"'))
            self._skip_semicolon()
            return name, (" ".join(words),)
        if mark != "(":
            raise self._fault(f"expected ':' or '(' after {name!r}", mark)
        arguments = self._arguments()
        if self._peek() != "{":
            self._skip_semicolon()
            return name, arguments
        if depth >= MAX_DEPTH:
            raise self._fault(f"must nest at most {MAX_DEPTH} groups deep", name)
        self._take()
        return self._group(name, arguments, depth)

    def _arguments(self) -> tuple[str, ...]:
        arguments: list[str] = []
        while (token := self._take()) != ")":
            if token in {"", "{", "}", ";"}:
                raise self._fault("expected ')'", token)
            if token not in {",", ":"}:
                arguments.append(token.strip('"'))
        return tuple(arguments)

    def _group(self, kind: str, arguments: tuple[str, ...], depth: int) -> Group:
        attributes: dict[str, tuple[str, ...]] = {}
        groups: list[Group] = []
        while (token := self._peek()) != "}":
            if token == "":
                raise self._fault(f"expected '}}' to close {kind!r}", "end of file")
            if token == ";":
                self._take()
                continue
            statement = self.statement(depth + 1)
            if isinstance(statement, Group):
                groups.append(statement)
            else:
                attributes[statement[0]] = statement[1]
        self._take()
        return Group(kind, arguments, attributes, tuple(groups))

    def _skip_semicolon(self) -> None:
        if self._peek() == ";":
            self._take()
