"""digits_64_64_10: 8 x 8 digits through 64 hidden units to 10 classes, without biases.

Its trained weights come with the RF engine, which judges designs by their accuracy. Where the
readout gives magnitudes, those stand for the ReLU.
"""

from __future__ import annotations

from archsim.frontends.options import Options
from archsim.frontends.zoo.layers import Layers

TRAININGS = ("nominal", "noise", "sam")  # see archsim.engines.rfnn.training


def _digits(net: Layers, options: Options) -> None:
    options.choice("training", TRAININGS, TRAININGS[0])
    batch = options.count("batch", 1)
    x = net.tensor("pixels", (batch, 64), "input")
    x = net.linear("hidden", x, 64, activation="relu", bias=False)
    net.linear("classes", x, 10, bias=False, role="output")


MODELS = {"digits_64_64_10": _digits}
