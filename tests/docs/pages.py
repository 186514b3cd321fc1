"""The fenced blocks of a Markdown page: run them, and hold the page to what really comes out.

A block's fence says what is done with it:

- ```` ```console ````: lines that begin with ``$`` are commands, continued by ``>`` or a backslash,
  run in the page's own folder; what follows one is what it prints. A line of three dots stands for
  any lines.
- ```` ```python ````: run, one namespace a page. A ```` ```text ```` block behind it is what it
  prints.
- ``file=NAME``: the block is that file; it is written into the page's folder.
- ``of=PATH``: the block is a part of a file of the repository.
- ``exit=N``: its last command ends with that status.
- ``not-run="REASON"``: for readers only.

``python -m tests.docs.pages PAGE ...`` writes what really comes out into pages.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
ANY_LINES = "..."
FENCE = re.compile(r"^```(\w*)[ ]?(.*)$")
PROMPT, MORE, JOINED = "$ ", "> ", "\\"


@dataclass(frozen=True)
class Block:
    """A fenced block; ``line`` is its first line's number in the page, from 1."""

    language: str
    options: Mapping[str, str]
    line: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)


@dataclass(frozen=True)
class Difference:
    """Lines [first, last) of a page, from 0, and what really comes out there."""

    first: int
    last: int
    real: tuple[str, ...]


class PageError(AssertionError):
    """A block that cannot be run or did what its page does not say."""


def blocks(page: str) -> list[Block]:
    """Return the fenced blocks of a page in order."""
    found: list[Block] = []
    lines = page.splitlines()
    start = None
    for number, line in enumerate(lines):
        fence = FENCE.match(line)
        if fence is None:
            continue
        if start is None:
            start, language, options = number + 1, fence[1], _options(fence[2], number + 1)
        else:
            found.append(Block(language, options, start + 1, tuple(lines[start:number])))
            start = None
    if start is not None:
        raise PageError(f"line {start}: a block without an end")
    return found


def _options(text: str, line: int) -> dict[str, str]:
    options = dict(word.partition("=")[::2] for word in shlex.split(text))
    if unknown := options.keys() - {"file", "of", "exit", "not-run"}:
        raise PageError(f"line {line}: unknown {', '.join(unknown)}")
    if options.get("not-run") == "":
        raise PageError(f"line {line}: not-run without a reason")
    return options


# ---------------------------------------------------------------------------------------- running


def differences(page: str, folder: Path, environment: Mapping[str, str]) -> list[Difference]:
    """Run a page's blocks in a folder and return where it says something else than comes out.

    Raises
    ------
    PageError
        If a command ends with another status than the page says, or a block of a file is no part
        of it.
    """
    found: list[Difference] = []
    namespace: dict[str, Any] = {"__name__": "__main__"}
    printed: tuple[int, str] | None = None  # by a python block, and its line behind the fence
    for block in blocks(page):
        if "not-run" in block.options:
            printed = None
        elif "of" in block.options:
            _check_part(block)
        elif "file" in block.options:
            path = folder / block.options["file"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, "utf-8")
        elif block.language == "console":
            found += _console(block, folder, environment)
        elif block.language == "python":
            printed = _python(block, folder, namespace)
        elif block.language == "text" and printed is not None:
            found += _compare(block.line - 1, block.lines, printed[1])
            printed = None
    return found


def _check_part(block: Block) -> None:
    path = ROOT / block.options["of"]
    if block.text not in path.read_text("utf-8"):
        raise PageError(f"line {block.line}: is not a part of {block.options['of']}")


def _python(block: Block, folder: Path, namespace: dict[str, Any]) -> tuple[int, str]:
    out = io.StringIO()
    code = compile("\n" * (block.line - 1) + block.text, "page", "exec")
    with contextlib.chdir(folder), contextlib.redirect_stdout(out):
        exec(code, namespace)
    return block.line, out.getvalue()


