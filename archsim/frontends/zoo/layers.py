"""Layers that the zoo's models are written in; each adds its ops and returns its output's name."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from archsim.frontends.builder import TraceBuilder
from archsim.trace import Role, conv_output


class Layers(TraceBuilder):
    """A trace in the making, of [batch, channels, rows, columns] or [..., features] tensors."""

    def shape(self, x: str) -> tuple[int, ...]:
        return self.tensors[x].shape

    def conv(
        self,
        name: str,
        x: str,
        filters: int,
        kernel: int,
        *,
        stride: int = 1,
        pad: int = 0,
        groups: int = 1,
        activation: str = "",
    ) -> str:
        """Add a square convolution with a bias (of its own, or its folded batch norm's)."""
        batch, channels, height, width = self.shape(x)
        weight = self.tensor(
            f"{name}.weight", (filters, channels // groups, kernel, kernel), "weight"
        )
        bias = self.bias(f"{name}.bias", filters)
        out = f"{name}.out"
        self.op(
            "conv",
            name,
            (x, weight, bias),
            (out,),
            {
                "batch": batch, "channels": channels, "height": height, "width": width,
                "filters": filters, "kernel": (kernel, kernel), "stride": (stride, stride),
                "pad": (pad,) * 4, "dilation": (1, 1), "groups": groups,
            },
            epilogue=("bias", activation) if activation else ("bias",),
        )  # fmt: skip
        return self.tensor(out, (batch, filters, *conv_output(self.ops[-1])))

    def linear(
        self,
        name: str,
        x: str,
        features: int,
        *,
        activation: str = "",
        weight: str = "",
        bias: bool = True,
        role: Role = "activation",
    ) -> str:
        """Add ``x W + b`` over the last axis; ``weight`` names one that stands already."""
        *rows, k = self.shape(x)
        inputs = [x, weight or self.tensor(f"{name}.weight", (k, features), "weight")]
        if bias:
            inputs.append(self.bias(f"{name}.bias", features))
        out = self.tensor(f"{name}.out", (*rows, features), role)
        self.op(
            "gemm",
            name,
            inputs,
            (out,),
            {"m": prod(rows), "n": features, "k": k, "groups": 1},
            epilogue=("bias",) * bias + ((activation,) if activation else ()),
        )
        return out

    def matmul(
        self,
        name: str,
        a: str,
        b: str,
        n: int,
        *,
        scale: bool = False,
        shape: tuple[int, ...] | None = None,
    ) -> str:
        """Add one product per leading index of ``a`` [..., m, k]; ``b`` holds [..., k, n].

        ``shape`` names the output's elements anew, where that moves none.
        """
        *groups, m, k = self.shape(a)
        out = self.tensor(f"{name}.out", shape or (*groups, m, n))
        attrs = {"m": m, "n": n, "k": k, "groups": prod(groups)}
        self.op("gemm", name, (a, b), (out,), attrs, epilogue=("scale",) * scale)
        return out

    def add(self, name: str, x: str, y: str, *, activation: str = "") -> str:
        """Add two activations, the second broadcast."""
        out = self.tensor(f"{name}.out", self.shape(x))
        epilogue = (activation,) if activation else ()
        self.vector("add", name, (x, y), (out,), prod(self.shape(x)), epilogue=epilogue)
        return out

    def layer_norm(self, name: str, x: str) -> str:
        features = self.shape(x)[-1]
        gamma = self.tensor(f"{name}.weight", (features,), "weight")
        beta = self.tensor(f"{name}.bias", (features,), "weight")
        out = self.tensor(f"{name}.out", self.shape(x))
        self.vector("layer_norm", name, (x, gamma, beta), (out,), prod(self.shape(x)))
        return out

    def rms_norm(self, name: str, x: str) -> str:
        gamma = self.tensor(f"{name}.weight", (self.shape(x)[-1],), "weight")
        out = self.tensor(f"{name}.out", self.shape(x))
        self.vector("rms_norm", name, (x, gamma), (out,), prod(self.shape(x)))
        return out

    def rotate(self, name: str, x: str, tables: Sequence[str]) -> str:
        """Turn pairs of features by their positions: ``x cos + swapped(x) sin``.

        Halves are swapped by address.
        """
        out = self.tensor(f"{name}.out", self.shape(x))
        elements = prod(self.shape(x))
        self.vector("mul", name, (x, *tables), (out,), elements, epilogue=("mul", "add"))
        return out

    def mul(self, name: str, x: str, y: str) -> str:
        out = self.tensor(f"{name}.out", self.shape(x))
        self.vector("mul", name, (x, y), (out,), prod(self.shape(x)))
        return out

    def softmax(self, name: str, x: str, *, mask: str = "") -> str:
        """Add a softmax over the last axis; ``causal`` masks it without a tensor."""
        out = self.tensor(f"{name}.out", self.shape(x))
        inputs = (x, mask) if mask not in ("", "causal") else (x,)
        self.vector(
            "masked_softmax" if mask else "softmax", name, inputs, (out,), prod(self.shape(x))
        )
        return out

    def max_pool(self, name: str, x: str, kernel: int, *, stride: int, pad: int) -> str:
        *outer, height, width = self.shape(x)
        inner = ((extent + 2 * pad - kernel) // stride + 1 for extent in (height, width))
        out = self.tensor(f"{name}.out", (*outer, *inner))
        self.vector("max_pool", name, (x,), (out,), prod(self.shape(out)) * kernel**2)
        return out

    def global_average_pool(self, name: str, x: str) -> str:
        out = self.tensor(f"{name}.out", self.shape(x)[:2])
        self.vector("global_average_pool", name, (x,), (out,), prod(self.shape(x)))
        return out

    def move(
        self,
        function: str,
        name: str,
        inputs: Sequence[str],
        *shapes: tuple[int, ...],
        role: Role = "activation",
    ) -> tuple[str, ...]:
        """Add a rearrangement into tensors of the given shapes and return their names."""
        outs = tuple(
            self.tensor(f"{name}.out{i if len(shapes) > 1 else ''}", shape, role)
            for i, shape in enumerate(shapes)
        )
        self.op("move", name, inputs, outs, {"function": function})
        return outs

    def attention(self, name: str, x: str, heads: int, *, mask: str = "") -> str:
        """Add self-attention over ``x`` [batch, tokens, features], without its last projection."""
        batch, tokens, features = self.shape(x)
        size = features // heads
        qkv = self.linear(f"{name}.qkv", x, 3 * features)
        split = (batch, heads, tokens, size)
        q, k, v = self.move("transpose", f"{name}.split_heads", (qkv,), split, split, split)
        scores = self.matmul(f"{name}.scores", q, k, tokens, scale=True)
        weights = self.softmax(f"{name}.softmax", scores, mask=mask)
        context = self.matmul(f"{name}.context", weights, v, size)
        return self.move("transpose", f"{name}.merge_heads", (context,), (batch, tokens, features))[
            0
        ]
