"""What engines that multiply matrices share: folds, their times, beats, conformance cases."""

from __future__ import annotations

PORTS = ("a", "b", "c", "result")
MAX_EXTENT = 2**24 - 1  # of each of a command's m, n and k
