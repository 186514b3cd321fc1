"""Operands of the power study: int8 values of a small trained network, and normal ones beside them.

``python -m archsim.reproduce.tpe_study.operands`` trains the network again and rewrites the file
(extra ``study``). It has two convolutions of 3 x 3 with 16 and 32 channels, each with a ReLU, and
a linear classifier, and reads scikit-learn's images of digits (8 x 8, 10 classes). What is kept are
slices of the second convolution's product: rows of its input, tap by tap, and columns of its
weights, each tensor quantised by its largest magnitude to -127 .. 127, nearest even.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from archsim.reproduce.tpe_study.drive import BITS, Operands

FILE = "operands.npz"
RUNS, SUMS, K = 64, 2, 128
SEED = 1
SIGMA = 25.0  # of the normal operands: the paper's NumPP is that of normal numbers

DESCRIPTIONS: Mapping[str, str] = {
    "network": (
        "int8 activations (after ReLU) and weights of the second convolution of a CNN trained on "
        "scikit-learn's digits; activations are the encoded operand"
    ),
    "normal": f"normal, sigma {SIGMA:g} of 8 bits, rounded",
}


def stimuli() -> Mapping[str, Operands]:
    """Return the operands by name."""
    with (files("archsim.reproduce.tpe_study") / FILE).open("rb") as file, np.load(file) as kept:
        network = Operands(kept["a"].astype(np.int64), kept["b"].astype(np.int64))
    rng = np.random.default_rng(SEED)
    top = 1 << BITS - 1
    a, b = (
        np.clip(np.round(rng.normal(0.0, SIGMA, (RUNS, SUMS, K))), -top, top - 1).astype(np.int64)
        for _ in range(2)
    )
    return {"network": network, "normal": Operands(a, b)}


def quantised(values: Any) -> Any:
    """Return a tensor as int8 by its largest magnitude."""
    return np.round(values * (127.0 / np.abs(values).max())).astype(np.int8)


def main() -> None:
    """Train the network and write what is kept of it."""
    import torch  # noqa: PLC0415 (extras, for this alone)
    from sklearn.datasets import load_digits  # noqa: PLC0415
    from torch import nn  # noqa: PLC0415

    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    digits = load_digits()
    images = torch.tensor(digits.images[:, None] / 16.0, dtype=torch.float32)
    labels = torch.tensor(digits.target)
    test = torch.arange(len(images)) % 5 == 0
    first, second = nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 32, 3)
    network = nn.Sequential(
        first, nn.ReLU(), second, nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(32 * 9, 10)
    )
    optimiser = torch.optim.Adam(network.parameters(), 2e-3)
    for _ in range(30):
        for batch in torch.randperm(int((~test).sum())).split(64):
            loss = nn.functional.cross_entropy(network(images[~test][batch]), labels[~test][batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    with torch.no_grad():
        right = (network(images[test]).argmax(1) == labels[test]).float().mean()
        rows = nn.functional.unfold(torch.relu(first(images[test])), 3).transpose(1, 2)
    print(f"accuracy {right:.3f} on {int(test.sum())} images that it was not trained on")
    a = quantised(rows.reshape(-1, rows.shape[-1]).numpy())
    b = quantised(second.weight.detach().reshape(32, -1).numpy())
    rng = np.random.default_rng(SEED)
    kept_rows = rng.choice(len(a), RUNS * SUMS, replace=False)
    columns = rng.integers(0, len(b), RUNS * SUMS)
    shape = (RUNS, SUMS, K)
    np.savez_compressed(
        Path(__file__).with_name(FILE),
        a=a[kept_rows, :K].reshape(shape), b=b[columns, :K].reshape(shape),
    )  # fmt: skip


if __name__ == "__main__":
    main()
