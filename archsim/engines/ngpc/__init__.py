"""Neural-fields processors: grid encodings fused with small MLPs, beside a GPU.

`spec` is what people type. `jobs` are slices of queries on one processor, of which `timing`,
`reference` and `rtl` are faces. `batches` are those of a frame on all processors, which `cluster`
models: what a query takes comes from the exact time of a sample of the frame's (`steady`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archsim.engines import NO_STALLS, Data, Engine, Env, Ints, Rtl, SpecBatch, Timing
from archsim.engines.ngpc import batches, beats, cluster, cost, terms, timing
from archsim.engines.ngpc.batches import BatchJobs
from archsim.engines.ngpc.cases import cases
from archsim.engines.ngpc.jobs import NgpcJobs
from archsim.engines.ngpc.quality import quality
from archsim.engines.ngpc.reference import reference
from archsim.engines.ngpc.spec import NgpcSpec
from archsim.engines.ngpc.views import METRICS, PANELS

Commands = NgpcJobs | BatchJobs


def time(
    spec: NgpcSpec | SpecBatch, jobs: Commands, env: Env = NO_STALLS, data: Data | None = None
) -> Timing:
    """Return the time of slices on one processor, or of batches on all of them."""
    if isinstance(jobs, BatchJobs):
        return cluster.time(spec, jobs, env)
    return timing.time(spec, jobs, env, data)


def actions(spec: NgpcSpec, jobs: Commands, taken: Timing) -> Mapping[str, Ints]:
    """Return what jobs do; of `archsim.engines.ngpc.cost.energy_pj` each has a price."""
    if isinstance(jobs, BatchJobs):
        return cluster.actions(spec, jobs, taken)
    return terms.actions(spec, jobs, taken)


def build(spec: NgpcSpec) -> Any:
    from archsim.engines.ngpc.rtl import NeuralFieldsProcessor  # noqa: PLC0415 (no HDL to simulate)

    return NeuralFieldsProcessor(spec)


def peak_macs(spec: NgpcSpec) -> int:
    """Return what all arrays can do in a cycle."""
    return spec.nfps * spec.arrays * spec.mlp_width**2


def assumptions(spec: NgpcSpec) -> tuple[str, ...]:
    tables = {
        "resident": "ngpc: tables lie in the engines, as is published, whether they fit or not",
        "cut": "ngpc: fields are fitted anew, with no more entries of a table than fit",
        "spilled": "ngpc: what does not fit of tables is read from DRAM; only its bytes take time",
    }
    hidden = {
        1: "ngpc: GPU and processors take turns at each batch: there is one group of rays",
        2: "ngpc: the GPU's other kernels run on one batch while the next is queried",
    }
    return (
        "ngpc: cycles of a query are those of a sample of the frame's on one processor, exactly",
        "ngpc: what a processor computes is in fixed point; its networks are one chain of layers",
        "ngpc: batches go to processors in turn by 256 queries; all but the last are as long",
        "ngpc: tables and weights are loaded once a scene, which no frame is charged for",
        f"ngpc: the GPU's other kernels, fused, are {spec.rest_speedup:g} times as fast as before",
        tables[spec.tables],
        hidden[spec.ray_groups],
        "ngpc: the GPU beside the processors is in no area and in no energy",
        "ngpc: the GPU's time of a frame is what is published, whatever its scene asks for",
        "ngpc: quality is of small pictures after short fits, in which large tables gain little",
        "ngpc: where its RTL was not measured, lanes are priced as the node's, the rest not",
    )


ENGINE = Engine(
    kind="ngpc",
    spec=NgpcSpec,
    accepts=batches.accepts,
    lower=batches.lower,
    reference=reference,
    time=time,
    actions=actions,
    energy_pj=cost.energy_pj,
    area_um2=cost.area_um2,
    fmax_mhz=cost.fmax_mhz,
    lanes=cluster.lanes,
    rtl=Rtl(build, beats.ports, beats.pack, beats.unpack),
    cases=cases,
    process=cluster.process,
    quality=quality,
    peak_macs=peak_macs,
    reads_clock=True,
    figures=cluster.figures,
    windows=batches.windows,
    assumptions=assumptions,
    metrics=METRICS,
    panels=PANELS,
)
