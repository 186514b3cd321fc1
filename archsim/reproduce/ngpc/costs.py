"""Area, power and bandwidth beside what is told of the paper's."""

from __future__ import annotations

from archsim.reproduce.ngpc.numbers import PUBLISHED
from archsim.reproduce.ngpc.runs import ENGINE, NAMES, run
from archsim.reproduce.row import Row, Section

DIE_MM2, CARD_W = 628.0, 350.0  # of an RTX 3090, from memory of its public specification
PIXELS_4K, FRAMES = 3840 * 2160, 60  # a second
AREA_WHY = (
    "ours is in ASAP7, a predictive 7 nm node: SRAM of tables, which is most of it, by CACTI, and "
    "logic by fits through syntheses of far smaller processors; theirs is 45 nm logic scaled to 7 "
    "nm by published rules, and comes to hardly more than the bit cells of 16 MiB"
)
POWER_WHY = (
    "ours is over a frame of NeRF, in which 8 processors always work and 64 wait for the GPU for "
    "four tenths of the time; no wires, no clock tree; stimulus and rate of theirs are not known"
)
BANDWIDTH_WHY = (
    "ours is records in and answers out of every query, once, at the frame's queries in our scene; "
    "what theirs counts is not known"
)


def section() -> Section:
    rows = []
    for name, nfps in (("small", 8), ("large", 64)):
        table, busy = PUBLISHED[name], run("nerf", nfps)
        area = sum(um2 for part, um2 in busy.result.area_um2.items() if part != "buffer") / 1e6
        energy = busy.result.energy_pj
        power_w = (
            sum(pj for part, pj in energy.items() if part.startswith(ENGINE)) / busy.row.time_ps
        )
        rows += [
            Row(f"area of {nfps} processors over an RTX 3090's die",
                table.value(str(nfps), "area_percent"), table.tag, 100 * area / DIE_MM2, AREA_WHY,
                "%"),
            Row(f"power of {nfps} processors over an RTX 3090's",
                table.value(str(nfps), "power_percent"), table.tag, 100 * power_w / CARD_W,
                POWER_WHY, "%"),
        ]  # fmt: skip
    moved = PUBLISHED["bandwidth"]
    per_s = {app: _at_60(app) for app in NAMES}
    rows += [
        Row("bandwidth of 4K at 60 a second, NeRF", moved.value("nerf", "gb_per_s"), moved.tag,
            per_s["nerf"], BANDWIDTH_WHY, "GB/s"),
        Row("bandwidth of 4K at 60 a second, the least of the four",
            moved.value("the least of the four", "gb_per_s"), moved.tag, min(per_s.values()),
            BANDWIDTH_WHY, "GB/s"),
    ]  # fmt: skip
    note = (
        f"A die of {DIE_MM2:g} mm2 and a card of {CARD_W:g} W are from memory. Fractions of a "
        "die in another node are not comparable as they stand: they are shown as they are told."
    )
    return Section("Area, power, bandwidth", tuple(rows), (note,))


def _at_60(app: str) -> float:
    """Return the GB a second of queries and answers of 4K frames at 60 a second."""
    found = run(app)
    row = found.row
    per_pixel = (row.dram_read_bytes + row.dram_write_bytes) / row.counts["pixels"]
    return per_pixel * PIXELS_4K * FRAMES / 1e9
