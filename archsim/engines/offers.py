"""When a port's environment offers and takes beats: cycle arithmetic of `Rate` and `Stalls`."""

from __future__ import annotations

from collections.abc import Collection

from archsim.engines import Env, PortEnv, Rate, Stalls


def check_ports(env: Env, ports: Collection[str]) -> None:
    """Raise unless the environment names stream ports that the engine has; ``cmd`` may be named."""
    for name, port in env.items():
        if name not in ports and name != "cmd":
            raise ValueError(f"env names port {name!r}; the engine has {', '.join(ports)}")
        if not isinstance(port, Rate | Stalls):
            raise TypeError(f"port {name!r} is a stream and takes a Rate or Stalls, not {port!r}")


def is_ideal(port: PortEnv) -> bool:
    """Whether a port never makes the engine wait."""
    if isinstance(port, Rate):
        return port.latency == 0 and port.p == port.q
    return isinstance(port, Stalls) and not any(port.bits)


def may_offer(port: PortEnv, beat: int, cycle: int) -> bool:
    """Whether an input may begin to offer its beat number ``beat`` in a cycle."""
    if isinstance(port, Rate):
        return cycle >= earliest_offer(port, beat)
    assert isinstance(port, Stalls)
    return cycle >= len(port.bits) or not port.bits[cycle]


def is_ready(port: PortEnv, cycle: int) -> bool:
    """Whether an output is ready in a cycle."""
    if isinstance(port, Rate):
        paced = (cycle + 1) * port.p // port.q > cycle * port.p // port.q
        return cycle >= port.latency and paced
    assert isinstance(port, Stalls)
    return cycle >= len(port.bits) or not port.bits[cycle]


def earliest_offer(rate: Rate, beat: int) -> int:
    """Return the first cycle in which an input may offer beat number ``beat``."""
    return rate.latency - (-beat * rate.q // rate.p)


def next_ready(rate: Rate, cycle: int) -> int:
    """Return the first cycle, ``cycle`` or later, in which an output is ready."""
    slot = max(cycle, rate.latency) * rate.p // rate.q
    return -(-(slot + 1) * rate.q // rate.p) - 1


def ready_between(rate: Rate, start: int, stop: int) -> int:
    """Return in how many of the cycles [start, stop) an output is ready."""
    start = max(start, rate.latency)
    return max(0, stop * rate.p // rate.q - start * rate.p // rate.q)


def first_offer(port: PortEnv, beat: int, cycle: int) -> int:
    """Return the first cycle, ``cycle`` or later, in which an input may offer a beat."""
    if isinstance(port, Rate):
        return max(cycle, earliest_offer(port, beat))
    while not may_offer(port, beat, cycle):
        cycle += 1
    return cycle


def first_ready(port: PortEnv, cycle: int) -> int:
    """Return the first cycle, ``cycle`` or later, in which an output is ready."""
    if isinstance(port, Rate):
        return next_ready(port, cycle)
    while not is_ready(port, cycle):
        cycle += 1
    return cycle
