"""Area, clock and energy of processors: fits through syntheses of one, their memories as SRAMs.

In a node where it was not measured, logic is priced as measured vector lanes, one for every
multiplier of a processor, and what is around them (queues, crossbars, control) is not priced.
Tables lie in SRAMs of one port. An array that layers take in turn has an SRAM of their weights for
each of its rows; arrays of one layer keep them in registers. The GPU is in no figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.engines import Fmax, SpecBatch
from archsim.engines.ngpc.spec import CORNERS, NgpcSpec
from archsim.engines.ngpc.terms import COST, is_layered
from archsim.tech.sram import SramCost

if TYPE_CHECKING:
    from archsim.tech import Tech

TABLE, EXTENTS = "ngpc", ("engines", "mlp_width")
ADDRESS_LANES = 5  # multipliers from a position to entries: three scales, two of the hash
ADDRESS_BITS, WEIGHT_LANES = 32, 8  # of those; corners' weights, which are 16 bits wide
CONTROL = "control_cycle"  # a cycle of a processor, busy or waiting
PJ_PER_PS_OF_UW = 1e-6
Spec = NgpcSpec | SpecBatch


def table_bank(spec: Any, tech: Tech) -> SramCost:
    """Return a bank of an engine's table."""
    bits = np.asarray(spec.features) * spec.feature_bits
    return tech.sram(np.asarray(spec.rows) * bits / 8, bits)


def weight_bank(spec: Any, tech: Tech) -> SramCost:
    """Return the weights of one row of an array, of every layer."""
    bits = np.asarray(spec.mlp_width) * spec.act_bits
    return tech.sram(bits / 8 * np.maximum(spec.mlp_layers, 2), bits)


def area_um2(spec: Spec, tech: Tech) -> Mapping[str, Any]:
    """Return the area of all processors by component."""
    one = {part: n * _lane(tech, bits, "area_um2") for part, (n, bits) in _lanes(spec).items()}
    if tech.has_table(TABLE):
        one = dict(tech.table(TABLE).fit("area_um2").evaluate(COST.area, spec))
    tables, weights = _banks(spec)
    one["tables"] = tables * table_bank(spec, tech).area_um2
    one["weights"] = weights * weight_bank(spec, tech).area_um2
    return {part: _plain(np.asarray(spec.nfps) * um2) for part, um2 in one.items()}


def energy_pj(spec: Spec, tech: Tech) -> Mapping[str, Any]:
    """Return the energy of each action: see `archsim.engines.ngpc.terms.actions`.

    A pass through an array reads the weights of all its rows, whatever of them a matrix has.
    """
    bank, row = table_bank(spec, tech), weight_bank(spec, tech)
    lanes, engines = _lanes(spec), np.asarray(spec.engines)
    ops = {part: n * _lane(tech, bits, "op_pj") for part, (n, bits) in lanes.items()}
    logic = {name: np.zeros(()) for name in COST.energy} | {
        "encode": (ops["address"] + ops["interpolate"]) / engines,
        **dict.fromkeys(("query", "layer"), ops["mlp"] / spec.arrays),  # the first, and the others
    }
    clock = sum(n * _lane(tech, bits, "clock_pj") for n, bits in lanes.values())
    leakage = sum(n * _lane(tech, bits, "leakage_uw") for n, bits in lanes.values())
    if tech.has_table(TABLE):
        table = tech.table(TABLE)
        logic = dict(table.fit("energy_pj").evaluate(COST.energy, spec))
        (clock,) = table.fit("clock_pj").evaluate(COST.whole, spec).values()
        (leakage,) = table.fit("leakage_uw").evaluate(COST.whole, spec).values()
    tables, weights = _banks(spec)
    leakage = leakage + tables * bank.leakage_uw + weights * row.leakage_uw
    nfps, rows = np.asarray(spec.nfps), (1 - is_layered(spec)) * np.asarray(spec.mlp_width)
    found = {
        **logic,
        "lookup": bank.read_pj,
        **{name: logic[name] + rows * row.read_pj for name in ("query", "layer")},
        CONTROL: logic[CONTROL] + clock,
        "idle_cycle": nfps * clock,
        "leak_ps": nfps * leakage * PJ_PER_PS_OF_UW,
    }
    return {name: _plain(pj * np.ones(np.shape(spec.nfps))) for name, pj in found.items()}


def fmax_mhz(spec: Spec, tech: Tech) -> Fmax:
    """Return the clock of the longest path, in whole MHz.

    A read of a bank has `sram_cycles`; in the only one, or after weights are read, a path goes on.
    """
    cycles = np.asarray(spec.sram_cycles)
    in_bank = table_bank(spec, tech).cycle_ps / cycles
    if not tech.has_table(TABLE):
        lane = tech.lane(ADDRESS_BITS)
        worst = np.maximum(1e6 / lane.fmax_mhz, in_bank)
        source = f"{lane.source}, or a cycle of the tables' SRAM; what is around was not measured"
        return Fmax(_plain(np.floor(1e6 / worst)), source)
    table = tech.table(TABLE)
    fit = table.fit("delay_ps")
    paths = fit.evaluate(COST.delay, spec)
    paths["encoder"] = paths["encoder"] + in_bank * (cycles == 1)
    paths["mlp"] = paths["mlp"] + weight_bank(spec, tech).cycle_ps * (1 - is_layered(spec))
    worst = np.maximum.reduce([np.asarray(path, float) for path in (*paths.values(), in_bank)])
    most = max(row["spec"]["mlp_width"] for row in table.rows)
    return Fmax(
        _plain(np.floor(1e6 / worst)),
        f"fit through {len(table.rows)} syntheses of arrays of up to {most} wide in "
        f"{table.made['library']} ({table.made['yosys']}), error at most "
        f"{fit.max_error_percent:g} % on held-out ones, or a cycle of the tables' SRAM; weights of "
        "several layers are read in the first cycle of a product; no wires, no clock tree, typical "
        "corner",
    )


def _lanes(spec: Any) -> Mapping[str, tuple[Any, Any]]:
    """Return how many lanes stand for each part of a processor, and of how many bits."""
    engines, features = np.asarray(spec.engines), np.asarray(spec.features)
    return {
        "address": (engines * ADDRESS_LANES, ADDRESS_BITS),
        "interpolate": (engines * (CORNERS * features + WEIGHT_LANES), 16),
        "mlp": (spec.arrays * np.asarray(spec.mlp_width) ** 2, spec.act_bits),
    }


def _banks(spec: Any) -> tuple[Any, Any]:
    """Return the SRAMs of a processor: of tables, and of weights."""
    rows = (1 - is_layered(spec)) * np.asarray(spec.mlp_width)
    return np.asarray(spec.engines) * spec.banks, rows


def _lane(tech: Tech, bits: Any, name: str) -> Any:
    """Return a figure of a lane, or of one of each width."""
    widths = np.asarray(bits)
    if widths.ndim == 0:
        return getattr(tech.lane(int(widths)), name)
    return np.array([getattr(tech.lane(int(width)), name) for width in widths])


def _plain(value: Any) -> Any:
    return float(value) if np.ndim(value) == 0 else value
