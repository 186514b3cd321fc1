"""What of a wave reaches the outputs of a mesh, by the loss of its parts."""

from __future__ import annotations

from collections.abc import Iterator

from archsim.engines.rfnn import counts
from archsim.engines.rfnn.link import Detector, cell_loss_db, deepest_mesh
from archsim.engines.rfnn.spec import RfnnSpec
from archsim.reproduce.rfnn.numbers import OURS, ours
from archsim.reproduce.row import Row, Section

LINES_DB = 1.0  # of a shifter of switched lines, assumed
CHIP_DB = 7.0  # of CHP3010a98F, data sheet
MODES = (4, 8, 16)
PARTS = (
    "a cell is two hybrids of 0.3 dB (assumed) and two shifters: switched lines of 1 dB (assumed), "
    "or chips of 7 dB (CHP3010a98F, data sheet); an attenuator set to pass takes 1.83 dB at 2 GHz "
    "(PE43711, a line through others' measurements)"
)
READING = (
    "sources give 0 dBm, and a log detector tells 45 dB (AD8319, data sheet): what loses more is "
    "lost without gain. So passive meshes of such parts end at 8 to 16 ports, which is why trains "
    "of small cores suit them"
)


def section() -> Section:
    """Return losses to an output, and the deepest mesh whose outputs can be told."""
    return Section("Loss: meshes of ordinary parts", tuple(_rows()), (OURS, PARTS, READING))


def _rows() -> Iterator[Row]:
    hybrid = RfnnSpec().hybrid_loss_db
    for words, shifter in (("lines", LINES_DB), ("chips", CHIP_DB)):
        cell = cell_loss_db(hybrid, shifter)
        yield ours(f"a cell with {words}", cell, "dB")
        for modes in MODES:
            loss = counts.depth(modes, "clements") * cell
            yield ours(f"a Clements mesh of {modes} modes, {words}", loss, "dB")
        deepest = deepest_mesh(0.0, cell, Detector())
        yield ours(f"cells that a wave may pass, {words}", deepest, "cells")
