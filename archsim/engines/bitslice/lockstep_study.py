"""How the cost tables of lockstep arrays are measured: configurations, parts, stimuli."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.engines import GemmJobs, Ints
from archsim.engines.bitslice import ENGINE
from archsim.engines.bitslice.jobs import BitsliceJobs
from archsim.engines.bitslice.lockstep_digits import reads_values, told
from archsim.engines.bitslice.lockstep_terms import BITLET, LACONIC
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.engines.gemm.study import FULL_SCALE, STIMULUS, Shape, integers, run
from archsim.engines.gemm.study import verilog as verilog_of
from archsim.formats.digits import tally
from archsim.tech.study import EnergyTerms, Study
from archsim.tech.table import CostTerms

if TYPE_CHECKING:
    from archsim.hdl.synth import SynthResult

TOP = ENGINE.kind
EDGES = ("outer", "inner", "interleaver")  # how names of cells at the edges begin
SAME_WORK = "a data set is the first one with rows, columns and slices of a beat exchanged"


def _laconic(*configurations: tuple[Any, ...]) -> tuple[BitsliceSpec, ...]:
    return tuple(
        BitsliceSpec(
            pe="laconic", encoding=e, cols=c, rows=r, group=g, a_bits=a, b_bits=b, acc_bits=s
        )
        for e, c, r, g, a, b, s in configurations
    )


def _bitlet(*configurations: tuple[Any, ...]) -> tuple[BitsliceSpec, ...]:
    names = {"2c": "twos_complement", "sm": "sign_magnitude"}
    return tuple(
        BitsliceSpec(
            pe="bitlet", encoding=names[e], cols=c, rows=r, group=g, a_bits=a, b_bits=b, acc_bits=s
        )
        for e, c, r, g, a, b, s in configurations
    )


def data_sets(
    rng: np.random.Generator, spec: BitsliceSpec, m: int, n: int, k: int, lanes: int
) -> Sequence[Mapping[str, Ints]]:
    """Return operands that all take the same cycles: what a beat holds is exchanged, no more."""
    first = integers(rng, spec, m, n, k)
    encoded = spec.encoded == "a"
    tiles = (spec.cols, spec.rows) if encoded else (spec.rows, spec.cols)
    found = [first]
    for _ in range(lanes - 1):
        rows, columns = _exchanged(rng, m, tiles[0]), _exchanged(rng, n, tiles[1])
        slices = _exchanged(rng, k, spec.group)
        found.append(
            {
                "a": first["a"][np.ix_(rows, slices)],
                "b": first["b"][np.ix_(slices, columns)],
                "c": integers(rng, spec, m, n, k)["c"],
            }
        )
    return found


def _exchanged(rng: np.random.Generator, extent: int, together: int) -> Ints:
    """Return an order of indices in which each stays among those it is together with."""
    parts = np.split(np.arange(extent), range(together, extent, together))
    return np.concatenate([rng.permutation(part) for part in parts])


def known(spec: BitsliceSpec, jobs: GemmJobs, data: Mapping[str, Ints]) -> BitsliceJobs:
    """Return the job with the shares of its operands' digits."""
    bits = {"a": spec.a_bits, "b": spec.b_bits}
    row = told(spec, {port: tally(data[port], bits[port]) for port in reads_values(spec)})
    columns = {f.name: getattr(jobs, f.name) for f in fields(jobs)}
    return BitsliceJobs(**columns, nonzero=row[None])


