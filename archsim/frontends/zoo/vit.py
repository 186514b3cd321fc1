"""ViT-B/16: a transformer encoder over patches of 16x16 pixels and one class token."""

from __future__ import annotations

from archsim.errors import InputError
from archsim.frontends.options import Options
from archsim.frontends.zoo.layers import Layers

_WIDTH, _HEADS, _BLOCKS, _PATCH = 768, 12, 12, 16


def _vit_b16(net: Layers, options: Options) -> None:
    batch = options.count("batch", 1)
    image = options.count("image", 224, least=_PATCH, most=2048)
    if image % _PATCH:
        raise InputError(f"{options.where}: image", f"must be a multiple of {_PATCH}", image)
    x = net.tensor("image", (batch, 3, image, image), "input")
    x = net.conv("patches", x, _WIDTH, _PATCH, stride=_PATCH)
    tokens = (image // _PATCH) ** 2 + 1
    token = net.tensor("class_token", (1, 1, _WIDTH), "weight")
    (x,) = net.move("concat", "tokens", (token, x), (batch, tokens, _WIDTH))
    position = net.tensor("position_embedding", (1, tokens, _WIDTH), "weight")
    x = net.add("embeddings", x, position)
    with net.block("encoder", _BLOCKS):
        x = _encoder_block(net, x)
    x = net.layer_norm("norm", x)
    (x,) = net.move("slice", "class", (x,), (batch, _WIDTH))
    net.linear("head", x, 1000, role="output")


def _encoder_block(net: Layers, x: str) -> str:
    """Norms stand before attention and before the two wide layers."""
    y = net.layer_norm("encoder.norm1", x)
    y = net.attention("encoder.attention", y, _HEADS)
    y = net.linear("encoder.attention.proj", y, _WIDTH)
    x = net.add("encoder.add1", y, x)
    y = net.layer_norm("encoder.norm2", x)
    y = net.linear("encoder.mlp.fc1", y, 4 * _WIDTH, activation="gelu")
    y = net.linear("encoder.mlp.fc2", y, _WIDTH)
    return net.add("encoder.add2", y, x)


MODELS = {"vit_b16": _vit_b16}
