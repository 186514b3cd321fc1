"""Networks: what ships is what was trained, and files that may be anything."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsim.engines.rfnn.network import (
    NAME,
    PACKAGE,
    PROVENANCE,
    VARIANTS,
    WIDTHS,
    Network,
    Variant,
    arrays_of,
    judged,
    network_of,
    read,
    scores,
    shipped,
)
from archsim.engines.rfnn.tensor_train import TensorTrain, decompose
from archsim.errors import InputError


def made() -> Any:
    return json.loads((files(PACKAGE) / PROVENANCE).read_text("utf-8"))


# ---------------------------------------------------------------------------------------- shipped


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v.name)
def test_shipped_weights_give_the_accuracy_that_is_said(variant: Variant) -> None:
    network = shipped(variant)
    assert [layer.form for layer in network.layers] == [variant.form] * 2
    assert [w.shape for w in network.weights] == [(64, 64), (10, 64)]
    assert max(max(layer.ranks, default=0) for layer in network.layers) == variant.rank
    found = network.accuracy_percent(*judged())
    # an image on the edge may fall to either side where sums are taken in another order
    assert found == pytest.approx(made()["accuracy_percent"][variant.name], abs=0.25)


def test_whole_networks_read_digits() -> None:
    assert NAME == "digits_" + "_".join(map(str, WIDTHS))
    for variant in VARIANTS:
        if variant.form == "full":
            assert shipped(variant).accuracy_percent(*judged()) > 97


def test_what_made_them_stands_beside_them() -> None:
    said = made()
    assert said["command"] == "python -m archsim.engines.rfnn.trained"
    assert set(said["versions"]) == {"Python", "numpy", "torch", "scikit-learn"}
    assert said["recipe"]["seed"] == 0 and said["recipe"]["epochs"] > 0
    assert set(said["accuracy_percent"]) == {v.name for v in VARIANTS}
    assert "CC BY 4.0" in said["images"]


# ---------------------------------------------------------------------------------------- scores


def test_readouts() -> None:
    first, second = np.array([[1.0, 1j], [-2.0, 0]]), np.array([[-3.0, 1j]])
    x = np.array([[2.0], [5.0]])
    assert scores("iq", [first, second], x).tolist() == [[-6.0]]  # ReLU of 2 and -4
    hidden = np.abs(first @ x)
    assert scores("mag", [first, second], x).tolist() == np.abs(second @ hidden).tolist()


# ---------------------------------------------------------------------------------------- files


@pytest.fixture
def network() -> Network:
    rng = np.random.default_rng(0)
    trains = [
        decompose(rng.normal(size=(12, 8)), "tt3", (3, 4), (2, 4), 2)[0],
        decompose(rng.normal(size=(4, 12)) * (1 + 1j), "ttm", (2, 2), (4, 3), 3)[0],
    ]
    return Network("mag", tuple(trains))


def test_networks_come_back_from_files(network: Network, tmp_path: Path) -> None:
    file = tmp_path / "net.npz"
    np.savez(file, allow_pickle=False, **arrays_of(network))
    again = read(file)
    assert again.readout == "mag"
    for a, b in zip(network.weights, again.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def without(arrays: dict[str, Any], **changed: Any) -> dict[str, Any]:
    given = {key.replace("_", "."): value for key, value in changed.items()}
    return {k: v for k, v in {**arrays, **given}.items() if v is not None}


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"readout": np.array("am")}, "f: readout: must be iq or mag, not 'am'"),
        ({"0_0": None, "1_0": None}, "f: must have layers, not ["),
        ({"0_0": np.zeros(3)}, ("f: layer 0: must have cores of 2, 3 or 4 axes, and whole numbers "
                               "as sides")),
        ({"0_inputs": np.array([2.0, 4.0])}, ("f: layer 0: must have cores of 2, 3 or 4 axes, and "
                                             "whole numbers as sides")),
        ({"0_inputs": np.array([2, 2, 2])}, ("f: layer 0: must be a chain of cores: 5 cores have 4 "
                                            "ranks of 1 or more, not [2, 2, 2]")),
        ({"0_inputs": np.array([0, 4])}, "f: layer 0: must have sides of 1 or more, not ((3, 4), "),
        ({"0_inputs": np.zeros(0, int)}, "f: layer 0: must have sides of 1 or more, not ((3, 4), "),
        ({"0_inputs": np.array([2, 5])}, "f: layer 0: must have cores of numbers, of shapes ["),
        ({"0_1": np.zeros((2, 4, 2), "S1")}, "f: layer 0: must have cores of numbers, of shapes ["),
        ({"0_1": np.full((2, 4, 2), np.nan)}, "f: layer 0: must have finite numbers"),
        ({"1_0": np.zeros((7, 11)), "1_1": None, "1_outputs": np.array([7]),
          "1_inputs": np.array([11])}, "f: a layer must take the 12 outputs before it, not 11"),
    ],
)  # fmt: skip
def test_files_of_something_else_are_refused(
    network: Network, changed: dict[str, Any], text: str
) -> None:
    with pytest.raises(InputError) as caught:
        network_of(without(arrays_of(network), **changed), "f")
    assert str(caught.value).startswith(text)


def test_whole_matrices_are_layers_too() -> None:
    layer = TensorTrain("full", (3,), (2,), (np.ones((3, 2)),))
    again = network_of(arrays_of(Network("iq", (layer,)), "x/"), "f", "x/")
    assert again.layers[0].form == "full" and again.weights[0].shape == (3, 2)
