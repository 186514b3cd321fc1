"""GPT-2 (124 M parameters): the prompt at once, or one token over a cache of keys and values."""

from __future__ import annotations

from archsim.frontends.options import Options
from archsim.frontends.zoo.layers import Layers

_WIDTH, _HEADS, _BLOCKS = 768, 12, 12
_VOCABULARY, _POSITIONS = 50257, 1024


def _prefill(net: Layers, options: Options) -> None:
    batch = options.count("batch", 1)
    seq = options.count("seq", 1024, most=_POSITIONS)
    x, words = _embed(net, batch, seq)
    with net.block("decoder", _BLOCKS):
        y = net.layer_norm("decoder.norm1", x)
        y = net.attention("decoder.attention", y, _HEADS, mask="causal")
        x = _mlp(net, y, x)
    x = net.layer_norm("norm", x)
    if seq > 1:
        (x,) = net.move("slice", "last_token", (x,), (batch, 1, _WIDTH))
    net.linear("head", x, _VOCABULARY, weight=words, bias=False, role="output")
    net.notes.append("causal attention computes the full square of scores, masked half included")
    net.notes.append("logits are computed for the last token only; keys and values are not kept")


def _decode(net: Layers, options: Options) -> None:
    """Add one token that attends to ``kv`` keys, its own included."""
    batch = options.count("batch", 1)
    kv = options.count("kv", 1024, most=_POSITIONS)
    x, words = _embed(net, batch, 1)
    with net.block("decoder", _BLOCKS):
        y = net.layer_norm("decoder.norm1", x)
        y = _cached_attention(net, "decoder.attention", y, kv)
        x = _mlp(net, y, x)
    x = net.layer_norm("norm", x)
    net.linear("head", x, _VOCABULARY, weight=words, bias=False, role="output")
    net.notes.append("the cache is read as the second operand of both attention products")


def _embed(net: Layers, batch: int, tokens: int) -> tuple[str, str]:
    """Return the embedded tokens and the table of words, which the head shares."""
    ids = net.tensor("input_ids", (batch, tokens), "input", "int32")
    words = net.tensor("wte", (_VOCABULARY, _WIDTH), "weight")
    (x,) = net.move("gather", "embeddings.word", (words, ids), (batch, tokens, _WIDTH))
    table = net.tensor("wpe", (_POSITIONS, _WIDTH), "weight")
    (position,) = net.move("slice", "embeddings.position", (table,), (1, tokens, _WIDTH))
    return net.add("embeddings.add", x, position), words


def _cached_attention(net: Layers, name: str, x: str, kv: int) -> str:
    batch, _, features = net.shape(x)
    size = features // _HEADS
    row, cache = (batch, _HEADS, 1, size), (batch, _HEADS, kv, size)
    qkv = net.linear(f"{name}.qkv", x, 3 * features)
    (q,) = net.move("slice", f"{name}.query", (qkv,), row)
    net.move("cache_write", f"{name}.cache", (qkv,), row, row, role="output")
    keys = net.tensor(f"{name}.key_cache", cache, "input")
    values = net.tensor(f"{name}.value_cache", cache, "input")
    scores = net.matmul(f"{name}.scores", q, keys, kv, scale=True)
    weights = net.softmax(f"{name}.softmax", scores)
    # the heads of one token lie in order already
    return net.matmul(f"{name}.context", weights, values, size, shape=(batch, 1, features))


def _mlp(net: Layers, y: str, x: str) -> str:
    """Project attention's ``y``, add the residual ``x``, then norm and the two wide layers."""
    y = net.linear("decoder.attention.proj", y, _WIDTH)
    x = net.add("decoder.add1", y, x)
    y = net.layer_norm("decoder.norm2", x)
    y = net.linear("decoder.mlp.fc", y, 4 * _WIDTH, activation="gelu")
    y = net.linear("decoder.mlp.proj", y, _WIDTH)
    return net.add("decoder.add2", y, x)


MODELS = {"gpt2_prefill": _prefill, "gpt2_decode": _decode}
