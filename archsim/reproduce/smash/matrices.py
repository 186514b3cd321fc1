"""The graph on which the budget was fitted, and matrices on which it was not; all by recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from archsim.sparse import Csr, generate

MILD = (0.48, 0.11, 0.11)  # odds: less skewed than those of Graph500
SCALE, EDGES = 14, 1 << 18
EDGES_OF_A_NODE = 16


def graph(seed: int = 1) -> Csr:
    """Return a graph of 16,384 nodes and about 253,000 edges."""
    return generate.rmat(SCALE, EDGES, MILD, seed)


def _rmat(scale: int, odds: tuple[float, float, float], seed: int = 1) -> Csr:
    return generate.rmat(scale, EDGES_OF_A_NODE << scale, odds, seed)


SKEWED: Mapping[str, Callable[[], Csr]] = MappingProxyType(
    {
        **{
            f"Graph500 graph, {1 << scale:,} nodes": partial(_rmat, scale, generate.GRAPH500)
            for scale in range(8, 13)
        },
        **{
            f"mild graph, {1 << scale:,} nodes": partial(_rmat, scale, MILD)
            for scale in range(8, 14)
        },
        **{
            f"{name} graph, 2,048 nodes, seed {seed}": partial(_rmat, 11, odds, seed)
            for name, odds in (("Graph500", generate.GRAPH500), ("mild", MILD))
            for seed in (2, 3)
        },
        "strongly skewed graph, 1,024 nodes": partial(_rmat, 10, (0.7, 0.1, 0.1)),
    }
)
REGULAR: Mapping[str, Callable[[], Csr]] = MappingProxyType(
    {
        **{
            f"{points}-point Poisson, {side} a side": partial(generate.poisson, points, side)
            for points, side in ((5, 64), (5, 128), (7, 16), (9, 64), (27, 12), (27, 20))
        },
        **{
            f"uniform, 2,048 rows, {density:g} % full": partial(
                generate.unstructured, 2048, 2048, density / 100
            )
            for density in (0.2, 0.8, 2)
        },
        "two of four, 512 rows": partial(generate.two_of_four, 512, 512),
        "blocks of 8, 1,024 rows, 3 % full": partial(generate.blocks, 1024, 1024, 8, 0.03),
    }
)
