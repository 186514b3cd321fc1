"""A model as the simulator sees it: tensors, operations in order, and where they came from.

A trace is text: JSON Lines, one header, then one line a tensor and one line an op, so that it
diffs. Operand values, where a model carries them, lie beside it in an ``.npz`` file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from archsim.errors import InputError

SCHEMA_VERSION = 1
MAX_NAME = 1024  # characters of an op's or tensor's name
MAX_PLACE_BITS = 64  # of a packed weight
MAX_MACS = 1 << 48  # of one run of an op, so that its times fit 64 bits
INDEX_BITS, POINTER_BITS = 32, 64  # of a sparse matrix in memory, beside an entry and a row

DTYPE_BITS: Mapping[str, int] = MappingProxyType(
    {
        "int4": 4, "int8": 8, "uint8": 8, "int16": 16, "int32": 32, "int64": 64, "bool": 8,
        "fp8": 8, "bf16": 16, "fp16": 16, "fp32": 32, "fp64": 64, "complex128": 128,
    }
)  # fmt: skip

Role = Literal["input", "weight", "activation", "output"]
Attr = int | float | str | bool | tuple[int, ...]
Turn = tuple[tuple[int, ...], tuple[int, ...]]  # a shape to take, then an order of its axes
Layout = tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Sampled:
    """Values of a sample: ``ref`` names the side file's array, ``scale`` is whole over sample."""

    ref: str
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often each integer occurs: ``ref`` names the side file's array of counts.

    Counts stand in the order of the integers, from the tensor's type's least on; those of int32 by
    the bit length of the magnitude, 0 to 32.
    """

    ref: str


@dataclass(frozen=True, slots=True)
class Sparse:
    """A matrix of which only some elements are stored: so many entries.

    ``ref`` names the matrix in the side file, where its pattern is known: see `archsim.sparse`.
    """

    entries: int
    ref: str = ""


@dataclass(frozen=True, slots=True)
class Packed:
    """Weights of which only those that were kept are stored, for an engine that wants them all.

    Each has ``place_bits`` beside its value, which say where it belongs. Kept ones are taken to be
    spread evenly.
    """

    kept: int
    place_bits: int

    def size_bytes(self, share: Any, bits: int) -> Any:
        """Return the bytes of a part, given its share of the kept ones and an element's bits."""
        return np.ceil(np.ceil(self.kept * share) * (bits + self.place_bits) / 8).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value that flows between ops.

    ``data`` names an array of the trace's side file when values are known, else it is None.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "int8"
    role: Role = "activation"
    data: str | Sampled | Histogram | Sparse | Packed | None = None

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Bytes in memory, packed: ten int4 values take five bytes.

        A sparse matrix has a column index beside each entry and a pointer to each row and its end.
        """
        bits = DTYPE_BITS[self.dtype]
        if isinstance(self.data, Sparse):
            rows = (self.shape[0] + 1) * POINTER_BITS
            return -(-(self.data.entries * (bits + INDEX_BITS) + rows) // 8)
        if isinstance(self.data, Packed):
            return int(self.data.size_bytes(1.0, bits))
        return -(-self.elements * bits // 8)


@dataclass(frozen=True, slots=True)
class Op:
    """One operation of a model.

    Parameters
    ----------
    kind
        Name of an `OpKind`: ``gemm``, ``conv``, ``spgemm``, ``spmm``, ``field``, ``vector``,
        ``move``, ``unsupported``, or one that an engine declares.
    inputs, outputs
        Tensor names. For ``gemm`` and ``conv``: ``(a, b)``, A being activations, B weights or a
        second activation; further inputs (bias) belong to the epilogue. For ``spgemm`` and
        ``spmm``: ``(a, b)`` of ``C = A B``, A sparse, and B too in ``spgemm``.
    attrs
        What the kind declares: see `OpKind.attrs`.
    epilogue
        Element-wise work done on the way out, in order: ``bias``, ``relu``, ``requantise`` ...,
        each a name of `VECTOR_PASSES`. The ``work`` of a ``vector`` op includes its epilogue's.
    block, repeat
        Consecutive ops that share a ``block`` name run together ``repeat`` times (a decoder block
        x 12): all of them in order, then again. Outside a block ``repeat`` belongs to the op alone.
        A block's tensors are those of one time round, its weights and inputs (a cache) different
        each time; from the second time on, what it reads from before it is what its last op wrote.
    layouts
        Of a product's operands ``a`` and ``b`` whose values do not lie as the product reads them:
        the turns that make them so, one after another. As read, A is [groups, m, k] and B is
        [groups, k, n]; a convolution's are images [batch, channels, height, width] and filters
        [filters, channels / groups, rows, columns].
    source
        Where the op came from: the model's node names.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, Attr] = field(default_factory=dict)
    epilogue: tuple[str, ...] = ()
    repeat: int = 1
    block: str = ""
    source: str = ""
    layouts: Mapping[str, Layout] = field(default_factory=dict)

    def int_attr(self, name: str) -> int:
        value = self.attrs[name]
        assert isinstance(value, int)
        return value

    def ints_attr(self, name: str) -> tuple[int, ...]:
        value = self.attrs[name]
        assert isinstance(value, tuple)
        return value


