"""How the cost tables of arrays with a stationary operand are measured.

Weight- and input-stationary arrays are one design with its operands exchanged, and share tables.
The accumulator bank's memory is left out of every figure: small banks of flip-flops stand in for
it, so that the paths around it are there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from archsim.engines.gemm import study as gemm
from archsim.engines.gemm.study import FULL_SCALE, STIMULUS, stationary_jobs
from archsim.engines.systolic import ENGINE, stationary_terms
from archsim.engines.systolic.spec import SystolicSpec
from archsim.engines.systolic.study import TOP, UNIT_VARIANCE, floats, verilog
from archsim.tech.study import EnergyTerms, Stimulus, Study
from archsim.tech.table import CostTerms

if TYPE_CHECKING:
    from archsim.hdl.power import GateSimulator
    from archsim.hdl.synth import SynthResult

MEMORY = f"{TOP}_memory"
BANK_ROWS, POWERED_BANK_ROWS = 4, 12


def _specs(
    *configurations: tuple[int, ...], acc_rows: int = BANK_ROWS, dataflow: str = "ws"
) -> tuple[SystolicSpec, ...]:
    fields = ("rows", "cols", "a_bits", "b_bits", "acc_bits", "acc_rows")
    return tuple(
        SystolicSpec(dataflow=dataflow, **dict(zip(fields, (*c, acc_rows), strict=False)))
        for c in configurations
    )


def _floats(
    *sizes: tuple[int, int], acc_rows: int = BANK_ROWS, dataflow: str = "ws"
) -> tuple[SystolicSpec, ...]:
    return tuple(
        SystolicSpec(rows=r, cols=c, dataflow=dataflow, acc_rows=acc_rows, numbers="bf16")
        for r, c in sizes
    )


FITTED = _specs(
    (2, 2, 8, 8, 32), (4, 4, 8, 8, 32), (10, 10, 8, 8, 32), (2, 6, 8, 8, 24),
    (6, 2, 8, 8, 32), (3, 4, 4, 4, 16), (2, 4, 8, 4, 24), (2, 3, 4, 8, 32),
    (3, 2, 16, 8, 40), (2, 3, 16, 16, 48), (1, 4, 6, 6, 20), (2, 2, 8, 8, 32, 64),
    (2, 3, 2, 2, 12),
)  # fmt: skip
HELD_OUT = (
    *_specs(
        (12, 12, 8, 8, 32), (5, 6, 8, 8, 24), (6, 3, 4, 4, 16), (3, 3, 16, 16, 40),
        (1, 8, 8, 8, 40), (3, 4, 10, 10, 36, 16),
    ),
    *_specs((4, 3, 8, 4, 24), dataflow="is"),
)  # fmt: skip
POWERED = _specs(
    (3, 3, 8, 8, 32), (2, 2, 4, 4, 16), (2, 3, 8, 4, 24), (2, 2, 16, 16, 40),
    acc_rows=POWERED_BANK_ROWS,
)  # fmt: skip
POWERED_HELD_OUT = _specs((4, 4, 8, 8, 32), (3, 2, 6, 6, 20), acc_rows=POWERED_BANK_ROWS)


def parts(spec: SystolicSpec, result: SynthResult) -> dict[str, float]:
    """Sum module areas; what is left of the top is skew, level registers and operand masks."""
    um2 = result.module_um2
    found = {
        "pe": spec.rows * um2[f"{TOP}_row"],
        "accumulate": um2[f"{TOP}.bank"] - um2[MEMORY],
        "result_port": um2[f"{TOP}.port"],
        "control": um2[f"{TOP}.windows"] + um2[f"{TOP}.accounts"],
    }
    return {**found, "edges": um2[TOP] - um2[MEMORY] - sum(found.values())}


PART_COMPONENTS = {
    "pe": ("pe",),
    "accumulate": ("accumulate",),
    "result_port": ("result_port",),
    "control": ("control",),
    "edges": ("skew", "edge"),
}


def path_group(place: str) -> str:
    head = place.split(".", 1)[0]
    if head.startswith("row_"):
        return "pe"
    return "accumulate" if head in ("bank", "port") else "control"


def energy_group(place: str) -> str:
    """Return the part that a cell belongs to; ``memory`` is none that counts."""
    if place.startswith("bank.memory"):
        return "memory"
    head = place.split(".", 1)[0]
    if head.startswith("row_"):
        return "pe"
    return {"": "edges", "bank": "bank", "port": "port"}.get(head, "control")


def group_actions(cost: CostTerms) -> EnergyTerms:
    """Return which terms of which actions explain the energy of a group."""
    every = {action: tuple(terms) for action, terms in cost.energy.items()}
    bits = ("result_bits",)
    return {
        "pe": {
            **{name: every[name] for name in ("mac", "stream_hop", "load_hop")},
            "sum_hop": ("acc_bits",),
            "load_beat": ("cols*a_bits*b_bits",),
        },
        "edges": {
            "stream_beat": every["stream_beat"],
            "load_beat": ("line_bits",),
            "sum_hop": ("level_bits/pes",),
        },
        "bank": {
            "acc_read": bits,
            "acc_write": bits,
            "result_beat": bits,
            "sum_hop": ("acc_bits/rows",),
        },
        "port": {"result_beat": bits, "c_beat": bits},
        "control": {"control_cycle": every["control_cycle"], "load_beat": ("1",)},
    }


WHERE = "; the bank's memory left out"


def run(
    spec: SystolicSpec,
    simulator: GateSimulator,
    rng: np.random.Generator,
    *,
    operands: gemm.Operands = gemm.integers,
) -> list[tuple[Stimulus, NDArray[np.int64]]]:
    """Run jobs and return what each did and switched; stimuli speak the terms' language."""
    shapes = stationary_jobs(spec.rows, spec.cols, spec.acc_rows)
    roles = stationary_terms.BEATS[spec.dataflow]
    return gemm.run(ENGINE, shapes, spec, simulator, rng, operands=operands, roles=roles)


