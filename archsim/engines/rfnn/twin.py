"""The behavioural mesh in integers: what a mesh with given codes makes of amplitudes.

Amplitudes have `GUARD_BITS` more bits than converters; phases are tables of cosines and sines with
`TRIG_BITS` of fraction. A cell is two hybrids, a phase between them, and one before: with t1 = j a
+ b and t2 = a + j b, what hybrids do is (j t1 + t2) / 2 and (t1 + j t2) / 2. The hardware twin that
stands at the control's pins in verification computes the same, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from archsim.engines import Ints
from archsim.engines.rfnn.mesh import layout
from archsim.engines.rfnn.routes import strided
from archsim.engines.rfnn.spec import RfnnSpec

GUARD_BITS = 3
TRIG_BITS = 12
HELD_MESHES = 4  # that the twin has where every matrix has its own


@dataclass(frozen=True, slots=True)
class Complex:
    """Complex integers: arrays of real and imaginary parts."""

    re: Ints
    im: Ints

    def __add__(self, other: Complex) -> Complex:
        return Complex(self.re + other.re, self.im + other.im)

    def __sub__(self, other: Complex) -> Complex:
        return Complex(self.re - other.re, self.im - other.im)

    @property
    def j(self) -> Complex:
        """The product with the imaginary unit."""
        return Complex(-self.im, self.re)

    def half(self) -> Complex:
        """Return half of this; ties go up."""
        return Complex((self.re + 1) >> 1, (self.im + 1) >> 1)

    def turned(self, cos: int, sin: int) -> Complex:
        """Return this times a phase; ties go up."""
        tie = 1 << TRIG_BITS - 1
        return Complex(
            (self.re * cos - self.im * sin + tie) >> TRIG_BITS,
            (self.im * cos + self.re * sin + tie) >> TRIG_BITS,
        )


@dataclass(frozen=True, slots=True)
class Devices:
    """Which device is where: numbers of phase shifters, as their phases come.

    Parameters
    ----------
    meshes
        One or two, in the order of the wave: upper mode, splitting and input shifter of each cell.
    attenuators, outputs
        A shifter a mode; no attenuators where there is one mesh.
    """

    meshes: tuple[tuple[tuple[int, int, int], ...], ...]
    attenuators: tuple[int, ...]
    outputs: tuple[int, ...]


@cache
def devices_of(spec: RfnnSpec) -> Devices:
    """Return the devices of a spec's mesh, or pair of meshes."""
    modes = [int(mode) for mode in layout(spec.mesh, spec.modes).upper_modes]
    count = 0

    def numbers_of(number: int) -> range:
        nonlocal count
        count += number
        return range(count - number, count)

    def mesh() -> tuple[tuple[int, int, int], ...]:
        numbers = numbers_of(2 * len(modes))
        return tuple(zip(modes, numbers[::2], numbers[1::2], strict=True))

    if spec.circuit == "unitary":
        return Devices((mesh(),), (), tuple(numbers_of(spec.modes)))
    first, attenuators, second = mesh(), tuple(numbers_of(spec.modes)), mesh()
    return Devices((first, second), attenuators, tuple(numbers_of(spec.modes)))


@cache
def turns(bits: int, parts: int = 1) -> tuple[tuple[int, int], ...]:
    """Return cosine and sine by code, of the code's phase divided by ``parts``."""
    phases = 2 * np.pi / parts * np.arange(1 << bits) / (1 << bits)
    scale = 1 << TRIG_BITS
    pairs = np.rint(scale * np.stack([np.cos(phases), np.sin(phases)], axis=1)).astype(int)
    return tuple((int(cos), int(sin)) for cos, sin in pairs)


def passed(spec: RfnnSpec, codes: Ints, route: int, amplitudes: Ints) -> Ints:
    """Return a pass's samples [2**samples_log2, vectors, modes, lanes].

    Parameters
    ----------
    codes
        Of the devices [devices].
    route
        Of the switch matrix before the mesh; log2 of its stride.
    amplitudes
        As converters have them [vectors, modes, lanes].
    """
    scale = full_scale_bits(spec) - spec.dac_bits
    raised = amplitudes << scale
    if spec.switches:
        raised = raised[:, strided(spec.modes, 1 << route)]
    none = np.zeros_like(raised[:, 0, 0])
    quadratures = [*np.moveaxis(raised, 2, 0), np.zeros_like(raised[..., 0])][:2]
    ports = [Complex(quadratures[0][:, i], quadratures[1][:, i]) for i in range(spec.modes)]
    devices = devices_of(spec)
    for number, mesh in enumerate(devices.meshes):
        for mode, split, before in mesh:
            pair = ports[mode], ports[mode + 1]
            ports[mode], ports[mode + 1] = _cell(spec, int(codes[split]), int(codes[before]), *pair)
        if number == 0:
            for mode, device in enumerate(devices.attenuators):
                dark = Complex(none, none)
                ports[mode], _ = _cell(spec, int(codes[device]), 0, ports[mode], dark)
    plain = turns(spec.phase_bits)
    ports = [
        port.turned(*plain[int(codes[device])])
        for port, device in zip(ports, devices.outputs, strict=True)
    ]
    return _sampled(spec, ports)


def full_scale_bits(spec: RfnnSpec) -> int:
    """Return the bits of an amplitude between converters."""
    return max(spec.adc_bits, spec.dac_bits) + GUARD_BITS


def dither(spec: RfnnSpec, sample: int) -> int:
    """Return what is added before a sample is cut: half its last bit, and noise by its number.

    The first sample is the nearest one; others are off by up to two bits, up and down in turn, so
    that it matters which samples an average is of.
    """
    bit = 1 << full_scale_bits(spec) - spec.adc_bits
    swing = 5 * sample % (2 * bit)
    return bit // 2 + (-swing if sample % 2 else swing)


def _cell(spec: RfnnSpec, split: int, before: int, a: Complex, b: Complex) -> tuple[Complex, ...]:
    a = a.turned(*turns(spec.phase_bits)[before])
    first, second = a.j + b, a + b.j
    if spec.drive == "one_arm":
        first = first.turned(*turns(spec.phase_bits)[split])
    else:
        cos, sin = turns(spec.phase_bits, 2)[split]
        first, second = first.turned(cos, sin), second.turned(cos, -sin)
    return (first.j + second).half(), (first + second.j).half()


def _sampled(spec: RfnnSpec, ports: list[Complex]) -> Ints:
    if spec.readout == "iq":
        outs = np.stack([[port.re, port.im] for port in ports])  # [modes, lanes, vectors]
    else:
        outs = np.stack([[envelope(port.re, port.im)] for port in ports])
    fraction = full_scale_bits(spec) - spec.adc_bits
    high = (1 << spec.adc_bits - 1) - 1
    samples = [
        np.clip((outs + dither(spec, i)) >> fraction, ~high, high)
        for i in range(1 << spec.samples_log2)
    ]
    return np.stack(samples).transpose(0, 3, 1, 2)


def envelope(i: Ints, q: Ints) -> Ints:
    """Return about the magnitude of a complex value: the greater part and 3/8 of the lesser."""
    a, b = np.abs(i), np.abs(q)
    return np.asarray(np.maximum(a, b) + (3 * np.minimum(a, b) >> 3))
