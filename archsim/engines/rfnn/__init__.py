"""RF neural networks: interferometer meshes, tensor trains on them, and their digital control.

`spec` is what people type; `lowering` makes stages of layers; `timing`, `reference` and `rtl` are
the control's faces, with `twin` for the meshes behind its pins. The physics of meshes is in `cell`,
`mesh`, `decompose`, `errors`, `layer` and `link`, trained networks in `network`.
"""

from __future__ import annotations

from typing import Any

from archsim.engines import Engine, GemmJobs, Rtl, Timing
from archsim.engines.rfnn import beats, cases, cost, lowering, panels, timing
from archsim.engines.rfnn.quality import quality
from archsim.engines.rfnn.reference import reference
from archsim.engines.rfnn.spec import RfnnSpec
from archsim.errors import InputError

FORMS = {
    "full": "rfnn: layers are whole matrices, cut into matrices of the mesh's modes",
    "tt3": "rfnn: layers are trains of third-order cores, of extents by a fixed rule",
    "ttm": "rfnn: layers are trains of matrix cores, of extents by a fixed rule",
}
CORES = {
    "shared": "rfnn: one mesh is programmed again for every matrix, by every command",
    "instance": "rfnn: a mesh for every matrix, programmed before the run; vectors take turns",
    "spatial": "rfnn: a mesh for every matrix and vector, programmed before the run; one pass",
}
CIRCUITS = {
    "svd": "rfnn: a matrix is two meshes and attenuators; its largest singular value is a gain",
    "unitary": "rfnn: a matrix is one mesh; weights are taken to be unitary",
}
RUNNING = (
    "rfnn: readout, sources and a shared mesh are on for the whole run, a layer's own meshes while "
    "it runs"
)
NOT_COUNTED = (
    "rfnn: a quadrature counts as a detector and a converter; converters to amplitudes, mixers, "
    "attenuators and switches draw nothing, as no source has their power"
)
LOSS = (
    "rfnn: loss on a wave's way is reported and limits nothing: gain against it, its noise and its "
    "power are not modelled"
)
DEFAULTS = (
    "rfnn: default parts: detector AD8319 (data sheet, 72.6 mW), shifter MAPS-010145 (data sheet, "
    "10 uW); converter of 50 mW and 20 MS/s, cell of 1 ns, sources of 0 dBm at 20 % (assumed)"
)


def assumptions(spec: RfnnSpec) -> tuple[str, ...]:
    return (
        FORMS[spec.form],
        CORES[spec.cores],
        CIRCUITS[spec.circuit],
        "rfnn: MACs are those of the dense layer; a train does fewer, and has no peak",
        "rfnn: analog times are constants, rounded up to cycles of the control; nothing overlaps",
        RUNNING,
        NOT_COUNTED,
        "rfnn: parts around the control have no area; they are counted",
        LOSS,
        DEFAULTS,
    )


def build(spec: RfnnSpec) -> Any:
    """Return the control as an Amaranth component."""
    # simulating needs no HDL
    from archsim.engines.rfnn.rtl import RfnnControl  # noqa: PLC0415

    return RfnnControl(spec)


def bench(spec: RfnnSpec) -> Any:
    """Return the control with a behavioural mesh behind its pins.

    Raises
    ------
    InputError
        If the mesh is too large for one.
    """
    from archsim.engines.rfnn.twin_rtl import MOST_MODES, RfnnBench  # noqa: PLC0415

    if spec.modes > MOST_MODES:
        limit = f"must be at most {MOST_MODES} for a behavioural mesh"
        raise InputError("spec.modes", limit, spec.modes)
    return RfnnBench(spec)


def estimate(spec: RfnnSpec, jobs: GemmJobs) -> Timing:
    """Return the time of tiles at ports that do not stall, before they are lowered."""
    return timing.time(spec, lowering.jobs_of(spec, jobs))


ENGINE = Engine(
    kind="rfnn",
    spec=RfnnSpec,
    accepts=lowering.accepts,
    lower=lowering.lower,
    reference=reference,
    time=timing.time,
    actions=cost.actions,
    energy_pj=cost.energy_pj,
    area_um2=cost.area_um2,
    fmax_mhz=cost.fmax_mhz,
    lanes=beats.ports,
    rtl=Rtl(build=build, ports=beats.ports, pack=beats.pack, unpack=beats.unpack, bench=bench),
    cases=cases.cases,
    dtypes=lowering.dtypes,
    peak_macs=lowering.peak_macs,
    sum_bits=lambda spec: spec.result_bits,
    weight_bytes=lowering.weight_bytes,
    reads_clock=True,
    estimate=estimate,
    quality=quality,
    figures=panels.figures,
    blocks=lowering.blocks,
    assumptions=assumptions,
    metrics=panels.METRICS,
    panels=panels.PANELS,
)
