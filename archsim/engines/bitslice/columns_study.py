"""How the cost table of arrays of columns is measured: configurations, parts, stimuli.

Operand banks and the rows of C are left out of every figure: flip-flops stand in for the memories,
so that the paths around them are there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.engines import Ints
from archsim.engines.bitslice import ENGINE
from archsim.engines.bitslice.columns_terms import COLUMNS
from archsim.engines.bitslice.lockstep_study import known
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.engines.gemm.study import FULL_SCALE, STIMULUS, Shape, integers, run
from archsim.engines.gemm.study import verilog as verilog_of
from archsim.tech.study import EnergyTerms, Study

if TYPE_CHECKING:
    from archsim.hdl.synth import SynthResult

TOP = ENGINE.kind
MEMORIES = tuple(f"{TOP}_{name}" for name in ("bank_memory", "digits_memory", "c_memory"))
SAME_DIGITS = "the encoded operand the same in all data sets; memories left out"


def _specs(*configurations: tuple[Any, ...]) -> tuple[BitsliceSpec, ...]:
    return tuple(
        BitsliceSpec(
            pe=pe, encoding=encoding, rows=r, cols=c, slack=w, depth=d,
            a_bits=a, b_bits=b, acc_bits=s,
        )
        for pe, encoding, r, c, w, d, a, b, s in configurations
    )  # fmt: skip


FITTED = _specs(
    ("opt4c", "en_t", 2, 2, 1, 8, 8, 8, 32),
    ("opt4c", "en_t", 8, 2, 1, 32, 8, 8, 32),
    ("opt4c", "mbe", 4, 4, 1, 16, 8, 8, 24),
    ("opt4c", "en_t", 3, 2, 2, 16, 4, 4, 16),
    ("opt4c", "mbe", 2, 2, 1, 64, 12, 6, 40),
    ("opt4e", "en_t", 2, 2, 1, 32, 8, 8, 32),
    ("opt4e", "en_t", 6, 2, 1, 32, 8, 8, 32),
    ("opt4e", "mbe", 2, 4, 1, 64, 8, 4, 24),
    ("opt4e", "en_t", 3, 1, 2, 64, 6, 8, 32),
    ("opt3", "en_t", 2, 2, 1, 8, 8, 8, 32),
    ("opt3", "mbe", 6, 2, 1, 16, 8, 8, 32),
    ("opt3", "en_t", 3, 2, 2, 32, 8, 4, 20),
)
HELD_OUT = _specs(
    ("opt4c", "en_t", 8, 4, 1, 32, 8, 8, 32),
    ("opt4e", "en_t", 4, 4, 1, 64, 8, 8, 32),
    ("opt3", "en_t", 4, 4, 1, 16, 8, 8, 32),
)
POWERED = _specs(
    ("opt4c", "en_t", 3, 2, 1, 16, 8, 8, 32),
    ("opt4c", "mbe", 2, 2, 1, 8, 4, 4, 16),
    ("opt4e", "en_t", 2, 2, 1, 32, 8, 8, 32),
    ("opt3", "en_t", 3, 2, 1, 8, 8, 8, 32),
)
POWERED_HELD_OUT = _specs(("opt4c", "en_t", 4, 2, 1, 16, 8, 8, 24))


def data_sets(
    rng: np.random.Generator, spec: BitsliceSpec, m: int, n: int, k: int, lanes: int
) -> Sequence[Mapping[str, Ints]]:
    """Return operands that all take the same cycles: one encoded operand, other ones many."""
    first = integers(rng, spec, m, n, k)
    return [
        {**integers(rng, spec, m, n, k), spec.encoded: first[spec.encoded]} for _ in range(lanes)
    ]


def jobs(spec: BitsliceSpec) -> list[Shape]:
    """Return jobs that separate the actions: long and short sums, ragged edges, accumulation."""
    cols, rows, depth = spec.cols, spec.rows, spec.depth
    return [
        ("warm-up", cols, rows, 8, False),
        ("folds", 2 * cols, 2 * rows, 2 * depth, False),
        ("short sums", 4 * cols, rows, 2 * spec.lanes, False),
        ("accumulate", cols, 2 * rows, depth, True),
        ("ragged", max(cols - 1, 1), max(rows // 2, 1), 3 * depth, False),
    ]


def parts(spec: BitsliceSpec, result: SynthResult) -> dict[str, float]:
    """Sum module areas; what is left of the top is the network, encoders and counters."""
    um2 = result.module_um2
    bank, digits, rows = (um2[name] for name in MEMORIES)
    streams = spec.cols * spec.lanes
    memories = {
        "banks": spec.banks * spec.lanes * bank,
        "digits": streams * digits,
        "rows": rows,
    }
    found = {
        "pe": spec.pes * um2[f"{TOP}_pe"],
        "digit_lanes": streams * um2[f"{TOP}_lane"],
        "result_lanes": um2[f"{TOP}.lanes"] - rows,
        "result_port": um2[f"{TOP}.port"],
        "control": um2[f"{TOP}.loader"] + um2[f"{TOP}.successors"],
    }
    columns = spec.cols * um2[f"{TOP}_column"] - memories["digits"]
    found["columns"] = columns - found["pe"] - found["digit_lanes"]
    return {**found, "network": um2[TOP] - sum(memories.values()) - sum(found.values())}


def path_group(place: str) -> str:
    """Return the part into which a path leads: by the instance that holds its end."""
    head, _, rest = place.partition(".")
    if head.startswith("column_"):
        if rest.startswith("pe_"):
            return "pe"
        return "digit_lanes" if rest.startswith(("lane_", "buffer_")) else "control"
    if head.startswith("bank_"):
        return "network"
    return "result_lanes" if head in ("lanes", "port") else "control"


def energy_group(place: str) -> str:
    """Return the part that a cell belongs to; ``memory`` is none that counts."""
    head, _, rest = place.partition(".")
    if head.startswith("bank_") or rest.startswith(("buffer_", "memory")):
        return "memory"
    if head.startswith("column_"):
        return "pe" if rest.startswith("pe_") else "columns"
    if head in ("lanes", "port"):
        return head
    return "network" if not head or head.startswith("encoder_") else "control"


def _group_actions() -> EnergyTerms:
    every = {action: tuple(terms) for action, terms in COLUMNS.energy.items()}
    return {
        "pe": {"digit": every["digit"], "turn": ("pair_bits",)},
        "columns": {"issue": ("1", "log2 depth"), "group": every["group"]},
        "network": {
            "issue": ("word_bits", "banks*word_bits"),
            "a_beat": every["a_beat"],
            "b_beat": every["b_beat"],
            "control_cycle": ("lanes",),
        },
        "lanes": {"turn": every["turn"], "acc_read": ("result_bits",)},
        "port": {"result_beat": every["result_beat"], "c_beat": every["c_beat"]},
        "control": {"control_cycle": ("1",), "a_beat": every["a_beat"]},
    }


STUDY = Study(
    engine="bitslice_columns",
    top=TOP,
    fitted=FITTED,
    held_out=HELD_OUT,
    powered=POWERED,
    powered_held_out=POWERED_HELD_OUT,
    verilog=lambda spec: verilog_of(ENGINE, spec),
    parts=parts,
    part_components={
        name: (name,)
        for name in (
            *("pe", "digit_lanes", "columns", "network"),
            *("result_lanes", "result_port", "control"),
        )
    },
    path_group=path_group,
    energy_group=energy_group,
    group_actions=_group_actions(),
    terms=COLUMNS,
    run=lambda spec, *gates: run(ENGINE, jobs(spec), spec, *gates, data_sets=data_sets, told=known),
    stimulus=f"{STIMULUS.format(FULL_SCALE)}; {SAME_DIGITS}",
    spec_fields=(
        *("pe", "encoding", "rows", "cols", "slack", "depth", "a_bits", "b_bits", "acc_bits"),
    ),
    left_out=MEMORIES,
)
