"""What an engine says about how it is to be measured, and what one measurement is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from archsim.tech.table import CostTerms

if TYPE_CHECKING:
    import numpy as np

    from archsim.hdl.power import GateSimulator
    from archsim.hdl.synth import SynthResult

EnergyTerms = Mapping[str, Mapping[str, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class Stimulus:
    """One job run on the netlist: what was done how often, and what the run was.

    Parameters
    ----------
    counts
        Action to count, as the engine's `actions` has them, plus ``cycle``.
    """

    name: str
    counts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Study:
    """How an engine's cost is measured, and the terms that it is fitted to.

    Parameters
    ----------
    fitted, held_out
        Specs to fit to and specs to judge on; the largest held-out one is larger than any fitted.
    powered, powered_held_out
        The same for energy, smaller because netlists are simulated.
    verilog
        ``spec -> text``, its top module called ``top``.
    parts
        ``(spec, result) -> {part: um2}``: the modules' areas summed to parts, without what is left
        out; each part is the sum of the components that ``part_components`` gives it.
    path_group
        Instance path to the group of ``terms.delay`` that a path into it belongs to.
    energy_group
        Instance path to the group its energy is booked under; what ``group_actions`` does not name
        is left out.
    group_actions
        Energy group to the terms of ``terms.energy``, as ``action: names``, that explain it.
    run
        ``(spec, simulator, rng) -> [(stimulus, toggles)]``: drive the simulator through jobs.
    stimulus
        In words.
    left_out
        Modules whose cells are not counted: memories that stand in for SRAM macros, which have
        tables of their own.
    path_begins
        By group of paths: places whose registers begin them, where not all do. What follows a
        memory's cycle is looked for from the memory on.
    """

    engine: str
    top: str
    fitted: Sequence[Any]
    held_out: Sequence[Any]
    powered: Sequence[Any]
    powered_held_out: Sequence[Any]
    verilog: Callable[[Any], str]
    parts: Callable[[Any, SynthResult], Mapping[str, float]]
    part_components: Mapping[str, tuple[str, ...]]
    path_group: Callable[[str], str]
    energy_group: Callable[[str], str]
    group_actions: EnergyTerms
    terms: CostTerms
    run: Callable[[Any, GateSimulator, np.random.Generator], Sequence[tuple[Stimulus, Any]]]
    stimulus: str
    spec_fields: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    path_begins: Mapping[str, Callable[[str], bool]] = field(default_factory=dict)
