"""Measurements of kernels on a GPU beside what the model says of the same problem and GPU."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from archsim.design import load_design, shipped
from archsim.gpu.kernels import kernel, kernels
from archsim.gpu.record import About, Record
from archsim.simulate import simulate

NAMED = {  # shipped designs by what CUDA calls their GPUs; others of a family are other chips
    "a100": r"A100-SXM4-80GB", "h100": r"H100 80GB HBM3", "h200": r"H200(?! NVL)",
    "b200": r"B200", "rtx3090": r"RTX 3090(?! Ti)", "rtx4090": r"RTX 4090(?! D| Laptop)",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Beside:
    """What the model says of a measured problem.

    Attributes
    ----------
    design
        The shipped design of the GPU, or empty.
    time_us
        Modelled; None if there is no such design, or the kernel is no op that designs run.
    why
        Why there is no time, else empty.
    """

    design: str
    time_us: float | None
    why: str

    def to_dict(self) -> dict[str, Any]:
        return {"model": asdict(self)}


def design_of(about: About) -> str:
    """Return the name of the shipped design of a GPU, or an empty text."""
    known = shipped()
    found = (name for name, named in NAMED.items() if re.search(named, about.name))
    return next((name for name in found if name in known), "")


def beside_model(record: Record) -> Beside:
    """Return what the model says of a record's problem on the record's GPU.

    Events stand right before and behind a kernel, so nothing of its launch is measured.
    """
    design = design_of(record.gpu)
    if not design:
        return Beside("", None, f"no shipped design is a {record.gpu.name}, so nothing is modelled")
    trace = kernel(record.kernel).trace if record.kernel in kernels() else None
    if trace is None:
        return Beside(design, None, f"{record.kernel} is no op of traces, so nothing is modelled")
    result = simulate(load_design(design, {"engines.gpu.launch_ns": 0}), trace(record.shape))
    return Beside(design, result.metrics.time_us, "")
