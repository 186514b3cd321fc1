"""BERT-base, uncased: embeddings, twelve encoder blocks, pooler."""

from __future__ import annotations

from archsim.frontends.options import Options
from archsim.frontends.zoo.layers import Layers

_WIDTH, _HEADS, _BLOCKS = 768, 12, 12
_VOCABULARY, _POSITIONS, _TYPES = 30522, 512, 2


def _bert_base(net: Layers, options: Options) -> None:
    batch = options.count("batch", 1)
    seq = options.count("seq", 128, most=_POSITIONS)
    hidden = (batch, seq, _WIDTH)
    ids = net.tensor("input_ids", (batch, seq), "input", "int32")
    types = net.tensor("token_type_ids", (batch, seq), "input", "int32")
    mask = net.tensor("attention_mask", (batch, 1, 1, seq), "input")
    table = net.tensor("embeddings.word.weight", (_VOCABULARY, _WIDTH), "weight")
    (x,) = net.move("gather", "embeddings.word", (table, ids), hidden)
    table = net.tensor("embeddings.position.weight", (_POSITIONS, _WIDTH), "weight")
    (position,) = net.move("slice", "embeddings.position", (table,), (1, seq, _WIDTH))
    table = net.tensor("embeddings.type.weight", (_TYPES, _WIDTH), "weight")
    (kind,) = net.move("gather", "embeddings.type", (table, types), hidden)
    x = net.add("embeddings.add_type", x, kind)
    x = net.add("embeddings.add_position", x, position)
    x = net.layer_norm("embeddings.norm", x)
    with net.block("encoder", _BLOCKS):
        x = _encoder_block(net, x, mask)
    (x,) = net.move("slice", "pooler.first", (x,), (batch, _WIDTH))
    net.linear("pooler", x, _WIDTH, activation="tanh", role="output")
    net.notes.append("the output is the pooled first token; hidden states are not written out")


def _encoder_block(net: Layers, x: str, mask: str) -> str:
    """Norms stand behind attention and behind the two wide layers."""
    y = net.attention("encoder.attention", x, _HEADS, mask=mask)
    y = net.linear("encoder.attention.output", y, _WIDTH)
    x = net.add("encoder.add1", y, x)
    x = net.layer_norm("encoder.norm1", x)
    y = net.linear("encoder.intermediate", x, 4 * _WIDTH, activation="gelu")
    y = net.linear("encoder.output", y, _WIDTH)
    x = net.add("encoder.add2", y, x)
    return net.layer_norm("encoder.norm2", x)


MODELS = {"bert_base": _bert_base}
