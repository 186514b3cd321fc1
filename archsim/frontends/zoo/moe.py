"""Decoders whose tokens choose experts, as Mixtral 8x7B has them.

The shape is that of the published configuration (Jiang et al., 2024, arXiv:2401.04088, table 1).

Which experts are touched depends on values; here it is a stated rule. One token touches ``top_k``
experts, exactly. Of T tokens each chooses ``top_k`` of E experts evenly and independently, so
``E (1 - (1 - top_k / E)^T)`` are touched in expectation; it is rounded. Tokens lie on the touched
experts as evenly as whole tokens can.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from archsim.frontends.options import Options
from archsim.frontends.zoo.layers import Layers
from archsim.frontends.zoo.llama import Decoder, add_decoder, sizes

SHAPES: Mapping[str, Decoder] = {
    "mixtral_8x7b": Decoder(32, 4096, 32, 8, 14336, 32000, experts=8, top_k=2),
}


def touched(tokens: int, experts: int, top_k: int) -> int:
    """Return how many distinct experts so many tokens are expected to choose, rounded."""
    expected = experts * (1 - (1 - top_k / experts) ** tokens)
    return min(experts, tokens * top_k, max(top_k, round(expected)))


def _feed_forward(net: Layers, size: Decoder, x: str) -> str:
    """Route tokens to experts: one product a touched expert, its tokens being the rows."""
    name = "decoder.moe"
    *rows, hidden = net.shape(x)
    tokens = prod(rows)
    scores = net.linear(f"{name}.router", x, size.experts, bias=False)
    weights = net.softmax(f"{name}.softmax", scores)
    chosen = net.tensor(f"{name}.top_k.out", (*rows, size.top_k))
    compared = tokens * size.experts * size.top_k  # one pass for each of the best
    net.vector("max", f"{name}.top_k", (weights,), (chosen,), compared)
    count = touched(tokens, size.experts, size.top_k)
    least, more = divmod(tokens * size.top_k, count)
    parts = [(n, m) for n, m in ((more, least + 1), (count - more, least)) if n]
    shapes = [(n, m, hidden) for n, m in parts]
    gathered = net.move("gather", f"{name}.dispatch", (x, chosen), *shapes)
    outs = [_expert(net, f"{name}.experts{i or ''}", part, size)
            for i, part in enumerate(gathered)]  # fmt: skip
    out = net.tensor(f"{name}.combine.out", net.shape(x))
    work = tokens * size.top_k * hidden  # times its weight, and added to the others
    net.vector("mul", f"{name}.combine", (*outs, chosen), (out,), work, epilogue=("add",))
    spread = " and ".join(f"{n} with {m:,} tokens" for n, m in parts)
    rule = "exactly" if tokens == 1 else "in expectation, each token choosing evenly"
    net.notes.append(
        f"{count} of {size.experts} experts a layer are touched ({rule}), {spread} each: as even "
        "as can be, which is an assumption; weights count the touched experts"
    )
    return out


def _expert(net: Layers, name: str, x: str, size: Decoder) -> str:
    """Add the gated layer of several experts [experts, tokens, hidden], each its own weights."""
    experts, tokens, hidden = net.shape(x)

    def product(part: str, y: str, features: int, activation: str = "") -> str:
        k = net.shape(y)[-1]
        weight = net.tensor(f"{name}.{part}.weight", (experts, k, features), "weight")
        out = net.tensor(f"{name}.{part}.out", (experts, tokens, features))
        attrs = {"m": tokens, "n": features, "k": k, "groups": experts}
        epilogue = (activation,) if activation else ()
        net.op("gemm", f"{name}.{part}", (y, weight), (out,), attrs, epilogue=epilogue)
        return out

    gate = product("gate", x, size.ffn, "silu")
    y = net.mul(f"{name}.mul", gate, product("up", x, size.ffn))
    return product("down", y, hidden)


def _decode(net: Layers, options: Options) -> None:
    size = sizes(options, SHAPES, experts=True)
    add_decoder(net, options, size, _feed_forward, prefill=False)


def _prefill(net: Layers, options: Options) -> None:
    size = sizes(options, SHAPES, experts=True)
    add_decoder(net, options, size, _feed_forward, prefill=True)


MODELS = {"moe_decode": _decode, "moe_prefill": _prefill}
