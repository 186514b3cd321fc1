"""The yardsticks: how fast this Python and this SimPy are here and now, and how figures are taken.

P is a loop of 10^6 additions in a function, H one SimPy timeout with a put to and a get from a
store. Machines differ and are shared; ratios to what was timed beside them travel.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass
from typing import Any

import simpy

ADDITIONS = 10**6
HANDOVERS = 5_000


@dataclass(frozen=True)
class Figure:
    """A measured figure; ``target`` is what it must not exceed, or not fall below."""

    name: str
    value: float
    unit: str
    target: str = ""
    ok: bool | None = None
    note: str = ""


def python_loop() -> int:
    s = 0
    for i in range(ADDITIONS):
        s += i
    return s


def simpy_handovers() -> None:
    sim = simpy.Environment()
    store = simpy.Store(sim)

    def producer() -> Generator[Any, Any, None]:
        for i in range(HANDOVERS):
            yield sim.timeout(1)
            yield store.put(i)

    def consumer() -> Generator[Any, Any, None]:
        for _ in range(HANDOVERS):
            yield store.get()

    sim.process(producer())
    sim.process(consumer())
    sim.run()


def cpu_s(work: Callable[[], Any]) -> float:
    """Return the CPU seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def least_s(*works: Callable[[], Any], runs: int) -> list[float]:
    """Return the least CPU seconds of each of several works, run in turn.

    In turn, so that all of them meet the machine in the same moods; the least, since others on it
    only ever add.
    """
    taken = [[cpu_s(work) for work in works] for _ in range(runs)]
    return [min(column) for column in zip(*taken, strict=True)]


def show(figures: list[Figure]) -> None:
    """Print figures as a table, or as JSON if the command line asks for it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    if parser.parse_known_args()[0].json:
        print(json.dumps([asdict(figure) for figure in figures], indent=1))
        return
    for figure in figures:
        verdict = {True: "ok", False: "MISSED", None: ""}[figure.ok]
        print(
            f"{figure.name:58} {figure.value:12,.4g} {figure.unit:22} {figure.target:10} {verdict}"
        )
        if figure.note:
            print(f"    {figure.note}")


def main() -> None:
    loop_s, handovers_s = least_s(python_loop, simpy_handovers, runs=10)
    show(
        [
            Figure("P: 10^6 additions", 1e3 * loop_s, "ms"),
            Figure("H: SimPy timeout, put and get", 1e6 * handovers_s / HANDOVERS, "us"),
        ]
    )


if __name__ == "__main__":
    main()
