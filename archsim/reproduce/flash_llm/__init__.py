"""Flash-LLM: weights loaded sparse and computed on dense, against dense products on an A100."""

from __future__ import annotations

from importlib import resources
from itertools import product
from statistics import geometric_mean

from archsim.engines.gpu.shapes import Shape, kernel_us
from archsim.engines.gpu.spec import spec_of
from archsim.reproduce.published import read
from archsim.reproduce.row import Paper, Row, Section

PUBLISHED = read(resources.files("archsim.reproduce.flash_llm") / "published.yaml")
LAYERS = ((28672, 7168), (7168, 28672), (36864, 9216), (9216, 36864))  # outputs and inputs, of OPT
TOKENS = (8, 16, 32, 64)
OTHERS = "no model of that library's kernels is here"
IDEAL = (
    "ours is bound by memory or by putting weights in place, each at its full rate, and a dense "
    "kernel of the same model stands below; layers, tokens and losses inside kernels are not known"
)


def speed_up(kept: float, tokens: int, n: int, k: int) -> float:
    """Return dense over sparse time of a layer, ``kept`` of whose weights are stored."""
    dense, sparse = (Shape(tokens, n, k, "fp16", "fp16", "fp16", kept=x) for x in (1.0, kept))
    spec = spec_of("a100")
    return kernel_us(spec, dense) / kernel_us(spec, sparse)


def mean_speed_up(kept: float) -> float:
    """Return the geometric mean over layers and tokens."""
    runs = product(TOKENS, LAYERS)
    return geometric_mean([speed_up(kept, tokens, *layer) for tokens, layer in runs])


def bytes_ratio(kept: float) -> float:
    """Return the bytes of dense FP16 weights over those stored with 16 bits of place each."""
    dense, sparse = (Shape(1, 4096, 4096, "fp16", "fp16", "fp16", kept=x) for x in (1.0, kept))
    return dense.weight_bytes / sparse.weight_bytes


def sections() -> tuple[Section, ...]:
    """Return all rows."""
    against = []
    for name, title in (("cublas", "cuBLAS"), ("sputnik", "Sputnik"), ("sparta", "SparTA")):
        published = PUBLISHED[name]
        for zeros in published:
            kept = 1 - int(zeros) / 100
            given = published.value(zeros, "speed_up")
            quantity = f"over {title}, {zeros} % zeros"
            if name == "cublas":
                row = Row(quantity, given, published.tag, mean_speed_up(kept)).because(IDEAL)
            else:
                row = Row(quantity, given, published.tag, None, OTHERS)
            against.append(row)
    stored = [
        Row(f"{100 - kept} % zeros", None, "counted", bytes_ratio(kept / 100))
        for kept in (50, 30, 20, 10)
    ]
    layers = [
        Row(f"{zeros} % zeros, {tokens} tokens", None, "model",
            geometric_mean([speed_up(1 - zeros / 100, tokens, *layer) for layer in LAYERS]))
        for zeros in (50, 70, 80, 90)
        for tokens in TOKENS
    ]  # fmt: skip
    return (
        Section("The speed of sparse products", tuple(against), (
            "nothing is fitted to these; four operations a stored weight are assumed",
        )),
        Section("Dense bytes over stored bytes", tuple(stored), (
            "a weight and its place are 32 bits: half of the weights have to be zero to gain",
        )),
        Section("By tokens, mean of four layers", tuple(layers)),
    )  # fmt: skip


PAPER = Paper("flash-llm", PUBLISHED.citation, sections, PUBLISHED.not_found)
