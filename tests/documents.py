"""Code blocks of Markdown files, as things to run.

````
```console
$ archsim designs
design    node  ...
```
````

A line that begins with ``$ `` is a command (``> `` continues it); lines after it are its output,
compared if there are any, ``...`` standing for anything. ``python`` blocks of a file share their
names. ``yaml`` and ``json`` blocks must parse. What cannot run here is marked on the line before
the fence, with the reason: ``<!-- not run: downloads a compiler -->``.
"""

from __future__ import annotations

import doctest
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LANGUAGES = ("console", "python", "yaml", "json", "verilog", "text", "")
_FENCE = re.compile(r"^( *)(```+)\s*(\S*)\s*$")
_MARK = re.compile(r"^\s*<!-- not run: (.+) -->\s*$")


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    line: int
    not_run: str = ""


@dataclass(frozen=True)
class Command:
    text: str
    output: str


def blocks(markdown: str) -> Iterator[Block]:
    """Yield the fenced blocks of a document."""
    lines = markdown.splitlines()
    number = 0
    while number < len(lines):
        opening = _FENCE.match(lines[number])
        number += 1
        if not opening:
            continue
        indent, fence, language = opening.groups()
        first = number
        while number < len(lines) and lines[number].strip() != fence:
            number += 1
        assert number < len(lines), f"line {first}: a block has no end"
        mark = _MARK.match(lines[first - 2]) if first >= 2 else None
        text = "\n".join(line.removeprefix(indent) for line in lines[first:number]) + "\n"
        yield Block(language, text, first, mark[1] if mark else "")
        number += 1


def commands(text: str) -> list[Command]:
    """Return the commands of a console block with what they should print."""
    found: list[Command] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append(Command(line[2:], ""))
        elif line.startswith("> ") and found and not found[-1].output:
            found[-1] = Command(f"{found[-1].text}\n{line[2:]}", "")
        else:
            assert found or not line.strip(), f"output without a command: {line!r}"
            if found:
                found[-1] = Command(found[-1].text, f"{found[-1].output}{line}\n")
    return found


def run_commands(block: Block, folder: Path, environment: Mapping[str, str]) -> None:
    """Run a console block's commands in a folder and compare what they print."""
    checker = doctest.OutputChecker()
    for command in commands(block.text):
        done = subprocess.run(
            ["bash", "-c", command.text], cwd=folder, env=dict(environment),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        printed = done.stdout + done.stderr
        assert done.returncode == 0, f"$ {command.text}\n{printed}"
        wanted = command.output.strip()
        if wanted:
            options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            # rich draws to the width that it finds, and doctest's `...` must not open a line
            same = checker.check_output(f"{wanted}\n", f"{printed.strip()}\n", options)
            assert same, f"$ {command.text}\nwanted:\n{wanted}\ngot:\n{printed}"


def run_python(block: Block, names: dict[str, Any], where: str) -> None:
    """Run a python block with the names that blocks before it left."""
    padding = "\n" * block.line  # so that a traceback names the document's own line
    exec(compile(padding + block.text, where, "exec"), names)
