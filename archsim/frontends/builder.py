"""What frontends build traces with: tensors under a number-format policy, ops in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from archsim.frontends.policy import FLOATS, Policy
from archsim.trace import VECTOR_PASSES, Attr, Layout, Op, Role, Tensor, Trace

NARROW = frozenset({"int4", "int8", "uint8", "int16"})  # what accumulators must be brought to


class TraceBuilder:
    """Collects a trace.

    Attributes
    ----------
    tensors, ops
        What was added so far.
    notes
        What a report should say about how the trace was made.
    """

    def __init__(self, name: str, policy: Policy, source: str) -> None:
        self.name, self.policy, self.source = name, policy, source
        self.tensors: dict[str, Tensor] = {}
        self.ops: list[Op] = []
        self.notes: list[str] = [policy.note]
        self.unsupported: dict[str, int] = {}
        self._block: tuple[str, int] = ("", 1)
        self._own: dict[str, str] = {}  # a tensor's own type, before the policy

    def tensor(
        self, name: str, shape: Sequence[int], role: Role = "activation", dtype: str = "fp32"
    ) -> str:
        """Declare a tensor by its own type and return its name; a known name stays as it is."""
        if name not in self.tensors:
            self.tensors[name] = Tensor(name, tuple(shape), self.policy.dtype(dtype), role)
            self._own[name] = dtype
        return name

    def bias(self, name: str, length: int, dtype: str = "fp32") -> str:
        """Declare a weight that is added to accumulators."""
        if name not in self.tensors:
            stored = self.policy.bias_dtype(dtype)
            self.tensors[name] = Tensor(name, (length,), stored, "weight")
            self._own[name] = dtype
        return name

    def own_dtype(self, name: str) -> str:
        """Return the type that a tensor has in the model."""
        return self._own[name]

    @contextmanager
    def block(self, name: str, repeat: int) -> Iterator[None]:
        """Make the ops added inside run ``repeat`` times."""
        self._block = (name, repeat)
        yield
        self._block = ("", 1)

    def op(
        self,
        kind: str,
        name: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        attrs: Mapping[str, Attr],
        *,
        epilogue: Sequence[str] = (),
        source: str = "",
        layouts: Mapping[str, Layout] | None = None,
    ) -> None:
        """Add an op; layouts whose turns change nothing are left out."""
        turned = {
            operand: tuple(turn for turn in turns if _moves(*turn))
            for operand, turns in (layouts or {}).items()
        }
        block, repeat = self._block
        self.ops.append(
            Op(
                name,
                kind,
                tuple(inputs),
                tuple(outputs),
                attrs,
                tuple(epilogue),
                repeat,
                block,
                source,
                {operand: turns for operand, turns in turned.items() if turns},
            )
        )

    def vector(
        self,
        function: str,
        name: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        elements: int,
        *,
        epilogue: Sequence[str] = (),
        source: str = "",
    ) -> None:
        """Add lane operations: passes of the function and its epilogue over so many elements."""
        work = elements * sum(VECTOR_PASSES[f] for f in (function, *epilogue))
        attrs: dict[str, Attr] = {"function": function, "work": work}
        self.op("vector", name, inputs, outputs, attrs, epilogue=epilogue, source=source)

    def build(self) -> Trace:
        """Return the trace; products that write narrow integers are requantised on the way out."""
        ops = tuple(self._requantised(op) for op in self.ops)
        used = {name for op in ops for name in (*op.inputs, *op.outputs)}
        tensors = {name: t for name, t in self.tensors.items() if name in used}
        return Trace(self.name, tensors, ops, tuple(self.notes), self.unsupported, self.source)

    def _requantised(self, op: Op) -> Op:
        """Return a product with its accumulators brought to the type that it writes."""
        if op.kind not in ("gemm", "conv") or op.epilogue[-1:] in (("requantise",), ("cast",)):
            return op
        written = self.tensors[op.outputs[0]].dtype
        if written in NARROW:
            return replace(op, epilogue=(*op.epilogue, "requantise"))
        integers = all(self.tensors[name].dtype in NARROW for name in op.inputs[:2])
        if integers and written in FLOATS:
            return replace(op, epilogue=(*op.epilogue, "cast"))
        return op


def _moves(shape: Sequence[int], order: Sequence[int]) -> bool:
    """Return whether an order of axes moves elements: not if only axes of one change places."""
    kept = [axis for axis in order if shape[axis] > 1]
    return kept != sorted(kept)
