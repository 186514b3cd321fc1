"""What a reference kernel is: one record of its operands, its oracle, its launch and its counts.

A kernel is written once, in Triton, and used three ways: launched on a GPU, run in Triton's
interpreter on a CPU, and compiled ahead of time without a GPU. All three call the same ``launch``
of its source module; only what it starts functions with differs. Nothing here imports Triton.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, Protocol

import numpy as np

from archsim.errors import InputError
from archsim.gpu.values import Expected, Operands
from archsim.trace import Trace

TARGETS = ("sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120")
INTERPRETER = "interpreter"

Draw = Literal["normal", "zeros", "extreme", "special"]
DRAWS: tuple[Draw, ...] = ("normal", "zeros", "extreme", "special")
"""How operands are drawn: about one; all zero; the largest, smallest and subnormal numbers of the
format; and with infinities and NaN among them, where the format has them."""


def check_draw(name: str) -> Draw:
    """Return a way to draw operands by its name."""
    for known in DRAWS:
        if name == known:
            return known
    raise InputError("--values", f"must be one of {', '.join(DRAWS)}", name)


Shape = Mapping[str, int]
Instructions = Mapping[str, int]  # of PTX: how often a function holds them


@dataclass(frozen=True, slots=True)
class Extent:
    """One dimension of a kernel's shape.

    Attributes
    ----------
    default
        What ``archsim gpu run`` takes.
    small
        What is compiled for and interpreted: aligned as the default is, but quick to draw.
    tested
        The least and the greatest that property tests draw.
    step
        The extent is a multiple of it.
    least, most
        That are allowed: a matrix of two such extents has offsets of 32 bits.
    """

    default: int
    small: int
    tested: tuple[int, int]
    step: int = 1
    least: int = 1
    most: int = 1 << 15


@dataclass(frozen=True, slots=True)
class Tile:
    """How a launch cuts its problem: Triton's constants by name, warps and pipeline stages."""

    sizes: Mapping[str, int]
    warps: int = 4
    stages: int = 3

    @property
    def options(self) -> dict[str, int]:
        """Return the keyword arguments of a launch."""
        return {**self.sizes, "num_warps": self.warps, "num_stages": self.stages}


@dataclass(frozen=True, slots=True)
class Work:
    """What a problem is at least: operations (a multiply-add is two) and bytes of its operands."""

    operations: int
    bytes: int


class Start(Protocol):
    """What a launch starts its functions with."""

    @property
    def interpreted(self) -> bool:
        """Whether the interpreter runs them, which some formats must not meet: see `narrow`."""

    def __call__(
        self, function: Any, grid: tuple[int, ...], *arguments: Any, **options: Any
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Started:
    """Starts functions as Triton does: in its interpreter, or on the GPU."""

    interpreted: bool

    def __call__(
        self, function: Any, grid: tuple[int, ...], *arguments: Any, **options: Any
    ) -> None:
        function[grid](*arguments, **options)


@dataclass(frozen=True)
class Kernel:
    """A reference kernel.

    Attributes
    ----------
    name, computes
        What it is called on the command line, and what it computes in a line.
    formats
        Number formats of operands and results, by name (`archsim.gpu.values`).
    extents
        The dimensions of its shape, by name.
    draw
        Operands of a shape, as they lie in memory.
    oracle
        (shape, operands, unit) -> what each result must be. ``unit`` is the relative error that one
        step of accumulation may make where the kernel runs (`accumulate_unit`).
    work
        Operations and bytes of a shape.
    source
        ``module:function`` (or a module, whose function is ``launch``) of
        ``(start, shape, operands, tile) -> results`` on torch tensors, which it may read the shapes
        and types of, but no values: ahead of time there are none.
    tile
        (target) -> how a launch cuts the problem there.
    instructions
        (target, tile) -> how many tensor instructions its functions hold together.
    trace
        A shape as designs run it; None if it is no op of traces.
    to_the_bit
        (operands, target) -> what the model of tensor cores (`archsim.gpu.accumulate`) gives for
        the first rows and columns of results; nothing for a target that it does not cover.
    refused
        Targets that it cannot be compiled for, with the reason.
    """

    name: str
    computes: str
    formats: Mapping[str, str]
    extents: Mapping[str, Extent]
    draw: Callable[[Shape, np.random.Generator, Draw], Operands]
    oracle: Callable[[Shape, Operands, float], Mapping[str, Expected]]
    work: Callable[[Shape], Work]
    source: str
    tile: Callable[[str], Tile]
    instructions: Callable[[str, Tile], Instructions]
    trace: Callable[[Shape], Trace] | None = None
    to_the_bit: Callable[[Operands, str], Operands] | None = None
    refused: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def launch(self) -> Callable[..., dict[str, Any]]:
        """Return the function of its source, which imports Triton."""
        module, _, function = self.source.partition(":")
        found: Callable[..., dict[str, Any]] = getattr(
            importlib.import_module(module), function or "launch"
        )
        return found

    @property
    def default_shape(self) -> dict[str, int]:
        return {name: extent.default for name, extent in self.extents.items()}

    @property
    def small_shape(self) -> dict[str, int]:
        return {name: extent.small for name, extent in self.extents.items()}

    def shape(self, given: Mapping[str, int], otherwise: Shape) -> dict[str, int]:
        """Return a whole shape: what is given, and what is not from another one.

        Raises
        ------
        InputError
            If a dimension is unknown or its extent is none that the kernel takes.
        """
        for name, extent in given.items():
            where = f"--shape {name}"
            if name not in self.extents:
                known = ", ".join(self.extents)
                raise InputError("--shape", f"{self.name} has the dimensions {known}", name)
            allowed = self.extents[name]
            if not allowed.least <= extent <= allowed.most or extent % allowed.step:
                multiple = f"a multiple of {allowed.step}" if allowed.step > 1 else "an integer"
                span = f"{allowed.least} to {allowed.most:,}"
                raise InputError(where, f"must be {multiple} from {span}", extent)
        return {name: given.get(name, otherwise[name]) for name in self.extents}

    def check_target(self, target: str) -> None:
        """Refuse a target that is unknown, or that the kernel does not run on."""
        if target not in TARGETS:
            raise InputError("--target", f"must be one of {', '.join(TARGETS)}", target)
        if target in self.refused:
            raise InputError(f"{self.name} on {target}", self.refused[target])

    @property
    def summed(self) -> str:
        """Return the format of the products that it sums: its first operand's."""
        return next(iter(self.formats.values()))


def accumulate_unit(where: str, form: str) -> float:
    """Return how large an error, relative to the terms, a step of accumulation may make.

    The interpreter sums in fp32 and rounds to nearest. Tensor cores align terms to the largest and
    cut them 24 bits or more below it, and cut their sum to fp32; of fp8 on sm_89 and sm_90 they
    keep 13 bits.
    """
    if where == INTERPRETER:
        return 2.0**-24
    if form in ("e4m3", "e5m2") and where in ("sm_89", "sm_90"):
        return 2.0**-12
    return 2.0**-22
