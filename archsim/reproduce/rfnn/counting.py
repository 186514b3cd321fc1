"""Interferometers: what papers count, and layers by the three ways of counting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from archsim.engines.rfnn import counts
from archsim.engines.rfnn.tensor_train import (
    Cores,
    Counts,
    Form,
    core_shapes,
    count,
    parameters,
    stages,
)
from archsim.reproduce.rfnn.numbers import OURS, PUBLISHED, ours
from archsim.reproduce.row import Row, Section

PORTS, MODES = 8, 1024
NOISE_STUDY = ((16, 16), (16, 16), (10, 16))  # outputs and inputs of each layer, recalled
FORMS: dict[Form, str] = {"tt3": "third-order", "ttm": "matrix"}
TITLES: dict[Cores, str] = {
    "instance": "a mesh a core",
    "spatial": "a mesh a core and vector",
    "shared": "one mesh for all cores",
}


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer whose extents are factored, and the ranks that its trains are cut to."""

    outputs: tuple[int, ...]
    inputs: tuple[int, ...]
    rank: int
    printed: bool = True

    @property
    def shape(self) -> str:
        return f"{prod(self.inputs):,} to {prod(self.outputs):,}"

    def count(self, form: Form, cores: Cores) -> Counts:
        """Return cells, attenuators, slots and reprogrammings by a way of counting."""
        return count(stages(form, self.outputs, self.inputs, self.rank), cores)

    def cells(self, form: Form, cores: Cores) -> int:
        return self.count(form, cores).cells

    def parameters(self, form: Form) -> int:
        return parameters(core_shapes(form, self.outputs, self.inputs, self.rank))


LAYERS = (
    Layer((4, 4, 4, 4), (4, 7, 7, 4), 2, printed=False),
    Layer((4, 4, 4, 4), (4, 7, 7, 4), 4),
    Layer((4, 4, 4, 4), (4, 7, 7, 4), 8, printed=False),
    Layer((4, 8, 8, 4), (4, 7, 7, 4), 4, printed=False),
    Layer((4, 8, 8, 4), (4, 8, 8, 4), 4),
    Layer((4,) * 5, (4,) * 5, 2, printed=False),
    Layer((4, 4, 8, 4), (4, 8, 8, 12), 4),
)
CONVENTION = (
    "a layer of n outputs and k inputs is U S V^H: n(n-1)/2 + k(k-1)/2 interferometers of two "
    "phase shifters, and min(n, k) attenuators that are not counted"
)
WAYS = (
    "a mesh a core: each core is built once and vectors take turns; a mesh a core and vector: a "
    "layer passes at once; one mesh for all cores: as large as the largest, programmed again for "
    "each. Which of them a paper counts has to be said: they differ by two orders of magnitude"
)


def sections() -> Iterator[Section]:
    """Yield what papers count beside ours, and layers by each way of counting."""
    yield Section("Interferometers: counts in papers", tuple(_published()), (CONVENTION,))
    yield Section(
        "Layers: three ways of counting",
        tuple(_layers()),
        (OURS, WAYS),
    )


def _published() -> Iterator[Row]:
    processor = PUBLISHED["processor"]
    for name in processor:
        yield Row(
            f"{name}: 2x2 devices", processor.value(name, "devices"), processor.tag,
            float(counts.unitary_cells(PORTS)),
        )  # fmt: skip
    study = PUBLISHED["noise_study"]
    for name in study:
        cells = [counts.layer_cells(*x) + counts.attenuators(*x) for x in NOISE_STUDY]
        yield Row(
            f"{name}: phase shifters, 16-16-16-10", study.value(name, "shifters"), study.tag,
            float(counts.SHIFTERS_PER_CELL * sum(cells)),
        )  # fmt: skip
    depth = PUBLISHED["depth"]
    for name in depth:
        ratio = counts.depth(MODES, "clements") / counts.depth(MODES, "reck")
        yield Row(
            f"{name}: depth, of {MODES:,} modes",
            depth.value(name, "ratio"),
            depth.tag,
            float(ratio),
        )
    trains = PUBLISHED["photonic_trains"]
    for name in trains:
        dense = counts.layer_cells(MODES, MODES) + counts.attenuators(MODES, MODES)
        yield Row(
            f"{name}: interferometers of the train, by its ratio",
            dense / trains.value(name, "fewer"), trains.tag, None,
            "the shapes of its cores are not known; the ratio is of "
            f"{dense:,} interferometers, singular values included",
        )  # fmt: skip


def _layers() -> Iterator[Row]:
    dense: set[str] = set()
    for layer in LAYERS:
        if not layer.printed:
            continue
        if layer.shape not in dense:
            dense.add(layer.shape)
            yield ours(f"{layer.shape}, dense: a mesh a layer", layer.cells("full", "instance"))
        for form, title in FORMS.items():
            what = f"{layer.shape}, rank {layer.rank}, {title} cores"
            for way, words in TITLES.items():
                yield ours(f"{what}: {words}", layer.cells(form, way))
            yield ours(f"{what}: passes, taking turns", layer.count(form, "shared").slots)
