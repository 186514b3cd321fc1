"""How reports name, scale and print what archsim measures: the same everywhere."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pandas as pd

from archsim.engines import metrics
from archsim.metric import Goal

NOTHING = "–"
PLAIN_BELOW = 1e12  # larger numbers are written with an exponent


@dataclass(frozen=True, slots=True)
class Quantity:
    """A metric as people read it.

    Parameters
    ----------
    name
        Of the `Metrics` field, or of a column.
    title
        What it is called in tables and on axes.
    goal
        What is better, if nobody says otherwise.
    meaning
        One sentence for the glossary.
    units
        Symbol and size in the stored unit, smallest first; empty where the value is a plain number.
    """

    name: str
    title: str
    goal: Goal = "min"
    meaning: str = ""
    units: tuple[tuple[str, float], ...] = ()

    @property
    def phrase(self) -> str:
        """The title inside a sentence: abbreviations keep their capitals."""
        words = self.title.split(" ")
        return " ".join(w if sum(map(str.isupper, w)) > 1 else w.lower() for w in words)

    def unit_for(self, values: Iterable[float]) -> Unit:
        """Return the unit in which the typical (geometric mean) value is at least 1."""
        logs = [math.log(abs(v)) for v in values if v and math.isfinite(v)]
        typical = math.exp(sum(logs) / len(logs)) if logs else 1.0
        chosen = Unit("", 1.0)
        for number, (symbol, size) in enumerate(self.units):
            if number == 0 or typical >= size * (1 - 1e-9):
                chosen = Unit(symbol, size)
        return chosen

    def text(self, value: float) -> str:
        """Return one value with its own best unit: ``1.25 ms``."""
        return self.unit_for([value]).text(value)


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit to print values in: ``value / size`` and a symbol."""

    symbol: str
    size: float

    def text(self, value: float) -> str:
        return f"{number(value / self.size)} {self.symbol}".rstrip()


def _decimal(*symbols: str, first: float = 1.0) -> tuple[tuple[str, float], ...]:
    return tuple((symbol, first * 1000.0**i) for i, symbol in enumerate(symbols))


BYTES = tuple((symbol, 1024.0**i) for i, symbol in enumerate(("B", "KiB", "MiB", "GiB", "TiB")))
TIME_PS = _decimal("ps", "ns", "µs", "ms", "s")
ENERGY_PJ = _decimal("pJ", "nJ", "µJ", "mJ", "J")
AREA_UM2 = (("µm²", 1.0), ("mm²", 1e6))
PERCENT = (("%", 0.01),)
MAC_RATES = Quantity(
    "macs_per_s", "Work rate",
    units=(("MMAC/s", 1e6), ("GMAC/s", 1e9), ("TMAC/s", 1e12)),
)  # fmt: skip

QUANTITIES = MappingProxyType(
    {
        q.name: q
        for q in (
            Quantity(
                "time_us", "Time", "min",
                "Of one run of each workload, by weight, from first load to last store.",
                _decimal("ns", "µs", "ms", "s", first=1e-3),
            ),
            Quantity(
                "energy_pj", "Energy", "min",
                "Of the same runs: engines at work and idle, leakage, on-chip buffer and DRAM.",
                ENERGY_PJ,
            ),
            Quantity(
                "area_mm2", "Area", "min",
                "Of engines and buffer on the chip; DRAM is off it.",
                (("mm²", 1.0),),
            ),
            Quantity("power_mw", "Power", "min", "Energy over time.", _decimal("mW", "W")),
            Quantity(
                "cycles", "Cycles", "min",
                "The time in cycles of the design's first engine, rounded up.",
            ),
            Quantity(
                "utilisation", "Utilisation", "max",
                "MACs done over those that all engines could have done in the time.",
                PERCENT,
            ),
            Quantity("dram_bytes", "DRAM traffic", "min", "Read and written off chip.", BYTES),
            Quantity(
                "macs", "MACs", "min", "Multiply-accumulates done.",
                _decimal("MAC", "kMAC", "MMAC", "GMAC", "TMAC"),
            ),
            Quantity(
                "latency_us", "Latency", "min",
                "Until the first item of a stream is done; the time, if it is the only one.",
                _decimal("ns", "µs", "ms", "s", first=1e-3),
            ),
            Quantity(
                "throughput_per_s", "Throughput", "max",
                "Items a second, between the end of a stream's first item and that of its last.",
                _decimal("items/s", "k items/s", "M items/s"),
            ),
            Quantity(
                "energy_per_item_pj", "Energy an item", "min", "Energy over items of a stream.",
                ENERGY_PJ,
            ),
            Quantity(
                "tied_percent", "Tied to RTL", "max",
                "Share of the engines’ occupied time whose cycles the generated RTL has exactly.",
                (("%", 1.0),),
            ),
        )
    }
)  # fmt: skip


