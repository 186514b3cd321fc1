"""What synthesis is to show, and what it shows: recomputed from the runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from archsim.reproduce.tpe_study import composed
from archsim.reproduce.tpe_study.efficiency import STIMULI, gains, growth, path_ratio, shortest

PAPER_GAINS = {  # Table VII, exact; the cube's recomputed from the row's own figures
    "systolic/opt1": "1.27",
    "cube/opt1": "1.45",
    "adder_tree/opt1": "1.56",
    "matrix2d/opt2": "1.44",
}
ORDER = ("opt4c", "opt4e", "opt1", "mac")  # by shortest path


@dataclass(frozen=True, slots=True)
class Promise:
    """A statement, what was found, and whether it holds.

    Parameters
    ----------
    paper
        What the paper has, in words, where it has something.
    """

    name: str
    wanted: str
    found: str
    holds: bool
    paper: str = ""


def promises(library: str) -> tuple[Promise, ...]:
    """Return every promise on PEs, judged in a library."""
    return tuple(_promises(library))


def _promises(library: str) -> Iterator[Promise]:
    delays = [shortest(library, design).delay_ps for design in ORDER]
    yield Promise(
        "order of shortest paths",
        " < ".join(ORDER),
        ", ".join(f"{name} {ps:.0f} ps" for name, ps in zip(ORDER, delays, strict=True)),
        all(a < b for a, b in pairwise(delays)),
        "0.29, 0.40, 0.92, 1.95 ns (notes on section text)",
    )
    ratio = path_ratio(library)
    yield Promise(
        "shortest path, mac over opt1, 32 bits",
        "at least 1.6, best adder and recipe of each",
        f"{ratio:.2f}", ratio >= 1.6, "2.1",
    )  # fmt: skip
    opt1 = growth(library, "opt1")
    yield Promise(
        "opt1's shortest path, 32 bits over 20", "at most 1.12", f"{opt1:.3f}", opt1 <= 1.12,
    )  # fmt: skip
    for adder, wanted in (("", "the best adder of each"), ("ripple", "ripple adders")):
        mac = growth(library, "mac", variant=adder)
        yield Promise(
            f"mac's shortest path, 32 bits over 20, {wanted}",
            "at least 1.18", f"{mac:.3f}", mac >= 1.18, "1.26 (Table I, exact)",
        )  # fmt: skip
    for stimulus in STIMULI:
        gain = gains(library, "b", stimulus)["opt4e"]
        yield Promise(
            f"opt4e over our laconic at best clocks, {stimulus} operands",
            "above 1 in area and in energy efficiency",
            f"{gain.area_efficiency:.2f} and {gain.energy_efficiency:.2f}",
            min(gain.area_efficiency, gain.energy_efficiency) > 1,
            "2.85 and 12.10 (Table VII, exact)",
        )
    for name in ("opt1", "opt2"):
        area = gains(library, "b")[name].area_efficiency
        yield Promise(
            f"area efficiency of the PE {name} over mac at best clocks",
            "above 1", f"{area:.2f}", area > 1,
        )  # fmt: skip


def array_promises(library: str) -> Iterator[Promise]:
    """Yield what is promised of complete arrays: those composed to 1,024 MACs that have tables."""
    found = composed.gains(library)
    for design, paper in PAPER_GAINS.items():
        if design in found:
            area = found[design].area_efficiency
            yield Promise(
                f"area efficiency of {design} over {found[design].over}, each at its own clock",
                "above 1", f"{area:.2f}", area > 1, paper,
            )  # fmt: skip
