"""Table VII by itself: whether its printed figures follow from its own columns."""

from __future__ import annotations

from collections.abc import Iterator

from archsim.reproduce.published import Table
from archsim.reproduce.row import Row, Section
from archsim.reproduce.tpe.numbers import DENSE, PES, PUBLISHED, TERA, dense_ops_per_s

SLIP = (
    "a slip in the paper: its peak over its area is {:.2f}, and what is printed is Trapezoid's "
    "figure; every other row follows from its columns"
)
GAIN_SLIP = "follows from the slip in Ascend's row: over {:.2f} the gain is {:.2f}"
SLIP_PERCENT = 5.0  # what rounding of the printed columns cannot make


def section() -> Section:
    """Return printed efficiencies and gains beside those that the printed columns give."""
    return Section(
        "Table VII by itself: ours is recomputed from the same row's columns",
        (*_peaks(), *_area_efficiencies(), *_gains()),
    )


def area_efficiency(design: str) -> float:
    """Return a design's TOPS/mm2: its peak, exactly where it is one of MACs, over its area."""
    table = PUBLISHED["table_7"]
    tops = table.value(design, "tops")
    if design in DENSE:
        tops = dense_ops_per_s(table.value(design, "clock_mhz")) / TERA
    return tops / table.value(design, "area_um2") * 1e6


def pair(gain: str) -> tuple[str, str]:
    """Return the designs that ``OPT1(TPU) over TPU`` compares."""
    design, _, base = gain.partition(" over ")
    return design, base


def _peaks() -> Iterator[Row]:
    table = PUBLISHED["table_7"]
    for design in DENSE:
        peak = dense_ops_per_s(table.value(design, "clock_mhz")) / TERA
        yield Row(
            f"{design}: peak of {PES:,} MACs a cycle",
            table.value(design, "tops"), table.tag, peak, unit="TOPS",
        )  # fmt: skip


def _area_efficiencies() -> Iterator[Row]:
    table = PUBLISHED["table_7"]
    for design in table:
        printed, ours = table.value(design, "tops_per_mm2"), area_efficiency(design)
        cause = SLIP.format(ours) if _slips(printed, ours) else ""
        yield Row(
            f"{design}: area efficiency",
            printed,
            table.tag,
            ours,
            cause,
            table.units["tops_per_mm2"],
        )


def _gains() -> Iterator[Row]:
    gains: Table = PUBLISHED["gains"]
    for gain in gains:
        design, base = pair(gain)
        printed = gains.value(gain, "area")
        ours = area_efficiency(design) / area_efficiency(base)
        cause = GAIN_SLIP.format(area_efficiency(base), ours) if _slips(printed, ours) else ""
        yield Row(f"{gain}: gain in area efficiency", printed, gains.tag, ours, cause, "x")


def _slips(printed: float, ours: float) -> bool:
    return abs(ours / printed - 1) * 100 > SLIP_PERCENT
