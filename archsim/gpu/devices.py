"""GPUs as published: what each figure of a device is, and how far it can be trusted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

import yaml

from archsim.errors import InputError


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a device.

    Parameters
    ----------
    what, unit
        What it counts; ``unit`` is empty for a plain number.
    trust
        How it was come by, in a reader's words.
    """

    value: float
    what: str
    unit: str
    trust: str


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU: its figures by name.

    Parameters
    ----------
    name, title
        For programs and for people.
    process
        That it is made in, by its name in ``tech/processes.yaml``.
    """

    name: str
    title: str
    process: str
    figures: Mapping[str, Figure]

    def __getitem__(self, figure: str) -> float:
        return self.figures[figure].value

    def __iter__(self) -> Iterator[str]:
        return iter(self.figures)

    def peak_tflops(self, fmt: str) -> float:
        """Return the dense peak of a number format, 10^12 additions and multiplications a second.

        Parameters
        ----------
        fmt
            ``fp16``, ``int8`` ...: one of the figures ``fma_*``.
        """
        return 2e-6 * self["sms"] * self["clock_mhz"] * self[f"fma_{fmt}"]


@cache
def devices() -> Mapping[str, Device]:
    """Return every known device by name."""
    text = (resources.files("archsim.gpu") / "devices.yaml").read_text("utf-8")
    content: dict[str, Any] = yaml.safe_load(text)
    trust: Mapping[str, str] = content["trust"]
    rules: Mapping[str, Mapping[str, Any]] = content["figures"]

    def figure(rule: Mapping[str, Any], given: Any) -> Figure:
        value, own = given if isinstance(given, list) else (given, rule["trust"])
        return Figure(value, rule["what"], rule.get("unit", ""), trust[own])

    return MappingProxyType(
        {
            name: Device(
                name, about["title"], about["process"],
                MappingProxyType({f: figure(x, x["of"][name]) for f, x in rules.items()}),
            )
            for name, about in content["devices"].items()
        }
    )  # fmt: skip


def device(name: str) -> Device:
    """Return a device by its name.

    Raises
    ------
    InputError
        If there is none of it.
    """
    known = devices()
    if name not in known:
        raise InputError("device", f"must be one of {', '.join(known)}", name)
    return known[name]
