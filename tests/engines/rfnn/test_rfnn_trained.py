"""The command that trains what ships, and networks for other images."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from archsim.engines.rfnn import images, network, trained
from archsim.engines.rfnn.network import VARIANTS, Variant, network_of, read


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["trained", *arguments])
    return trained.main()


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train for an epoch."""
    whole = trained.recipe
    monkeypatch.setattr(trained, "recipe", lambda variant: replace(whole(variant), epochs=1))


@pytest.mark.usefixtures("brief")
def test_what_is_trained_joins_what_lies_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Variant("nominal", "ttm", 2, "iq"), Variant("sam", "ttm", 2, "iq")
    for variant in (first, second):
        assert run(monkeypatch, "--only", variant.name, "-o", str(tmp_path)) == 0
    made = json.loads((tmp_path / network.PROVENANCE).read_text("utf-8"))
    assert list(made["accuracy_percent"]) == [first.name, second.name]
    with np.load(tmp_path / network.WEIGHTS) as kept, np.load(tmp_path / network.IMAGES) as test:
        pixels = test["pixels"] / images.DIGIT_MOST
        for variant in (first, second):
            net = network_of(kept, "kept", f"{variant.name}/")
            found = net.accuracy_percent(pixels, test["labels"])
            assert found == pytest.approx(made["accuracy_percent"][variant.name], abs=0.01)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        (network.PROVENANCE, network.WEIGHTS, network.IMAGES)
    )


def test_a_network_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "net.npz"
    options = "--images digits --epochs 1 --hidden 8 6 --form tt3 --rank 2 --readout mag".split()
    assert run(monkeypatch, *options, "-o", str(file)) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("digits: ") and said[0].endswith(" of 450 images, without errors")
    assert [line.split(":")[0] for line in said[1:]] == [
        "  2 deg", "  4 deg", "  8 deg", "  12 deg", "  4 bits", "  6 bits", "  8 bits",
    ]  # fmt: skip
    assert [w.shape for w in read(file).weights] == [(8, 64), (6, 8), (10, 6)]


def test_refusals_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--images", "imagenet") == 2
    assert capsys.readouterr().err == (
        "error: images: must be one of digits, mnist=FOLDER, cifar10=FOLDER, not 'imagenet'\n"
    )
    with pytest.raises(SystemExit):
        run(monkeypatch, "--rank", "0")
    text = "argument --rank: must be a whole number of 1 or more, not '0'"
    assert text in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run(monkeypatch, "--rate", "nan")
    assert "argument --rate: must be a number above zero, not 'nan'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--hidden", "32"], "--hidden: is for a network of your own; name its images: --images"),
        (["--sigma-deg", "3"], "--sigma-deg: is for a network of your own; name its images"),
        (["--only", "nominal-full"], "--only: must be among full_iq_nominal, "),
        (["--only", VARIANTS[0].name, "--images", "digits"], "--only: is for the networks that"),
        (["--images", "digits", "-o", "no/x.npz"], "-o no/x.npz: must be a file in a folder that"),
        (["-o", "no"], "-o no: must be a folder that exists"),
    ],
)
def test_nothing_is_trained_for_nothing(
    arguments: list[str], text: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for name in ("ship", "train"):
        monkeypatch.delattr(trained, name)
    assert run(monkeypatch, *arguments) == 2
    assert capsys.readouterr().err.startswith(f"error: {text}")
