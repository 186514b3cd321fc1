"""Switch matrices between stages: how many switches, what they lose, and what leaks through.

Between stages of a tensor train W wires may have to change places. A fixed order is wiring. A
choice among S orders takes a switch of S throws at both ends of every wire. Any order takes a Benes
network (`archsim.engines.rfnn.routes` has its words) or a crossbar. A sequencer that reads vectors
from a buffer by address needs none of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from archsim.engines.rfnn.routes import switch_count


def benes_switches(wires: int) -> int:
    """Return the two-by-two switches of a Benes network for at least so many wires."""
    return switch_count(_ports(wires))


def benes_depth(wires: int) -> int:
    """Return the switches that each wire passes in it."""
    return 2 * (_ports(wires).bit_length() - 1) - 1


def _ports(wires: int) -> int:
    """Return the next power of two, from two on."""
    if wires < 1:
        raise ValueError(f"a switch matrix has wires, not {wires}")
    return max(2, 1 << (wires - 1).bit_length())


def throws(wires: Any, orders: Any) -> Any:
    """Return the switches of so many throws for a choice among fixed orders: one at either end."""
    return np.where(np.asarray(orders) > 1, 2 * wires, 0)[()]


def throws_as_pairs(wires: Any, orders: Any) -> Any:
    """Return the same as trees of switches of two throws."""
    return 2 * wires * (orders - 1)


def crossbar_switches(wires: Any) -> Any:
    """Return the crosspoints of a crossbar."""
    return wires**2


def crossbar_as_pairs(wires: Any) -> Any:
    """Return the switches of two throws of a crossbar that is a tree at either end of each wire."""
    return 2 * wires * (wires - 1)


def path_loss_db(switches: Any, switch_db: Any) -> Any:
    """Return the loss of a wire that passes so many switches."""
    return switches * switch_db


def leakage(wires: Any, isolation_db: Any) -> Any:
    """Return the amplitude that leaks into a wire from all others, against what it carries.

    Each of the others leaks by the isolation of an open switch, with a phase of its own: powers
    add.
    """
    return np.sqrt(wires - 1) * 10.0 ** (-np.asarray(isolation_db) / 20)
