"""Sparse products on PEs that multiply and merge: inner, outer and row by row, as a model."""

from __future__ import annotations

from types import ModuleType

from archsim.engines import Engine, Ints, NoRtl, Windows
from archsim.engines.spgemm_dataflow import cost, inner, outer, row_merge, timing, views
from archsim.engines.spgemm_dataflow.reference import reference
from archsim.engines.spgemm_dataflow.spec import (
    Dataflow,
    DataflowJobs,
    SpgemmDataflowSpec,
    accepts,
    dtypes,
)
from archsim.sparse.product import SparseProduct
from archsim.trace import Op

FLOWS: dict[Dataflow, ModuleType] = {"inner": inner, "outer": outer, "row_merge": row_merge}
ASSUMES: dict[Dataflow, str] = {
    "inner": "inner: all pairs of a row of A and a column of B are compared, an index a cycle",
    "outer": "outer: partial products that the buffer cannot keep go to DRAM and back once",
    "row_merge": "row_merge: the buffer keeps rows of B, and drops the least recently used",
}
ALWAYS = (
    "time is a lower bound, window by window: work evenly shared, or the longest row alone",
    "entries are values with 32-bit indices, rows have 64-bit pointers, patterns are known",
    "a merger takes an entry a cycle; what its passes leave stays in the buffer",
    "PEs are priced as measured vector lanes; merge trees, queues and tags are not priced",
)


def windows(spec: SpgemmDataflowSpec, op: Op, product: SparseProduct, room_bytes: int) -> Windows:
    found: Windows = FLOWS[spec.dataflow].windows(spec, product, room_bytes)
    return found


def lower(spec: SpgemmDataflowSpec, op: Op, cut: Windows, data: SparseProduct) -> DataflowJobs:
    found: DataflowJobs = FLOWS[spec.dataflow].jobs(spec, data, cut)
    return found


def figures(spec: SpgemmDataflowSpec, jobs: DataflowJobs) -> dict[str, Ints]:
    return {"least_bytes": jobs.least_bytes}


def assumptions(spec: SpgemmDataflowSpec) -> tuple[str, ...]:
    return tuple(f"spgemm_dataflow: {words}" for words in (ASSUMES[spec.dataflow], *ALWAYS))


ENGINE = Engine(
    kind="spgemm_dataflow",
    spec=SpgemmDataflowSpec,
    accepts=accepts,
    lower=lower,
    reference=reference,
    time=timing.time,
    actions=timing.actions,
    energy_pj=cost.energy_pj,
    area_um2=cost.area_um2,
    fmax_mhz=cost.fmax_mhz,
    lanes=timing.ports,
    rtl=NoRtl("a model of traffic and work by dataflow, of which no hardware is generated"),
    dtypes=dtypes,
    peak_macs=lambda spec: spec.pes,
    windows=windows,
    figures=figures,
    assumptions=assumptions,
    metrics=(views.TRAFFIC_RATIO,),
    panels=(views.TRAFFIC,),
)