STUDY = Study(
    engine="systolic_stationary",
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
    group_actions=group_actions(stationary_terms.INTEGER),
    terms=stationary_terms.INTEGER,
    run=run,
    stimulus=STIMULUS.format(FULL_SCALE) + WHERE,
    spec_fields=("rows", "cols", "dataflow", "acc_rows", "a_bits", "b_bits", "acc_bits"),
    left_out=(MEMORY,),
)

BF16 = replace(
    STUDY,
    engine="systolic_stationary_bf16",
    fitted=(
        *_floats((2, 2), (4, 4), (2, 5), (5, 2), (1, 4)),
        *_floats((2, 2), acc_rows=64),
    ),
    held_out=(*_floats((8, 8), (3, 5), (1, 6)), *_floats((4, 3), dataflow="is")),
    powered=_floats((2, 2), (2, 3), (3, 2), acc_rows=POWERED_BANK_ROWS),
    powered_held_out=_floats((3, 3), acc_rows=POWERED_BANK_ROWS),
    group_actions=group_actions(stationary_terms.BF16),
    terms=stationary_terms.BF16,
    run=lambda spec, *gates: run(spec, *gates, operands=floats),
    stimulus=STIMULUS.format(UNIT_VARIANCE) + WHERE,
    spec_fields=("rows", "cols", "dataflow", "acc_rows", "numbers"),
)


def _pairs(specs: tuple[SystolicSpec, ...]) -> tuple[SystolicSpec, ...]:
    return tuple(spec.model_copy(update={"pe": "opt1"}) for spec in specs)


def early_path_group(place: str) -> str:
    """Return the group of a path in an array whose bank reads early."""
    if place.startswith("bank.fetched"):
        return "accumulate"
    group = path_group(place)
    if group != "accumulate":
        return group
    return "control" if place.startswith("bank.memory") else "sum"


OPT1 = replace(
    STUDY,
    engine="systolic_stationary_opt1",
    fitted=_pairs(
        _specs(
            (2, 2, 8, 8, 32), (4, 4, 8, 8, 32), (8, 8, 8, 8, 32), (2, 6, 8, 8, 24),
            (6, 2, 8, 8, 32), (3, 4, 4, 4, 16), (2, 4, 8, 4, 24), (3, 2, 16, 8, 40),
            (2, 3, 16, 16, 48), (1, 4, 6, 6, 20), (2, 2, 8, 8, 32, 64),
        )
    ),
    held_out=_pairs(
        (
            *_specs((10, 10, 8, 8, 32), (5, 6, 8, 8, 24), (6, 3, 4, 4, 16), (3, 3, 16, 16, 40)),
            *_specs((4, 3, 8, 4, 24), dataflow="is"),
        )
    ),
    powered=_pairs(POWERED),
    powered_held_out=_pairs(POWERED_HELD_OUT),
    path_group=early_path_group,
    group_actions=group_actions(stationary_terms.OPT1),
    terms=stationary_terms.OPT1,
    spec_fields=(*STUDY.spec_fields, "pe"),
)  # fmt: skip
