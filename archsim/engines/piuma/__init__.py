"""A block of barrel cores that multiplies sparse matrices by hashing, as a model."""

from __future__ import annotations

from archsim.engines import Engine, NoRtl, Port
from archsim.engines.piuma import cost, lowering, timing
from archsim.engines.piuma.panels import METRICS, PANELS, STEP_FIGURES
from archsim.engines.piuma.process import process
from archsim.engines.piuma.reference import reference
from archsim.engines.piuma.spec import WORD_BYTES, PiumaSpec


def lanes(spec: PiumaSpec) -> dict[str, Port]:
    """Return the words that go between DRAM and threads."""
    bits = 8 * WORD_BYTES
    return {
        "read": Port("in", 1, bits, signed=False),
        "write": Port("out", 1, bits, signed=False),
    }


def peak_macs(spec: PiumaSpec) -> int:
    """Return a product a cycle and core: what issue would allow if it took one instruction."""
    return spec.mtcs


def assumptions(spec: PiumaSpec) -> tuple[str, ...]:
    cycles = f"{spec.instruction_cycles} cycles on average"
    pace = (
        f"piuma: an instruction of a thread takes {cycles}, whatever it waits for",
        "piuma: slots that products look at are counted in the order of one thread",
    )
    operations = (
        "piuma: hashing is simulated operation by operation; the rest goes by the budget",
    )
    rolling = (
        "piuma: rolling eviction is a what-if; entries collide as if they stayed for their window",
    )
    return (
        "piuma: a model by a budget of instructions, which was fitted on one product",
        *(operations if spec.detail == "operation" else pace),
        "piuma: every nonzero of A reads its row of B from DRAM; nothing is read once for two",
        "piuma: what a window reads is fetched while the one before is hashed",
        "piuma: cores are priced as measured lanes with memories; decoders, network, DMA are not",
        *(rolling if spec.eviction == "rolling" else ()),
    )


ENGINE = Engine(
    kind="piuma",
    spec=PiumaSpec,
    accepts=lowering.accepts,
    lower=lowering.lower,
    reference=reference,
    time=timing.time,
    actions=timing.actions,
    energy_pj=cost.energy_pj,
    area_um2=cost.area_um2,
    fmax_mhz=cost.fmax_mhz,
    lanes=lanes,
    rtl=NoRtl("cores that run programs are a model, by a budget of instructions"),
    process=process,
    peak_macs=peak_macs,
    figures=timing.figures,
    step_figures=STEP_FIGURES,
    windows=lowering.windows,
    assumptions=assumptions,
    metrics=METRICS,
    panels=PANELS,
)
