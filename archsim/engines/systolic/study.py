"""How the systolic array's cost tables are measured: configurations, parts, stimuli."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from archsim.engines import Ints
from archsim.engines.gemm.study import FULL_SCALE, STIMULUS, output_stationary_jobs, run
from archsim.engines.gemm.study import verilog as verilog_of
from archsim.engines.gemm.terms import RESOLVE_ENERGY_TERMS
from archsim.engines.systolic import ENGINE, terms
from archsim.engines.systolic.spec import SystolicSpec
from archsim.formats import bf16
from archsim.hdl import Adder
from archsim.tech.study import EnergyTerms, Study
from archsim.tech.table import CostTerms

if TYPE_CHECKING:
    from archsim.hdl.synth import SynthResult

TOP = "systolic"
UNIT_VARIANCE = "of unit variance"  # of `floats`


def _specs(*configurations: tuple[int, int, int, int, int]) -> tuple[SystolicSpec, ...]:
    return tuple(
        SystolicSpec(rows=r, cols=c, a_bits=a, b_bits=b, acc_bits=s)
        for r, c, a, b, s in configurations
    )


def _floats(*sizes: tuple[int, int]) -> tuple[SystolicSpec, ...]:
    return tuple(SystolicSpec(rows=r, cols=c, numbers="bf16") for r, c in sizes)


FITTED = _specs(
    (2, 2, 8, 8, 32), (4, 4, 8, 8, 32), (8, 8, 8, 8, 32), (16, 16, 8, 8, 32),
    (2, 16, 8, 8, 32), (16, 2, 8, 8, 32), (4, 8, 8, 8, 24), (8, 4, 8, 8, 48),
    (4, 4, 8, 8, 16), (4, 4, 4, 4, 16), (8, 8, 4, 4, 16), (2, 8, 4, 4, 24),
    (4, 4, 8, 4, 24), (4, 4, 4, 8, 32), (4, 4, 16, 8, 40), (4, 4, 16, 16, 48),
    (8, 2, 16, 16, 40), (3, 5, 6, 6, 20), (4, 4, 12, 12, 32), (2, 4, 2, 2, 16),
    (1, 4, 8, 8, 32),
)  # fmt: skip
HELD_OUT = _specs(
    (32, 32, 8, 8, 32), (6, 10, 8, 8, 24), (12, 4, 16, 8, 32), (3, 7, 4, 4, 24),
    (5, 5, 6, 6, 24), (16, 8, 4, 4, 16), (8, 12, 8, 8, 40), (7, 3, 16, 16, 48),
    (1, 16, 8, 8, 32), (4, 6, 10, 10, 36),
)  # fmt: skip
POWERED = _specs(
    (4, 4, 8, 8, 32), (2, 6, 8, 8, 24), (6, 2, 8, 8, 32), (4, 4, 4, 4, 16),
    (2, 4, 8, 4, 24), (3, 3, 16, 16, 40), (4, 2, 6, 6, 20),
)  # fmt: skip
POWERED_HELD_OUT = _specs(
    (8, 8, 8, 8, 32), (5, 3, 6, 6, 24), (2, 5, 8, 8, 40), (3, 4, 16, 8, 32),
)  # fmt: skip


def verilog(spec: SystolicSpec) -> str:
    """Return the array's Verilog."""
    return verilog_of(ENGINE, spec)


def floats(
    rng: np.random.Generator, spec: SystolicSpec, m: int, n: int, k: int
) -> Mapping[str, Ints]:
    """Return bf16 operands and fp32 sums of unit variance."""
    return {
        "a": bf16.round_to_bf16(rng.normal(size=(m, k))),
        "b": bf16.round_to_bf16(rng.normal(size=(k, n))),
        "c": bf16.to_patterns(rng.normal(size=(m, n))),
    }


def parts(spec: SystolicSpec, result: SynthResult) -> dict[str, float]:
    """Sum module areas; what is left of the top is skew, operand masks and the row multiplexer."""
    um2 = result.module_um2
    found = {
        "pe": spec.rows * um2[f"{TOP}_row"],
        "result_port": um2[f"{TOP}.port"],
        "control": um2[f"{TOP}.folds"] + um2[f"{TOP}.drain"] + um2[f"{TOP}.accounts"],
    }
    return {**found, "edges": um2[TOP] - sum(found.values())}


PART_COMPONENTS = {
    "pe": ("pe",),
    "result_port": ("result_port",),
    "control": ("control",),
    "edges": ("row_mux", "skew", "edge"),
}


def path_group(place: str) -> str:
    return "pe" if place.startswith("row_") else "control"


