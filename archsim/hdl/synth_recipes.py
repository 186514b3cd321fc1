"""Ways to map logic to cells: scripts for ABC, and which adder a ``+`` becomes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipe:
    """A way to map logic: an ABC script and the parallel-prefix adder that carries use.

    Parameters
    ----------
    adder
        A file of Yosys' ``choices`` folder, or empty for Yosys' own (Brent-Kung).
    script
        Commands of ABC; ``{D}`` is where a clock target goes, if there is one.
    """

    name: str
    adder: str
    script: tuple[str, ...]

    @property
    def label(self) -> str:
        return f"{self.name} with {self.adder or 'brent-kung'} adders, Booth multipliers"

    def commands(self, target_ps: float | None) -> str:
        """Return the script for a clock target, or for the shortest path that it finds."""
        target = "" if target_ps is None else f"-D {target_ps:g}"
        return "\n".join(line.replace("{D}", target) for line in self.script) + "\n"


_CLEAN = ("strash", "ifraig", "scorr", "strash")
_SIZE = ("topo", "upsize {D}", "dnsize {D}")
RECIPES = (  # without `buffer`, which strings buffers into chains where many read a net
    Recipe("dch-nf", "kogge-stone", (*_CLEAN, "&get -n", "&dch -f", "&nf {D}", "&put", *_SIZE)),
    Recipe("dch-map", "kogge-stone", (*_CLEAN, "dch", "map {D}", *_SIZE)),
    Recipe("nf", "sklansky", (*_CLEAN, "&get -n", "&nf {D}", "&put", *_SIZE)),
)
_BALANCED = ("&get -n", "&dch -f", "&if -g -K 6", "&dch -f")  # shorter paths for more gates
_CHOICES = ("&get -n", "&synch2")
_BUFFERED = ("buffer -N 8", *_SIZE)  # shorter still, where few cells come in sizes
SEARCHED = (  # what a study tries beside `RECIPES`: faster, between, smaller
    *RECIPES,
    Recipe("balanced-nf", "kogge-stone", (*_CLEAN, *_BALANCED, "&nf {D}", "&put", *_SIZE)),
    Recipe("balanced-nf", "", (*_CLEAN, *_BALANCED, "&nf {D}", "&put", *_SIZE)),
    Recipe("synch-nf", "kogge-stone", (*_CLEAN, *_CHOICES, "&nf {D}", "&put", *_SIZE)),
    Recipe("synch-nf", "", (*_CLEAN, *_CHOICES, "&nf {D}", "&put", *_SIZE)),
    Recipe("amap", "", (*_CLEAN, "dch", "amap -m", *_SIZE)),
    Recipe("buffered", "kogge-stone", (*_CLEAN, *_BALANCED, "&nf {D}", "&put", *_BUFFERED)),
)