@dataclass(frozen=True, slots=True)
class OpKind:
    """What an op kind means: declared once here or by the engine that brings it.

    Parameters
    ----------
    attrs
        Attribute name to type: ``int`` (positive), ``float``, ``str``, ``bool`` or ``tuple`` (of
        non-negative ints). Every attribute is required.
    macs
        Multiply-accumulates of one execution.
    tiling
        How mapping cuts it: ``gemm`` (m, n, k tiles of A B = C: attributes m, n, k and, if any,
        groups; the first two inputs are A and B), ``windows`` (its engine does, by what is known of
        its operands: `Engine.windows`) or ``slice`` (even slices of all).
    sparse
        How many of the first inputs are sparse matrices, of a product with attributes m, n, k.
    ports
        What the inputs are called among the values by which an engine cuts the op:
        `archsim.patterns.Known`.
    """

    name: str
    attrs: Mapping[str, type]
    macs: Callable[[Op], int] = lambda op: 0
    tiling: Literal["gemm", "windows", "slice"] = "slice"
    sparse: int = 0
    ports: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        product = (self.tiling == "gemm" or self.sparse > 0) and self.name != "conv"
        if product and not {"m", "n", "k"} <= set(self.attrs):
            raise ValueError(f"op kind {self.name!r} is tiled as a product: it needs m, n and k")


@dataclass(frozen=True, slots=True)
class Gemm:
    """The product that an op amounts to: ``groups`` independent ``C[m,n] = A[m,k] B[k,n]``."""

    m: int
    n: int
    k: int
    groups: int = 1

    @property
    def macs(self) -> int:
        return self.groups * self.m * self.n * self.k


def conv_output(op: Op) -> tuple[int, int]:
    """Return the output height and width of a ``conv`` op."""
    top, left, bottom, right = op.ints_attr("pad")
    (kh, kw), (sh, sw), (dh, dw) = (op.ints_attr(a) for a in ("kernel", "stride", "dilation"))
    height = (op.int_attr("height") + top + bottom - dh * (kh - 1) - 1) // sh + 1
    width = (op.int_attr("width") + left + right - dw * (kw - 1) - 1) // sw + 1
    return height, width


def as_gemm(op: Op) -> Gemm:
    """Return the product that an op computes: a ``conv``, or one with extents m, n, k (groups).

    A convolution is A (pixels of all images x taps) times B (taps x filters), one product a group;
    taps run channel outermost: ``k = (channel, row, column)``.
    """
    if op.kind != "conv":
        if not {"m", "n", "k"} <= op.attrs.keys():
            raise InputError(
                f"op {op.name!r}", "kind must be 'gemm' or 'conv' to be a product", op.kind
            )
        groups = op.int_attr("groups") if "groups" in op.attrs else 1
        m, n, k = (op.int_attr(a) for a in "mnk")
        return Gemm(m, n, k, groups)
    height, width = conv_output(op)
    kh, kw = op.ints_attr("kernel")
    groups = op.int_attr("groups")
    return Gemm(
        m=op.int_attr("batch") * height * width,
        n=op.int_attr("filters") // groups,
        k=op.int_attr("channels") // groups * kh * kw,
        groups=groups,
    )


def _product_macs(op: Op) -> int:
    return as_gemm(op).macs


def _field_macs(op: Op) -> int:
    return op.int_attr("work") * op.int_attr("macs")


_SPARSE: Mapping[str, type] = {"m": int, "n": int, "k": int, "products": int}

