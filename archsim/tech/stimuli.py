"""What studies of engines share to run jobs on a mapped netlist: beats in, beats out, values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from archsim.errors import ArchsimError

if TYPE_CHECKING:
    from archsim.hdl.power import GateSimulator

SIGMAS_OF_FULL_SCALE = 3.0  # integers: normal, full scale at 3 sigma, clipped
PATIENCE_CYCLES = 100_000


def reset(simulator: GateSimulator) -> None:
    """Hold the reset for two cycles."""
    simulator.set("rst", 1)
    for _ in range(2):
        simulator.settle()
        simulator.clock()
    simulator.set("rst", 0)


def exchange(
    simulator: GateSimulator,
    command: int,
    streams: Mapping[str, Sequence[Any]],
    output: str,
    results: int,
) -> tuple[list[list[int]], int]:
    """Offer every beat as early as may be and take results at once; return them and the cycles.

    Parameters
    ----------
    streams
        Beats by input port; a beat has a word for each of the simulator's lanes.
    output, results
        The port that results come from, and how many.
    """
    sent = dict.fromkeys(streams, 0)
    got: list[list[int]] = []
    accepted, cycles = False, 0
    simulator.set(f"{output}__ready", 1)
    while len(got) < results:
        simulator.set("cmd__valid", int(not accepted))
        simulator.set("cmd__payload", command)
        for port, words in streams.items():
            left = sent[port] < len(words)
            simulator.set(f"{port}__valid", int(left))
            if left:
                simulator.set(f"{port}__payload", words[sent[port]])
        simulator.settle()
        for port, words in streams.items():
            sent[port] += sent[port] < len(words) and simulator.get(f"{port}__ready")
        if simulator.get(f"{output}__valid"):
            lanes = range(simulator.lanes)
            got.append([simulator.get(f"{output}__payload", lane) for lane in lanes])
        accepted = accepted or bool(simulator.get("cmd__ready"))
        simulator.clock()
        cycles += accepted
        if cycles > PATIENCE_CYCLES:
            raise ArchsimError("the mapped netlist does not finish its job")
    return got, cycles


def normal(rng: np.random.Generator, shape: tuple[int, ...], bits: int) -> NDArray[np.int64]:
    """Return integers of a width that are distributed normally, clipped at full scale."""
    top = 2.0 ** (bits - 1)
    values = np.round(rng.normal(0.0, top / SIGMAS_OF_FULL_SCALE, shape))
    return np.clip(values, -top, top - 1).astype(np.int64)


def word(lanes: Sequence[int], bits: int) -> int:
    """Return a beat of lanes, lane 0 lowest, in two's complement."""
    return sum((int(x) & ((1 << bits) - 1)) << bits * i for i, x in enumerate(lanes))


def lane_value(word: int, bits: int, signed: bool = True) -> int:
    """Return the lowest lane of a beat."""
    word &= (1 << bits) - 1
    return word - (1 << bits) if signed and word >> (bits - 1) else word
