"""Power and energy of an 8x8 mesh, worked out from its parts, by two conventions of time.

``pipelined``: a vector a sample of the converters, as papers' estimates have it. ``control``: the
cycles that this project's controller takes for a vector.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from archsim.engines.rfnn import counts, power
from archsim.engines.rfnn.spec import RfnnSpec
from archsim.reproduce.rfnn.counting import LAYERS
from archsim.reproduce.rfnn.numbers import OURS, ours
from archsim.reproduce.row import Row, Section

MODES = 8
SPEC = RfnnSpec(modes=MODES, circuit="unitary", readout="mag")
TRAIN = LAYERS[1]  # 784 to 256, rank 4
CHAINS = 16  # of the train's mesh
PJ_PER_NJ, PS_PER_US = 1e3, 1e6
CONVENTION = (
    "28 cells of two shifters at 10 uW (MAPS-010145, data sheet: at most 2 uA, 5 V), an output's "
    "detector at 72.6 mW (AD8319, data sheet: 22 mA from 3.3 V) and converter at 50 mW, a port's "
    "source of 0 dBm at 20 % (both assumed); converters to amplitudes, mixers and the control are "
    "not counted, as no source has their power"
)
CONCLUSION = (
    "readout dominates: shifters are a two-thousandth of the power, so that fewer interferometers "
    "hardly save energy unless shifters are hungry; energy per MAC falls with the ports of a mesh"
)
TURNS = (
    "a train in turns: all cores on one mesh of 28 and 16 ports, 996 shifters in 16 chains, "
    "programmed again for each of four cores"
)


@dataclass(frozen=True, slots=True)
class Budget:
    """Power of a mesh with its readout, in mW."""

    shifters: float
    readout: float
    source: float

    @classmethod
    def of(cls, spec: RfnnSpec) -> Budget:
        cells = counts.SHIFTERS_PER_CELL * counts.unitary_cells(spec.modes)
        return cls(
            cells * power.shifter_mw(spec),
            float(power.readout_mw(spec)),
            float(power.source_mw(spec)),
        )

    @property
    def total(self) -> float:
        return self.shifters + self.readout + self.source

    def mvm_nj(self, time_ps: float) -> float:
        """Return the energy of a product of the mesh's matrix and a vector."""
        return self.total * power.PJ_PER_PS_OF_MW * time_ps / PJ_PER_NJ


def bank_ps(spec: RfnnSpec, devices: int, chains: int) -> float:
    """Return the time to program so many shifters, by the control's own formula."""
    bits = -(-devices // chains) * spec.phase_bits
    cycles = 2 + 2 * spec.sclk_div * bits + spec.latch_cycles + spec.settle_cycles
    return float(cycles * power.PS_PER_MHZ / power.clock_mhz(spec))


def sections() -> Iterator[Section]:
    """Yield the power of an 8x8 mesh, and the time of a train on one."""
    yield Section(
        "Energy: an 8x8 mesh and its readout", tuple(_mesh()), (OURS, CONVENTION, CONCLUSION)
    )
    yield Section(
        "Time: 784 to 256, rank 4, matrix cores",
        tuple(_train()),
        (OURS, TURNS),
    )


def _mesh() -> Iterator[Row]:
    budget = Budget.of(SPEC)
    yield ours("power of phase shifters", budget.shifters, "mW")
    yield ours("power of detectors and converters", budget.readout, "mW")
    yield ours("power of sources", budget.source, "mW")
    yield ours("power of all", budget.total, "mW")
    nj = budget.mvm_nj(SPEC.sample_ps)
    macs = MODES * MODES
    yield ours("energy of a matrix-vector product, a vector a sample", nj, "nJ")
    yield ours("energy of a complex MAC, a vector a sample", nj / macs, "nJ")
    bare = Budget(budget.shifters, 0.0, budget.source).mvm_nj(SPEC.sample_ps)
    yield ours("the same without readout", bare * PJ_PER_NJ / macs, "pJ")
    cycles = 2 * MODES + 1 + SPEC.analog_cycles + SPEC.sampling_cycles
    period_ps = power.PS_PER_MHZ / power.clock_mhz(SPEC)
    yield ours("time of a vector by the control", cycles * period_ps / PJ_PER_NJ, "ns")
    nj = budget.mvm_nj(cycles * period_ps)
    yield ours("energy of a matrix-vector product by the control", nj, "nJ")


def _train() -> Iterator[Row]:
    turns = TRAIN.count("ttm", "shared")
    passing_us = turns.slots * SPEC.sample_ps / PS_PER_US
    shifters = counts.SHIFTERS_PER_CELL * turns.cells
    bank_us = bank_ps(SPEC, shifters, CHAINS) / PS_PER_US
    yield ours("time of its passes, a vector a sample", passing_us, "us")
    yield ours("phase shifters of one mesh for all cores", shifters)
    yield ours("time to program that mesh", bank_us, "us")
    yield ours("time to program it for every core", turns.reprograms * bank_us, "us")