def _console(block: Block, folder: Path, environment: Mapping[str, str]) -> Iterator[Difference]:
    commands = list(_commands(block))
    for command, first, expected in commands:
        is_last = first == commands[-1][1]
        wanted = int(block.options.get("exit", 0)) if is_last else 0
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, env=environment, text=True, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if done.returncode != wanted:
            raise PageError(f"line {first}: {command}: ended with {done.returncode}\n{done.stdout}")
        yield from _compare(first, expected, done.stdout)


def _commands(block: Block) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """Yield each command, the line (from 0) of its output, and its output."""
    at, lines = 0, block.lines
    while at < len(lines):
        if not lines[at].startswith(PROMPT):
            raise PageError(f"line {block.line + at}: a console block begins with a command")
        command = lines[at].removeprefix(PROMPT)
        at += 1
        while at < len(lines) and (command.endswith(JOINED) or lines[at].startswith(MORE)):
            joined = command.endswith(JOINED)
            more = lines[at].strip() if joined else "\n" + lines[at].removeprefix(MORE)
            command = command.removesuffix(JOINED) + more
            at += 1
        first = at
        while at < len(lines) and not lines[at].startswith(PROMPT):
            at += 1
        yield command, block.line - 1 + first, lines[first:at]


def _compare(first: int, expected: Sequence[str], printed: str) -> Iterator[Difference]:
    real = tuple(line.rstrip() for line in printed.splitlines())
    while real and not real[-1]:
        real = real[:-1]
    if not matches(expected, real):
        yield Difference(first, first + len(expected), real)


def matches(expected: Sequence[str], real: Sequence[str]) -> bool:
    """Return whether lines are as expected, where a line of three dots is any number of them.

    Three dots inside a line stand for any text.
    """
    parts = []
    for line in expected:
        if line.strip() == ANY_LINES:
            parts.append(r"(?:.*\n)*")
        else:
            texts = (re.escape(text) for text in line.split(ANY_LINES))
            parts.append(r".*".join(texts) + r"\n")
    return re.fullmatch("".join(parts), "".join(f"{line}\n" for line in real)) is not None


def environment(folder: Path, packages: Sequence[Path] = ()) -> dict[str, str]:
    """Return the environment of a page's commands: this interpreter's programs come first.

    Parameters
    ----------
    packages
        Folders that Python also finds packages in, as if they were installed.
    """
    programs = Path(sys.executable).parent
    paths = [str(package) for package in packages]
    return {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, [*paths, os.environ.get("PYTHONPATH", "")])),
        "HOME": os.environ.get("HOME", str(folder)),
        "NO_COLOR": "1",
    }


# ---------------------------------------------------------------------------------------- updating


def updated(page: str, found: Sequence[Difference]) -> str:
    """Return a page that says what really comes out, with the dots that it had."""
    lines = page.splitlines()
    for difference in sorted(found, key=lambda d: -d.first):
        place = slice(difference.first, difference.last)
        lines[place] = _dotted(lines[place], difference.real)
    return "\n".join(lines) + "\n"


def _dotted(old: Sequence[str], real: Sequence[str]) -> list[str]:
    """Return real lines; what the old ones left out, inside a line or at the head, stays out."""
    patterns = [line for line in old if ANY_LINES in line and line.strip() != ANY_LINES]
    lines = [next((p for p in patterns if matches([p], [line])), line) for line in real]
    if old[:1] == [ANY_LINES]:
        lines = [ANY_LINES, *lines[-len(old[1:]) :]]
    return lines


def shown(page: str, found: Sequence[Difference]) -> str:
    """Return differences for a person."""
    lines = page.splitlines()
    parts = []
    for d in found:
        parts += [f"line {d.first + 1} says:", *lines[d.first : d.last], "and really:", *d.real, ""]
    return "\n".join(parts)


def main(paths: Sequence[str]) -> None:
    from tests.docs.test_pages import prepared  # it prepares a page's folder

    for path in map(Path, paths):
        page = path.read_text("utf-8")
        with tempfile.TemporaryDirectory() as scratch:
            found = differences(page, *prepared(path.resolve(), Path(scratch)))
        path.write_text(updated(page, found), "utf-8")
        print(f"{path}: {len(found)} outputs written")


if __name__ == "__main__":
    main(sys.argv[1:])
