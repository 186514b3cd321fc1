"""Sparse products that need no file: graphs, grids, layers of graph networks, pruned layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from archsim.errors import InputError
from archsim.frontends import Frontend
from archsim.frontends.mtx import MAX_COLUMNS
from archsim.frontends.options import Options
from archsim.frontends.products import SparseTrace, multiplied
from archsim.sparse import Csr, generate
from archsim.sparse.matrix_market import MAX_ENTRIES, MAX_EXTENT
from archsim.trace import OpKind, Trace

MAX_EDGES = 1 << 24
MAX_PLACES = 1 << 27  # that are drawn from without putting back


def _graph(options: Options, seed: int, **defaults: float) -> Csr:
    """Return an R-MAT graph."""
    scale = options.count("scale", int(defaults.get("scale", 10)), most=24)
    edges = options.count("edge_factor", int(defaults.get("edge_factor", 16)), most=1024) << scale
    if edges > MAX_EDGES:
        raise InputError(options.where, f"must have at most {MAX_EDGES:,} edges", edges)
    a, b, c = (
        options.number(key, odds) for key, odds in zip("abc", generate.GRAPH500, strict=True)
    )
    if a + b + c > 1:
        raise InputError(f"{options.where}: a, b, c", "must add up to 1 or less", (a, b, c))
    return generate.rmat(scale, edges, (a, b, c), seed)


def _rmat(options: Options) -> SparseTrace:
    """Return a graph's square, or its product with the graph of another seed."""
    seed = options.count("seed", 1, least=0)
    other = options.count("times_seed", seed, least=0)
    a = _graph(options, seed)
    b = None if other == seed else _again(options, other)
    return multiplied("rmat", _source("rmat", options), a, b, columns=_columns(options))


def _again(options: Options, seed: int) -> Csr:
    """Return the same graph of another seed."""
    taken = dict(options.taken)
    return _graph(Options(taken, options.where), seed)


def _poisson(options: Options) -> SparseTrace:
    points = int(options.choice("points", map(str, generate.STENCILS), "27"))
    side = options.count("side", 20, least=2, most=4096)
    if (points * side ** generate.STENCILS[points][0]) > MAX_ENTRIES:
        raise InputError(
            f"{options.where}: side", f"must make {MAX_ENTRIES:,} entries or fewer", side
        )
    a = generate.poisson(points, side)
    return multiplied("poisson", _source("poisson", options), a, columns=_columns(options))


def _uniform(options: Options) -> SparseTrace:
    rows, density = options.count("rows", 4096, most=MAX_EXTENT), options.number("density", 0.004)
    seed = options.count("seed", 1, least=0)
    entries = _drawn(options, rows, rows, density)
    a = generate.uniform(rows, rows, entries, seed)
    return multiplied("uniform", _source("uniform", options), a, columns=_columns(options))


def _gcn(options: Options) -> SparseTrace:
    """Return a layer of a graph convolution: features times weights, then neighbours added up."""
    seed = options.count("seed", 1, least=0)
    graph = _graph(options, seed, scale=12, edge_factor=4)
    nodes = graph.shape[0]
    features = options.count("features", 1433, most=MAX_COLUMNS)
    hidden = options.count("hidden", 16, most=MAX_COLUMNS)
    entries = _drawn(options, nodes, features, options.number("density", 0.0127))
    made = SparseTrace("gcn", _source("gcn", options))
    made.sparse("features", generate.uniform(nodes, features, entries, seed))
    made.dense("weights", (features, hidden), "weight")
    made.sparse("graph", graph)
    made.multiply("combine", "features", "weights", "combined", "activation")
    made.multiply("aggregate", "graph", "combined", "nodes")
    return made


def _pruned(options: Options) -> SparseTrace:
    """Return a pruned layer: ``outputs x inputs`` weights, times a column for every vector."""
    outputs = options.count("outputs", 4096, most=MAX_EXTENT)
    inputs = options.count("inputs", 4096, most=MAX_EXTENT)
    vectors = options.count("vectors", 64, most=MAX_COLUMNS)
    structure = options.choice("structure", ("unstructured", "2:4", "block"), "unstructured")
    seed = options.count("seed", 1, least=0)
    if structure == "2:4":
        _drawn(options, outputs, inputs, 0.5)
        weights = generate.two_of_four(outputs, inputs, seed)
    else:
        density = options.number("density", 0.1)
        _drawn(options, outputs, inputs, density)
        side = options.count("block", 32, most=1024) if structure == "block" else 1
        weights = (
            generate.unstructured(outputs, inputs, density, seed)
            if structure == "unstructured"
            else generate.blocks(outputs, inputs, side, density, seed)
        )
    made = SparseTrace("pruned", _source("pruned", options))
    made.sparse("weights", weights, "weight")
    made.dense("inputs", (inputs, vectors))
    made.multiply("layer", "weights", "inputs", "outputs")
    made.notes.append(f"weights are random, {structure}: patterns of a trained layer may differ")
    return made


def _columns(options: Options) -> int:
    """Return the columns of a dense B, or 0 for a square."""
    if not options.has("columns"):
        options.known("columns")
        return 0
    return options.count("columns", 1, most=MAX_COLUMNS)


def _drawn(options: Options, rows: int, columns: int, density: float) -> int:
    """Return how many places of a matrix are drawn, if they can be."""
    entries = max(round(rows * columns * density), 1)
    crowded = entries > rows * columns // 50 and rows * columns > MAX_PLACES
    if entries > MAX_ENTRIES or crowded:
        raise InputError(
            options.where,
            f"must have at most {MAX_ENTRIES:,} entries, and where more than 2 % are, "
            f"{MAX_PLACES:,} places", f"{entries:,} of {rows * columns:,}",
        )  # fmt: skip
    return entries


def _source(name: str, options: Options) -> str:
    return f"{name}@" + ",".join(f"{key}={value}" for key, value in options.taken.items())


MAKERS: Mapping[str, Callable[[Options], SparseTrace]] = {
    "rmat": _rmat,
    "poisson": _poisson,
    "uniform": _uniform,
    "gcn": _gcn,
    "pruned": _pruned,
}


def _load(model: str, options: Options, kinds: Mapping[str, OpKind]) -> Trace:
    made = MAKERS[model](options)
    options.done()
    return made.build()


def _names() -> Iterator[str]:
    return iter(MAKERS)


FRONTEND = Frontend("", MAKERS.__contains__, _load, _names)
