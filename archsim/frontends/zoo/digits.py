"""A network small enough for a board: 8 x 8 pixels of a digit, one hidden layer, ten classes."""

from __future__ import annotations

from archsim.frontends.options import Options
from archsim.frontends.zoo.layers import Layers

_PIXELS, _HIDDEN, _CLASSES = 64, 64, 10


def _digits(net: Layers, options: Options) -> None:
    x = net.tensor("pixels", (options.count("batch", 1), _PIXELS), "input")
    x = net.linear("hidden", x, _HIDDEN, activation="relu", bias=False)
    net.linear("classes", x, _CLASSES, bias=False, role="output")


MODELS = {"digits_64_64_10": _digits}
