"""What is read of a mesh's outputs: quadratures or magnitudes, through detectors and converters.

Amplitudes are those of waves, 1 the largest that a port sends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines.rfnn.cell import Floats
from archsim.engines.rfnn.link import Detector

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Converter:
    """An ADC: signed codes of ``bits``, of which 2^(bits - 1) would be ``full_scale``."""

    bits: int = 12
    full_scale: float = 1.0

    @property
    def step(self) -> float:
        return self.full_scale / (1 << self.bits - 1)

    def codes(self, values: Any) -> Ints:
        """Return the nearest codes; values beyond the range saturate."""
        high = 1 << self.bits - 1
        nearest = np.rint(np.asarray(values) / self.step).clip(-high, high - 1)
        return np.asarray(nearest, np.int64)

    def read(self, values: Any) -> Floats:
        """Return values as their codes say."""
        return np.asarray(self.codes(values) * self.step, np.float64)


def quadratures(waves: Any) -> Floats:
    """Return what a pair of mixers gives of each wave, in phase and in quadrature: [..., 2]."""
    waves = np.asarray(waves)
    return np.stack([waves.real, waves.imag], axis=-1)


def read_iq(waves: Any, converter: Converter) -> NDArray[np.complex128]:
    """Return waves as two converters a port read them."""
    parts = converter.read(quadratures(waves))
    return np.asarray(parts[..., 0] + 1j * parts[..., 1])


def read_magnitude(
    waves: Any,
    converter: Converter,
    detector: Detector,
    input_dbm: float = 0.0,
    rng: np.random.Generator | None = None,
) -> Floats:
    """Return magnitudes as a log detector, a converter and a table of powers of ten read them.

    The detector's voltage is a line over the level in dB: the converter's positive codes span its
    range, and levels outside read as its ends.

    Parameters
    ----------
    input_dbm
        Level of an amplitude of 1.
    rng
        Draws how far each port's line is off, up to the detector's ``error_db`` either way; without
        it, nothing is.
    """
    magnitude = np.abs(waves)
    with np.errstate(divide="ignore"):
        level_dbm = input_dbm + 20 * np.log10(magnitude)
    if rng is not None:
        ports = magnitude.shape[-1:]
        level_dbm = level_dbm + rng.uniform(-detector.error_db, detector.error_db, ports)
    above = np.clip(level_dbm - detector.least_dbm, 0, detector.range_db)
    voltage = above / detector.range_db * converter.full_scale
    read_db = converter.read(voltage) / converter.full_scale * detector.range_db
    return np.asarray(10 ** ((read_db + detector.least_dbm - input_dbm) / 20), np.float64)
