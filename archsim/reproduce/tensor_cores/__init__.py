"""Measured rates of tensor cores beside the model's: instructions, products, copies, decoding.

Each row says whether it was fitted, so that it agrees by construction, or is predicted.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Literal

from archsim.engines.gpu.shapes import Shape, kernel_us, tera_ops
from archsim.engines.gpu.spec import spec_of
from archsim.gpu.devices import device
from archsim.gpu.issue import Instruction, instructions, wgmma_cycles
from archsim.gpu.serving import decode_us
from archsim.reproduce.published import read
from archsim.reproduce.row import Paper, Row, Section

PUBLISHED = read(resources.files("archsim.reproduce.tensor_cores") / "published.yaml")
SHAPES: Mapping[str, tuple[int, int, int]] = {"a100 bf16": (1024, 10240, 5120)}
SQUARE = (8192, 8192, 8192)
FITTED_BEST = ("a100 bf16", "h100 bf16", "b200 bf16", "h100 fp8", "h200 fp8", "b200 fp8")
H800 = (114, 1620, 2048)  # SMs, MHz under load, multiply-adds a cycle and SM
H800_SHARE = 0.88  # of its peak at that clock: fitted to the widest row
PACED = (
    "two constants are fitted to all dense rows together: 2.1 cycles a round beside the latency, "
    "and 1.02 of an instruction's interval; latencies are the paper's, intervals follow from the "
    "peak but for INT4 and one bit, whose is fitted to the row with 8 warps"
)
HALF = (
    "by the constants of the dense rows; shapes with half of k do not reach the peak, so their "
    "interval is fitted to the row with 8 warps, and of one of them that of a warp, too"
)
NARROW = (
    "the peak's share, 0.88 at 1620 MHz, is fitted to the widest row, and 13 cycles at least with "
    "A in registers to the narrow ones; the rest follows from 128 bytes a cycle of shared memory"
)


def in_flight(name: str, kind: Literal["mma", "mma.sp"], warps: int) -> int:
    """Return how many independent instructions a warp had on its way."""
    whole = instructions()[kind][name].latency > 20  # all of k, not half of it
    if whole:
        return 3 if warps == 4 else 2
    return 4 if warps == 4 and kind == "mma" else 3


def _how(instruction: Instruction, warps: int, *, dense: bool) -> str:
    """Return whether a row is what its own interval was fitted to, or all dense ones together."""
    if instruction.fitted and (warps == 8 or "warp_interval" in instruction.fitted):
        return "fitted"
    return "fitted together" if dense else "predicted"


def _row(what: str, published: float, tag: str, ours: float, unit: str, how: str) -> Row:
    return Row(f"{what} ({how})", published, tag, ours, unit=unit)


def sections() -> tuple[Section, ...]:
    """Return all rows."""
    return (
        _mma("mma", "dense", "Dense mma on A100", (PACED,)),
        _mma("mma.sp", "sparse", "Sparse mma.sp on A100", (HALF,)),
        _wgmma(), _best(), _square(), _copies(), _decoding(), _marlin(),
    )  # fmt: skip


def _mma(kind: Literal["mma", "mma.sp"], table: str, title: str, notes: tuple[str, ...]) -> Section:
    published, rows = PUBLISHED[table], []
    for name in published:
        instruction = instructions()[kind][name]
        for warps in (4, 8):
            ours = instruction.fma_per_cycle(warps, in_flight(name, kind, warps))
            rows.append(
                _row(
                    f"{name}, {warps} warps", published.value(name, f"{warps} warps"),
                    published.tag, ours, "FMA/cycle/SM",
                    _how(instruction, warps, dense=kind == "mma"),
                )
            )  # fmt: skip
    return Section(title, tuple(rows), notes)


def wgmma_tflops(columns: int, a: Literal["smem", "registers"]) -> float:
    """Return the rate of wgmma on the H800 of the measurements."""
    sms, mhz, fma = H800
    each = 2 * 64 * columns * 16 / wgmma_cycles(columns, fma, a)
    return each * sms * mhz * 1e-6 * H800_SHARE


def _wgmma() -> Section:
    published = PUBLISHED["wgmma"]
    places: tuple[Literal["smem", "registers"], ...] = ("smem", "registers")
    fitted = {("256", "smem"), ("16", "registers")}
    rows = [
        _row(
            f"N = {n}, A in {'shared memory' if a == 'smem' else a}", published.value(n, a),
            published.tag, wgmma_tflops(int(n), a), "TFLOPS",
            "fitted" if (n, a) in fitted else "predicted",
        )
        for n in published
        for a in places
    ]  # fmt: skip
    return Section("wgmma by its columns, on H800", tuple(rows), (NARROW,))


def product(key: str) -> Shape:
    """Return the shape behind a row ``DEVICE FORMAT``."""
    fmt = key.split()[1]
    return Shape(*SHAPES.get(key, SQUARE), fmt, fmt, "int32" if fmt == "int8" else "bf16")


def _rates(table: str, title: str, fitted: tuple[str, ...], note: str) -> Section:
    published = PUBLISHED[table]
    rows = [
        _row(
            f"{device(key.split()[0]).title}, {key.split()[1]}", published.value(key, "rate"),
            published.tag, tera_ops(spec_of(key.split()[0]), product(key)), "TFLOPS",
            "fitted" if key in fitted else "predicted",
        )
        for key in published
    ]  # fmt: skip
    return Section(title, tuple(rows), (note,))


def _best() -> Section:
    return _rates(
        "best", "The best matrix products", FITTED_BEST,
        "the share of the peak is these rows' own, so that only tiles, waves, issue and filling "
        "are the model's; where the shape is not known it is 8192 x 8192 x 8192",
    )  # fmt: skip


def _square() -> Section:
    return _rates(
        "square", "Products of 8192 x 8192 matrices, measured by others", ("rtx4090 fp16",),
        "H100 and H200 by the share of H100's best products; of the RTX 4090 the share is fitted "
        "to FP16, and INT8 follows",
    )  # fmt: skip


def _copies() -> Section:
    published = PUBLISHED["copy"]
    rows = [
        _row(
            device(name).title, published.value(name, "rate"), published.tag,
            spec_of(name).memory_gb_per_s, "GB/s", "fitted",
        )
        for name in published
    ]  # fmt: skip
    return Section("Copies of device memory", tuple(rows), ("shares of the pins' rate are fitted",))


def _decoding() -> Section:
    """Return one token through a layer, against what its weights take at the rate of a copy."""
    rows = []
    for name in ("a100", "h100", "h200", "b200", "rtx4090"):
        spec, shape = spec_of(name), Shape(1, 14336, 8192)
        least_us = decode_us(shape.weight_bytes, 0, spec.memory_gb_per_s)
        ours = kernel_us(spec, shape) / least_us
        rows.append(Row(device(name).title, None, "derived, not published", ours))
    note = "8192 x 14336 weights in bf16; time over that of their bytes at the rate of a copy"
    return Section("One token through a layer", tuple(rows), (note,))


def marlin_speed_up(tokens: int, name: str = "a10") -> float:
    """Return how much faster INT4 weights are than FP16 ones, of a layer of 18432 x 18432."""
    dense, packed = (Shape(tokens, 18432, 18432, "fp16", b, "fp16") for b in ("fp16", "int4"))
    spec = spec_of(name)
    return kernel_us(spec, dense) / kernel_us(spec, packed)


def _marlin() -> Section:
    published = PUBLISHED["marlin"]
    rows = []
    for tokens in (1, 16, 32, 64, 96, 128, 256):
        known = published.value(str(tokens), "speed_up") if str(tokens) in published.rows else None
        tag = published.tag if known else "no number is known"
        rows.append(
            Row(f"speed-up at {tokens} tokens (predicted)", known, tag, marlin_speed_up(tokens))
        )
    notes = (
        "theirs is an ideal with scales of groups (0.52 bytes a weight), which ours leaves out",
        "A10 figures are from memory",
    )
    return Section("FP16 by INT4 (MARLIN), by tokens, on A10", tuple(rows), notes)


PAPER = Paper("tensor-cores", PUBLISHED.citation, sections, PUBLISHED.not_found)