def quantity(name: str) -> Quantity:
    """Return the quantity of a column; one that nobody described is shown under its own name."""
    known = QUANTITIES.get(name)
    if known is not None:
        return known
    if (own := metrics().get(name)) is not None:
        return Quantity(name, own.title, own.goal, own.meaning, own.units)
    stem, _, unit = name.rpartition("_")
    units = {"pj": ENERGY_PJ, "um2": AREA_UM2, "bytes": BYTES, "ps": TIME_PS}.get(unit, ())
    title = (stem if units else name).replace("_", " ")
    return Quantity(name, title[:1].upper() + title[1:], units=units)


def number(value: float) -> str:
    """Return three significant digits, more only where the integer part has more: ``1,234``.

    Above `PLAIN_BELOW` even those are three, as below 1e-4: ``3.20e+17``.
    """
    if not math.isfinite(value):
        return NOTHING
    size = abs(value)
    if size == 0:
        return "0"
    if 99.95 <= size < PLAIN_BELOW:
        return f"{value:,.0f}"
    if not 1e-4 <= size < PLAIN_BELOW:
        return f"{value:.2e}"
    return f"{value:.{2 - math.floor(math.log10(float(f'{size:.2e}')))}f}"


def ratio(value: float, base: float) -> str:
    """Return value over base as ``0.52×``, or a dash where there is no base."""
    return times(value / base) if base else NOTHING


def times(factor: float) -> str:
    """Return a factor: ``0.52×``, ``12.8×``."""
    return f"{factor:.2f}×" if 0.095 <= factor < 9.995 else f"{number(factor)}×"


def percent(share: float) -> str:
    """Return a share of 1 as per cent: ``12.3 %``."""
    if 0 < share < 5e-4:
        return "<0.1 %"
    return f"{100 * share:.1f} %" if 0 < abs(share) < 0.995 else f"{100 * share:.0f} %"


def applies(value: Any) -> bool:
    """Return whether a point has a value on an axis: conditional axes leave theirs empty."""
    return not (value is None or (isinstance(value, float) and math.isnan(value)) or value is pd.NA)


def setting(name: str, value: object) -> str:
    """Return an axis value as people write it: capacities in binary units, the rest as it is."""
    if not applies(value):
        return NOTHING
    if isinstance(value, Mapping | list | tuple):
        return typed_text(value)
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return str(value)
    value = float(value)
    if name.endswith("_bytes") and value >= 1024:
        symbol, size = next((s, n) for s, n in reversed(BYTES) if value >= n)
        return f"{value / size:.4g} {symbol}"
    return str(int(value)) if value.is_integer() else f"{value:g}"


def typed_text(value: object) -> str:
    """Return a value in full as YAML reads it; a mapping, as a policy by rules, on one line."""
    if isinstance(value, Mapping):
        inside = ", ".join(f"{key}: {typed_text(item)}" for key, item in value.items())
        return f"{{{inside}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(typed_text, value))}]"
    return str(value)


def settings(name: str, values: pd.Series) -> list[str]:
    """Return an axis's values as people write them: each distinct one is written once."""
    codes, distinct = pd.factorize(values, use_na_sentinel=False)
    texts = [setting(name, value) for value in distinct]
    return [texts[code] for code in codes.tolist()]


def short_names(paths: Iterable[str]) -> dict[str, str]:
    """Return the shortest endings of dotted paths that tell them apart: ``rows``, ``mxu.rows``."""
    paths = list(paths)
    names = {}
    for path in paths:
        parts = path.split(".")
        for length in range(1, len(parts) + 1):
            ending = parts[-length:]
            same = [p for p in paths if p.split(".")[-length:] == ending]
            if len(same) == 1:
                break
        names[path] = ".".join(ending)
    return names
