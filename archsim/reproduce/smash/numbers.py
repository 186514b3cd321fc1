"""What is published of SMASH."""

from __future__ import annotations

from importlib import resources

from archsim.reproduce.published import read

PUBLISHED = read(resources.files("archsim.reproduce.smash") / "published.yaml")
