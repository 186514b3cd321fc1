"""Element-wise work that rides on another op's way out, and affine work that weights absorb."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from archsim.frontends.builder import TraceBuilder
from archsim.frontends.policy import FLOATS
from archsim.trace import Attr, Op, as_gemm

# element-wise functions of one activation, and of constants beside it
FUSABLE = frozenset(
    "abs batch_norm cast ceil celu clip elu erf exp floor gelu hard_sigmoid hard_swish leaky_relu "
    "log max min mish neg not offset pow prelu quick_gelu reciprocal relu requantise round scale "
    "selu sigmoid sign silu softplus softsign sqrt square tanh trigonometric".split()
)
_AFFINE = frozenset(("batch_norm", "scale", "offset"))
_LINEAR = ((), ("add",), ("bias",), ("offset",))  # epilogues that weights and bias can follow


class Fuser:
    """Joins ops of a trace in the making.

    An element-wise op joins the op that writes its input, past transpositions, where nothing else
    reads what lies between. Constant scales and offsets (a batch norm is both) vanish into the
    weights and bias of a product before its first other epilogue.

    Attributes
    ----------
    folded, joined
        How many ops went into weights, and into epilogues.
    """

    def __init__(
        self, builder: TraceBuilder, outputs: frozenset[str], filters: Mapping[str, int]
    ) -> None:
        self._builder, self._outputs, self._filters = builder, outputs, filters
        self._readers = Counter(name for op in builder.ops for name in op.inputs)
        self._ops: list[Op] = []
        self._writer: dict[str, int] = {}
        self.folded = self.joined = 0

    def run(self) -> None:
        """Replace the builder's ops by the joined ones."""
        for op in self._builder.ops:
            if not self._join(op):
                self._append(op)
        self._builder.ops[:] = self._ops

    def _append(self, op: Op) -> None:
        for name in op.outputs:
            self._writer[name] = len(self._ops)
        self._ops.append(op)

    def _join(self, op: Op) -> bool:
        if op.kind != "vector" or op.attrs["function"] not in FUSABLE or not op.inputs:
            return False
        last = self._sole_writer(op.inputs[0])
        if last is None or not self._constants(op.inputs[1:]):
            return False
        target = last
        while self._ops[target].kind == "move":
            before = self._sole_writer(self._ops[target].inputs[0])
            if self._ops[target].attrs["function"] != "transpose" or before is None:
                return False
            target = before
        if last != target and not self._same_dtype(op):
            return False
        joined = self._joined(self._ops[target], op)
        if joined is None:
            return False
        self._ops[target] = joined
        self._ops[last] = replace(self._ops[last], outputs=op.outputs)
        self._writer[op.outputs[0]] = last
        return True

    def _sole_writer(self, name: str) -> int | None:
        """Return the op that writes a tensor, if it writes that alone and one op alone reads it."""
        writer = self._writer.get(name)
        if writer is None or self._readers[name] != 1 or name in self._outputs:
            return None
        return writer if len(self._ops[writer].outputs) == 1 else None

    def _constants(self, names: tuple[str, ...]) -> bool:
        return all(self._builder.tensors[name].role == "weight" for name in names)

    def _same_dtype(self, op: Op) -> bool:
        tensors = self._builder.tensors
        return tensors[op.inputs[0]].dtype == tensors[op.outputs[0]].dtype

    def _joined(self, target: Op, op: Op) -> Op | None:
        """Return the target with the element-wise op on its way out, or None where it cannot be."""
        function = str(op.attrs["function"])
        names: tuple[str, ...] = ("scale", "offset") if function == "batch_norm" else (function,)
        if target.kind == "vector":
            self.joined += 1
            attrs: dict[str, Attr] = dict(target.attrs)
            attrs["work"] = target.int_attr("work") + op.int_attr("work")
            inputs = (*target.inputs, *op.inputs[1:])
            epilogue = (*target.epilogue, *names, *op.epilogue)
            return replace(
                target, attrs=attrs, inputs=inputs, epilogue=epilogue, source=_both(target, op)
            )
        if target.kind not in ("gemm", "conv") or not self._per_filter(target, op):
            return None
        if function == "cast" and self._builder.policy.integer:
            names = ()  # accumulators are converted by the requantisation
        if function in _AFFINE and target.epilogue in _LINEAR and self._foldable(target, function):
            self.folded += 1
            return self._folded(target, op)
        self.joined += 1
        inputs = (*target.inputs, *op.inputs[1:])
        epilogue = (*target.epilogue, *names, *op.epilogue)
        return replace(target, inputs=inputs, epilogue=epilogue, source=_both(target, op))

    def _foldable(self, target: Op, function: str) -> bool:
        """Say whether weights can absorb it; integers that a model brings cannot be scaled."""
        name = target.inputs[1]
        if self._builder.tensors[name].role != "weight":
            return False
        return function == "offset" or self._builder.own_dtype(name) in FLOATS

    def _per_filter(self, target: Op, op: Op) -> bool:
        """Say whether the op's constants are one number, or one a filter."""
        product = as_gemm(target)
        filters = self._filters.get(target.name, product.n * product.groups)
        return all(self._builder.tensors[name].elements == filters for name in op.inputs[1:])

    def _folded(self, target: Op, op: Op) -> Op:
        """Absorb a scale or offset: weights are scaled beforehand, an offset becomes the bias."""
        function, source = op.attrs["function"], _both(target, op)
        if function == "scale" or set(target.epilogue) - {"add"}:
            return replace(target, epilogue=(*target.epilogue, *op.epilogue), source=source)
        offset = op.inputs[1:][-1:]
        for name in offset:
            tensor = self._builder.tensors[name]
            dtype = self._builder.own_dtype(name)
            self._builder.tensors[name] = replace(
                tensor, dtype=self._builder.policy.bias_dtype(dtype)
            )
        inputs = (*target.inputs, *offset)
        first = "bias" if offset else "offset"  # one number needs no tensor
        epilogue = (*target.epilogue, first, *op.epilogue)
        return replace(target, inputs=inputs, epilogue=epilogue, source=source)


def _both(target: Op, op: Op) -> str:
    return f"{target.source} + {op.source}"
