"""MobileNetV2 at width 1: inverted residuals with depthwise 3x3 convolutions."""

from __future__ import annotations

from archsim.frontends.options import Options
from archsim.frontends.zoo.layers import Layers

_STAGES = (  # expansion, filters, blocks, stride of the first
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
    (6, 320, 1, 1),
)  # fmt: skip


def _mobilenet_v2(net: Layers, options: Options) -> None:
    batch = options.count("batch", 1)
    image = options.count("image", 224, least=32, most=8192)
    x = net.tensor("image", (batch, 3, image, image), "input")
    x = net.conv("features.0", x, 32, 3, stride=2, pad=1, activation="clip")
    index = 1
    for expansion, filters, blocks, stride in _STAGES:
        for block in range(blocks):
            name = f"features.{index}"
            x = _inverted_residual(net, name, x, expansion, filters, 1 if block else stride)
            index += 1
    x = net.conv(f"features.{index}", x, 1280, 1, activation="clip")
    x = net.global_average_pool("avgpool", x)
    net.linear("classifier", x, 1000, role="output")


def _inverted_residual(
    net: Layers, name: str, x: str, expansion: int, filters: int, stride: int
) -> str:
    hidden = net.shape(x)[1] * expansion
    y = x
    if expansion > 1:
        y = net.conv(f"{name}.expand", y, hidden, 1, activation="clip")
    y = net.conv(
        f"{name}.depthwise", y, hidden, 3, stride=stride, pad=1, groups=hidden, activation="clip"
    )
    y = net.conv(f"{name}.project", y, filters, 1)
    return net.add(f"{name}.add", y, x) if net.shape(x) == net.shape(y) else y


MODELS = {"mobilenet_v2": _mobilenet_v2}
