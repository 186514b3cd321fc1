"""Layers as trains of small cores, and the stages of matrix products that run them.

A weight matrix of prod(m) outputs and prod(n) inputs is a chain of cores of low rank, in one of two
forms. ``ttm`` (Novikov et al., 2015) has cores [r, m, n, r'], ``tt3`` third-order ones [r, l, r']
with l running over all m and then all n. ``full`` is the matrix itself.

Either runs as a sequence of `Stage`: a small matrix times every vector of a buffer. A stage sees
the flat buffer as [before, inputs, after] and leaves [before, outputs, after]. Nothing moves from
stage to stage: the next one only looks at the same words in another shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.engines.rfnn import counts

Form = Literal["full", "tt3", "ttm"]
Cores = Literal["shared", "instance", "spatial"]
Dims = Sequence[int]
Ints = NDArray[np.int64]
Values = NDArray[Any]  # float64 or complex128


@dataclass(frozen=True, slots=True)
class Stage:
    """A matrix of ``outputs`` x ``inputs``, applied to ``before`` x ``after`` vectors of a buffer.

    Word q of vector (b, a) is read from address ``(b * inputs + q) * after + a``, and word p of its
    result written to ``(b * outputs + p) * after + a``.
    """

    outputs: int
    inputs: int
    before: int
    after: int

    @property
    def vectors(self) -> int:
        return self.before * self.after

    @property
    def macs(self) -> int:
        return self.outputs * self.inputs * self.vectors

    def tiles(self, modes: int) -> tuple[int, int]:
        """Return how many meshes of ``modes`` ports the matrix takes along outputs and inputs."""
        return -(-self.outputs // modes), -(-self.inputs // modes)


# ---------------------------------------------------------------------------------------- shapes


def factors(extent: int, count: int) -> tuple[int, ...]:
    """Return an extent as a product of ``count`` factors, about equal, large ones in the middle.

    Each prime, from the largest on, goes into what is the smallest factor so far; factors then
    ascend from both ends to the middle. 784 in four is (4, 7, 7, 4). Nothing is padded: a prime
    extent is itself and ones.
    """
    if extent < 1 or count < 1:
        raise ValueError(f"factors need a positive extent and count, not {extent} and {count}")
    found = [1] * count
    for prime in sorted(_primes(extent), reverse=True):
        found[found.index(min(found))] *= prime
    ascending = sorted(found)
    return (*ascending[::2], *reversed(ascending[1::2]))


def _primes(extent: int) -> list[int]:
    found, divisor = [], 2
    while divisor * divisor <= extent:
        while extent % divisor == 0:
            found.append(divisor)
            extent //= divisor
        divisor += 1
    return [*found, extent] if extent > 1 else found


def core_shapes(
    form: Form, outputs: Dims, inputs: Dims, rank: int | Sequence[int]
) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of a layer's cores, in the order of the chain.

    Parameters
    ----------
    form
        ``tt3`` [r, l, r'], ``ttm`` [r, m, n, r'], or ``full``: one core [outputs, inputs].
    outputs, inputs
        Factors m and n of the layer's extents; equally many for ``ttm``.
    rank
        Cap on every rank, or a cap for each, first to last. No rank exceeds what the cores on its
        left, or on its right, can tell apart.
    """
    if form == "full":
        return ((prod(outputs), prod(inputs)),)
    if form == "ttm" and len(outputs) != len(inputs):
        raise ValueError(f"ttm pairs factors of outputs and inputs, not {outputs} and {inputs}")
    extents: list[tuple[int, ...]] = [(e,) for e in (*outputs, *inputs)]
    if form == "ttm":
        extents = [*zip(outputs, inputs, strict=True)]
    bonds = len(extents) - 1
    caps = [rank] * bonds if isinstance(rank, int) else list(rank)
    if len(caps) != bonds or min(caps, default=1) < 1:
        raise ValueError(f"{len(extents)} cores have {bonds} ranks of 1 or more, not {rank}")
    sizes = [prod(e) for e in extents]
    ranks = [1, *caps, 1]
    for i in range(1, bonds + 1):
        ranks[i] = min(ranks[i], ranks[i - 1] * sizes[i - 1])
    for i in range(bonds, 0, -1):
        ranks[i] = min(ranks[i], ranks[i + 1] * sizes[i])
    return tuple((ranks[i], *e, ranks[i + 1]) for i, e in enumerate(extents))


