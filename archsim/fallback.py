"""The host that runs what no engine accepts, where a design names one with its cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from archsim.design import Clock, Fallback
from archsim.engines import Data, Engine, Env, Fmax, Ints, Jobs, NoRtl, Port, Timing
from archsim.errors import InputError
from archsim.plan import Unit
from archsim.trace import Op

NAME = "fallback"
PS_PER_NS = 1000


@dataclass(frozen=True, slots=True)
class HostJobs(Jobs):
    """Slices of any op; ``work`` counts elements."""

    work: Ints


def _time(spec: Fallback, jobs: HostJobs, env: Env = {}, data: Data | None = None) -> Timing:  # noqa: B006
    ps = np.ceil(jobs.work * (spec.ns_per_element * PS_PER_NS)).astype(np.int64) + 1
    return Timing(ps - 1, ps, {"busy": ps}, {"in": jobs.work}, kind="expected", lo=ps, hi=ps)


def _no_values(spec: Fallback, jobs: HostJobs, data: Data) -> list[Mapping[str, Any]]:
    raise InputError(NAME, "values are not computed on the fallback host")


def _lower(spec: Fallback, op: Op, slices: Any, data: object = None) -> HostJobs:
    return HostJobs(slices.work)


def _price(spec: Fallback) -> str:
    return f"{spec.ns_per_element} ns and {spec.pj_per_element} pJ"


def fallback_unit(spec: Fallback) -> Unit:
    """Return the host as a unit whose clock ticks every picosecond."""
    engine = Engine(
        kind=NAME,
        spec=type(spec),  # type: ignore[arg-type]
        accepts=lambda spec, op: True,
        lower=_lower,
        reference=_no_values,
        time=_time,
        actions=lambda spec, jobs, timing: {"element": jobs.work},
        energy_pj=lambda spec, tech: {"element": spec.pj_per_element},
        area_um2=lambda spec, tech: {},
        fmax_mhz=lambda spec, tech: Fmax(float("inf"), "a host outside the design"),
        lanes=lambda spec: {"in": Port("in", 1, 8)},
        rtl=NoRtl(spec.reason),
        assumptions=lambda spec: (f"fallback: {spec.reason}; {_price(spec)} an element",),
    )
    return Unit(NAME, engine, spec, Clock(Fraction(1)))
