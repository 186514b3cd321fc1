"""Figures 11 to 13: whole networks on OPT4E against a systolic array of its area."""

from __future__ import annotations

from collections.abc import Iterator

from archsim.reproduce.row import Row, Section
from archsim.reproduce.tpe.num_pp import num_pp
from archsim.reproduce.tpe.numbers import LANES, OPS_A_MAC, PES, PUBLISHED, SIGMA, TERA
from archsim.reproduce.tpe.table_vii import area_efficiency

ASSUMED = (
    "the network's own values are not known: ours are rounded normal numbers of sigma {:g}; larger "
    "values have more digits, and values with many zeros fewer"
)
IMPLIED = (
    "implied: the speed-up at equal area is OPT4E's peak of partial products an area over the "
    "array's of MACs an area (Table VII), over partial products a MAC, times OPT4E's utilisation; "
    "the systolic array's utilisation is not printed and taken as 1"
)


def implied() -> Section:
    """Return the partial products a MAC that each network's speed-up stands for."""
    networks = PUBLISHED["networks"]
    return Section(
        "Partial products that the networks' speed-ups imply, unverified",
        tuple(_implied(networks.tag)),
        (IMPLIED,),
    )


def _implied(tag: str) -> Iterator[Row]:
    networks = PUBLISHED["networks"]
    ours = num_pp(SIGMA, "en_t")
    for network in networks:
        utilisation = networks.value(network, "utilisation") / 100
        found = pp_to_macs() * utilisation / networks.value(network, "speed_up")
        yield Row(
            f"{network}: partial products a MAC", found, f"{tag}; implied, unverified", ours,
            ASSUMED.format(SIGMA),
        )  # fmt: skip


def pp_to_macs() -> float:
    """Return OPT4E's peak of partial products an area, over TPU's peak of MACs an area."""
    table = PUBLISHED["table_7"]
    pp_per_s = PES * LANES["OPT4E"] * table.value("OPT4E", "clock_mhz") * 1e6
    pp_per_mm2 = pp_per_s / (table.value("OPT4E", "area_um2") * 1e-6)
    return pp_per_mm2 / (area_efficiency("TPU") * TERA / OPS_A_MAC)
