"""Colours that colour-blind readers tell apart, and that mean the same thing in every figure.

The hues are those of Okabe and Ito (2008), "Color Universal Design".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

INK, FAINT = "#1a1f26", "#5a6472"
BLUE, SKY, GREEN, ORANGE, VERMILLION, PURPLE, GREY = (
    "#0072b2", "#56b4e9", "#009e73", "#e69f00", "#d55e00", "#b45f94", "#9aa3ad",
)  # fmt: skip

# roles in the front figure
DOMINATED, FRONT, KNEE, BASELINE, AGAINST, REFERENCE = GREY, BLUE, VERMILLION, INK, GREEN, PURPLE
FRONT_FIGURE = MappingProxyType(
    {
        "ink": INK, "faint": FAINT, "dominated": DOMINATED, "front": FRONT, "knee": KNEE,
        "baseline": BASELINE, "against": AGAINST, "reference": REFERENCE,
    }
)  # fmt: skip

BOUND = MappingProxyType({"compute": BLUE, "dram": VERMILLION, "latency": ORANGE, "input": PURPLE})

_FAMILIES = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION)
_TINTS = (0.0, 0.35, 0.6, 0.78)
_STATES = MappingProxyType(
    {
        "busy": BLUE, "fill": "#6fb1da", "drain": "#b3d6ec", "load": VERMILLION, "store": "#eda66e",
        "input": PURPLE, "buffer": ORANGE, "idle": "#e4e7eb",
    }
)  # fmt: skip
_STALLS = ("#b98a00", "#8a6d1f", "#d9b84a", "#6b5a2a")


def lighter(colour: str, share: float) -> str:
    """Return a colour mixed with white: 0 is the colour, 1 is white."""
    channels = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(c + (255 - c) * share):02x}" for c in channels)


def of_components(names: Iterable[str]) -> Mapping[str, str]:
    """Return a colour by component: one hue an owner (``mxu`` of ``mxu.pe``), one tint a part.

    DRAM, which is off the chip, is always the last hue; owners take hues in the order given.
    """
    hues: dict[str, str] = {"dram": _FAMILIES[-1]}
    parts: dict[str, int] = {}
    colours: dict[str, str] = {}
    for name in dict.fromkeys(names):
        owner = name.split(".")[0]
        hue = hues.setdefault(owner, _FAMILIES[(len(hues) - 1) % (len(_FAMILIES) - 1)])
        colours[name] = lighter(hue, _TINTS[parts.get(owner, 0) % len(_TINTS)])
        parts[owner] = parts.get(owner, 0) + 1
    return colours


def of_states(names: Iterable[str]) -> Mapping[str, str]:
    """Return a colour by what a resource does: busy, idle, and each cause of a stall."""
    colours = dict(_STATES)
    others = [name for name in dict.fromkeys(names) if name not in colours]
    colours.update({name: _STALLS[i % len(_STALLS)] for i, name in enumerate(others)})
    return colours
