"""Draw docs/figures/rf-mesh.svg, meshes of cells, and tensor-train.svg, chains and a stage.

Run as ``python docs/figures/rf_networks.py`` from the top folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from drawing import PALE, page, text

from archsim.engines.rfnn.counts import MeshKind
from archsim.engines.rfnn.decompose import decompose
from archsim.engines.rfnn.tensor_train import Stage, addresses, core_shapes
from archsim.report.palette import BLUE, FAINT, INK, ORANGE

FOLDER = Path(__file__).parent
SUBSCRIPTS = "₁₂₃₄"

MODES = 6
WIRE, COLUMN, BOX = 42, 34, 26  # from mode to mode; from cell to cell; width of a cell
OUTPUTS, INPUTS, RANK = (4, 4, 4, 4), (4, 7, 7, 4), 4  # of a layer from 784 to 256
STAGE = Stage(outputs=2, inputs=3, before=2, after=2)
SHOWN = 2  # the vector of the stage that is shown: before = 1, after = 0
WORD = 36


def mesh() -> str:
    """Return the figure of a cell and of both meshes."""
    parts = (*_cell(30, 96), *_mesh("clements", 290, 96), *_mesh("reck", 550, 96))
    words = (
        "Numbers: percent of power that goes across, all set to a Fourier transform of 6 points."
    )
    parts = (*parts, text(278, 354, words, "start", FAINT))
    return page(372, parts)


def train() -> str:
    """Return the figure of both chains and of a stage."""
    parts = (*_chains(), *_stage(30, 334))
    return page(548, parts)


# ---------------------------------------------------------------------------------------- meshes


def _cell(x: float, y: float) -> Iterator[str]:
    """Yield a cell's two arms with their hybrids and shifters."""
    yield text(x, 28, "A cell", "start", bold=True)
    yield text(x, 48, "two hybrids, two phases", "start", FAINT)
    for arm in (y, y + WIRE):
        yield f"<path d='M {x} {arm} h 190' stroke='{INK}' stroke-width='1.5'/>"
    for at, name in ((20, "φ"), (112, "θ")):
        yield f"<circle cx='{x + at}' cy='{y}' r='13' fill='#fff' stroke='{ORANGE}'/>"
        yield text(x + at, y + 5, name, bold=True)
    for at in (46, 138):
        yield (
            f"<rect x='{x + at}' y='{y - 12}' width='34' height='{WIRE + 24}' rx='3' "
            f"fill='{PALE}' stroke='{INK}'/>"
        )
        yield text(x + at + 17, y + WIRE / 2 + 5, "H")
    for line, words in enumerate(
        (
            "of the upper arm's power",
            "sin²(θ/2) stays on its side,",
            "cos²(θ/2) goes across;",
            "θ = 0: all across, θ = 180°: none",
        )
    ):
        yield text(x, y + 100 + 20 * line, words, "start", FAINT)


def _mesh(kind: MeshKind, x: float, y: float) -> Iterator[str]:
    """Yield a mesh that does a Fourier transform, with the share of power that crosses."""
    index = np.arange(MODES)
    phases = decompose(np.exp(-2j * np.pi * np.outer(index, index) / MODES) / MODES**0.5, kind)
    where = phases.layout
    crossing = 100 * np.cos(phases.theta / 2) ** 2
    end = x + where.depth * COLUMN
    title = f"{kind.title()}: {where.cells} cells, {where.depth} deep"
    yield text(x, 28, title, "start", bold=True)
    note = "all ways are about as long" if kind == "clements" else "ways of 1 to 9 cells"
    yield text(x, 48, note, "start", FAINT)
    for mode in range(MODES):
        at = y + mode * WIRE
        yield f"<path d='M {x - 12} {at} H {end + 16}' stroke='{INK}' stroke-width='1.5'/>"
        yield f"<circle cx='{end + 8}' cy='{at}' r='7' fill='#fff' stroke='{ORANGE}'/>"
    number = 0
    for depth, (first, count) in enumerate(where.columns):
        for mode in range(first, first + 2 * count, 2):
            share = crossing[number]
            yield from _box(x + depth * COLUMN + (COLUMN - BOX) / 2, y + mode * WIRE, share)
            number += 1


def _box(x: float, y: float, share: float) -> Iterator[str]:
    """Yield a cell of a mesh, the bluer the more crosses."""
    place = f"x='{x:g}' y='{y - 9:g}' width='{BOX}' height='{WIRE + 18}' rx='3'"
    yield f"<rect {place} fill='#fff' stroke='{BLUE}'/>"
    yield f"<rect {place} fill='{BLUE}' fill-opacity='{share / 100:.2f}'/>"
    colour = "#fff" if share > 60 else INK
    yield text(x + BOX / 2, y + WIRE / 2 + 4, f"{share:.0f}", colour=colour, size=11)


