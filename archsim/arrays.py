"""Files of arrays that nobody vouches for: bounded, and nothing in them is unpickled."""

from __future__ import annotations

import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.errors import InputError

MAX_OPERAND_BYTES = 3 << 28  # unpacked: a small archive must not fill the memory


def read_arrays(file: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of an ``.npz`` file that nobody vouches for, by name.

    Raises
    ------
    InputError
        It is none, unpacks to too much, or holds anything but plain arrays.
    """
    try:
        _check_archive(file)
        with np.load(file, allow_pickle=False) as archive:
            return dict(archive.items())
    except _ARCHIVE_FAULTS as fault:
        reason = str(fault).partition("\n")[0]  # numpy goes on with advice to trust the file
        raise InputError(str(file), f"must be an .npz file of plain arrays: {reason}") from None


# what zipfile, its decompressors and numpy's reader of headers raise on bytes that are not theirs
_ARCHIVE_FAULTS = (
    OSError, ValueError, EOFError, RuntimeError, OverflowError, SyntaxError, TypeError,
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, tokenize.TokenError,
)  # fmt: skip


def _check_archive(file: Path) -> None:
    """Refuse archives that unpack to too much, and arrays that claim more than they hold."""
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if sum(m.file_size for m in members) > MAX_OPERAND_BYTES:
            raise InputError(str(file), f"must unpack to at most {MAX_OPERAND_BYTES:,} bytes")
        for member in members:
            with archive.open(member) as stream:
                version = np.lib.format.read_magic(stream)
                read = (
                    np.lib.format.read_array_header_1_0
                    if version == (1, 0)
                    else np.lib.format.read_array_header_2_0
                )
                shape, _, dtype = read(stream)
                if math.prod(shape) * dtype.itemsize > member.file_size:
                    raise InputError(f"{file}: {member.filename}", "must hold all of", shape)
