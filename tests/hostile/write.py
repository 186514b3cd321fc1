"""Write what is said about every case: ``python -m tests.hostile.write``; read the difference."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import yaml

from tests.hostile.test_hostile import CASES, REFUSALS, run

# what others say, and lists that grow: dots stand for any text
VARIES = (
    (r"(must be valid YAML: ).*", r"\1..."),
    (r"(must be a well-formed \w+: ).*", r"\1..."),
    (r"(must be an \.npz file of plain arrays: ).*", r"\1..."),
    (r"(must be a readable \w[\w ]*: ).*?(;|$)", r"\1...\2"),
    (r"(must be inlinable: ).*", r"\1..."),
    (r"(must be whole: ).*", r"\1..."),
    (r"(must be one of )[^(]*?, [^(]*?(, not| \(did)", r"\1...\2"),
    (r"(must be a YAML file or one of )[^(]*?(, not| \(did)", r"\1...\2"),
    (r"(must end in one of )[^(]*?(, not| \(did)", r"\1...\2"),
    (r"(beauty must be one of ).*", r"\1..."),
    (r"(must be from 1 to )\d+", r"\1..."),
)


def pinned(said: str) -> str:
    lines = []
    for line in said.splitlines():
        for pattern, words in VARIES:
            line = re.sub(pattern, words, line)  # noqa: PLW2901
        lines.append(line)
    if lines and lines[0].startswith("Usage:"):
        lines = [lines[0], "..."]
    return "\n".join(lines)


def main() -> None:
    found: dict[str, str] = {}
    home = Path.cwd()
    for case in CASES:
        with tempfile.TemporaryDirectory() as name:
            os.chdir(name)
            exit_code, said = run(case, Path(name))
            os.chdir(home)
        found[case.name] = pinned(said)
        if exit_code != case.exit_code:
            print(f"{case.name}: exit {exit_code}, not {case.exit_code}")
    text = yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=98)
    REFUSALS.write_text(
        f"# by `python -m tests.hostile.write`; read the difference before you commit it\n{text}"
    )


if __name__ == "__main__":
    main()