# ---------------------------------------------------------------------------------------- trains


def _chains() -> Iterator[str]:
    """Yield the cores of one layer in both forms."""
    dense = int(np.prod(OUTPUTS) * np.prod(INPUTS))
    for x, form, title in ((30, "ttm", "Matrix cores: ttm"), (440, "tt3", "Third-order: tt3")):
        shapes = core_shapes(form, OUTPUTS, INPUTS, RANK)
        numbers = sum(int(np.prod(s)) for s in shapes)
        yield text(x, 28, title, "start", bold=True)
        words = f"{numbers:,} numbers for the {dense:,} of 784 → 256"
        yield text(x, 48, words, "start", FAINT)
        step = 92 if form == "ttm" else 54
        for k, shape in enumerate(shapes):
            at = x + 24 + k * step
            if k < len(shapes) - 1:
                yield f"<path d='M {at} 140 h {step}' stroke='{INK}' stroke-width='1.5'/>"
                yield text(at + step / 2, 132, f"{shape[-1]}", colour=FAINT, size=12)
            is_output = form == "ttm" or k < len(OUTPUTS)
            is_input = form == "ttm" or not is_output
            names = [("m", -1, shape[1], is_output), ("n", 1, shape[-2], is_input)]
            for name, side, extent, drawn in names:
                if drawn:
                    yield f"<path d='M {at} 140 v {44 * side}' stroke='{INK}' stroke-width='1.5'/>"
                    label = f"{name}{SUBSCRIPTS[k % 4]} = {extent}"
                    yield text(at, 140 + 60 * side - (6 if side > 0 else -10), label, size=12)
            yield f"<circle cx='{at}' cy='140' r='14' fill='{BLUE}'/>"
    words = (
        "A line is an index to sum over, or an input n or output m that is left. Numbers: extents."
    )
    yield text(30, 236, words, "start", FAINT)


def _stage(x: float, y: float) -> Iterator[str]:
    """Yield the buffers before and after a stage, and what becomes of one vector."""
    read, written = addresses(STAGE)
    yield text(x, y - 46, "One stage", "start", bold=True)
    words = (
        f"a matrix of {STAGE.outputs} x {STAGE.inputs} for {STAGE.before} x {STAGE.after} vectors; "
        "orange: one of them, words a stride of 2 apart"
    )
    yield text(x, y - 26, words, "start", FAINT)
    yield from _buffer(x, y, read.size, read[SHOWN].tolist(), STAGE.inputs)
    yield from _buffer(x, y + 132, written.size, written[SHOWN].tolist(), STAGE.outputs)
    middle = x + 6 * WORD
    for width, addresses_ in ((0, read[SHOWN]), (1, written[SHOWN])):
        for address in addresses_.tolist():
            at = x + (address + 0.5) * WORD
            ends = (y + WORD, y + 68) if width == 0 else (y + 132, y + 100)
            yield (
                f"<path d='M {at:g} {ends[0]} L {middle:g} {ends[1]}' stroke='{ORANGE}' "
                "stroke-width='1.5'/>"
            )
    yield f"<rect x='{middle - 62}' y='{y + 66}' width='124' height='36' rx='3' fill='{BLUE}'/>"
    yield text(middle, y + 89, f"{STAGE.outputs} x {STAGE.inputs} mesh", colour="#fff")
    formula = ("(b · inputs + q) · after + a", "(b · outputs + p) · after + a")
    for line, at in zip(formula, (y, y + 132), strict=True):
        yield text(x + 12 * WORD + 20, at + 23, line, "start", FAINT)


def _buffer(x: float, y: float, words: int, chosen: list[int], width: int) -> Iterator[str]:
    """Yield a buffer's words with their addresses; gaps are where ``before`` counts on."""
    for address in range(words):
        fill = ORANGE if address in chosen else PALE
        at = x + address * WORD
        yield f"<rect x='{at}' y='{y}' width='{WORD - 3}' height='{WORD}' rx='3' fill='{fill}'/>"
        colour = INK if address in chosen else FAINT
        yield text(at + (WORD - 3) / 2, y + 23, f"{address}", colour=colour, size=12)
    half = x + width * STAGE.after * WORD - 1.5
    yield f"<path d='M {half} {y - 6} v {WORD + 12}' stroke='{INK}' stroke-dasharray='3 3'/>"


FIGURES = {FOLDER / "rf-mesh.svg": mesh, FOLDER / "tensor-train.svg": train}

if __name__ == "__main__":
    for file, draw in FIGURES.items():
        file.write_text(draw(), "utf-8")
