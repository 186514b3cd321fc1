"""Files that nobody vouches for: regular ones, of bounded size."""

from __future__ import annotations

import stat
from pathlib import Path

from archsim.errors import InputError


def check_file(path: Path, most_bytes: int, fix: str = "") -> None:
    """Refuse what is no regular file (a device never ends, a pipe never begins) or too large.

    Raises
    ------
    OSError
        If there is no such file.
    """
    status = path.stat()
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise InputError(str(path), "must be a regular file, no device or pipe")
    if status.st_size > most_bytes and stat.S_ISREG(status.st_mode):
        raise InputError(
            str(path), f"must be at most {most_bytes:,} bytes", status.st_size, fix=fix
        )
