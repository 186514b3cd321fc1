"""ResNet-50 v1.5: the stride of a stage stands in its first block's 3x3 convolution."""

from __future__ import annotations

from archsim.frontends.options import Options
from archsim.frontends.zoo.layers import Layers

_STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))  # width, blocks, stride


def _resnet50(net: Layers, options: Options) -> None:
    batch = options.count("batch", 1)
    image = options.count("image", 224, least=32, most=8192)
    x = net.tensor("image", (batch, 3, image, image), "input")
    x = net.conv("conv1", x, 64, 7, stride=2, pad=3, activation="relu")
    x = net.max_pool("maxpool", x, 3, stride=2, pad=1)
    for stage, (width, blocks, stride) in enumerate(_STAGES, start=1):
        for block in range(blocks):
            x = _bottleneck(net, f"layer{stage}.{block}", x, width, 1 if block else stride)
    x = net.global_average_pool("avgpool", x)
    net.linear("fc", x, 1000, role="output")


def _bottleneck(net: Layers, name: str, x: str, width: int, stride: int) -> str:
    y = net.conv(f"{name}.conv1", x, width, 1, activation="relu")
    y = net.conv(f"{name}.conv2", y, width, 3, stride=stride, pad=1, activation="relu")
    y = net.conv(f"{name}.conv3", y, 4 * width, 1)
    if net.shape(x) != net.shape(y):
        x = net.conv(f"{name}.downsample", x, 4 * width, 1, stride=stride)
    return net.add(f"{name}.add", y, x, activation="relu")


MODELS = {"resnet50": _resnet50}
