"""How the cube's cost tables are measured: configurations, parts, stimuli."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines.cube import ENGINE, terms
from archsim.engines.cube.spec import CubeSpec
from archsim.engines.gemm import study as gemm
from archsim.engines.gemm.study import FULL_SCALE, STIMULUS, output_stationary_jobs
from archsim.engines.gemm.terms import RESOLVE_ENERGY_TERMS
from archsim.tech.study import EnergyTerms, Stimulus, Study
from archsim.tech.table import CostTerms

if TYPE_CHECKING:
    from archsim.hdl.power import GateSimulator
    from archsim.hdl.synth import SynthResult

TOP = "cube"
FIELDS = ("rows", "cols", "depth", "a_bits", "b_bits", "acc_bits")


def _specs(*configurations: tuple[int, ...], **choices: Any) -> tuple[CubeSpec, ...]:
    return tuple(
        CubeSpec(**dict(zip(FIELDS, sizes, strict=True)), **choices) for sizes in configurations
    )


def parts(spec: CubeSpec, result: SynthResult) -> dict[str, float]:
    """Sum module areas; what is left of the top is skew, operand masks and the row multiplexer."""
    um2 = result.module_um2
    found = {
        "pe": spec.pes * um2[f"{TOP}_pe"],
        "accumulate": spec.rows * spec.cols * um2[f"{TOP}_accumulator"],
        "result_port": um2[f"{TOP}.port"],
        "control": um2[f"{TOP}.folds"] + um2[f"{TOP}.drain"] + um2[f"{TOP}.accounts"],
    }
    return {**found, "edges": um2[TOP] - sum(found.values())}


PART_COMPONENTS = {
    **{name: (name,) for name in ("pe", "accumulate", "result_port", "control")},
    "edges": ("edge",),
}


def energy_group(place: str) -> str:
    """Return ``pe``, ``accumulate``, ``port``, ``control`` or, for the top's own, ``edges``."""
    head = place.split(".", 1)[0]
    if head.startswith("row_"):
        return "accumulate" if ".accumulator" in place else "pe"
    return {"": "edges", "port": "port"}.get(head, "control")


def path_group(place: str) -> str:
    group = energy_group(place)
    return group if group in ("pe", "accumulate") else "control"


def group_actions(cost: CostTerms, leaves: tuple[str, ...] = ("result_bits",)) -> EnergyTerms:
    """Return which terms of which actions explain the energy of a group.

    Parameters
    ----------
    leaves
        Terms of a result beat at the port.
    """
    every = {action: tuple(own) for action, own in cost.energy.items()}
    return {
        "pe": {action: every[action] for action in ("mac", "a_hop", "b_hop", "sum_hop")},
        "accumulate": {"sum_add": every["sum_add"], "result_beat": ("result_bits",)},
        "edges": {
            **{action: every[action] for action in ("a_beat", "b_beat")},
            "result_beat": tuple(terms.ENERGY_TERMS["result_beat"]),
        },
        "port": {"result_beat": leaves, "c_beat": every["c_beat"]},
        "control": {"control_cycle": every["control_cycle"]},
    }


def run(
    spec: CubeSpec, simulator: GateSimulator, rng: np.random.Generator
) -> Sequence[tuple[Stimulus, NDArray[np.int64]]]:
    """Run jobs, one of them with chains that hold one product each."""
    shapes = output_stationary_jobs(spec, spec.depth)
    shapes.append(("one slice", 2 * spec.rows, 2 * spec.cols, 1, False))
    return gemm.run(ENGINE, shapes, spec, simulator, rng)


STUDY = Study(
    engine="cube",
    top=TOP,
    fitted=_specs(
        (2, 2, 2, 8, 8, 32), (4, 4, 4, 8, 8, 32), (5, 2, 2, 8, 8, 48), (2, 6, 3, 8, 8, 24),
        (3, 3, 3, 4, 4, 16), (2, 2, 3, 16, 16, 48), (2, 3, 2, 16, 8, 40), (3, 2, 5, 6, 6, 20),
        (1, 4, 8, 8, 8, 32), (4, 3, 1, 8, 4, 24),
    ),
    held_out=_specs(
        (5, 5, 4, 8, 8, 32), (2, 2, 9, 8, 8, 24), (3, 4, 2, 10, 10, 36), (1, 6, 2, 6, 6, 24),
    ),
    powered=_specs(
        (2, 2, 2, 8, 8, 32), (3, 2, 3, 6, 6, 20), (2, 3, 2, 4, 8, 24), (1, 2, 2, 16, 16, 40)
    ),
    powered_held_out=_specs((3, 3, 3, 8, 8, 32)),
    verilog=lambda spec: gemm.verilog(ENGINE, spec),
    parts=parts,
    part_components=PART_COMPONENTS,
    path_group=path_group,
    energy_group=energy_group,
    group_actions=group_actions(terms.MAC),
    terms=terms.MAC,
    run=run,
    stimulus=STIMULUS.format(FULL_SCALE),
    spec_fields=FIELDS,
)  # fmt: skip

OPT1 = replace(
    STUDY,
    engine="cube_opt1",
    fitted=(
        *_specs(
            (2, 2, 2, 8, 8, 32), (4, 4, 4, 8, 8, 32), (5, 2, 2, 8, 8, 48), (3, 2, 5, 6, 6, 20),
            pe="opt1",
        ),
        *_specs(
            (2, 6, 3, 8, 8, 24), (2, 3, 2, 16, 8, 40), (4, 3, 1, 8, 4, 24),
            pe="opt1", adder="ripple",
        ),
        *_specs(
            (3, 3, 3, 4, 4, 16), (2, 2, 3, 16, 16, 48), (1, 4, 8, 8, 8, 32),
            pe="opt1", adder="prefix",
        ),
    ),
    held_out=(
        *_specs((5, 5, 4, 8, 8, 32), (3, 4, 2, 10, 10, 36), pe="opt1"),
        *_specs((2, 2, 9, 8, 8, 24), pe="opt1", adder="ripple"),
        *_specs((1, 6, 2, 6, 6, 24), pe="opt1", adder="prefix"),
    ),
    powered=(
        *_specs((2, 2, 2, 8, 8, 32), pe="opt1"),
        *_specs((3, 2, 3, 6, 6, 20), (1, 2, 2, 16, 16, 40), pe="opt1", adder="ripple"),
        *_specs((2, 3, 2, 4, 8, 24), pe="opt1", adder="prefix"),
    ),
    powered_held_out=_specs((3, 3, 3, 8, 8, 32), pe="opt1"),
    group_actions=group_actions(terms.OPT1, tuple(RESOLVE_ENERGY_TERMS)),
    terms=terms.OPT1,
    spec_fields=(*FIELDS, "pe", "adder"),
)  # fmt: skip
