"""Area, clock and energy of the 2D-matrix array: none, until its RTL has been synthesised.

A cost is measured or there is none. No technology has a table of this engine, and figures of other
arrays' PEs would leave out what a broadcast array is about: the trees that carry an operand to a
whole row or column.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from archsim.engines import Fmax, SpecBatch
from archsim.engines.matrix2d.spec import Matrix2dSpec
from archsim.errors import InfeasibleError

if TYPE_CHECKING:
    from archsim.tech import Tech

Spec = Matrix2dSpec | SpecBatch


def area_um2(spec: Spec, tech: Tech) -> dict[str, float]:
    """Raise that the area is not measured."""
    _unmeasured("area", tech)


def energy_pj(spec: Spec, tech: Tech) -> dict[str, float]:
    """Raise that the energy is not measured."""
    _unmeasured("energy", tech)


def fmax_mhz(spec: Spec, tech: Tech) -> Fmax:
    """Raise that the clock is not measured."""
    _unmeasured("clock", tech)


def _unmeasured(what: str, tech: Tech) -> NoReturn:
    raise InfeasibleError(
        f"the {what} of a 2D-matrix array in node {tech.name}",
        demand=1,
        bound=0,
        unit="synthesis table matrix2d.yaml",
        levers=("use a systolic array", "take cycles and values only: archsim rtl check matrix2d"),
    )
