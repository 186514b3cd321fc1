"""What of a wave reaches the outputs: loss by depth, and the range of levels that remains.

All levels are powers of one port in dBm, losses are positive dB.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log10
from typing import Any

from archsim.engines.rfnn import counts
from archsim.engines.rfnn.counts import MeshKind

BOLTZMANN_J_PER_K = 1.380649e-23
ROOM_K = 290.0


def cell_loss_db(hybrid_db: Any, shifter_db: Any) -> Any:
    """Return the loss of a cell: two hybrids, and the shifters of theta and phi.

    The arm without shifters has matched pads: a difference between arms would be an error of the
    cell and no loss.
    """
    return 2 * hybrid_db + 2 * shifter_db


def layer_loss_db(
    outputs: Any, inputs: Any, cell_db: Any, attenuator_db: Any = 0.0, mesh: MeshKind = "clements"
) -> Any:
    """Return the loss of the longest way through V^H, an attenuator that passes, and U."""
    cells = counts.depth(outputs, mesh) + counts.depth(inputs, mesh)
    return cells * cell_db + attenuator_db


def noise_floor_dbm(bandwidth_hz: float, noise_figure_db: float = 0.0) -> float:
    """Return the thermal noise k T B at room temperature, and an amplifier's on top."""
    return 10 * log10(BOLTZMANN_J_PER_K * ROOM_K * bandwidth_hz * 1e3) + noise_figure_db


@dataclass(frozen=True, slots=True)
class Detector:
    """What a detector can tell: levels from ``range_db`` below ``largest_dbm`` up, to an error.

    The default is a log detector as AD8319 (data sheet: 45 dB of range; +-1 dB is that of its
    sister, AD8318).
    """

    largest_dbm: float = 0.0
    range_db: float = 45.0
    error_db: float = 1.0

    @property
    def least_dbm(self) -> float:
        return self.largest_dbm - self.range_db


def dynamic_range_db(
    input_dbm: float, loss_db: float, detector: Detector, noise_dbm: float = float("-inf")
) -> float:
    """Return by how much an output may lie below the largest one and still be told from nothing.

    Negative where even the largest output is too low: the mesh does not work without gain.
    """
    return input_dbm - loss_db - max(detector.least_dbm, noise_dbm)


def deepest_mesh(
    input_dbm: float, cell_db: float, detector: Detector, wanted_db: float = 0.0
) -> int:
    """Return how many cells a wave may pass so that ``wanted_db`` of dynamic range are left."""
    left = dynamic_range_db(input_dbm, wanted_db, detector)
    return max(0, int(left / cell_db))
