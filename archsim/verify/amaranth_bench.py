"""Cases on a component in Amaranth's own simulator: slow for large ones, and needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from amaranth.hdl import ClockDomain, Module, Value
from amaranth.lib import wiring
from amaranth.sim import Simulator, SimulatorContext

from archsim.verify.drive import JobPlan, JobRecord, run_case


def run(
    component: wiring.Component,
    cases: Sequence[Sequence[JobPlan]],
    counters: Sequence[str],
    widths: Mapping[str, int],
) -> list[list[JobRecord]]:
    """Run the cases one after another, with a reset before each."""
    m = Module()
    m.domains.sync = domain = ClockDomain()
    m.submodules.component = component
    records: list[list[JobRecord]] = []

    async def testbench(context: SimulatorContext) -> None:
        pins = AmaranthPins(context, component, domain)
        for jobs in cases:
            records.append(await run_case(pins, jobs, counters, widths))

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    return records


class AmaranthPins:
    """Pins of a component in Amaranth's simulator."""

    def __init__(
        self, context: SimulatorContext, component: wiring.Component, domain: ClockDomain
    ) -> None:
        self._context, self._reset = context, domain.rst
        flat = component.signature.flatten(component)
        members = [("__".join(map(str, path)), member, value) for path, member, value in flat]
        self._values = {name: Value.cast(value) for name, _, value in members}
        self._inputs = [name for name, member, _ in members if member.flow == wiring.In]

    def set(self, name: str, value: int) -> None:
        self._context.set(self._values[name], value)

    def get(self, name: str) -> int:
        return int(self._context.get(self._values[name])) & ((1 << len(self._values[name])) - 1)

    async def settle(self) -> None:
        """Nothing to wait for: what is set is settled when it is read."""

    async def tick(self) -> None:
        await self._context.tick()

    async def reset(self) -> None:
        for name in self._inputs:
            self.set(name, 0)
        self._context.set(self._reset, 1)
        await self._context.tick()
        self._context.set(self._reset, 0)