def jobs(spec: BitsliceSpec) -> list[Shape]:
    """Return jobs that separate the actions: long and short sums, ragged edges, accumulation."""
    rows, cols, group = spec.cols, spec.rows, spec.group
    return [
        ("warm-up", rows, cols, 2 * group, False),
        ("four folds", 2 * rows, 2 * cols, 6 * group, False),
        ("short sums", 2 * rows, 2 * cols, group, False),
        ("accumulate", rows, 2 * cols, 2 * group, True),
        ("ragged", max(rows - 1, 1), max(cols // 2, 1), 6 * group, False),
        ("one row", 1, cols, 6 * group, False),
        ("one column", rows, 1, 6 * group, False),
        ("one slice", rows, cols, 1, False),
    ]


def parts(spec: BitsliceSpec, result: SynthResult) -> dict[str, float]:
    """Sum module areas; what is left of the top is the edges' and the row multiplexer."""
    um2 = result.module_um2
    found = {
        "pe": spec.pes * um2[f"{TOP}_pe"],
        "result_port": um2[f"{TOP}.port"],
        "control": um2[f"{TOP}.folds"] + um2[f"{TOP}.drain"],
    }
    return {**found, "edges": um2[TOP] - sum(found.values())}


def path_group(place: str) -> str:
    return "pe" if place.startswith("pe_") else "control"


def energy_group(place: str) -> str:
    """Return ``pe``, ``port``, ``control`` or, for edges and the top's own logic, ``edges``."""
    head = place.split(".", 1)[0]
    if head.startswith("pe_"):
        return "pe"
    if not head or head.startswith(EDGES):
        return "edges"
    return "port" if head == "port" else "control"


def _group_actions(cost: CostTerms) -> EnergyTerms:
    every = {action: tuple(terms) for action, terms in cost.energy.items()}
    edges = ("edge_step", "a_beat", "b_beat", "result_beat")
    return {
        "pe": {**{action: every[action] for action in ("term", "pe_step")},
               "result_beat": ("result_bits",)},
        "edges": {action: every[action] for action in edges},
        "port": {"result_beat": ("result_bits",), "c_beat": every["c_beat"]},
        "control": {"control_cycle": every["control_cycle"]},
    }  # fmt: skip


def _run(spec: BitsliceSpec, *gates: Any) -> Any:
    return run(ENGINE, jobs(spec), spec, *gates, data_sets=data_sets, told=known)


LACONIC_STUDY = Study(
    engine="bitslice_laconic",
    top=TOP,
    fitted=_laconic(
        ("naf", 2, 2, 16, 8, 8, 32),
        ("naf", 1, 1, 16, 8, 8, 32),
        ("naf", 4, 4, 4, 8, 8, 32),
        ("naf", 2, 4, 8, 8, 8, 24),
        ("naf", 3, 2, 4, 8, 8, 48),
        ("naf", 3, 3, 4, 4, 4, 16),
        ("naf", 2, 1, 8, 8, 4, 24),
        ("naf", 2, 2, 2, 16, 16, 48),
        ("mbe", 2, 2, 8, 8, 8, 32),
        ("en_t", 1, 3, 8, 8, 8, 32),
    ),
    held_out=_laconic(("naf", 4, 5, 4, 8, 8, 32), ("naf", 2, 3, 8, 6, 6, 24)),
    powered=_laconic(
        ("naf", 2, 2, 8, 8, 8, 32),
        ("naf", 2, 3, 4, 8, 8, 24),
        ("naf", 2, 2, 4, 4, 4, 16),
    ),
    powered_held_out=_laconic(("naf", 3, 3, 4, 8, 8, 32), ("naf", 2, 2, 4, 6, 6, 24)),
    verilog=lambda spec: verilog_of(ENGINE, spec),
    parts=parts,
    part_components={
        "pe": ("pe",),
        "result_port": ("result_port",),
        "control": ("control",),
        "edges": ("row_mux", "edge"),
    },
    path_group=path_group,
    energy_group=energy_group,
    group_actions=_group_actions(LACONIC),
    terms=LACONIC,
    run=_run,
    stimulus=f"{STIMULUS.format(FULL_SCALE)}; {SAME_WORK}",
    spec_fields=("pe", "encoding", "cols", "rows", "group", "a_bits", "b_bits", "acc_bits"),
)

BITLET_STUDY = replace(
    LACONIC_STUDY,
    engine="bitslice_bitlet",
    fitted=_bitlet(
        ("2c", 2, 2, 8, 8, 8, 32),
        ("2c", 4, 4, 8, 8, 8, 32),
        ("2c", 1, 1, 64, 8, 8, 32),
        ("2c", 2, 4, 16, 8, 8, 24),
        ("2c", 4, 2, 4, 8, 8, 48),
        ("2c", 3, 3, 8, 4, 4, 16),
        ("2c", 2, 1, 16, 8, 4, 24),
        ("2c", 1, 2, 8, 4, 8, 24),
        ("2c", 1, 2, 8, 16, 16, 48),
        ("sm", 3, 2, 8, 8, 8, 32),
    ),
    held_out=_bitlet(("2c", 5, 4, 8, 8, 8, 32), ("2c", 2, 3, 8, 6, 6, 24)),
    powered=_bitlet(
        ("2c", 2, 2, 8, 8, 8, 32),
        ("2c", 2, 3, 16, 8, 8, 24),
        ("2c", 3, 3, 8, 4, 4, 16),
    ),
    powered_held_out=_bitlet(("2c", 3, 3, 8, 8, 8, 32), ("2c", 3, 2, 8, 6, 6, 24)),
    group_actions=_group_actions(BITLET),
    terms=BITLET,
)
