"""Hash SpGEMM engine: spec, reference, timing, cost and RTL."""

from __future__ import annotations

from typing import Any

from archsim.engines import Engine, Rtl
from archsim.engines.hash_spgemm import beats, cost, timing, views, windows
from archsim.engines.hash_spgemm.cases import cases
from archsim.engines.hash_spgemm.reference import reference
from archsim.engines.hash_spgemm.spec import HashSpgemmSpec


def build(spec: HashSpgemmSpec) -> Any:
    from archsim.engines.hash_spgemm.rtl import HashSpgemm  # noqa: PLC0415 (no HDL to simulate)

    return HashSpgemm(spec)


def assumptions(spec: HashSpgemmSpec) -> tuple[str, ...]:
    order = "arrival" if spec.write_back == "dense" else "slots"
    return (
        "hash_spgemm: products of rows are counted and words laid out beforehand, in no time",
        "hash_spgemm: entries are 32-bit integers with 32-bit columns, whatever the trace says",
        f"hash_spgemm: entries of C lie in order of {order}, a window's together; none is sorted",
        "hash_spgemm: its memory port ends in the buffer, which answers in the next cycle",
        f"hash_spgemm: cycles of ops of more than {spec.exact_limit:,} products are an estimate",
        "hash_spgemm: a bank of the table costs the area of two single-port SRAMs",
        "hash_spgemm: where its RTL was not measured, lanes are priced as the node's, the rest not",
    )


ENGINE = Engine(
    kind="hash_spgemm",
    spec=HashSpgemmSpec,
    accepts=windows.accepts,
    lower=windows.lower,
    reference=reference,
    time=timing.time,
    actions=timing.actions,
    energy_pj=cost.energy_pj,
    area_um2=cost.area_um2,
    fmax_mhz=cost.fmax_mhz,
    lanes=beats.lanes,
    rtl=Rtl(build, beats.ports, beats.pack, beats.unpack, writes=beats.writes),
    cases=cases,
    peak_macs=lambda spec: 1,  # a product wants a word of B, and one a cycle passes the port
    windows=windows.windows,
    metrics=(views.PROBES,),
    panels=(views.TABLE,),
    assumptions=assumptions,
)
