"""What is published, and the layers that counts and energies are worked out for."""

from __future__ import annotations

from importlib import resources
from typing import Any

from archsim.reproduce.published import read
from archsim.reproduce.row import Row

PUBLISHED = read(resources.files("archsim.reproduce.rfnn") / "published.yaml")
ALONE = "none that could be read"
OURS = "ours: of these, no published number could be read"


def ours(quantity: str, value: Any, unit: str = "") -> Row:
    """Return a row of a quantity of which no published number could be read."""
    return Row(quantity, None, ALONE, float(value), unit=unit)
