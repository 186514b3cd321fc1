"""About what a chunk takes, in closed form, where only shares of digits are known.

Columns go round their banks one behind the other, so a slow bank holds up those behind it. Each
step of a pass takes about what a bank takes that is a standard deviation above the mean. Where some
banks have a group more than others, a step takes as long as the fuller ones while some column with
operands is in one. No pass takes less than the result lanes do, which take a column a cycle.
Nothing is fitted.
"""

from __future__ import annotations

from functools import lru_cache
from math import comb
from typing import Any

import numpy as np

from archsim.engines import Floats
from archsim.engines.bitslice.spec import BitsliceSpec

Shares = tuple[float, ...]  # of digits other than zero, by bit weight, lowest first


def chunk_cycles(spec: BitsliceSpec, elements: Any, live: Any, likely: Shares) -> Any:
    """Return about how many cycles a chunk takes from its first digit on.

    Parameters
    ----------
    elements
        Of k, in the chunk; an array, or a number.
    live
        Columns that have operands; the others see zeros.
    """
    groups = np.maximum(-(-elements // (spec.lanes * spec.group)), 1)
    wanted = 2.0 ** np.ceil(np.log2(groups))
    ring = np.clip(wanted, spec.slack, spec.banks)
    fullest = -(-groups // ring)  # groups of a bank
    full = groups - (fullest - 1) * ring  # banks that have so many
    met = np.minimum((live - 1) * spec.slack + full, ring) / ring  # share of steps
    slots = groups / ring + (fullest - groups / ring) * met
    deviation = np.sqrt(slots * full / ring * live / spec.cols)  # of a bank, of steps that count
    moments = zip(*group_moments(spec.group, likely), strict=True)
    passes = [ring * (slots * mean + deviation * np.sqrt(variance)) for mean, variance in moments]
    barriers = spec.passes if spec.sync == "pass" else 1
    return sum(np.maximum(each, live) for each in passes) + barriers


@lru_cache(maxsize=1 << 12)
def group_moments(group: int, likely: Shares) -> tuple[Floats, Floats]:
    """Return mean and variance of what a group of elements costs, by bit weight: [passes].

    It costs its digits other than zero, one at least.
    """
    digits = np.arange(group + 1)
    ways = np.array([comb(group, count) for count in digits])
    share = np.array(likely)[:, None]
    chance = ways * share**digits * (1 - share) ** (group - digits)
    cost = np.maximum(digits, 1)
    mean = chance @ cost
    return mean, np.maximum(chance @ cost**2 - mean**2, 0)
