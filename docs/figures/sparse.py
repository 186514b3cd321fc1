"""Draw docs/figures/smash.svg: where the cycles of a sparse product go, from SMASH V1 to V3.

Run as ``python docs/figures/sparse.py`` from the top folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from archsim.engines.piuma.jobs import jobs_of
from archsim.engines.piuma.spec import ALGORITHMS, PiumaSpec
from archsim.engines.piuma.timing import time
from archsim.report.palette import BLUE, FAINT, GREEN, GREY, INK, ORANGE, PURPLE, SKY
from archsim.sparse import generate
from archsim.sparse.product import SparseProduct

FILE = Path(__file__).with_name("smash.svg")
WIDTH, HEIGHT = 900, 330
LEFT, TOP, BAR, STEP = 190, 70, 26, 38
SCALE, EDGES, ODDS = 14, 1 << 18, (0.48, 0.11, 0.11)
BARS: Mapping[str, PiumaSpec] = {
    **{f"V{i}": PiumaSpec(algorithm=name) for i, name in enumerate(ALGORITHMS, 1)},
    "V1, rows when free": PiumaSpec(algorithm="smash_v1", token="row", hash="low"),
    "V2, nonzeros when free": PiumaSpec(algorithm="smash_v2", token="nonzero"),
}
ORDER = ("V1", "V1, rows when free", "V2", "V2, nonzeros when free", "V3")
COLOURS = {
    "hashing, shared evenly": BLUE,
    "waiting for the busiest thread": ORANGE,
    "sorting entries": PURPLE,
    "scanning the table": SKY,
    "storing entries": GREEN,
    "the rest": GREY,
}


@cache
def product() -> SparseProduct:
    a = generate.rmat(SCALE, EDGES, ODDS)
    return SparseProduct(a, a, a.shape[1])


@cache
def cycles(name: str) -> Mapping[str, float]:
    """Return the cycles of a scalar product by what they are spent on."""
    spec = BARS[name]
    timing = time(spec, jobs_of(spec, product()))
    split, counts = (
        {part: int(amount.sum()) / product().products for part, amount in table.items()}
        for table in (timing.split, timing.counts)
    )
    written = {part: counts[f"instructions.{part}"] for part in ("sort", "scan", "emit")}
    pace = spec.instruction_cycles / spec.all_threads
    sort, scan, emit = (amount * pace for amount in written.values())
    return {
        "hashing, shared evenly": split["busy"],
        "waiting for the busiest thread": split["stall.threads"],
        "sorting entries": sort,
        "scanning the table": scan,
        "storing entries": emit,
        "the rest": split["fill"] + split["drain"] - sort - scan - emit,
    }


def svg() -> str:
    """Return the figure."""
    parts = (*_key(), *_bars())
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' "
        f"font-family='sans-serif' font-size='13'>\n"
        f"<rect width='{WIDTH}' height='{HEIGHT}' fill='#fff'/>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def _key() -> Iterator[str]:
    for number, (what, colour) in enumerate(COLOURS.items()):
        x, y = LEFT + 240 * (number % 3), 18 + 22 * (number // 3)
        yield f"<rect x='{x}' y='{y}' width='12' height='12' fill='{colour}'/>"
        yield f"<text x='{x + 18}' y='{y + 11}' fill='{INK}'>{what}</text>"


def _bars() -> Iterator[str]:
    wide = (WIDTH - LEFT - 70) / sum(cycles("V1").values())
    for number, name in enumerate(ORDER):
        x, y = float(LEFT), TOP + 10 + STEP * number
        yield f"<text x='{LEFT - 10}' y='{y + 18}' text-anchor='end' fill='{INK}'>{name}</text>"
        for what, amount in cycles(name).items():
            length = wide * amount
            yield (
                f"<rect x='{x:.1f}' y='{y}' width='{length:.1f}' height='{BAR}' "
                f"fill='{COLOURS[what]}'/>"
            )
            x += length
        total = sum(cycles(name).values())
        yield f"<text x='{x + 8:.1f}' y='{y + 18}' fill='{INK}'>{total:.1f}</text>"
    words = "Cycles of a scalar product; 64 threads, 5.9 million products. A model: see its budget."
    yield f"<text x='{LEFT}' y='{TOP + 40 + STEP * len(ORDER)}' fill='{FAINT}'>{words}</text>"


if __name__ == "__main__":
    FILE.write_text(svg(), "utf-8")
