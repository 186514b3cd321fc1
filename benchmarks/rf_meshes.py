"""Meshes of interferometers: phases of a unitary of 128 modes, and many devices made matrices.

Finding where the cells of a mesh lie counts: nothing is kept from run to run. Unitaries and phases
are drawn from fixed seeds.
"""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
from calibrate import Figure, cpu_s, least_s, python_loop, show

from archsim.engines.rfnn.cell import cell
from archsim.engines.rfnn.counts import MeshKind
from archsim.engines.rfnn.decompose import decompose
from archsim.engines.rfnn.mesh import layout, transfer

MODES, LOOPS, WITHIN = 128, 20.0, 1e-10
DEVICES, PORTS = 100, 64


def unitary(modes: int) -> Any:
    rng = np.random.default_rng(0)
    q, r = np.linalg.qr(rng.normal(size=(modes, modes)) + 1j * rng.normal(size=(modes, modes)))
    return q * (np.diagonal(r) / np.abs(np.diagonal(r)))


def main() -> None:
    wanted, figures = unitary(MODES), []

    def phases(mesh: MeshKind) -> Any:
        layout.cache_clear()
        return decompose(wanted, mesh)

    for mesh in get_args(MeshKind):
        p_s, found_s = least_s(python_loop, lambda m=mesh: phases(m), runs=5)
        miss = float(np.abs(phases(mesh).matrix() - wanted).max())
        figures.append(
            Figure(
                f"phases of a unitary of {MODES} modes, {mesh}", found_s / p_s, "P",
                f"<= {LOOPS:g}", found_s <= LOOPS * p_s and miss < WITHIN,
                f"{1e3 * found_s:.0f} ms; the mesh misses the unitary by {miss:.1g}, at most"
                f" {WITHIN:g}",
            )
        )  # fmt: skip
    cells = layout("clements", PORTS)
    theta = np.random.default_rng(1).uniform(0, np.pi, (DEVICES, cells.cells))
    matrices_s = min(cpu_s(lambda: transfer(cells, cell(theta, 0.5))) for _ in range(5))
    figures.append(
        Figure(f"devices of {PORTS} modes made matrices", DEVICES / matrices_s, "devices/s")
    )
    show(figures)


if __name__ == "__main__":
    main()
