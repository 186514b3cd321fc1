"""Arrays of 1,024 MACs a cycle, composed from what the engines' syntheses found of their parts.

An engine's cost face fits its PEs, edges and control to syntheses of small arrays in which each
part is mapped by itself, and is judged on larger ones. Here it is asked for arrays of Table VII's
size; bit-slice arrays have 1,024 PEs, or lanes of such as take many terms at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np

from archsim import tech
from archsim.engines import NO_STALLS, GemmJobs, discover
from archsim.engines.bitslice.lockstep_digits import told
from archsim.engines.bitslice.parts import with_shares
from archsim.errors import InfeasibleError
from archsim.formats.digits import tally
from archsim.reproduce.tpe_study.efficiency import Gain, baseline
from archsim.reproduce.tpe_study.operands import SEED, SIGMA

PREFIX = {"multiplier": "inferred", "adder": "prefix"}
FIELDS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "systolic/mac": {"rows": 32, "cols": 32},
        "systolic/opt1": {"rows": 32, "cols": 32, **PREFIX},
        "cube/mac": {"rows": 8, "cols": 8, "depth": 16},
        "cube/opt1": {"rows": 8, "cols": 8, "depth": 16, **PREFIX},
        "adder_tree/mac": {"depth": 32, "cols": 32},
        "adder_tree/opt1": {"depth": 32, "cols": 32},
        "matrix2d/mac": {"rows": 32, "cols": 32},
        "matrix2d/opt1": {"rows": 32, "cols": 32},
        "matrix2d/opt2": {"rows": 32, "cols": 32},
        "bitslice/opt3": {"rows": 32, "cols": 32, "depth": 512},
        "bitslice/opt4c": {"rows": 32, "cols": 32, "depth": 512},
        "bitslice/opt4e": {"rows": 32, "cols": 32, "depth": 512},
        "bitslice/laconic": {"rows": 8, "cols": 8, "group": 16, "encoding": "naf"},
        "bitslice/bitlet": {"rows": 16, "cols": 8, "group": 8, "encoding": "twos_complement"},
    }
)
MEMORIES = ("accumulators", "operand_banks", "digit_buffers")  # components of SRAM
K = 1024
OPERAND_BITS = 8


@dataclass(frozen=True, slots=True)
class Composed:
    """An array of 1,024 MACs a cycle or PEs.

    Parameters
    ----------
    components_um2
        Area, memories included.
    clock_mhz, source
        Its synthesised Fmax, and how that is known.
    macs_per_cycle
        Of a job of two folds with k = 1024, fill and drain included; operands normal.
    pj_per_mac
        Of that job at the clock, leakage and memories included.
    """

    design: str
    components_um2: Mapping[str, float]
    clock_mhz: float
    source: str
    macs_per_cycle: float
    pj_per_mac: float

    @property
    def logic_um2(self) -> float:
        """Area without memories, which Table VII does not seem to have either."""
        found = self.components_um2.items()
        return sum(um2 for name, um2 in found if name not in MEMORIES)

    @property
    def tops_per_mm2(self) -> float:
        return 2 * self.macs_per_cycle * self.clock_mhz / self.logic_um2

    @property
    def tops_per_w(self) -> float:
        return 2 / self.pj_per_mac


@cache
def composed(library: str, design: str) -> Composed:
    """Return an array at its own best clock.

    Raises
    ------
    InfeasibleError
        When the node has no table of it.
    """
    kind, pe = design.split("/")
    engine, node = discover()[kind], tech.load(library)
    spec: Any = engine.spec(kind=kind, pe=pe, **FIELDS[design])  # type: ignore[call-arg]
    area = {name: float(um2) for name, um2 in engine.area_um2(spec, node).items()}
    fmax = engine.fmax_mhz(spec, node)
    m, n = (2 * x if x else spec.cols for x in engine.blocks(spec)[:2])
    rng = np.random.default_rng(SEED)
    data = {
        name: np.clip(np.round(rng.normal(0.0, SIGMA, shape)), -128, 127).astype(np.int8)
        for name, shape in (("a", (m, K)), ("b", (K, n)))
    }
    job = GemmJobs(*(np.array([x]) for x in (m, n, K, False)), refs=({"a": "a", "b": "b"},))
    if engine.reads_values(spec):
        counted = {port: tally(values, OPERAND_BITS) for port, values in data.items()}
        job = with_shares(job, told(spec, counted))
    timing = engine.time(spec, job, NO_STALLS, data)
    price = engine.energy_pj(spec, node)
    counts = engine.actions(spec, job, timing)
    energy = sum(float(count[0]) * float(price[action]) for action, count in counts.items())
    occupied = float(timing.occupied[0])
    energy += float(price["leak_ps"]) * occupied * 1e6 / fmax.mhz
    macs = m * n * K
    return Composed(design, area, fmax.mhz, fmax.source, macs / occupied, energy / macs)


def missing(library: str) -> tuple[str, ...]:
    """Return the designs that a node has no synthesis table of."""
    found = []
    for design in FIELDS:
        try:
            composed(library, design)
        except InfeasibleError:
            found.append(design)
    return tuple(found)


def gains(library: str) -> Mapping[str, Gain]:
    """Return the efficiencies of arrays over their baselines', of those that have tables."""
    lacks = missing(library)
    found = {}
    for design in FIELDS:
        over = baseline(design)
        if over is None or {design, over} & set(lacks):
            continue
        ours, other = composed(library, design), composed(library, over)
        found[design] = Gain(
            design,
            over,
            ours.tops_per_mm2 / other.tops_per_mm2,
            ours.tops_per_w / other.tops_per_w,
        )
    return found