def stages(
    form: Form, outputs: Dims, inputs: Dims, rank: int | Sequence[int], vectors: int = 1
) -> tuple[Stage, ...]:
    """Return the stages that a layer runs as, first to last; arguments as of `core_shapes`.

    Parameters
    ----------
    vectors
        Vectors that pass the layer one after the other; they lead the buffer.
    """
    shapes = core_shapes(form, outputs, inputs, rank)
    if form == "full":
        return (Stage(prod(outputs), prod(inputs), vectors, 1),)
    if form == "ttm":
        return tuple(
            Stage(r * m, n * right, vectors * prod(inputs[:k]), prod(outputs[k + 1 :]))
            for k, (r, m, n, right) in reversed([*enumerate(shapes)])
        )
    split = len(outputs)
    gather = [
        Stage(r, n * right, vectors * prod(inputs[:k]), 1)
        for k, (r, n, right) in reversed([*enumerate(shapes[split:])])
    ]
    spread = [
        Stage(r * m, right, vectors, prod(outputs[k + 1 :]))
        for k, (r, m, right) in reversed([*enumerate(shapes[:split])])
    ]
    return (*gather, *spread)


def buffer_words(steps: Sequence[Stage]) -> int:
    """Return the words of each of the two buffers between which stages ping-pong."""
    return max(s.vectors * max(s.inputs, s.outputs) for s in steps)


# ---------------------------------------------------------------------------------------- counts


class Counts(NamedTuple):
    """What a layer takes: `Cores` says how; cells of U and V^H of each core, attenuators apart."""

    cells: int
    attenuators: int
    slots: int  # passes of a vector through a mesh, one after the other
    reprograms: int  # times that a mesh gets new phases while the layer runs


def count(steps: Sequence[Stage], cores: Cores) -> Counts:
    """Return cells, attenuators, time slots and reprogrammings of a layer.

    Parameters
    ----------
    cores
        ``instance``: each core built once, vectors in time slots. ``spatial``: a copy for every
        vector, one pass. ``shared``: one mesh as large as the largest sides, reprogrammed for every
        stage.
    """
    slots = sum(s.vectors for s in steps)
    if cores == "shared":
        p, q = max(s.outputs for s in steps), max(s.inputs for s in steps)
        return Counts(counts.layer_cells(p, q), int(counts.attenuators(p, q)), slots, len(steps))
    cells = middle = 0
    for s in steps:
        copies = s.vectors if cores == "spatial" else 1
        cells += copies * counts.layer_cells(s.outputs, s.inputs)
        middle += copies * int(counts.attenuators(s.outputs, s.inputs))
    return Counts(cells, middle, 1 if cores == "spatial" else slots, 0)


def parameters(shapes: Sequence[tuple[int, ...]]) -> int:
    """Return the numbers that cores of these shapes hold."""
    return sum(map(prod, shapes))


# ---------------------------------------------------------------------------------------- values


