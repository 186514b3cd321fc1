"""Random environments for conformance cases: ports that keep pace, fall silent, stall by the cycle.

``length`` is about how many cycles a job takes; stall vectors are as long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Env, PortEnv, Rate, Stalls

Rng = np.random.Generator
Ports = Sequence[str]


def upto(rng: Rng, limit: int) -> int:
    """Return an integer from 1 to a limit."""
    return int(rng.integers(1, limit + 1))


def latencies(rng: Rng, ports: Ports) -> Env:
    """Let every port begin late and then never wait."""
    return {port: Rate(latency=int(rng.integers(0, 30))) for port in ports}


def rates(rng: Rng, ports: Ports) -> Env:
    """Let every port keep a pace of its own."""
    return {port: rate(rng) for port in ports}


def stalls(rng: Rng, ports: Ports, length: int) -> Env:
    """Let every port, and the command's, stall by the cycle."""
    return {port: stall_bits(rng, length) for port in (*ports, "cmd")}


def mixed(rng: Rng, ports: Ports, length: int) -> Env:
    """Let some ports keep a pace and others stall by the cycle."""
    return {
        port: rate(rng) if rng.random() < 0.5 else stall_bits(rng, length)
        for port in (*ports, "cmd")
        if rng.random() < 0.8
    }


def rate(rng: Rng) -> Rate:
    q = upto(rng, 7)
    return Rate(latency=int(rng.choice([0, 0, 1, 9])), p=upto(rng, q), q=q)


def slow(rng: Rng, length: int) -> PortEnv:
    """Return a port that holds a job up."""
    if rng.random() < 0.5:
        return stall_bits(rng, 2 * length)
    return Rate(int(rng.integers(0, 2 * length)), 1, upto(rng, 6))


def stall_bits(rng: Rng, length: int) -> Stalls:
    """Return stall bits in runs, from rare single cycles to long silences."""
    stalled, run = rng.choice([0.1, 0.4, 0.8]), rng.choice([1, 3, length // 3 + 1])
    flips: NDArray[np.bool_] = rng.random(length // int(run) + 1) < stalled
    return Stalls(tuple(np.repeat(flips, run)[:length].tolist()))


# ---------------------------------------------------------------------------------- by name

Kind = Callable[[Rng, int], Env]


def kinds(ports: Ports, **own: Kind) -> Mapping[str, Kind]:
    """Return kinds of environments by name: those of every engine, and some of its own."""
    return {
        "ideal": lambda rng, length: {},
        "latency": lambda rng, length: latencies(rng, ports),
        "rates": lambda rng, length: rates(rng, ports),
        "stalls": lambda rng, length: stalls(rng, ports, length),
        **own,
        "mixed": lambda rng, length: mixed(rng, ports, length),
    }


def one_slow(*ports: str) -> Kind:
    """Return environments in which one of some ports holds everything up."""
    return lambda rng, length: {str(rng.choice(ports)): slow(rng, length)}


def some_slow(*ports: str) -> Kind:
    """Return environments in which most of some ports hold everything up."""
    return lambda rng, length: {port: slow(rng, length) for port in ports if rng.random() < 0.7}
