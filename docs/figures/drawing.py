"""What the scripts of this folder share: pages of SVG, and words on them."""

from __future__ import annotations

from collections.abc import Iterable

from archsim.report.palette import INK

WIDTH = 900
PALE = "#eef1f4"


def page(height: int, parts: Iterable[str]) -> str:
    """Return a page of elements."""
    font = "font-family='Helvetica, Arial, sans-serif'"
    elements = "\n".join(parts)
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' {font} "
        f"font-size='14' fill='{INK}' text-anchor='middle'>\n"
        f"<rect width='{WIDTH}' height='{height}' fill='#fff'/>\n{elements}\n</svg>\n"
    )


def text(
    x: float, y: float, words: str, anchor: str = "middle", colour: str = INK, *,
    size: int | None = None, bold: bool = False,
) -> str:  # fmt: skip
    """Return words at a place, of the page's size if no other is given."""
    style = f" font-size='{size}'" if size else ""
    style += " font-weight='bold'" if bold else ""
    place = f"x='{x:g}' y='{y:g}' text-anchor='{anchor}'"
    return f"<text {place} fill='{colour}'{style}>{words}</text>"
