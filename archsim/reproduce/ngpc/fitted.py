"""A profile fitted to the published means: it says what they take, and predicts nothing.

Each application gains k a processor up to a plateau: ``S(n) = min(plateau, k n)``. Seven free
numbers meet four means, the mean share of other kernels, and which application ends where, so this
is one solution of many.
"""

from __future__ import annotations

from statistics import fmean

from archsim.reproduce.ngpc.numbers import PUBLISHED
from archsim.reproduce.ngpc.runs import NAMES, PROCESSORS
from archsim.reproduce.row import Row, Section

# fitted; frozen: gain of a processor, and plateau
FITTED = {"nerf": (0.594, 38.0), "nsdf": (1.989, 58.4), "nvr": (2.92, 26.6), "gia": (0.967, 33.2)}


def speed_up(app: str, nfps: int) -> float:
    """Return what the profile says of an application."""
    gain, plateau = FITTED[app]
    return min(gain * nfps, plateau)


def section() -> Section:
    table = PUBLISHED["means"]
    rows = [
        Row(f"mean of the four, {n} processors, fitted", table.value(str(n), "speed_up"), table.tag,
            fmean(speed_up(app, n) for app in FITTED), unit="x")
        for n in PROCESSORS
    ]  # fmt: skip
    rows += [
        Row(f"{NAMES[app]}: {what}, fitted", None, "fitted", value, unit="x")
        for app, (gain, plateau) in FITTED.items()
        for what, value in (("gain of a processor", gain), ("plateau", plateau))
    ]
    notes = (
        (
            "Fitted to what stands beside it, so without predictive content: that it comes near "
            "says nothing. It shows what the means take: GIA, one query a pixel, gains as if a "
            "processor did one query a cycle at 1 GHz; NeRF only as if it took some 190 cycles a "
            "pixel."
        ),
        (
            "The abstract's means are whole numbers, which may be cut short; the fit went to "
            "decimals that are not in a source."
        ),
    )
    return Section("A fitted profile, without predictive content", tuple(rows), notes)
