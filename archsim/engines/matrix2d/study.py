"""How the 2D-matrix array's cost tables are measured: configurations, parts, stimuli.

The memory of the bank of opt2 arrays is left out of every figure; flip-flops stand in for it, so
that the paths around it are there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from archsim.engines.gemm.study import (
    FULL_SCALE,
    STIMULUS,
    output_stationary_jobs,
    run,
    verilog,
)
from archsim.engines.gemm.terms import RESOLVE_ENERGY_TERMS
from archsim.engines.matrix2d import ENGINE, terms
from archsim.engines.matrix2d.spec import GROUP, Matrix2dSpec
from archsim.tech.study import EnergyTerms, Study
from archsim.tech.table import CostTerms

if TYPE_CHECKING:
    from archsim.hdl.synth import SynthResult

TOP = "matrix2d"
MEMORY = f"{TOP}_memory"
FIELDS = ("rows", "cols", "a_bits", "b_bits", "acc_bits")


def _specs(*configurations: tuple[int, ...], **choices: Any) -> tuple[Matrix2dSpec, ...]:
    return tuple(
        Matrix2dSpec(**dict(zip(FIELDS, sizes, strict=True)), **choices) for sizes in configurations
    )


def parts(spec: Matrix2dSpec, result: SynthResult) -> dict[str, float]:
    """Sum module areas; what is left of the top is row multiplexer, trees and digits."""
    um2 = result.module_um2
    memory = um2[MEMORY] if spec.pe == "opt2" else 0.0
    found = {
        "pe": spec.pes * um2[f"{TOP}_pe"],
        "result_port": um2[f"{TOP}.port"] - memory,
        "control": um2[f"{TOP}.folds"] + um2[f"{TOP}.drain"] + um2[f"{TOP}.accounts"],
    }
    return {**found, "edges": um2[TOP] - memory - sum(found.values())}


PART_COMPONENTS = {
    **{name: (name,) for name in ("pe", "result_port", "control")},
    "edges": ("edge",),
}


def path_group(place: str) -> str:
    """Return ``pe``, ``port``, ``accumulate`` for what the bank gives out, else ``control``."""
    if place.startswith("port.before"):
        return "accumulate"
    group = energy_group(place)
    return {"memory": "port", "edges": "control"}.get(group, group)


def energy_group(place: str) -> str:
    """Return the part that a cell belongs to; ``memory`` is none that counts."""
    if place.startswith("port.bank"):
        return "memory"
    head = place.split(".", 1)[0]
    if head.startswith("pe_"):
        return "pe"
    if head == "port":
        return "port"
    return "edges" if not head or head.startswith("digit_") else "control"


def group_actions(cost: CostTerms, leaves: tuple[str, ...] = ("result_bits",)) -> EnergyTerms:
    """Return which terms of which actions explain the energy of a group.

    Parameters
    ----------
    leaves
        Terms of a result beat at the port.
    """
    every = {action: tuple(own) for action, own in cost.energy.items()}
    return {
        "pe": {
            "mac": every["mac"],
            "resolve": ("sum_bits",),
            "a_beat": every["a_beat"],
            "b_beat": every["b_beat"],
        },
        "edges": {
            "resolve": every["resolve"],
            "a_beat": every["a_beat"],
            "b_beat": every["b_beat"],
        },
        "port": {
            "resolve": ("sum_bits",),
            **{action: every[action] for action in ("c_beat", "acc_read", "acc_write")},
            "result_beat": leaves,
        },
        "control": {"control_cycle": every["control_cycle"]},
    }


STUDY = Study(
    engine="matrix2d",
    top=TOP,
    fitted=(
        *_specs(
            (2, 2, 8, 8, 32), (6, 4, 8, 8, 32), (3, 3, 4, 4, 16), (2, 3, 16, 16, 48),
            (1, 4, 8, 4, 24),
        ),
        *_specs(
            (4, 6, 8, 8, 32), (2, 3, 4, 4, 16), (3, 2, 16, 16, 48), (3, 2, 6, 6, 20),
            multiplier="inferred", adder="inferred",
        ),
    ),
    held_out=(
        *_specs((8, 8, 8, 8, 32), (3, 4, 10, 10, 36)),
        *_specs((5, 5, 8, 8, 24), multiplier="inferred", adder="inferred"),
    ),
    powered=(
        *_specs((3, 2, 8, 8, 32), (2, 3, 4, 4, 16)),
        *_specs((2, 3, 8, 8, 32), (2, 2, 4, 4, 16), multiplier="inferred", adder="inferred"),
    ),
    powered_held_out=_specs((4, 4, 8, 8, 32)),
    verilog=lambda spec: verilog(ENGINE, spec),
    parts=parts,
    part_components=PART_COMPONENTS,
    path_group=path_group,
    energy_group=energy_group,
    group_actions=group_actions(terms.MAC),
    terms=terms.MAC,
    run=lambda spec, *gates: run(ENGINE, output_stationary_jobs(spec), spec, *gates),
    stimulus=STIMULUS.format(FULL_SCALE),
    spec_fields=(*FIELDS, "pe", "multiplier", "adder"),
)  # fmt: skip

OPT1 = replace(
    STUDY,
    engine="matrix2d_opt1",
    fitted=(
        *_specs((2, 2, 8, 8, 32), (6, 4, 8, 8, 32), (2, 3, 16, 16, 48), pe="opt1"),
        *_specs((3, 3, 4, 4, 16), (1, 4, 8, 4, 24), pe="opt1", adder="ripple"),
        *_specs((4, 6, 8, 8, 24), (3, 2, 6, 6, 20), pe="opt1", adder="inferred"),
    ),
    held_out=(
        *_specs((8, 8, 8, 8, 32), (3, 4, 10, 10, 36), pe="opt1"),
        *_specs((5, 5, 8, 8, 24), pe="opt1", adder="inferred"),
    ),
    powered=(
        *_specs((3, 2, 8, 8, 32), pe="opt1"),
        *_specs((2, 3, 4, 4, 16), pe="opt1", adder="ripple"),
        *_specs((2, 2, 16, 8, 32), pe="opt1", adder="inferred"),
    ),
    powered_held_out=_specs((4, 4, 8, 8, 32), pe="opt1"),
    group_actions=group_actions(terms.OPT1, tuple(RESOLVE_ENERGY_TERMS)),
    terms=terms.OPT1,
)  # fmt: skip

OPT2 = replace(
    OPT1,
    engine="matrix2d_opt2",
    fitted=(
        *_specs((3, 2, 8, 8, 32), (6, 4, 8, 8, 32), (3, 3, 16, 16, 48), pe="opt2"),
        *_specs((3, 3, 4, 4, 16), (3, 4, 8, 4, 24), pe="opt2", adder="ripple"),
        *_specs((4, 6, 8, 8, 24), (5, 2, 6, 6, 20), pe="opt2", adder="inferred"),
    ),
    held_out=(
        *_specs((8, 8, 8, 8, 32), (3, 4, 10, 10, 36), pe="opt2"),
        *_specs((5, 5, 8, 8, 24), pe="opt2", adder="inferred"),
    ),
    powered=(
        *_specs((3, 2, 8, 8, 32), pe="opt2"),
        *_specs((3, 3, 4, 4, 16), pe="opt2", adder="ripple"),
        *_specs((3, 2, 16, 8, 32), pe="opt2", adder="inferred"),
    ),
    powered_held_out=_specs((4, 4, 8, 8, 32), pe="opt2"),
    group_actions=group_actions(terms.OPT2, tuple(RESOLVE_ENERGY_TERMS)),
    terms=terms.OPT2,
    run=lambda spec, *gates: run(ENGINE, output_stationary_jobs(spec, GROUP), spec, *gates),
    stimulus=f"{STIMULUS.format(FULL_SCALE)}; the bank's memory left out",
    left_out=(MEMORY,),
    path_begins={"accumulate": lambda place: place.startswith("port.bank")},
)  # fmt: skip