def energy_group(place: str) -> str:
    """Return ``pe``, ``port``, ``control`` or, for the top's own logic, ``edges``."""
    head = place.split(".", 1)[0]
    if head.startswith("row_"):
        return "pe"
    return {"": "edges", "port": "port"}.get(head, "control")


def group_actions(cost: CostTerms, leaves: tuple[str, ...] = ("result_bits",)) -> EnergyTerms:
    """Return which terms of which actions explain the energy of a group.

    Parameters
    ----------
    leaves
        Terms of a result beat at the port.
    """
    every = {action: tuple(terms) for action, terms in cost.energy.items()}
    return {
        "pe": {
            **{action: every[action] for action in ("mac", "a_hop", "b_hop")},
            "result_beat": ("result_bits",),
        },
        "edges": {
            **{action: every[action] for action in ("a_beat", "b_beat")},
            "result_beat": tuple(terms.ENERGY_TERMS["result_beat"]),
        },
        "port": {"result_beat": leaves, "c_beat": every["c_beat"]},
        "control": {"control_cycle": every["control_cycle"]},
    }


STUDY = Study(
    engine="systolic",
    top=TOP,
    fitted=FITTED,
    held_out=HELD_OUT,
    powered=POWERED,
    powered_held_out=POWERED_HELD_OUT,
    verilog=verilog,
    parts=parts,
    part_components=PART_COMPONENTS,
    path_group=path_group,
    energy_group=energy_group,
    group_actions=group_actions(terms.INTEGER),
    terms=terms.INTEGER,
    run=lambda spec, *gates: run(ENGINE, output_stationary_jobs(spec), spec, *gates),
    stimulus=STIMULUS.format(FULL_SCALE),
    spec_fields=("rows", "cols", "a_bits", "b_bits", "acc_bits"),
)

BF16 = replace(
    STUDY,
    engine="systolic_bf16",
    fitted=_floats((2, 2), (4, 4), (8, 8), (2, 8), (8, 2), (1, 4), (3, 5), (4, 12), (12, 4)),
    held_out=_floats((16, 16), (6, 10), (5, 5), (7, 3), (1, 16), (16, 1), (3, 12), (10, 6)),
    powered=_floats((2, 2), (2, 4), (4, 2), (3, 3)),
    powered_held_out=_floats((4, 4), (3, 2), (2, 5)),
    group_actions=group_actions(terms.BF16),
    terms=terms.BF16,
    run=lambda spec, *gates: run(
        ENGINE, output_stationary_jobs(spec), spec, *gates, operands=floats
    ),
    stimulus=STIMULUS.format(UNIT_VARIANCE),
    spec_fields=("rows", "cols", "numbers"),
)


def _resolved(adder: Adder, *configurations: tuple[int, ...]) -> tuple[SystolicSpec, ...]:
    return tuple(
        SystolicSpec(rows=r, cols=c, a_bits=a, b_bits=b, acc_bits=s, pe="opt1", adder=adder)
        for r, c, a, b, s in configurations
    )


OPT1 = replace(
    STUDY,
    engine="systolic_opt1",
    fitted=(
        *_resolved(
            "inferred",
            (2, 2, 8, 8, 32), (12, 12, 8, 8, 32), (4, 4, 8, 8, 16), (4, 4, 16, 8, 40),
            (4, 4, 4, 8, 32),
        ),
        *_resolved(
            "ripple",
            (4, 4, 8, 8, 32), (2, 12, 8, 8, 32), (8, 4, 8, 8, 48), (3, 5, 6, 6, 20),
            (4, 4, 8, 4, 24),
        ),
        *_resolved(
            "prefix",
            (12, 2, 8, 8, 32), (8, 8, 4, 4, 16), (4, 4, 16, 16, 48), (2, 4, 2, 2, 16),
        ),
    ),
    held_out=(
        *_resolved("inferred", (16, 16, 8, 8, 32), (4, 6, 10, 10, 36)),
        *_resolved("ripple", (6, 10, 8, 8, 24)),
        *_resolved("prefix", (3, 7, 4, 4, 24), (1, 16, 8, 8, 32)),
    ),
    powered=(
        *_resolved("inferred", (4, 4, 8, 8, 32)),
        *_resolved("ripple", (2, 6, 8, 8, 24), (3, 3, 16, 16, 40)),
        *_resolved("prefix", (4, 4, 4, 4, 16)),
    ),
    powered_held_out=(
        *_resolved("ripple", (5, 3, 6, 6, 24)),
        *_resolved("prefix", (2, 5, 8, 8, 40)),
    ),
    group_actions=group_actions(terms.OPT1, tuple(RESOLVE_ENERGY_TERMS)),
    terms=terms.OPT1,
    spec_fields=("rows", "cols", "a_bits", "b_bits", "acc_bits", "pe", "adder"),
)  # fmt: skip
