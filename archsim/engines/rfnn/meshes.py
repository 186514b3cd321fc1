"""The parts that a layer takes, and what a wave loses on its way through them.

Three ways of counting (`RfnnSpec.cores`): one mesh of ``modes`` ports that is programmed again for
every matrix; a mesh as large as every matrix, which vectors take turns on; one for every vector,
too. Interferometers of a matrix of P outputs and Q inputs are those of U and V^H, P(P-1)/2 and
Q(Q-1)/2, with min(P, Q) attenuators between them, or of one unitary mesh.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, log

from archsim.engines.rfnn import counts
from archsim.engines.rfnn.link import cell_loss_db, layer_loss_db
from archsim.engines.rfnn.lowering import train_stages
from archsim.engines.rfnn.spec import RfnnSpec
from archsim.engines.rfnn.switches import benes_depth, benes_switches, path_loss_db
from archsim.engines.rfnn.tensor_train import Stage

SWITCH_WAYS = 4  # of a switch: SP4T


@dataclass(frozen=True, slots=True)
class Parts:
    """What meshes are made of.

    Parameters
    ----------
    meshes
        Matrices that are built, each U, attenuators and V^H, or one unitary.
    cells, attenuators
        Interferometers, and what stands between U and V^H.
    shifters
        Phase shifters: two a cell.
    loss_db
        Of the longest way from a source to a detector.
    """

    meshes: int
    cells: int
    attenuators: int
    loss_db: float

    @property
    def shifters(self) -> int:
        return self.cells * counts.SHIFTERS_PER_CELL


@lru_cache(maxsize=4096)
def parts_of(spec: RfnnSpec, n: int, k: int) -> Parts:
    """Return what a layer of n outputs and k inputs takes."""
    built = [((spec.modes, spec.modes), 1)] if spec.cores == "shared" else [*_matrices(spec, n, k)]
    meshes = sum(copies for _, copies in built)
    cells = sum(copies * _cells(spec, *sides) for sides, copies in built)
    svd = spec.circuit == "svd"
    middle = sum(copies * int(counts.attenuators(*sides)) for sides, copies in built) if svd else 0
    return Parts(meshes, cells, middle, _loss_db(spec, [sides for sides, _ in built], meshes))


def switches_of(spec: RfnnSpec, meshes: int) -> int:
    """Return the switches around so many meshes.

    Where a switch matrix is asked for, that is a Benes matrix of two-by-two switches before the
    mesh; where several meshes take turns on the converters, a tree of `SWITCH_WAYS` ways at either
    end of every port.
    """
    matrix = benes_switches(spec.modes) if spec.switches else 0
    if spec.cores != "instance" or meshes == 1:
        return matrix
    tree = ceil((meshes - 1) / (SWITCH_WAYS - 1))
    return matrix + 2 * spec.modes * tree


def _matrices(spec: RfnnSpec, n: int, k: int) -> Iterator[tuple[tuple[int, int], int]]:
    """Yield outputs and inputs of every matrix of a layer, and its copies."""
    for stage in train_stages(spec.form, spec.rank, n, k):
        if spec.cores == "spatial":
            yield (stage.outputs, stage.inputs), stage.vectors
        else:
            yield from ((sides, 1) for sides in _tiles(stage, spec.modes))


def _tiles(stage: Stage, modes: int) -> Iterator[tuple[int, int]]:
    for top in range(0, stage.outputs, modes):
        for left in range(0, stage.inputs, modes):
            yield min(modes, stage.outputs - top), min(modes, stage.inputs - left)


def _cells(spec: RfnnSpec, outputs: int, inputs: int) -> int:
    if spec.circuit == "unitary":
        return int(counts.unitary_cells(max(outputs, inputs)))
    return int(counts.layer_cells(outputs, inputs))


def _loss_db(spec: RfnnSpec, built: list[tuple[int, int]], meshes: int) -> float:
    """Return the loss of a pass: of the largest matrix, or of all that a pass goes through."""
    cell = cell_loss_db(spec.hybrid_loss_db, spec.shifter_loss_db)
    if spec.circuit == "unitary":
        each = [counts.depth(max(sides), spec.mesh) * cell for sides in built]
    else:
        each = [layer_loss_db(*sides, cell, spec.attenuator_loss_db, spec.mesh) for sides in built]
    ways = sum(each) if spec.cores == "spatial" else max(each)
    return float(ways + path_loss_db(_switches_passed(spec, meshes), spec.switch_loss_db))


def _switches_passed(spec: RfnnSpec, meshes: int) -> int:
    """Return the switches on a wave's way."""
    columns = benes_depth(spec.modes) if spec.switches else 0
    if spec.cores != "instance" or meshes == 1:
        return columns
    return columns + 2 * ceil(round(log(meshes, SWITCH_WAYS), 9))
