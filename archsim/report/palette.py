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

SPAN_OPACITY = 0.14  # of the inside of a box that says where a point may lie
_FAMILIES = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION)
_TINTS = (0.0, 0.4, -0.35, 0.65, -0.6, 0.8, 0.2, -0.18)  # to white, to black
# markers of groups, as plotly and matplotlib call them; square and diamond have roles
MARKERS = (
    ("circle", "o"), ("triangle-up", "^"), ("triangle-down", "v"), ("pentagon", "p"),
    ("star", "*"), ("cross", "P"), ("x", "X"), ("hexagon", "h"),
)  # fmt: skip
_STATES = MappingProxyType(
    {
        "busy": BLUE, "fill": "#6fb1da", "drain": "#b3d6ec", "load": VERMILLION, "store": "#eda66e",
        "input": PURPLE, "buffer": ORANGE, "dram": "#7a3b00", "idle": "#e4e7eb",
    }
)  # fmt: skip
_STALLS = ("#b98a00", "#8a6d1f", "#d9b84a", "#6b5a2a")


def tint(colour: str, share: float) -> str:
    """Return a colour mixed with white, or with black by a negative share."""
    target = 255 if share > 0 else 0
    channels = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(c + (target - c) * abs(share)):02x}" for c in channels)


def of_components(*charts: Iterable[str]) -> Mapping[str, str]:
    """Return a colour by component: one hue an owner (``mxu`` of ``mxu.pe``), one tint a part.

    DRAM, which is off the chip, always has the last hue; owners take the others in the order given.
    A component has one colour in all charts, and parts of one chart differ.
    """
    hues: dict[str, str] = {"dram": _FAMILIES[-1]}
    colours: dict[str, str] = {}
    for chart in charts:
        names = list(dict.fromkeys(chart))
        used = {colours[name] for name in names if name in colours}
        for name in (name for name in names if name not in colours):
            owner = name.split(".")[0]
            hue = hues.setdefault(owner, _FAMILIES[(len(hues) - 1) % (len(_FAMILIES) - 1)])
            tints = [tint(hue, share) for share in _TINTS]
            colours[name] = next((colour for colour in tints if colour not in used), tints[-1])
            used.add(colours[name])
    return colours


def of_groups(groups: Iterable[tuple[str, ...]]) -> Mapping[tuple[str, ...], tuple[str, int]]:
    """Return a colour and the number of a marker by group: by its first name, by its second.

    Both come in the order in which names come; there are as many as colours and `MARKERS`, then
    they begin anew.
    """
    groups = list(dict.fromkeys(groups))
    hues = list(dict.fromkeys(group[0] for group in groups))
    shapes = list(dict.fromkeys(group[1:] for group in groups))
    return {
        group: (
            _FAMILIES[hues.index(group[0]) % len(_FAMILIES)],
            shapes.index(group[1:]) % len(MARKERS),
        )
        for group in groups
    }


def of_references(names: Iterable[str]) -> Mapping[str, str]:
    """Return a dark colour by the name of what stands beside a sweep; no role has its hue."""
    hues = [tint(hue, -0.2) for hue in (PURPLE, GREEN, ORANGE, SKY)]
    return {name: hues[i % len(hues)] for i, name in enumerate(dict.fromkeys(names))}


def faded(colour: str) -> str:
    """Return the colour of a box that says where a point may lie, as CSS has it."""
    channels = (str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))
    return f"rgba({','.join(channels)},{SPAN_OPACITY:g})"


def of_states(names: Iterable[str]) -> Mapping[str, str]:
    """Return a colour by what a resource does: busy, idle, and each cause of a stall."""
    colours = dict(_STATES)
    others = [name for name in dict.fromkeys(names) if name not in colours]
    colours.update({name: _STALLS[i % len(_STALLS)] for i, name in enumerate(others)})
    return colours
