"""What is published of NGPC."""

from __future__ import annotations

from importlib import resources

from archsim.reproduce.published import read

PUBLISHED = read(resources.files("archsim.reproduce.ngpc") / "published.yaml")
