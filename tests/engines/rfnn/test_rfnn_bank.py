"""Serial loading of phases: every pin in every cycle, against a list of what should be on them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from amaranth.sim import Simulator

from archsim.engines.rfnn.phases_rtl import PhaseBank, PhaseCode
from archsim.engines.rfnn.reference import codes_of
from archsim.engines.rfnn.spec import RfnnSpec


class Pins(NamedTuple):
    si: int
    sclk: int
    le: int
    busy: int
    done: int


def wanted(codes: Any, bits: int, half: int, latch: int, settle: int) -> Iterator[Pins]:
    """Yield the pins from the cycle of the start on, for codes [chains, devices]."""
    yield Pins(0, 0, 0, 0, 0)
    yield Pins(0, 0, 0, 1, 0)
    for device in reversed(range(codes.shape[1])):
        for bit in reversed(range(bits)):
            si = sum((int(chain[device]) >> bit & 1) << c for c, chain in enumerate(codes))
            yield from [Pins(si, 0, 0, 1, 0)] * half + [Pins(si, 1, 0, 1, 0)] * half
    yield from [Pins(0, 0, 1, 1, 0)] * latch + [Pins(0, 0, 0, 1, 0)] * settle
    yield Pins(0, 0, 0, 1, 1)
    yield Pins(0, 0, 0, 0, 0)


# chains, devices, bits, half period, latch, settle: and the cycle in which it is done
@pytest.mark.parametrize(
    ("sizes", "done"),
    [
        ((2, 4, 6, 1, 1, 4), 55),
        ((8, 7, 6, 2, 2, 26), 198),
        ((4, 3, 4, 3, 1, 1), 76),
        ((1, 1, 1, 1, 1, 1), 6),
        pytest.param((1, 56, 6, 5, 3, 50), 3_415, marks=pytest.mark.slow),
    ],
)
def test_every_pin_in_every_cycle(sizes: tuple[int, ...], done: int) -> None:
    chains, devices, bits, half, latch, settle = sizes
    rng, profiles = np.random.default_rng(1), 2
    codes = rng.integers(0, 1 << bits, (profiles, chains, devices))
    bank = PhaseBank(*sizes, profiles)

    async def bench(ctx: Any) -> None:
        for profile, chain, device in np.ndindex(codes.shape):
            ctx.set(bank.write, 1 << chain)
            ctx.set(bank.write_profile, profile)
            ctx.set(bank.write_device, device)
            ctx.set(bank.write_code, int(codes[profile, chain, device]))
            await ctx.tick()
        ctx.set(bank.write, 0)
        for profile in reversed(range(profiles)):
            ctx.set(bank.profile, profile)
            ctx.set(bank.start, 1)
            pins = list(wanted(codes[profile], bits, half, latch, settle))
            assert done == [p.done for p in pins].index(1)
            for cycle, wants in enumerate(pins):
                assert wants == Pins(*(ctx.get(getattr(bank, name)) for name in Pins._fields)), (
                    f"cycle {cycle}"
                )
                await ctx.tick()
                # once busy, neither a start nor another profile is heeded
                ctx.set(bank.start, int(cycle < done - 2))
                ctx.set(bank.profile, 0)

    simulator = Simulator(bank)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_a_spec_knows_the_cycle_in_which_programming_is_done() -> None:
    board = {"circuit": "unitary", "clock_mhz": 100.0, "modes": 8, "phase_bits": 6}
    assert 222 == RfnnSpec(**board, chains=8).bank_cycles
    assert 1_566 == RfnnSpec(**board, chains=1).bank_cycles


def read(code: PhaseCode, phases: list[tuple[int, int]]) -> list[int]:
    """Return the codes of (device, phase)."""
    found = []

    async def bench(ctx: Any) -> None:
        if hasattr(code, "write"):
            for entry in range(2 * 256):
                ctx.set(code.write, 1)
                ctx.set(code.write_entry, entry)
                ctx.set(code.write_code, (entry * 7 + entry // 256) % 16)
                await ctx.tick()
            ctx.set(code.write, 0)
        for device, phase in phases:
            ctx.set(code.read, 1)
            ctx.set(code.device, device)
            ctx.set(code.phase, phase)
            await ctx.tick()
            found.append(ctx.get(code.code))

    simulator = Simulator(code)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return found


@pytest.mark.parametrize("bits", [1, 4, 6, 12])
def test_phases_are_rounded_to_codes_around_the_circle(bits: int) -> None:
    step = 1 << 16 - bits
    phases = [0, step // 2 - 1, step // 2, step, 65_535, 65_536 - step // 2, 12_345]
    found = read(PhaseCode(2, bits, table=False), [(1, phase) for phase in phases])
    assert [int(phase / step + 0.5) % (1 << bits) for phase in phases] == found
    assert found == codes_of(np.array(phases), bits).tolist()


def test_a_table_has_a_code_for_each_device_and_high_byte() -> None:
    phases = [(0, 0x00FF), (1, 0x00FF), (0, 0xFF00), (1, 0x1234)]
    found = read(PhaseCode(2, 4, table=True), phases)
    assert [(256 * d + (p >> 8)) * 7 % 16 for d, p in phases if not d] == [found[0], found[2]]
    assert [((256 + (p >> 8)) * 7 + 1) % 16 for d, p in phases if d] == [found[1], found[3]]
