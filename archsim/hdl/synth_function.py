"""Boolean functions of library cells: Liberty's expressions as source over bit-packed ints."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence

from archsim.errors import InputError

MAX_TOKENS = 2000
MAX_NESTING = 64
_TOKEN = re.compile(r"\s*(?:(?P<name>[A-Za-z_][\w$]*)|(?P<mark>[01!'&*|+^()]))")
_STARTS = frozenset("!(01")


def python_source(function: str, name: Callable[[str], str], ones: str = "M") -> str:
    """Return Python source of a Liberty expression.

    Parameters
    ----------
    function
        Operators from tight to loose: ``!`` and postfix ``'``; ``^``; ``&``, ``*`` or mere
        adjacency; ``|`` or ``+``.
    name
        Source text for a pin name; what it returns is placed as it is.
    ones
        Source text of the all-ones word, by which negation is exclusive-or.

    Raises
    ------
    InputError
        When the text is no such expression.
    """
    parser = _Parser(function, name, ones)
    source = parser.alternatives(0)
    if parser.peek():
        raise parser.fault()
    return source


def truth_table(function: str, pins: Sequence[str]) -> int:
    """Return the truth table as an int: bit i is the value where pin j is bit j of i."""
    rows = 2 ** len(pins)
    words = {pin: sum(1 << i for i in range(rows) if i >> j & 1) for j, pin in enumerate(pins)}
    unknown = {n for n in re.findall(r"[A-Za-z_][\w$]*", function) if n not in words}
    if unknown:
        raise InputError(f"function {function!r}", f"pins must be {', '.join(pins)}", unknown.pop())
    source = python_source(function, lambda pin: str(words[pin]), str((1 << rows) - 1))
    value: int = eval(source, {"__builtins__": {}})  # integers, ^ & | and brackets: see _Parser
    return value


def same_up_to_inputs(function: str, wanted: str, pins: Sequence[str]) -> bool:
    """Whether two functions agree when the first's pins take the places A, B ... in some order."""
    letters = "ABCDEFGH"[: len(pins)]
    target = truth_table(wanted, letters)
    return any(truth_table(function, order) == target for order in itertools.permutations(pins))


class _Parser:
    """Recursive descent; the source has integers, names from `name`, ``^ & |`` and brackets."""

    def __init__(self, text: str, name: Callable[[str], str], ones: str) -> None:
        self._text, self._name, self._ones = text, name, ones
        self._tokens: list[str] = []
        position = 0
        while position < len(text.rstrip()):
            match = _TOKEN.match(text, position)
            if match is None or len(self._tokens) >= MAX_TOKENS:
                raise self.fault()
            self._tokens.append(match.group().strip())
            position = match.end()
        self._next = 0

    def fault(self) -> InputError:
        return InputError("cell library", "function must be a Boolean expression", self._text[:80])

    def peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def _take(self) -> str:
        token = self.peek()
        self._next += 1
        return token

    def alternatives(self, depth: int) -> str:
        terms = [self._product(depth)]
        while self.peek() in {"|", "+"}:
            self._take()
            terms.append(self._product(depth))
        return " | ".join(terms) if len(terms) == 1 else f"({' | '.join(terms)})"

    def _product(self, depth: int) -> str:
        factors = [self._difference(depth)]
        while self.peek() in {"&", "*"} or self._starts_factor():
            if self.peek() in {"&", "*"}:
                self._take()
            factors.append(self._difference(depth))
        return factors[0] if len(factors) == 1 else f"({' & '.join(factors)})"

    def _starts_factor(self) -> bool:
        token = self.peek()
        return token != "" and (token in _STARTS or token[0].isalpha() or token[0] == "_")

    def _difference(self, depth: int) -> str:
        terms = [self._factor(depth)]
        while self.peek() == "^":
            self._take()
            terms.append(self._factor(depth))
        return terms[0] if len(terms) == 1 else f"({' ^ '.join(terms)})"

    def _factor(self, depth: int) -> str:
        token = self._take()
        if depth > MAX_NESTING:
            raise self.fault()
        if token == "!":
            source = f"({self._ones} ^ {self._factor(depth + 1)})"
        elif token == "(":
            source = self.alternatives(depth + 1)
            if self._take() != ")":
                raise self.fault()
        elif token in {"0", "1"}:
            source = "0" if token == "0" else self._ones
        elif token and (token[0].isalpha() or token[0] == "_"):
            source = self._name(token)
        else:
            raise self.fault()
        while self.peek() == "'":
            self._take()
            source = f"({self._ones} ^ {source})"
        return source
