"""Decoders as Llama has them: RMS norms, rotary positions, shared keys and values, gated layers.

Shapes are those of the models' published configurations: Llama 2 7B (Touvron et al., 2023,
arXiv:2307.09288; ``config.json`` of meta-llama/Llama-2-7b-hf), Llama 3 8B (Grattafiori et al.,
2024, arXiv:2407.21783, table 3; ``config.json`` of meta-llama/Meta-Llama-3-8B).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from archsim.errors import InputError
from archsim.frontends.options import Options
from archsim.frontends.zoo.layers import Layers


@dataclass(frozen=True, slots=True)
class Decoder:
    """Sizes of a decoder; ``experts`` is 1 where every token takes the one feed-forward layer."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    ffn: int
    vocabulary: int
    experts: int = 1
    top_k: int = 1

    @property
    def head(self) -> int:
        return self.hidden // self.heads


SHAPES: Mapping[str, Decoder] = {
    "llama2_7b": Decoder(32, 4096, 32, 32, 11008, 32000),
    "llama3_8b": Decoder(32, 4096, 32, 8, 14336, 128256),
}

FeedForward = Callable[[Layers, Decoder, str], str]


def sizes(options: Options, shapes: Mapping[str, Decoder], *, experts: bool = False) -> Decoder:
    """Take a decoder's sizes: those of a published shape, but for the keys that are given."""
    base = shapes[options.choice("shape", shapes, next(iter(shapes)))]
    found = Decoder(
        layers=options.count("layers", base.layers, most=4096),
        hidden=options.count("hidden", base.hidden),
        heads=options.count("heads", base.heads, most=4096),
        kv_heads=options.count("kv_heads", base.kv_heads, most=4096),
        ffn=options.count("ffn", base.ffn),
        vocabulary=options.count("vocabulary", base.vocabulary, most=1 << 24),
        experts=options.count("experts", base.experts, most=4096) if experts else 1,
        top_k=options.count("top_k", base.top_k, most=4096) if experts else 1,
    )
    for key, value, whole, of in (
        ("heads", found.heads, found.hidden, "hidden"),
        ("kv_heads", found.kv_heads, found.heads, "heads"),
    ):
        if whole % value:
            raise InputError(f"{options.where}: {key}", f"must divide {of} = {whole:,}", value)
    if found.top_k > found.experts:
        where = f"{options.where}: top_k"
        raise InputError(where, f"must be at most experts = {found.experts}", found.top_k)
    return found


def add_decoder(
    net: Layers, options: Options, size: Decoder, feed_forward: FeedForward, *, prefill: bool
) -> None:
    """Add a decoder over a prompt, or over one token and a cache of ``kv`` keys, its own included.

    ``feed_forward`` adds what follows the second norm.
    """
    batch = options.count("batch", 1)
    tokens = options.count("seq", 1024) if prefill else 1
    keys = tokens if prefill else options.count("kv", 1024)
    ids = net.tensor("input_ids", (batch, tokens), "input", "int32")
    words = net.tensor("embed_tokens.weight", (size.vocabulary, size.hidden), "weight")
    (x,) = net.move("gather", "embed_tokens", (words, ids), (batch, tokens, size.hidden))
    tables = tuple(net.tensor(f"rotary.{t}", (tokens, size.head), "input") for t in ("cos", "sin"))
    with net.block("decoder", size.layers):
        y = net.rms_norm("decoder.norm1", x)
        y = _attention(net, size, y, tables, keys, prefill=prefill)
        y = net.linear("decoder.attention.o", y, size.hidden, bias=False)
        x = net.add("decoder.add1", y, x)
        y = feed_forward(net, size, net.rms_norm("decoder.norm2", x))
        x = net.add("decoder.add2", y, x)
    x = net.rms_norm("norm", x)
    if tokens > 1:
        (x,) = net.move("slice", "last_token", (x,), (batch, 1, size.hidden))
    net.linear("lm_head", x, size.vocabulary, bias=False, role="output")
    if prefill:
        net.notes.append(
            "causal attention computes the full square of scores, masked half included"
        )
        net.notes.append("logits are computed for the last token only")
    else:
        net.notes.append("the cache is read as the second operand of both attention products")
    if size.kv_heads < size.heads:
        net.notes.append(
            f"{size.heads // size.kv_heads} query heads share each of {size.kv_heads} key and "
            "value heads, as rows of one product"
        )


def _attention(
    net: Layers, size: Decoder, x: str, tables: tuple[str, ...], keys: int, *, prefill: bool
) -> str:
    """Add attention without its last projection; heads that share keys are rows of a product."""
    name = "decoder.attention"
    batch, tokens, _ = net.shape(x)
    shared, head = size.kv_heads, size.head
    rows = (batch, shared, size.heads // shared * tokens, head)
    own = (batch, shared, tokens, head)
    width = (size.heads + 2 * shared) * head
    qkv = net.linear(f"{name}.qkv", x, width, bias=False)
    q, k, v = net.move("transpose", f"{name}.split_heads", (qkv,), rows, own, own)
    q, k = net.rotate(f"{name}.rotate_q", q, tables), net.rotate(f"{name}.rotate_k", k, tables)
    net.move("cache_write", f"{name}.cache", (k, v), own, own, role="output")
    if not prefill:
        cache = (batch, shared, keys, head)
        k = net.tensor(f"{name}.key_cache", cache, "input")
        v = net.tensor(f"{name}.value_cache", cache, "input")
    scores = net.matmul(f"{name}.scores", q, k, keys, scale=True)
    weights = net.softmax(f"{name}.softmax", scores, mask="causal" if prefill else "")
    if tokens == 1:  # the heads of one token lie in order already
        shape = (batch, 1, size.heads * head)
        return net.matmul(f"{name}.context", weights, v, head, shape=shape)
    context = net.matmul(f"{name}.context", weights, v, head)
    shape = (batch, tokens, size.heads * head)
    return net.move("transpose", f"{name}.merge_heads", (context,), shape)[0]


def gated(net: Layers, name: str, x: str, ffn: int, hidden: int) -> str:
    """Add ``W_down (silu(W_gate x) * W_up x)``."""
    gate = net.linear(f"{name}.gate", x, ffn, bias=False, activation="silu")
    up = net.linear(f"{name}.up", x, ffn, bias=False)
    y = net.mul(f"{name}.mul", gate, up)
    return net.linear(f"{name}.down", y, hidden, bias=False)


def _dense(net: Layers, size: Decoder, x: str) -> str:
    return gated(net, "decoder.mlp", x, size.ffn, size.hidden)


def _decode(net: Layers, options: Options) -> None:
    add_decoder(net, options, sizes(options, SHAPES), _dense, prefill=False)


def _prefill(net: Layers, options: Options) -> None:
    add_decoder(net, options, sizes(options, SHAPES), _dense, prefill=True)


MODELS = {"llama_decode": _decode, "llama_prefill": _prefill}
