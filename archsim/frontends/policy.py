"""Number formats of a trace: what a float model's tensors become on the accelerator."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from archsim.design import Design
from archsim.engines import discover
from archsim.frontends.options import Options
from archsim.trace import DTYPE_BITS, Op

FLOATS = frozenset({"fp8", "bf16", "fp16", "fp32", "fp64"})
DEFAULT = "int8"
_TARGETS = ("int4", "int8", "int16", "fp8", "bf16", "fp16", "fp32")


@dataclass(frozen=True, slots=True)
class Policy:
    """How float tensors are stored.

    Parameters
    ----------
    target
        The type that every float weight and activation takes, or ``keep`` for the model's own.
        Integer types imply 32-bit accumulation and biases, and a requantisation on the way out.
    """

    target: str = "int8"

    @classmethod
    def take(cls, options: Options) -> Policy:
        return cls(options.choice("dtype", ("keep", *_TARGETS), options.native_dtype))

    @property
    def integer(self) -> bool:
        return self.target.startswith("int")

    def dtype(self, own: str) -> str:
        """Return the type of a tensor whose own type is given; integers and bools keep theirs."""
        return self.target if own in FLOATS and self.target != "keep" else own

    def bias_dtype(self, own: str) -> str:
        """Return the type of a value that is added to accumulators."""
        return "int32" if self.integer and own in FLOATS else self.dtype(own)

    @property
    def note(self) -> str:
        if self.target == "keep":
            return "number formats are the model's own"
        if self.integer:
            return (
                f"float weights and activations become {self.target} (post-training quantisation "
                "assumed, accuracy not modelled); products accumulate in int32 and are requantised "
                "on the way out; biases are int32"
            )
        if self.target == "bf16":
            return (
                "float weights and activations become bf16, rounded to nearest even (accuracy not "
                "modelled); products accumulate in fp32 and are rounded to bf16 on the way out"
            )
        return f"float weights and activations become {self.target}"


def product_formats(design: Design) -> dict[str, frozenset[str] | None]:
    """Return the number formats of each engine that multiplies matrices; None is any."""
    product = Op("product", "gemm", (), (), {"m": 1, "n": 1, "k": 1, "groups": 1})
    found = {}
    for name, spec in design.engines.items():
        engine = discover()[getattr(spec, "kind", "")]
        if engine.accepts(spec, product) is True:
            found[name] = engine.dtypes(spec) if engine.dtypes else None
    return found


def native_dtype(formats: Iterable[Collection[str] | None]) -> str:
    """Return the number format for a float model: the widest that all of a design's engines take.

    Parameters
    ----------
    formats
        Of each engine that multiplies matrices, the formats of its operands; None is any.
    """
    every = list(formats)
    if not every or None in every:
        return DEFAULT
    common = [name for name in _TARGETS if all(name in (own or ()) for own in every)]
    return max(common, key=lambda name: DTYPE_BITS[name], default=DEFAULT)
