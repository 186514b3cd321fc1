"""The four applications of neural graphics: their queries, networks, encodings and GPU times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

from archsim.graphics.encoding import Encoding

WIDTH = 64  # of every hidden layer
PADDED = 16  # widths of layers are multiples of it, as tensor cores take them
HARMONICS = 16  # of a direction: spherical harmonics of degree 4
FHD_PIXELS = 1920 * 1080

# Share of a frame beside encoding and MLP on the baseline GPU, mean of the four applications: the
# paper's abstract. Shares of single applications were not found.
REST_SHARE: Mapping[str, float] = MappingProxyType(
    {"hash": 1 - 0.7237, "dense": 1 - 0.6000, "lowres": 1 - 0.5996}
)
REST_BASIS = "mean of the four applications, from the paper's abstract"


@dataclass(frozen=True, slots=True)
class App:
    """An application of instant-ngp's.

    Parameters
    ----------
    query
        What one query asks for, and where queries come from.
    dims
        Coordinates of a position.
    record
        float32 numbers of a query: the position first.
    outputs
        fp16 numbers of an answer.
    heads
        Hidden and output widths of the networks behind the encoding, one after another. The second
        one of NeRF reads the first one's outputs and the direction's harmonics.
    growth, log2_table
        Of the hash grid; its other numbers are the same for all.
    gpu_ms, basis
        Time of a full-HD frame with the hash grid on an RTX 3090, and how far to trust it.
    """

    name: str
    query: str
    dims: int
    record: int
    outputs: int
    heads: tuple[tuple[int, ...], ...]
    growth: float
    log2_table: int
    gpu_ms: float
    basis: str

    def encoding(self, name: str) -> Encoding:
        """Return an encoding of the paper's first table: ``hash``, ``dense`` or ``lowres``."""
        if name == "hash":
            return Encoding(growth=self.growth, log2_table=self.log2_table, dims=self.dims)
        if name == "dense":
            return Encoding("dense", levels=8, growth=1.405, dims=self.dims)
        return Encoding("tiled", levels=2, features=8, coarsest=128, growth=1.0, dims=self.dims)

    def layers(self, features: int) -> tuple[tuple[int, int], ...]:
        """Return inputs and outputs of every matrix, padded, behind so many features."""
        found: list[tuple[int, int]] = []
        width = features
        for head in self.heads:
            widths = [padded(x) for x in (width, *head)]
            found += pairwise(widths)
            width = widths[-1] + HARMONICS
        return tuple(found)


def padded(width: int) -> int:
    """Return a width as tensor cores take it."""
    return -(-width // PADDED) * PADDED


_NOTES = "reading notes on the paper"
_MEMORY = "from memory, not seen in a source"
HEAD = (WIDTH, WIDTH)

APPS: Mapping[str, App] = MappingProxyType(
    {
        app.name: app
        for app in (
            App(
                "nerf", "colour and density of samples along rays", 3, 7, 4,
                ((WIDTH, 16), (*HEAD, 3)), 1.51572, 19, 231.0, _NOTES,
            ),
            App(
                "nsdf", "distances to a surface, by sphere tracing", 3, 3, 1,
                ((*HEAD, 1),), 1.38191, 19, 27.87, _MEMORY,
            ),
            App(
                "nvr", "colour and density of a volume, by delta tracking", 3, 3, 4,
                ((*HEAD, 4),), 1.275, 19, 6.32, _MEMORY,
            ),
            App(
                "gia", "colours of an image's pixels", 2, 2, 3,
                ((*HEAD, 3),), 1.25992, 24, 2.12, _NOTES,
            ),
        )
    }
)  # fmt: skip


def gpu_us(app: App, grid: str, pixels: int) -> float:
    """Return the time of a frame on the baseline GPU, in proportion to its pixels.

    Times were found for the hash grid alone. What is beside encoding and MLP does not depend on the
    grid, so the shares of the other grids say how long their frames take.
    """
    rest_ms = app.gpu_ms * REST_SHARE["hash"]
    return rest_ms / REST_SHARE[grid] * 1000 * pixels / FHD_PIXELS
