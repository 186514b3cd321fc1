"""The engine in a design: a file's product through the planner, tied to RTL where it is exact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import scipy.io
from scipy import sparse

from archsim.design import load_design
from archsim.engines.hash_spgemm.views import SHOWN, table
from archsim.errors import ArchsimError
from archsim.frontends import load
from archsim.result import Result
from archsim.simulate import simulate
from archsim.sparse.generate import rmat

GRAPH = rmat(6, 220)


@pytest.fixture
def graph(tmp_path: Path) -> str:
    """A file of a graph, whose square is the product."""
    scipy.io.mmwrite(tmp_path / "graph.mtx", sparse.csr_matrix(GRAPH.scipy().astype(int)))
    return str(tmp_path / "graph.mtx")


def run(graph: str, fidelity: Any = "analytic", **fields: Any) -> Result:
    design = load_design("hash_spgemm_like")
    spec = design.engines["spgemm"].model_copy(update=fields)
    return simulate(design.model_copy(update={"engines": {"spgemm": spec}}), load(graph), fidelity)


def test_a_small_product_is_tied_to_rtl_and_a_large_one_estimated(graph: str) -> None:
    exact, event, about = run(graph), run(graph, "event"), run(graph, exact_limit=0)
    assert exact.per_op == event.per_op
    assert (100, 0) == (exact.metrics.tied_percent, about.metrics.tied_percent)
    assert about.metrics.cycles == pytest.approx(exact.metrics.cycles, rel=0.2)
    (row,) = exact.per_op
    assert row.counts["products"] == row.macs
    assert row.counts["inserts"] == (GRAPH.scipy().astype(int) @ GRAPH.scipy().astype(int)).nnz


def test_views_are_of_the_table(graph: str) -> None:
    result = run(graph, atomics="cas_add", write_back="scan")
    (row,) = result.per_op
    each = {count: row.counts[count] / row.counts["products"] for count in SHOWN}
    assert result.metrics.extra["hash_spgemm_probes_per_product"] == each["probes"]
    found = table(result, ("spgemm",))
    assert [series.y for series in found] == [(value,) for value in each.values() if value]
    assert each["operations"] == each["probes"] + each["adds"] == each["probes"] + 1
    assert table(result, ("other",)) == []


def test_ops_that_are_no_sparse_products_are_refused() -> None:
    design = load_design("hash_spgemm_like")
    with pytest.raises(ArchsimError, match="multiplies two sparse matrices, and has no"):
        simulate(design, load("resnet50"))
