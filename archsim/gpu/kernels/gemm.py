"""Dense products: C [m, n] = A [m, k] B [n, k] transposed, as linear layers store their weights."""

from __future__ import annotations

from functools import partial

import numpy as np

from archsim.gpu.accumulate import RULES, Architecture, tensor_core_matmul
from archsim.gpu.draws import drawn
from archsim.gpu.kernel import Draw, Extent, Kernel, Shape, Tile, Work
from archsim.gpu.tensor_cores import dot_instructions, instruction_of
from archsim.gpu.values import Array, Expected, Operands, decode, encode, size_bytes
from archsim.trace import Op, Tensor, Trace

EXTENTS = {
    "m": Extent(4096, 256, (1, 200)),
    "n": Extent(4096, 256, (1, 200)),
    "k": Extent(4096, 512, (1, 300)),
}
COMPARED = 64  # rows and columns of results that are compared to the bit
ARCHITECTURES: dict[str, Architecture] = {
    "sm_80": "ampere", "sm_86": "ampere", "sm_89": "ada", "sm_90": "hopper", "sm_100": "blackwell",
}  # fmt: skip
DTYPES = {"tf32": "fp32", "e4m3": "fp8"}  # of traces, where they are called otherwise
RESULTS = {"fp16": "fp16", "bf16": "bf16", "tf32": "fp32", "e4m3": "bf16", "int8": "int32"}


def draw(form: str, shape: Shape, rng: np.random.Generator, values: Draw) -> Operands:
    m, n, k = shape["m"], shape["n"], shape["k"]
    return {"a": drawn(rng, (m, k), form, values), "b": drawn(rng, (n, k), form, values)}


def oracle(form: str, shape: Shape, operands: Operands, unit: float) -> dict[str, Expected]:
    return {"c": product(decode(operands["a"], form), decode(operands["b"], form).T, unit)}


def product(a: Array, b: Array, unit: float) -> Expected:
    """Return a product and how far a sum of its terms in any order may lie from it.

    Each of k steps errs by at most ``unit`` of the sum of all terms' magnitudes, or by half of the
    least subnormal number. Products of integers are exact, also in float64, which is faster: no
    shape's sums have 53 bits.
    """
    if a.dtype.kind == "i":
        return Expected((a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64))
    with np.errstate(invalid="ignore", over="ignore"):
        terms = np.abs(a) @ np.abs(b)
        steps = a.shape[-1] + 2
        return Expected(a @ b, steps * (unit * terms + 2.0**-149))


def to_the_bit(form: str, operands: Operands, target: str) -> Operands:
    """Return the first results as tensor cores sum them, those of fp8 on sm_90 128 at a time."""
    architecture = ARCHITECTURES.get(target)
    if architecture is None or (form != "int8" and (architecture, form) not in RULES):
        return {}
    a, b = (decode(operands[name][:COMPARED], form) for name in ("a", "b"))
    every = 128 if (form, target) == ("e4m3", "sm_90") else None
    sums = tensor_core_matmul(a, b.T, architecture, form, promote_every=every)
    return {"c": encode(sums, RESULTS[form])}


def work(form: str, shape: Shape) -> Work:
    m, n, k = shape["m"], shape["n"], shape["k"]
    read = (m + n) * k * size_bytes(form)
    return Work(2 * m * n * k, read + m * n * size_bytes(RESULTS[form]))


def trace(form: str, shape: Shape) -> Trace:
    a, b, c = (DTYPES.get(f, f) for f in (form, form, RESULTS[form]))
    return product_trace(f"gemm_{form}", shape, (a, b, c))


def product_trace(name: str, shape: Shape, dtypes: tuple[str, str, str], groups: int = 1) -> Trace:
    """Return one product (or so many beside each other) of A, weights B and C of some types."""
    m, n, k = shape["m"], shape["n"], shape["k"]
    tensors = {
        "a": Tensor("a", (m, k * groups), dtypes[0], "input"),
        "b": Tensor("b", (k, n * groups), dtypes[1], "weight"),
        "c": Tensor("c", (m, n * groups), dtypes[2], "output"),
    }
    attrs = {"m": m, "n": n, "k": k, "groups": groups}
    return Trace(name, tensors, (Op(name, "gemm", ("a", "b"), ("c",), attrs),))


def tile(form: str, target: str) -> Tile:
    """Return blocks whose steps are 128 bytes of k, and whose sums fit the registers."""
    sizes = {"BM": 128, "BN": 128, "BK": 128 // size_bytes(form), "GROUP": 8}
    if instruction_of(target) == "mma.sync":
        return Tile(sizes, warps=8, stages=3)
    if form == "e4m3" and target == "sm_90":  # it keeps sums twice: of 128 products, and of all
        return Tile(sizes, warps=8, stages=4)
    return Tile({**sizes, "BN": 256}, warps=8, stages=3)


def instructions(form: str, target: str, tile: Tile) -> dict[str, int]:
    sizes = tile.sizes
    blocks = sizes["BM"], sizes["BN"], sizes["BK"]
    # of tcgen05.mma the first step is peeled, as both operands come straight from memory
    return dot_instructions(target, *blocks, form, tile.warps, copies=2)


def _kernel(form: str, computes: str, **more: dict[str, str]) -> Kernel:
    return Kernel(
        name=f"gemm_{form}",
        computes=computes,
        formats={"a": form, "b": form, "c": RESULTS[form]},
        extents=EXTENTS,
        draw=partial(draw, form),
        oracle=partial(oracle, form),
        work=partial(work, form),
        source="archsim.gpu.source.gemm",
        tile=partial(tile, form),
        instructions=partial(instructions, form),
        trace=partial(trace, form),
        to_the_bit=partial(to_the_bit, form),
        **more,
    )


NO_E4M3 = "has no e4m3 products: e4m3 needs sm_89 or later"
KERNELS = (
    _kernel("fp16", "C = A B' in fp16, summed in fp32"),
    _kernel("bf16", "C = A B' in bf16, summed in fp32"),
    _kernel("tf32", "C = A B' in tf32, summed in fp32"),
    _kernel(
        "e4m3", "C = A B' in fp8 (e4m3), summed in fp32, C in bf16",
        refused={"sm_80": NO_E4M3, "sm_86": NO_E4M3},
    ),
    _kernel("int8", "C = A B' in int8, summed in int32"),
)  # fmt: skip
