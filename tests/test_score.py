"""Metrics beyond the common ones: products, packages' own, engines' own, qualities."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import archsim.score
from archsim import engines, metric
from archsim.design import load_design
from archsim.engines import Engine
from archsim.errors import InputError
from archsim.metric import EDP, Metric, product
from archsim.simulate import simulate
from archsim.trace import Op, Tensor, Trace

SIMD = "vector"


def gemm_trace(m: int, n: int, k: int) -> Trace:
    tensors = (
        Tensor("a", (m, k), role="input"), Tensor("b", (k, n), role="weight"),
        Tensor("c", (m, n), role="output"),
    )  # fmt: skip
    attrs = {"m": m, "n": n, "k": k, "groups": 1}
    return Trace("one", {t.name: t for t in tensors}, (Op("p", "gemm", ("a", "b"), ("c",), attrs),))


def test_every_result_has_the_energy_delay_product() -> None:
    found = simulate(load_design("tpu_like"), gemm_trace(64, 64, 64)).metrics
    assert found.extra["edp"] == pytest.approx(found.energy_pj * found.time_us)
    assert found.to_dict()["edp"] == found.extra["edp"]


@given(
    st.dictionaries(st.sampled_from("abc"), st.integers(-3, 3), min_size=1),
    st.lists(st.floats(0.1, 10), min_size=3, max_size=3),
)
def test_products_are_of_powers(powers: dict[str, float], values: list[float]) -> None:
    named = dict(zip("abc", values, strict=True))
    expected = math.prod(named[name] ** power for name, power in powers.items())
    assert float(product(powers, named)) == pytest.approx(expected)
    columns = {name: np.array([value, 2 * value]) for name, value in named.items()}
    assert product(powers, columns)[0] == pytest.approx(expected)


@pytest.mark.parametrize("values", [{"a": 0.0, "b": 1.0}, {"b": 1.0}, {"a": 1.0, "b": math.inf}])
def test_a_product_that_is_not_defined_is_missing(values: Mapping[str, float]) -> None:
    assert math.isnan(float(product({"a": -1, "b": 1}, values)))


def with_engine(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Give the vector engine metrics or qualities, for this test."""
    changed: Engine = replace(engines.discover()[SIMD], **changes)
    known = MappingProxyType({**engines.discover(), SIMD: changed})
    declared = MappingProxyType({m.name: m for m in (EDP, *changed.metrics)})
    for module in (archsim.score, archsim.simulate):
        monkeypatch.setattr(module, "discover", lambda: known)
    monkeypatch.setattr(archsim.score, "metrics", lambda: declared)


def scored() -> Mapping[str, float]:
    return simulate(load_design("tpu_like"), gemm_trace(64, 64, 64)).metrics.extra


def test_an_engine_s_metric_gets_its_engines_names(monkeypatch: pytest.MonkeyPatch) -> None:
    named: list[tuple[str, ...]] = []

    def value(result: Any, names: Any) -> float:
        named.append(tuple(names))
        return 3.0

    with_engine(monkeypatch, metrics=(Metric("mine", "Mine", value=value),))
    assert scored()["mine"] == 3.0
    assert named == [("vpu",)]


def test_qualities_are_metrics_without_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    with_engine(
        monkeypatch, metrics=(Metric("accuracy", "Accuracy", "max"),),
        quality=lambda spec, trace: {"accuracy": spec.lanes / 64},
    )  # fmt: skip
    assert scored()["accuracy"] == 0.5


def test_a_quality_must_be_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    with_engine(monkeypatch, quality=lambda spec, trace: {"psnr": 30.0})
    with pytest.raises(
        InputError, match=r"^engine 'vector': quality must be of metrics it dec.*'psnr'"
    ):
        scored()


def test_a_metric_must_be_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    with_engine(monkeypatch, metrics=(Metric("mine", "Mine", value=lambda *_: math.nan),))
    with pytest.raises(InputError, match=r"^metric 'mine': must be a finite number, not nan"):
        scored()


def test_metrics_of_a_design_without_the_engine_are_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    with_engine(monkeypatch, metrics=(Metric("mine", "Mine", value=lambda *_: 1.0),))
    design = load_design("tpu_like")
    alone = design.model_copy(update={"engines": {"mxu": design.engines["mxu"]}})
    assert "mine" not in simulate(alone, gemm_trace(64, 64, 64)).metrics.extra


def test_names_are_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = (Metric("cycles", "Cycles again", value=lambda *_: 1.0),)
    monkeypatch.setattr(engines, "installed", lambda: twice)
    engines.metrics.cache_clear()
    with pytest.raises(InputError, match=r"^metric 'cycles': must have a name of its own"):
        engines.metrics()
    engines.metrics.cache_clear()


def test_a_metric_has_a_value_or_powers() -> None:
    with pytest.raises(ValueError, match="not both"):
        Metric("m", "M", value=lambda *_: 1.0, powers={"macs": 1})
    assert set(metric.COMMON) >= {"time_us", "energy_pj", "area_mm2"}
