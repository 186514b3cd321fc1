"""Matrices whose squares have known counts: made by recipe, or shipped in packages."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, NamedTuple

from scipy import sparse

from archsim.sparse import Csr, generate
from archsim.sparse.product import SparseProduct

MILD = (0.48, 0.11, 0.11)  # odds of a graph whose square is about the one that SMASH was shown on


class Known(NamedTuple):
    """A square matrix: rows, nonzeros, scalar products and results of its square."""

    make: Callable[[], Csr]
    n: int
    entries: int
    products: int
    results: int


def squared(a: Csr) -> SparseProduct:
    return SparseProduct(a, a, a.shape[1])


@cache
def lookalike() -> SparseProduct:
    """Return a product of about the size that SMASH was shown on."""
    return squared(generate.rmat(14, 1 << 18, MILD, seed=1))


@cache
def product(name: str) -> SparseProduct:
    """Return the square of a known matrix."""
    return squared(KNOWN[name].make())


def _pattern(matrix: Any) -> Csr:
    return Csr.of(sparse.csr_array(matrix), pattern=True)


def _example(name: str) -> Csr:
    from pyamg.gallery import load_example

    return _pattern(load_example(name)["A"])


def _graph(name: str, *args: Any, **options: Any) -> Csr:
    import networkx

    graph = getattr(networkx, name)(*args, **options)
    return _pattern(networkx.to_scipy_sparse_array(graph, weight=None))


def _power_flow(name: str) -> Csr:
    from pypower import api

    case = api.ext2int(getattr(api, name)())
    return _pattern(api.makeYbus(case["baseMVA"], case["bus"], case["branch"])[0])


def _scattered(n: int, density: float) -> Csr:
    return _pattern(sparse.random(n, n, density, format="csr", random_state=1))


def _mesh(name: str) -> Csr:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the package, about NumPy and scipy to come
        from pygsp import graphs

        return _pattern(getattr(graphs, name)().W)


_RMAT = partial(generate.rmat, seed=1)
KNOWN: Mapping[str, Known] = {
    "lookalike": Known(lambda: lookalike().a, 16384, 252921, 5863978, 5193135),
    "graph500_8": Known(partial(_RMAT, 8, 1 << 12), 256, 2594, 89642, 28364),
    "graph500_10": Known(partial(_RMAT, 10, 1 << 14), 1024, 12083, 800412, 264025),
    "graph500_12": Known(partial(_RMAT, 12, 1 << 16), 4096, 53224, 6683916, 2359109),
    "graph500_14": Known(partial(_RMAT, 14, 1 << 18), 16384, 228315, 52969444, 20285257),
    "mild_10": Known(partial(_RMAT, 10, 1 << 14, MILD), 1024, 14291, 252522, 176320),
    "mild_12": Known(partial(_RMAT, 12, 1 << 16, MILD), 4096, 60924, 1253004, 1010480),
    "poisson_5": Known(partial(generate.poisson, 5, 128), 16384, 81408, 405000, 210436),
    "poisson_7": Known(partial(generate.poisson, 7, 24), 13824, 93312, 633024, 321696),
    "poisson_27": Known(partial(generate.poisson, 27, 20), 8000, 195112, 4913000, 830584),
    "airfoil": Known(partial(_example, "airfoil"), 260, 1682, 11300, 4462),
    "bar": Known(partial(_example, "bar"), 600, 23402, 962310, 110466),
    "helmholtz_2D": Known(partial(_example, "helmholtz_2D"), 2880, 52016, 951056, 192512),
    "knot": Known(partial(_example, "knot"), 239, 1667, 11633, 4517),
    "local_disc_galerkin_diffusion": Known(
        partial(_example, "local_disc_galerkin_diffusion"), 966, 35338, 1427102, 116830
    ),
    "recirc_flow": Known(partial(_example, "recirc_flow"), 225, 1849, 15625, 4761),
    "unit_cube": Known(partial(_example, "unit_cube"), 125, 1473, 19921, 5463),
    "unit_square": Known(partial(_example, "unit_square"), 191, 1243, 8339, 3255),
    "karate": Known(partial(_graph, "karate_club_graph"), 34, 156, 1212, 698),
    "les_miserables": Known(partial(_graph, "les_miserables_graph"), 77, 508, 6124, 2531),
    "davis": Known(partial(_graph, "davis_southern_women_graph"), 32, 178, 1250, 442),
    "florentine": Known(partial(_graph, "florentine_families_graph"), 15, 40, 134, 101),
    "barabasi_albert": Known(
        partial(_graph, "barabasi_albert_graph", 4096, 8, seed=1), 4096, 65408, 2358776, 1953962
    ),
    "watts_strogatz": Known(
        partial(_graph, "watts_strogatz_graph", 4096, 16, 0.1, seed=1),
        4096, 65536, 1054988, 324214,
    ),
    "powerlaw_cluster": Known(
        partial(_graph, "powerlaw_cluster_graph", 4096, 8, 0.3, seed=1),
        4096, 65306, 3255672, 2689356,
    ),
    # as scipy 1.17 draws: another version may draw others
    "scattered": Known(partial(_scattered, 4096, 0.004), 4096, 67109, 1100091, 1064453),
    "case57": Known(partial(_power_flow, "case57"), 57, 213, 865, 487),
    "case118": Known(partial(_power_flow, "case118"), 118, 476, 2210, 1270),
    "case300": Known(partial(_power_flow, "case300"), 300, 1118, 4878, 2898),
    "minnesota": Known(partial(_mesh, "Minnesota"), 2642, 6608, 18006, 13816),
    "airfoil_mesh": Known(partial(_mesh, "Airfoil"), 4253, 24578, 144160, 76583),
}  # fmt: skip
