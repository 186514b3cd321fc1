"""Random unitaries."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def haar(modes: int, seed: int = 0) -> NDArray[np.complex128]:
    """Return a unitary, every one as likely as every other (Mezzadri, 2007)."""
    rng = np.random.default_rng(seed)
    q, r = np.linalg.qr(rng.normal(size=(modes, modes)) + 1j * rng.normal(size=(modes, modes)))
    diagonal = np.diagonal(r)
    return q * (diagonal / np.abs(diagonal))
