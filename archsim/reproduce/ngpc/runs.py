"""Frames of the four applications on the shipped design, simulated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from statistics import fmean
from typing import Any

from archsim.design import load_design
from archsim.engines import op_kinds
from archsim.engines.ngpc.views import Frame, frames_of
from archsim.frontends import load
from archsim.graphics.apps import APPS, REST_SHARE, gpu_us
from archsim.graphics.field import Field
from archsim.plan import Memo
from archsim.result import OpRow, Result
from archsim.simulate import simulate
from archsim.trace import Trace

DESIGN, ENGINE = "ngpc_64", "ngpc"
NAMES = {"nerf": "NeRF", "nsdf": "NSDF", "nvr": "NVR", "gia": "GIA"}
SIZES = {"nerf": "4k", "nsdf": "8k", "nvr": "8k", "gia": "8k"}  # that the paper's abstract asks for
PROCESSORS = (8, 16, 32, 64)
SAMPLES = 1 << 13  # queries whose cycles are found exactly
LAYERED: Mapping[str, Any] = {"mlp_mode": "layered"}

_MEMO = Memo()


@cache
def trace(app: str, scene: str = "objects", grid: str = "hash") -> Trace:
    """Return the trace of a frame of the size that is asked of an application.

    The grid changes no query: positions are those of the scene.
    """
    if grid == "hash":
        return load(app, op_kinds(), res=SIZES[app], scene=scene, samples=SAMPLES)
    found, made = trace(app, scene), APPS[app]
    (op,), encoding = found.ops, made.encoding(grid)
    field, layers = Field.of(op), made.layers(encoding.outputs)
    other = replace(
        field,
        encoding=encoding.text,
        reads=((encoding.levels * encoding.corners, encoding.features),),
        layers=layers,
        macs=sum(a * b for a, b in layers),
        gpu_us=gpu_us(made, grid, field.pixels),
        rest_share=REST_SHARE[grid],
    )
    return replace(found, ops=(replace(op, attrs=other.attrs()),))


@dataclass(frozen=True, slots=True)
class Run:
    """A frame on so many processors."""

    result: Result
    nfps: int

    @property
    def row(self) -> OpRow:
        return self.result.per_op[0]

    @property
    def speed_up(self) -> float:
        """Over the GPU alone."""
        return self.result.metrics.extra["ngpc_speed_up"]

    @property
    def frames_per_s(self) -> float:
        return self.result.metrics.extra["ngpc_frames_per_s"]

    @property
    def frame(self) -> Frame:
        return frames_of(self.result, [ENGINE])[self.row.name][0]

    @property
    def limit(self) -> str:
        """What holds the frame up."""
        return self.frame.limit(self.nfps)


def run(app: str, nfps: int = 64, scene: str = "objects", grid: str = "hash", **fields: Any) -> Run:
    """Return a frame on the shipped design with some fields of its engine changed."""
    own = {f"engines.{ENGINE}.{name}": value for name, value in (fields | {"nfps": nfps}).items()}
    return Run(simulate(load_design(DESIGN, own), trace(app, scene, grid), memo=_MEMO), nfps)


def mean(nfps: int, scene: str = "objects", grid: str = "hash", **fields: Any) -> float:
    """Return the mean speed-up of the four applications."""
    return fmean(run(app, nfps, scene, grid, **fields).speed_up for app in NAMES)
