"""Power of the parts around the control: phase shifters, converters, detectors, sources.

A milliwatt is 1e-3 pJ a picosecond. Figures come from the spec, whose defaults are data sheets'
(AD8319 for a detector: 22 mA at 3.3 V) or assumptions, as `archsim.engines.rfnn.assumptions` says.
Converters to amplitudes, mixers, attenuators and switches have no figure with a source and count as
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archsim.engines import AssumedClock, SpecBatch
from archsim.engines.rfnn.spec import RfnnSpec

PJ_PER_PS_OF_MW = 1e-3
UW_PER_MW = 1e3
PS_PER_MHZ = 1e6  # of the period of 1 MHz

Spec = RfnnSpec | SpecBatch


def channels(spec: Spec) -> Any:
    """Return the detectors of the mesh's outputs, each with a converter: two a port for iq."""
    return spec.modes * np.where(np.asarray(spec.readout) == "iq", 2, 1)


def readout_mw(spec: Spec) -> Any:
    """Return what detectors and their converters draw."""
    return channels(spec) * (spec.detector_power_mw + spec.adc_power_mw)


def source_mw(spec: Spec) -> Any:
    """Return what the sources of all ports draw."""
    return spec.modes * spec.source_power_mw / spec.source_efficiency


def shifter_mw(spec: Spec) -> Any:
    """Return what a phase shifter draws while it keeps its phase."""
    return spec.shifter_power_uw / UW_PER_MW


def standing_pj(spec: Spec) -> Mapping[str, Any]:
    """Return pJ a picosecond of what is on for the whole run, by part.

    Phase shifters are among them where one mesh serves all layers. Meshes that are built for a
    layer are charged while it runs: see `shifter_cycle_pj`.
    """
    shared = np.where(np.asarray(spec.cores) == "shared", 1.0, 0.0)
    parts = {
        "readout": readout_mw(spec),
        "source": source_mw(spec),
        "shifters": shared * spec.devices * shifter_mw(spec),
    }
    return {name: plain(mw * PJ_PER_PS_OF_MW) for name, mw in parts.items()}


def shifter_cycle_pj(spec: Spec) -> Any:
    """Return what a phase shifter draws in a cycle of the control's clock."""
    return plain(shifter_mw(spec) * PJ_PER_PS_OF_MW * PS_PER_MHZ / clock_mhz(spec))


def clock_mhz(spec: Spec) -> Any:
    """Return the control's clock, assumed or not."""
    asked = np.asarray(spec.clock_mhz, dtype=object)
    mhz = [x.mhz if isinstance(x, AssumedClock) else x for x in asked.ravel()]
    return plain(np.array(mhz, float).reshape(asked.shape))


def plain(value: Any) -> Any:
    """Return a float, or an array where there is one."""
    return float(value) if np.ndim(value) == 0 else value
