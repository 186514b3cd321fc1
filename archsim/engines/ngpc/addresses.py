"""Where corners lie: cells of positions, places of vertices in a table memory, banks."""

from __future__ import annotations

import numpy as np

from archsim.engines import Ints
from archsim.engines.ngpc.jobs import Positions, padded, strides
from archsim.engines.ngpc.spec import AXES, FRACTION_BITS, POSITION_BITS, SCALE_FRACTION, NgpcSpec
from archsim.graphics.encoding import Level, offsets, parity_of


def scale_of(level: Level) -> int:
    """Return a level's scale in 2^-12."""
    return round(level.scale * (1 << SCALE_FRACTION))


def cells(level: Level, positions: Positions) -> tuple[Ints, Ints]:
    """Return the cells of positions, and the places in them in 2^-8: both [n, 3]."""
    below = POSITION_BITS + SCALE_FRACTION
    place = scale_of(level) * positions + (1 << below - 1) >> below - FRACTION_BITS
    found = padded(place)
    return found >> FRACTION_BITS, found & (1 << FRACTION_BITS) - 1


def vertices(found: Ints, dims: int) -> Ints:
    """Return the eight vertices of cells, [n, 3] to [n, 8, 3]; of a flat grid each comes twice."""
    sides = offsets(AXES) * (np.arange(AXES) < dims)
    return np.asarray(found[:, None, :] + sides)


def slots(spec: NgpcSpec, level: Level, corners: Ints, dims: int) -> Ints:
    """Return where the entries of vertices lie in the table memory: [..., 3] to [...].

    It is the entry's number; where rows are padded, or banks go by parity, a level that is not
    hashed has a place for each vertex. By parity eight lie together, one of each.
    """
    flat = corners[..., :dims]
    if level.hashed or spec.bank_map in ("index", "fold"):
        return level.indices(flat)
    along = np.array(strides(spec, level)[:dims])
    if spec.bank_map == "padded":
        return np.asarray(flat @ along)
    return np.asarray((flat >> 1) @ along << AXES | parity_of(flat))


def banks(spec: NgpcSpec, places: Ints) -> Ints:
    """Return the bank of each place in the table memory; the row is the place without low bits."""
    bits = spec.banks.bit_length() - 1
    found = places & (spec.banks - 1)
    if spec.bank_map == "fold" and bits:
        for at in range(bits, spec.table_log2, bits):
            found = found ^ places >> at & (spec.banks - 1)
    return np.asarray(found)