BASE_OP_KINDS: Mapping[str, OpKind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            OpKind("gemm", {"m": int, "n": int, "k": int, "groups": int}, _product_macs, "gemm"),
            OpKind(
                "conv",
                {
                    "batch": int, "channels": int, "height": int, "width": int, "filters": int,
                    "kernel": tuple, "stride": tuple, "pad": tuple, "dilation": tuple,
                    "groups": int,
                },
                _product_macs,
                "gemm",
            ),
            # C = A B with sparse A and B or B dense; `products` counts the pairs of entries
            OpKind("spgemm", _SPARSE, lambda op: op.int_attr("products"), "windows", sparse=2),
            OpKind("spmm", _SPARSE, lambda op: op.int_attr("products"), "windows", sparse=1),
            # queries of a neural field, `work` of them; `graphics.field` says what attributes mean
            OpKind(
                "field",
                {
                    "app": str, "scene": str, "order": str, "encoding": str, "work": int,
                    "pixels": int, "in_bytes": int, "out_bytes": int, "reads": tuple,
                    "layers": tuple, "macs": int, "gpu_us": float, "rest_share": float,
                    "basis": str,
                },
                _field_macs,
                "windows",
                ports=("samples", "tables", "networks"),
            ),
            # `work` counts lane operations: elements x `VECTOR_PASSES` of the function
            OpKind("vector", {"function": str, "work": int}),
            # writes its outputs, and reads no more of an input than that: a gather picks rows
            OpKind("move", {"function": str}),
            # a model's operator that no frontend understands, `work` its output elements
            OpKind("unsupported", {"function": str, "work": int}),
        )
    }
)  # fmt: skip


# Lane operations per element, by convention: one for an addition, multiplication, comparison or
# clamp, two for a function read from a table with linear interpolation (exp, division ...).
# Elements are the output's; the input's for reductions; output x taps for pools and resizing.
VECTOR_PASSES: Mapping[str, int] = MappingProxyType(
    {
        **dict.fromkeys(
            "abs add and bias cast ceil clip compare cumsum floor lrn mask max min mod mul neg not "
            "offset or quantise relu requantise round scale shift sign square sub where xor "
            "average_pool global_average_pool global_max_pool max_pool resize_linear resize_cubic "
            "reduce_max reduce_mean reduce_min reduce_prod reduce_sum reduce_l1 arg_max arg_min "
            "col2im".split(),
            1,
        ),
        **dict.fromkeys(
            "batch_norm celu div elu erf exp gelu hard_sigmoid leaky_relu log lp_pool mish pow "
            "prelu quick_gelu reciprocal reduce_l2 reduce_sum_square selu sigmoid silu softplus "
            "softsign sqrt tanh trigonometric".split(),
            2,
        ),
        "hard_swish": 3,  # add, clamp, multiply; the division folds into the multiplication
        "quantise_dynamic": 3,  # least, greatest, quantise
        "reduce_log_sum": 3,  # sum, then a logarithm
        "l2_norm": 4,  # square, sum, root and division
        "rms_norm": 4,  # square, sum, multiply by the reciprocal root, by gamma
        "softmax": 6,  # maximum, subtract, exp (2), sum, multiply by the reciprocal
        "log_softmax": 6,  # maximum, subtract, exp (2), sum, subtract the logarithm
        "reduce_log_sum_exp": 6,
        "masked_softmax": 7,  # a softmax after adding a mask
        **dict.fromkeys(("layer_norm", "group_norm", "instance_norm"), 7),
        # ... mean, subtract, square, sum, multiply by the reciprocal root, by gamma, add beta
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trace:
    """A model: its tensors by name and its ops in order of execution.

    Parameters
    ----------
    notes
        What the frontend decided, in words a report prints: folded norms, quantisation policy.
    unsupported
        Model operator to how often it was met and not understood. Non-empty traces simulate only
        on a design with a ``fallback``.
    source
        What the trace was made from: a file's name and digest, or the zoo name with its keys.
    values
        The arrays that tensors' ``data`` names. Of a trace that was read, the side file is opened
        when the first of them is asked for.
    """

    name: str
    tensors: Mapping[str, Tensor]
    ops: tuple[Op, ...]
    notes: tuple[str, ...] = ()
    unsupported: Mapping[str, int] = field(default_factory=dict)
    source: str = ""
    values: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def macs(self, kinds: Mapping[str, OpKind] = BASE_OP_KINDS) -> int:
        """Return the multiply-accumulates of one run, repeats included."""
        return sum(kinds[op.kind].macs(op) * op.repeat for op in self.ops)

    def weight_bytes(self) -> int:
        """Return the bytes of all weights; a repeated block's weights differ each time round."""
        repeat = {name: op.repeat for op in self.ops for name in op.inputs}
        return sum(
            t.size_bytes * repeat.get(t.name, 1)
            for t in self.tensors.values()
            if t.role == "weight"
        )
