"""How the cost tables of arrays of adder trees are measured: configurations, parts, stimuli.

The accumulator bank's memory is left out of every figure: small banks of flip-flops stand in for
it, so that the paths around it are there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from archsim.engines.adder_tree import ENGINE
from archsim.engines.adder_tree.spec import AdderTreeSpec
from archsim.engines.adder_tree.terms import TERMS
from archsim.engines.gemm.study import FULL_SCALE, STIMULUS, run, stationary_jobs
from archsim.engines.gemm.study import verilog as verilog_of
from archsim.tech.study import EnergyTerms, Study

if TYPE_CHECKING:
    from archsim.hdl.synth import SynthResult

TOP = "adder_tree"
MEMORY = f"{TOP}_memory"
BANK_ROWS, POWERED_BANK_ROWS = 4, 12


def _specs(
    *configurations: tuple[int, ...], acc_rows: int = BANK_ROWS
) -> tuple[AdderTreeSpec, ...]:
    fields = ("depth", "cols", "stages", "a_bits", "b_bits", "acc_bits", "acc_rows")
    return tuple(
        AdderTreeSpec(**dict(zip(fields, (*c, acc_rows), strict=False))) for c in configurations
    )


def _opt1(specs: tuple[AdderTreeSpec, ...]) -> tuple[AdderTreeSpec, ...]:
    return tuple(spec.model_copy(update={"pe": "opt1"}) for spec in specs)


FITTED = _specs(
    (4, 2, 2, 8, 8, 32), (8, 4, 2, 8, 8, 32), (16, 4, 2, 8, 8, 32), (16, 1, 1, 8, 8, 32),
    (8, 2, 4, 8, 8, 32), (4, 3, 2, 4, 4, 16), (4, 4, 2, 4, 8, 32), (4, 2, 2, 16, 8, 40),
    (8, 2, 1, 8, 4, 24), (2, 32, 1, 8, 8, 32), (4, 2, 2, 8, 8, 32, 64),
)  # fmt: skip
HELD_OUT = _specs(
    (16, 8, 2, 8, 8, 32), (12, 3, 2, 8, 8, 32), (8, 3, 1, 6, 6, 20), (5, 2, 2, 16, 16, 40)
)  # fmt: skip
POWERED = _specs(
    (4, 3, 2, 8, 8, 32), (4, 2, 1, 4, 4, 16), (4, 3, 2, 8, 4, 24), (3, 2, 2, 16, 16, 40),
    acc_rows=POWERED_BANK_ROWS,
)  # fmt: skip
POWERED_HELD_OUT = _specs(
    (8, 2, 2, 8, 8, 24), (6, 2, 1, 6, 6, 20), acc_rows=POWERED_BANK_ROWS
)  # fmt: skip


def verilog(spec: AdderTreeSpec) -> str:
    """Return the array's Verilog."""
    return verilog_of(ENGINE, spec)


def parts(spec: AdderTreeSpec, result: SynthResult) -> dict[str, float]:
    """Sum module areas; what is left of the top is input registers and their masks."""
    um2 = result.module_um2
    found = {
        "tree": spec.cols * um2[f"{TOP}_tree"],
        "accumulate": um2[f"{TOP}.bank"] - um2[MEMORY],
        "result_port": um2[f"{TOP}.port"],
        "control": um2[f"{TOP}.windows"] + um2[f"{TOP}.accounts"],
    }
    return {**found, "edges": um2[TOP] - um2[MEMORY] - sum(found.values())}


PART_COMPONENTS = {
    "tree": ("tree",),
    "accumulate": ("accumulate",),
    "result_port": ("result_port",),
    "control": ("control",),
    "edges": ("edge",),
}


def path_group(place: str) -> str:
    if place.startswith("bank.fetched"):
        return "accumulate"
    head = place.split(".", 1)[0]
    if head.startswith("tree_"):
        return "tree"
    return "sum" if place == "bank" or head == "port" else "control"


def energy_group(place: str) -> str:
    """Return the part that a cell belongs to; ``memory`` is none that counts."""
    if place.startswith("bank.memory"):
        return "memory"
    head = place.split(".", 1)[0]
    if head.startswith("tree_"):
        return "tree"
    return {"": "edges", "bank": "bank", "port": "port"}.get(head, "control")


def _group_actions() -> EnergyTerms:
    """Return which terms of which actions explain the energy of a group."""
    every = {action: tuple(terms) for action, terms in TERMS.energy.items()}
    bits = ("result_bits",)
    return {
        "tree": {
            **{name: every[name] for name in ("mac", "load_hop")},
            "tree_sum": ("rank_bits",),
            "b_beat": ("cols*a_bits*b_bits",),
        },
        "edges": {"a_beat": every["a_beat"]},
        "bank": {
            "acc_read": bits,
            "acc_write": bits,
            "result_beat": bits,
            "tree_sum": ("acc_bits",),
        },
        "port": {"result_beat": bits, "c_beat": bits},
        "control": {"control_cycle": every["control_cycle"], "b_beat": ("1",)},
    }


def _run(spec: AdderTreeSpec, *gates: Any) -> Any:
    return run(ENGINE, stationary_jobs(spec.depth, spec.cols, spec.acc_rows), spec, *gates)


STUDY = Study(
    engine="adder_tree",
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
    group_actions=_group_actions(),
    terms=TERMS,
    run=_run,
    stimulus=STIMULUS.format(FULL_SCALE) + "; the bank's memory left out",
    spec_fields=("depth", "cols", "stages", "acc_rows", "a_bits", "b_bits", "acc_bits", "pe"),
    left_out=(MEMORY,),
)

OPT1 = replace(
    STUDY,
    engine="adder_tree_opt1",
    fitted=_opt1(FITTED),
    held_out=_opt1(HELD_OUT),
    powered=_opt1(POWERED),
    powered_held_out=_opt1(POWERED_HELD_OUT),
)
