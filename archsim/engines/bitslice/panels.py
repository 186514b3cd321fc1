"""What reports show of digits: how many are not zero, by layer and bit weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from archsim.engines import Floats
from archsim.engines.bitslice.jobs import BitsliceJobs
from archsim.engines.bitslice.lockstep_digits import reads_values, shares
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.formats.digits import digit_weights
from archsim.metric import Names, Panel, Series
from archsim.result import OpRow, Result

DIGITS, SHARE = "digits", "share"  # of an element; of digits other than zero, at a bit weight


def figures(spec: BitsliceSpec, jobs: BitsliceJobs) -> Mapping[str, Floats]:
    """Return digits other than zero of an element, and their share at each bit weight.

    They go by operand: ``digits.a`` is the mean of A's elements, ``share.a.4`` the share of A's
    digits of weight 4 that are not zero. What is not known of an operand is as assumed.
    """
    found: dict[str, Floats] = {}
    ports = sorted(reads_values(spec), key=lambda port: port != spec.encoded)
    for row, here in jobs.alike():
        for port, likely in zip(ports, shares(spec, row), strict=True):
            weights = digit_weights(spec.a_bits if port == "a" else spec.b_bits, spec.encoding)
            said = {f"{DIGITS}.{port}": likely.sum()}
            said |= {f"{SHARE}.{port}.{abs(w)}": x for w, x in zip(weights, likely, strict=True)}
            for name, value in said.items():
                found.setdefault(name, np.zeros(len(jobs)))[here] = value
    return found


def density(result: Result, names: Names) -> Sequence[Series]:
    """Return the share of digits other than zero by layer, a line a bit weight."""
    return _by_layer(result, names, SHARE, "weight")


def digits(result: Result, names: Names) -> Sequence[Series]:
    """Return digits other than zero, an element, by layer."""
    return _by_layer(result, names, DIGITS, "operand")


def _by_layer(result: Result, names: Names, group: str, of: str) -> Sequence[Series]:
    rows = [row for row in result.per_op if row.engine in names and row.figures]
    labels = dict.fromkeys(n for row in rows for n in row.figures if n.startswith(f"{group}."))
    return [_series(rows, label, f"{of} {label.removeprefix(f'{group}.')}") for label in labels]


def _series(rows: Sequence[OpRow], label: str, name: str) -> Series:
    there = [row for row in rows if label in row.figures]
    return Series(
        name, tuple(row.name for row in there), tuple(row.figures[label] for row in there)
    )


PANELS = (
    Panel(
        "Digits other than zero", "layer", "digits of an element", digits,
        meaning="Cycles that an element takes a PE; an engine that multiplies densely takes one "
        "for all digits at once.",
    ),
    Panel(
        "Density of digits", "layer", "share that is not zero", density, "lines",
        "By bit weight: small numbers have zeros at high weights, which cost little or nothing.",
    ),
)  # fmt: skip
