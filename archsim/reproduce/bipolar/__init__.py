"""Bipolar integers on binary tensor cores: where planes of bits beat whole numbers, and where not.

p x q planes take p q products of one bit each. Where products bind, planes win while that is below
the ratio of rates; where memory binds, they win by the bits that they do not move.
"""

from __future__ import annotations

from importlib import resources

from archsim.engines.gpu.shapes import Shape, kernel_us
from archsim.engines.gpu.spec import spec_of
from archsim.gpu.devices import device
from archsim.reproduce.published import read
from archsim.reproduce.row import Paper, Row, Section

PUBLISHED = read(resources.files("archsim.reproduce.bipolar") / "published.yaml")
FORMATS = ("fp16", "int8", "int4")
LARGE = (8192, 8192, 8192)
LAYER = (4096, 4096)  # n and k
UNKNOWN = "for which bits and shapes is not known; the rows above span what the model says"
PADDING = (
    "bits moved are 6 against 8, and the model is bound by them; what is gained beyond is by "
    "filling tiles at few tokens, which it does not charge cuBLAS for; on which GPU is not known, "
    "here an RTX 3090"
)


def planes_us(name: str, m: int, n: int, k: int, p: int, q: int) -> float:
    """Return the time of a product of p-bit by q-bit numbers, plane by plane."""
    return kernel_us(spec_of(name), Shape(m, n, k, "b1", "b1", "int32", planes=(p, q)))


def whole_us(name: str, m: int, n: int, k: int, fmt: str) -> float:
    """Return the time of a product of whole numbers."""
    return kernel_us(spec_of(name), Shape(m, n, k, fmt, fmt, "int32"))


def break_even(name: str, fmt: str) -> float:
    """Return how many planes, p times q, take as long as a large product of whole numbers."""
    return whole_us(name, *LARGE, fmt) / planes_us(name, *LARGE, 1, 1)


def sections() -> tuple[Section, ...]:
    """Return all rows."""
    return _break_even(), _large(), _few_tokens(), _headlines()


def _break_even() -> Section:
    rows = [
        Row(f"{device(name).title}, against {fmt}", None, "model", break_even(name, fmt))
        for name in ("a100", "rtx3090", "rtx4090", "h100", "b200")
        for fmt in FORMATS
    ]
    notes = (
        "p times q where a large product of planes takes as long; by rates alone 16, 8, 4 on A100",
        "GeForce runs FP16 products with FP32 sums at half rate; on RTX 4090 L2 binds planes first",
        "from Hopper on INT4 is widened to INT8, and on Blackwell so is one bit",
    )
    return Section("Where products bind: break-even", tuple(rows), notes)


def _large() -> Section:
    rows = [
        Row(
            f"W{p}A{q}, over {fmt}", None, "model",
            whole_us("rtx3090", *LARGE, fmt) / planes_us("rtx3090", *LARGE, p, q),
        )
        for p, q in ((1, 2), (2, 2), (3, 4), (4, 4), (6, 6))
        for fmt in ("fp16", "int8", "int4")
    ]  # fmt: skip
    return Section("Speed-up of large products on RTX 3090", tuple(rows))


def _few_tokens() -> Section:
    rows = [
        Row(
            f"W{p}A{q} at {tokens} tokens, over fp16", None, "model",
            whole_us("rtx3090", tokens, *LAYER, "fp16")
            / planes_us("rtx3090", tokens, *LAYER, p, q),
        )
        for p, q in ((2, 2), (3, 4), (6, 6))
        for tokens in (1, 16, 64)
    ]  # fmt: skip
    note = "a layer of 4096 x 4096 weights; planes as many bits in memory as numbers have"
    return Section("Speed-up at few tokens on RTX 3090", tuple(rows), (note,))


def _headlines() -> Section:
    apt, flexq = PUBLISHED["apt"], PUBLISHED["flexq"]
    rows = [
        Row(f"{device(name).title}, {column}", apt.get(name, column), apt.tag, None, UNKNOWN)
        for name in apt
        for column in apt.units
        if apt.get(name, column) is not None
    ]
    size = (8, 16384, 16384)
    ours = whole_us("rtx3090", *size, "int8") / planes_us("rtx3090", *size, 6, 6)
    rows += [
        Row(f"W6A6 over W8A8, {row}", flexq.value(row, "speed_up"), flexq.tag, ours, PADDING)
        for row in flexq
    ]
    return Section("Headlines", tuple(rows))


PAPER = Paper("bipolar", PUBLISHED.citation, sections, PUBLISHED.not_found)