@dataclass(frozen=True, slots=True)
class TensorTrain:
    """A layer's cores; shapes as of `core_shapes`."""

    form: Form
    outputs: tuple[int, ...]
    inputs: tuple[int, ...]
    cores: tuple[Values, ...]

    @property
    def ranks(self) -> tuple[int, ...]:
        """The ranks between cores, lowest first."""
        return tuple(core.shape[-1] for core in self.cores[:-1])

    @property
    def parameters(self) -> int:
        return sum(core.size for core in self.cores)

    def stages(self, vectors: int = 1) -> tuple[Stage, ...]:
        """Return the stages that the layer runs as."""
        return stages(self.form, self.outputs, self.inputs, self.ranks, vectors)

    def matrices(self) -> tuple[Values, ...]:
        """Return the matrix of each stage, first to last: [outputs, inputs]."""
        if self.form == "full":
            return self.cores
        split = len(self.outputs)
        found = []
        for k, core in enumerate(self.cores):
            into_rows = 2 if self.form == "ttm" or k < split else 1  # axes that a result has
            rows = prod(core.shape[:into_rows])
            found.append(core.reshape(rows, -1))
        return tuple(reversed(found))

    def dense(self) -> Values:
        """Return the matrix that the cores stand for: [prod(outputs), prod(inputs)]."""
        if self.form == "full":
            return self.cores[0]
        whole: Values = np.ones((1, 1))
        for core in self.cores:
            whole = np.tensordot(whole, core, axes=1).reshape(-1, core.shape[-1])
        if self.form == "tt3":
            return whole.reshape(prod(self.outputs), prod(self.inputs))
        pairs = [e for pair in zip(self.outputs, self.inputs, strict=True) for e in pair]
        order = (*range(0, len(pairs), 2), *range(1, len(pairs), 2))
        return whole.reshape(pairs).transpose(order).reshape(prod(self.outputs), -1)


def decompose(
    weights: Any, form: Form, outputs: Dims, inputs: Dims, rank: int | Sequence[int]
) -> tuple[TensorTrain, float]:
    """Return a layer's cores by TT-SVD (Oseledets, 2011), and what they miss.

    Parameters
    ----------
    weights
        Matrix [prod(outputs), prod(inputs)], real or complex.
    form, outputs, inputs, rank
        As of `core_shapes`.

    Returns
    -------
    train, missed
        The Frobenius norm of weights minus `TensorTrain.dense`: the root of the discarded singular
        values' squares. It is at most sqrt(cores - 1) times the least that these ranks allow.
    """
    matrix = np.asarray(weights)
    if matrix.shape != (prod(outputs), prod(inputs)):
        raise ValueError(f"weights must be {prod(outputs)} x {prod(inputs)}, not {matrix.shape}")
    shapes = core_shapes(form, outputs, inputs, rank)
    if form == "full":
        return TensorTrain(form, tuple(outputs), tuple(inputs), (matrix,)), 0.0
    rest: Values = matrix.reshape(*outputs, *inputs)
    if form == "ttm":
        d = len(outputs)
        rest = rest.transpose([axis for k in range(d) for axis in (k, d + k)])
    cores, left, missed = [], 1, 0.0
    for shape in shapes[:-1]:
        u, s, vh = np.linalg.svd(rest.reshape(left * prod(shape[1:-1]), -1), full_matrices=False)
        kept = shape[-1]
        missed += float(np.sum(s[kept:] ** 2))
        cores.append(u[:, :kept].reshape(left, *shape[1:-1], kept))
        rest, left = s[:kept, None] * vh[:kept], kept
    cores.append(rest.reshape(left, *shapes[-1][1:]))
    return TensorTrain(form, tuple(outputs), tuple(inputs), tuple(cores)), float(np.sqrt(missed))


def addresses(stage: Stage) -> tuple[Ints, Ints]:
    """Return where a stage reads its vectors and writes theirs: [vectors, inputs | outputs].

    Vectors run ``before`` first and ``after`` inside, as the sequencer in hardware steps them.
    """
    before, after = np.divmod(np.arange(stage.vectors), stage.after)

    def flat(width: int) -> Ints:
        found: Ints = (before[:, None] * width + np.arange(width)) * stage.after + after[:, None]
        return found

    return flat(stage.inputs), flat(stage.outputs)


def run(steps: Sequence[Stage], matrices: Sequence[Values], words: Any) -> Values:
    """Return what stages leave in a flat buffer: every vector gathered, multiplied, put back."""
    buffer: Values = np.asarray(words).ravel()
    for stage, matrix in zip(steps, matrices, strict=True):
        read, written = addresses(stage)
        result = np.empty(stage.vectors * stage.outputs, np.result_type(buffer, matrix))
        result[written] = buffer[read] @ matrix.T
        buffer = result
    return buffer
