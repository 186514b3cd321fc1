"""Conformance of engines: their RTL against their reference and timing, for any engine's record."""

from __future__ import annotations

from archsim.verify.conformance import Row, check, run_cases

__all__ = ["Row", "check", "run_cases"]
