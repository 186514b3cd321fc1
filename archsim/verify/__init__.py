"""Conformance of engines: their RTL against their reference and timing, for any engine's record."""

from __future__ import annotations

from importlib.util import find_spec

from archsim.errors import MissingExtra

if find_spec("amaranth") is None:
    raise MissingExtra("amaranth", "rtl")

from archsim.verify.conformance import Row, check, run_cases

__all__ = ["Row", "check", "run_cases"]
