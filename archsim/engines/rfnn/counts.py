"""How many interferometers, shifters and attenuators a layer takes, and how deep its meshes are.

A mesh of N modes is N(N-1)/2 cells of two shifters each and N output phases (Reck et al., 1994;
Clements et al., 2016). A layer W = U S V^H of M outputs and N inputs has a mesh for V^H, min(M, N)
attenuators, and a mesh for U. Functions take integers or arrays of them.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

MeshKind = Literal["clements", "reck"]
SHIFTERS_PER_CELL = 2


def unitary_cells(modes: Any) -> Any:
    """Return the cells of a mesh that does any unitary of its modes."""
    return modes * (modes - 1) // 2


def economy_cells(modes: Any, used: Any) -> Any:
    """Return the cells that remain where only ``used`` of a mesh's outputs, or inputs, matter."""
    return used * (2 * modes - used - 1) // 2


def layer_cells(outputs: Any, inputs: Any) -> Any:
    """Return the cells of U and V^H of a layer, each a whole mesh."""
    return unitary_cells(outputs) + unitary_cells(inputs)


def layer_economy_cells(outputs: Any, inputs: Any) -> Any:
    """Return the cells of U and V^H where the wider one keeps min(outputs, inputs) of its ports."""
    used = np.minimum(outputs, inputs)
    return economy_cells(outputs, used) + economy_cells(inputs, used)


def attenuators(outputs: Any, inputs: Any) -> Any:
    """Return the attenuators between U and V^H: one a singular value."""
    return np.minimum(outputs, inputs)


def depth(modes: Any, mesh: MeshKind = "clements") -> Any:
    """Return the cells on the longest way through a mesh: its columns."""
    if mesh == "clements":
        return np.where(np.asarray(modes) > 2, modes, np.asarray(modes) - 1)[()]
    return np.maximum(2 * np.asarray(modes) - 3, np.asarray(modes) - 1)[()]
