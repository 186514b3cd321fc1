"""A network on drawn devices: 1,000 devices judge 10,000 images, beside the products alone.

The products alone are what nothing can do without: of every device the real products of all images
with the matrices of both layers, in the same parts, by the same BLAS, into the same buffers. Where
outputs are read by their real parts, imaginary parts of weights are not multiplied; magnitudes need
both. What comes on top is drawing phases, making matrices of meshes, what stands between layers,
and counting. Everything runs on one core.

At most twice the products is promised of the default design's meshes. With meshes of 64 modes,
making the matrices alone takes about as long as the products of real parts: 64 waves pass 4,032
cells for the first layer, and ten for the second, at about a tenth of a matrix product's rate.
"""

from __future__ import annotations

import os

os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))  # before numpy

from collections.abc import Callable
from typing import get_args

import numpy as np
from calibrate import Figure, least_s, show

from archsim.engines.rfnn.monte_carlo import Errors, Hardware, Judge, accuracies_percent, put
from archsim.engines.rfnn.network import NAME, Variant, judged, shipped
from archsim.engines.rfnn.spec import Readout, RfnnSpec

DEVICES, IMAGES = 1_000, 10_000
ERRORS = Errors(phase_bits=6, sigma_rad=float(np.radians(1.5)))
RATIO = 2.0


def floor(readout: Readout, judge: Judge, devices: int) -> Callable[[], None]:
    """Return the products of so many devices."""
    weights = shipped(Variant("nominal", "full", 0, readout)).weights
    planes = [
        np.concatenate((w.real, w.imag)) if readout == "mag" else np.ascontiguousarray(w.real)
        for w in weights
    ]
    n = judge.parts[0].shape[1]
    hidden, outputs = (np.empty((len(plane), n), np.float32) for plane in planes)

    def products() -> None:
        for _ in range(devices):
            for part in judge.parts:
                np.matmul(planes[0], part, out=hidden)
                np.matmul(planes[1], hidden[:64], out=outputs)

    return products


def measure(readout: Readout, modes: int, judge: Judge, devices: int, runs: int) -> Figure:
    programmed = put(shipped(Variant("nominal", "full", 0, readout)), Hardware(modes))
    whole_s, products_s = least_s(
        lambda: accuracies_percent(programmed, ERRORS, judge, devices),
        floor(readout, judge, devices),
        runs=runs,
    )
    aimed = (readout, modes) == (RfnnSpec().readout, RfnnSpec().modes)
    return Figure(
        f"{NAME}, {readout}, meshes of {modes} modes: {devices:,} devices x {IMAGES:,} images",
        whole_s / products_s, "times the products alone",
        f"<= {RATIO:g}" if aimed else "", whole_s <= RATIO * products_s if aimed else None,
        f"{1e3 * whole_s / devices:.2f} and {1e3 * products_s / devices:.2f} ms a device",
    )  # fmt: skip


def main() -> None:
    images, labels = judged()
    judge = Judge(np.resize(images, (IMAGES, images.shape[1])), np.resize(labels, IMAGES))
    figures = [measure(RfnnSpec().readout, RfnnSpec().modes, judge, DEVICES, runs=3)]
    figures += [measure(readout, 64, judge, DEVICES // 10, runs=3) for readout in get_args(Readout)]
    show(figures)


if __name__ == "__main__":
    main()
