"""What a person types to get an RF network engine, and the counts and cycles that follow."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from archsim.engines import AssumedClock, EngineSpec
from archsim.engines.rfnn import counts
from archsim.engines.rfnn.cell import Drive
from archsim.engines.rfnn.counts import MeshKind
from archsim.engines.rfnn.tensor_train import Cores, Form

Readout = Literal["iq", "mag"]
Circuit = Literal["unitary", "svd"]

PHASE_BITS = 16  # of a phase as it comes: unsigned, in turns
MAX_CYCLES = 2**16 - 1  # that the control counts for an analog part to settle
TABLE_ENTRIES = 256  # of a shifter's calibration, by a phase's high byte

Picoseconds = Annotated[int, Field(ge=0, le=10**9)]
Loss = Annotated[float, Field(ge=0, le=60)]
Power = Annotated[float, Field(ge=0, le=10**6)]
FASTEST_MHZ = 10**5  # of a control's clock


class RfnnSpec(EngineSpec):
    """Interferometer meshes that multiply RF amplitudes by a matrix, and their digital control.

    A mesh multiplies a vector of ``modes`` amplitudes by one matrix while the wave passes. The
    control programs its phase shifters through serial chains, sets the amplitudes by converters,
    samples the outputs, averages, rounds, and keeps what comes between stages in two buffers.
    A matrix larger than a mesh is cut into tiles of ``modes x modes``; a layer in tensor-train form
    is a sequence of stages with small matrices.

    Times are given in picoseconds and take whole cycles of the control's clock, which is why that
    clock has to be a number. Defaults of parts follow data sheets, those of 2 GHz boards.
    """

    kind: Literal["rfnn"] = "rfnn"
    clock_mhz: Annotated[
        Annotated[float, Field(gt=0, le=FASTEST_MHZ)] | AssumedClock,
        Field(description="clock of the control; analog times are rounded up to its cycles"),
    ] = 100.0

    # what is computed, on how many meshes
    modes: Annotated[
        int, Field(ge=2, le=4096, description="ports of a mesh: converters on either side")
    ] = 8
    mesh: Annotated[
        MeshKind, Field(description="cells in a rectangle (clements) or a triangle (reck)")
    ] = "clements"
    circuit: Annotated[
        Circuit,
        Field(description="one mesh (unitary: such matrices only), or two and attenuators (svd)"),
    ] = "svd"
    form: Annotated[
        Form, Field(description="of a layer: the whole matrix, or a tensor train of either format")
    ] = "full"
    rank: Annotated[int, Field(ge=1, le=1024, description="most that a train's ranks may be")] = 4
    cores: Annotated[
        Cores,
        Field(
            description="one mesh, reprogrammed for every matrix (shared); a mesh for every matrix "
            "(instance); for every vector as well, a layer in one pass (spatial)"
        ),
    ] = "shared"
    readout: Annotated[
        Readout, Field(description="both quadratures of an output (iq), or its magnitude (mag)")
    ] = "iq"
    drive: Annotated[
        Drive,
        Field(description="a cell's splitting phase: in one arm, or half of it against each"),
    ] = "one_arm"
    switches: Annotated[
        bool, Field(description="a switch matrix before the mesh, set anew for every matrix")
    ] = False

    # control
    phase_bits: Annotated[int, Field(ge=1, le=12, description="bits of a phase shifter")] = 6
    calibrated: Annotated[
        bool, Field(description="codes of phases from a table of every shifter; else rounded")
    ] = False
    chains: Annotated[int, Field(ge=1, le=1024, description="serial chains of shifters")] = 8
    sclk_div: Annotated[
        int, Field(ge=1, le=256, description="cycles of half a period of the serial clock")
    ] = 2
    profiles: Annotated[
        int, Field(ge=1, le=4096, description="settings of meshes that the control keeps")
    ] = 1
    samples_log2: Annotated[
        int, Field(ge=0, le=8, description="samples of an output that are averaged, as log2")
    ] = 0
    adc_bits: Annotated[int, Field(ge=2, le=16, description="bits of a sample")] = 12
    dac_bits: Annotated[int, Field(ge=2, le=16, description="bits of an amplitude")] = 12
    result_bits: Annotated[
        int, Field(ge=4, le=32, description="bits of a quadrature in the buffers, and of a result")
    ] = 24
    buffer_words: Annotated[
        int, Field(ge=2, le=2**20, description="words of each of the two buffers between stages")
    ] = 8192

    # times of analog parts
    cell_ps: Annotated[Picoseconds, Field(description="through one cell of a mesh")] = 1_000
    detector_ps: Annotated[Picoseconds, Field(description="until a detector has settled")] = 10_000
    sample_ps: Annotated[Picoseconds, Field(description="of one sample: 20 MS/s")] = 50_000
    latch_ps: Annotated[Picoseconds, Field(description="of the chains' latch pulse")] = 20_000
    settle_ps: Annotated[
        Picoseconds, Field(description="until new phases have settled, after the latch")
    ] = 260_000
    switch_ps: Annotated[Picoseconds, Field(description="until a switch matrix has settled")] = (
        255_000
    )

    # parts, for physics and cost
    hybrid_loss_db: Annotated[Loss, Field(description="of a 3 dB hybrid")] = 0.3
    shifter_loss_db: Annotated[Loss, Field(description="of a phase shifter")] = 1.0
    attenuator_loss_db: Annotated[Loss, Field(description="of an attenuator set to pass")] = 1.83
    switch_loss_db: Annotated[Loss, Field(description="of a switch")] = 0.8
    static_phase_deg: Annotated[
        float, Field(ge=0, le=180, description="spread of shifters' fixed errors")
    ] = 1.5
    dynamic_phase_deg: Annotated[
        float, Field(ge=0, le=180, description="spread of the error of each pass")
    ] = 0.2
    shifter_power_uw: Annotated[Power, Field(description="of a phase shifter at rest")] = 10.0
    detector_power_mw: Annotated[Power, Field(description="of a detector")] = 72.6
    adc_power_mw: Annotated[Power, Field(description="of a converter of samples")] = 50.0
    source_power_mw: Annotated[Power, Field(description="of RF power into a port")] = 1.0
    source_efficiency: Annotated[
        float, Field(gt=0, le=1, description="RF power of a port over what its source draws")
    ] = 0.2

    @model_validator(mode="after")
    def _an_assumed_clock_has_cycles(self) -> Self:
        if isinstance(self.clock_mhz, AssumedClock) and self.clock_mhz.mhz > FASTEST_MHZ:
            raise ValueError(
                f"clock_mhz must be at most {FASTEST_MHZ:,} MHz, assumed or not, "
                f"not {self.clock_mhz.mhz:g}"
            )
        return self

    @model_validator(mode="after")
    def _buffers_hold_a_sample(self) -> Self:
        widest = max(self.adc_bits, self.dac_bits)
        if self.result_bits < widest:
            raise ValueError(
                f"result_bits must be at least those of converters, {widest}, "
                f"not {self.result_bits}"
            )
        return self

    @model_validator(mode="after")
    def _times_can_be_counted(self) -> Self:
        longest = max(self.analog_cycles, self.switch_cycles)
        if longest > MAX_CYCLES:
            raise ValueError(
                f"waves and switches must settle within {MAX_CYCLES:,} cycles of the control's "
                f"clock, not {longest:,}: lower clock_mhz, cell_ps, detector_ps or switch_ps"
            )
        return self

    @model_validator(mode="after")
    def _chains_are_not_empty(self) -> Self:
        if self.chains > self.devices:
            raise ValueError(
                f"chains must be at most the {self.devices} phase shifters of a mesh of "
                f"{self.modes} modes, not {self.chains}"
            )
        return self

    @model_validator(mode="after")
    def _switches_are_a_benes_network(self) -> Self:
        if self.switches and self.modes & (self.modes - 1):
            raise ValueError(f"modes must be a power of two with switches, not {self.modes}")
        return self

    @model_validator(mode="after")
    def _a_magnitude_ends_a_layer(self) -> Self:
        if self.readout == "mag" and self.form != "full" and self.cores != "spatial":
            raise ValueError(
                "readout: mag loses the phase between the stages of a tensor train: use readout: "
                "iq, cores: spatial (no readout between stages) or form: full"
            )
        return self

    # what follows, for a `SpecBatch` too

    @property
    def lanes(self) -> int:
        """Return the numbers of a buffer's word: two quadratures, or a magnitude."""
        return 2 if self.readout == "iq" else 1

    @property
    def devices(self) -> int:
        """Return the phase shifters to program in one mesh, or pair of meshes."""
        cells = counts.SHIFTERS_PER_CELL * counts.unitary_cells(self.modes)
        if self.circuit == "unitary":
            return int(cells + self.modes)
        return int(2 * cells + 2 * self.modes)  # U and V^H, a shifter an attenuator, output phases

    @property
    def chain_devices(self) -> int:
        """Return the phase shifters in a chain, those that fill it up included."""
        return -(-self.devices // self.chains)

    @property
    def depth_cells(self) -> int:
        """Return the cells on the longest way from a converter to a converter."""
        mesh = int(counts.depth(self.modes, self.mesh))
        return mesh if self.circuit == "unitary" else 2 * mesh + 1

    @property
    def analog_cycles(self) -> int:
        """Return the cycles from new amplitudes to the first sample, through one mesh."""
        return self.passing_cycles(self.depth_cells)

    def passing_cycles(self, cells: int) -> int:
        """Return the cycles from new amplitudes to the first sample, through so many cells."""
        return max(1, self._cycles(cells * self.cell_ps + self.detector_ps))

    @property
    def sample_cycles(self) -> int:
        return max(1, self._cycles(self.sample_ps))

    @property
    def latch_cycles(self) -> int:
        return max(1, self._cycles(self.latch_ps))

    @property
    def settle_cycles(self) -> int:
        return max(1, self._cycles(self.settle_ps))

    @property
    def switch_cycles(self) -> int:
        return max(1, self._cycles(self.switch_ps))

    @property
    def switched(self) -> bool:
        """Return whether switches are set before a matrix: to its mesh, or of its ports."""
        return self.switches or self.cores == "instance"

    @property
    def bank_cycles(self) -> int:
        """Return the cycles from the start of programming a mesh to its end, in which it is said.

        A cycle to fetch, two half periods of the serial clock a bit, latch, settling.
        """
        shift = 2 * self.sclk_div * self.chain_devices * self.phase_bits
        return 2 + shift + self.latch_cycles + self.settle_cycles

    @property
    def sampling_cycles(self) -> int:
        """Return the cycles in which a vector's outputs are sampled."""
        return self.sample_cycles << self.samples_log2

    def _cycles(self, ps: int) -> int:
        mhz = self.clock_mhz.mhz if isinstance(self.clock_mhz, AssumedClock) else self.clock_mhz
        return -int(-ps * round(mhz * 1000) // 10**9)
