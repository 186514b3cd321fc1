"""Drive one case into a component's ports, cycle by cycle, and note what comes back.

This knows streams and environments and no engine, no model and no simulator: `Pins` is the
simulator. It implements environments on its own, so that a slip in the models' arithmetic cannot
hide in the bench.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from archsim.verify.memory_port import MemoryBench, MemoryPlan

MAX_FAULTS = 5


class Pins(Protocol):
    """A component in a simulator; ports by their Verilog names, values as unsigned integers."""

    def set(self, name: str, value: int) -> None: ...
    def get(self, name: str) -> int: ...
    async def settle(self) -> None:
        """Let what was set reach the outputs."""

    async def tick(self) -> None:
        """Let a clock edge pass."""

    async def reset(self) -> None:
        """Reset the component; no input is valid and no output ready."""


@dataclass(frozen=True, slots=True)
class Pace:
    """An environment, in plain numbers: stall bits, or beats at p/q after a latency."""

    latency: int = 0
    p: int = 1
    q: int = 1
    stalls: str | None = None  # "0" and "1" by cycle

    def may_offer(self, beat: int, cycle: int) -> bool:
        if self.stalls is not None:
            return self.stalls[cycle : cycle + 1] != "1"
        return (cycle - self.latency) * self.p >= beat * self.q

    def ready(self, cycle: int) -> bool:
        if self.stalls is not None:
            return self.stalls[cycle : cycle + 1] != "1"
        return cycle >= self.latency and (cycle * self.p) % self.q + self.p >= self.q


@dataclass(frozen=True, slots=True)
class JobPlan:
    """What to do to the component for one job.

    Parameters
    ----------
    command
        Payload of ``cmd``.
    inputs
        Beats by port, lane 0 lowest.
    outputs
        How many beats are expected, by port; of a memory port, writes.
    pace
        Environment of every stream and ``cmd``.
    memories
        By memory port.
    limit
        Cycles after which the job counts as hung.
    """

    command: int
    inputs: Mapping[str, Sequence[int]]
    outputs: Mapping[str, int]
    pace: Mapping[str, Pace]
    limit: int
    memories: Mapping[str, MemoryPlan] = field(default_factory=dict)

    @property
    def offered_early(self) -> bool:
        """Whether the command is offered while the job before it runs."""
        return self.pace["cmd"].may_offer(0, 0)


@dataclass(slots=True)
class JobRecord:
    """What the component did in one job; `None` means it never got there."""

    outputs: dict[str, list[int]]
    taken: dict[str, int]
    cycles: int | None = None
    occupied: int | None = None
    counters: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def fault(self, text: str) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(text)


async def run_case(
    pins: Pins, jobs: Sequence[JobPlan], counters: Sequence[str], widths: Mapping[str, int]
) -> list[JobRecord]:
    """Run the jobs one after another; a job that hangs is the last.

    Parameters
    ----------
    counters
        Names of the component's counter outputs.
    widths
        Bits of each input's payload.
    """
    await pins.reset()
    records = []
    for i, job in enumerate(jobs):
        following = next((j for j in jobs[i + 1 : i + 2] if j.offered_early), None)
        driver = _JobDriver(pins, job, following, widths, offered=i > 0 and job.offered_early)
        records.append(driver.record)
        if not await driver.run():
            break
        driver.record.counters = {name: pins.get(name) for name in counters}
    return records


class _JobDriver:
    """One job on the ports.

    A beat beyond a port's last one is offered like the others, all ones: a component that takes it
    is at fault. So is one that takes the next command early, which may be offered all along.
    """

    def __init__(
        self,
        pins: Pins,
        job: JobPlan,
        following: JobPlan | None,
        widths: Mapping[str, int],
        *,
        offered: bool,
    ) -> None:
        self.pins, self.job, self.following, self.widths = pins, job, following, widths
        self.command_offered = offered
        self.offered = dict.fromkeys(job.inputs, False)
        self.streams_out = [name for name in job.outputs if name not in job.memories]
        self.waiting: dict[str, int | None] = dict.fromkeys(self.streams_out)
        self.record = JobRecord(
            {name: [] for name in self.streams_out}, dict.fromkeys(job.inputs, 0)
        )
        self.memories = [
            MemoryBench(
                pins, name, plan, (job.pace[f"{name}_req"], job.pace[f"{name}_rsp"]), self.record
            )
            for name, plan in job.memories.items()
        ]

    async def run(self) -> bool:
        """Run until the next command could be accepted; False if that never happens."""
        if not await self._give_command():
            return False
        cycle = 0
        while cycle <= self.job.limit:
            if cycle and self._idle_again(cycle):
                return True
            self._drive(cycle)
            await self.pins.settle()
            self._sample(cycle)
            await self.pins.tick()
            if not cycle:
                self._offer_command(self.following)
            cycle += 1
        got = {name: f"{len(b)} of {self.job.outputs[name]}" for name, b in self._outputs()}
        self.record.fault(
            f"hung: not done {self.job.limit} cycles after its command; beats out {got}, "
            f"beats in {self.record.taken}"
        )
        return False

    def _outputs(self) -> list[tuple[str, list[int]]]:
        return list(self.record.outputs.items())

    async def _give_command(self) -> bool:
        """Offer the command; return within cycle 0, the one that accepts it."""
        for wait in range(self.job.limit):
            if not self.command_offered and self.job.pace["cmd"].may_offer(0, wait):
                self.command_offered = True
                self._offer_command(self.job)
            if self.command_offered and self.pins.get("cmd__ready"):
                return True
            await self.pins.settle()
            await self.pins.tick()
        self.record.fault(f"hung: the command is not accepted within {self.job.limit} cycles")
        return False

    def _offer_command(self, job: JobPlan | None) -> None:
        if job is not None:
            self.pins.set("cmd__payload", job.command)
        self.pins.set("cmd__valid", int(job is not None))

    def _idle_again(self, cycle: int) -> bool:
        if not self.pins.get("cmd__ready"):
            return False
        if self.record.cycles is None:
            self.record.fault(f"cycle {cycle}: ready for a command before the job's last beat")
            return False
        self.record.occupied = cycle
        for memory in self.memories:
            memory.quiet(cycle)
        for name in self.streams_out:
            if self.pins.get(f"{name}__valid"):
                self.record.fault(f"cycle {cycle}: {name} is valid after the job")
            self.pins.set(f"{name}__ready", 0)
        for name in self.job.inputs:
            self.pins.set(f"{name}__valid", 0)
        return True

    def _drive(self, cycle: int) -> None:
        for name, beats in self.job.inputs.items():
            beat = self.record.taken[name]
            if not self.offered[name] and self.job.pace[name].may_offer(beat, cycle):
                self.offered[name] = True
                poison = (1 << self.widths[name]) - 1
                self.pins.set(f"{name}__payload", beats[beat] if beat < len(beats) else poison)
            self.pins.set(f"{name}__valid", int(self.offered[name]))
        for name in self.streams_out:
            self.pins.set(f"{name}__ready", int(self.job.pace[name].ready(cycle)))
        for memory in self.memories:
            memory.drive(cycle)

    def _sample(self, cycle: int) -> None:
        for name, beats in self.job.inputs.items():
            if not (self.offered[name] and self.pins.get(f"{name}__ready")):
                continue
            self.offered[name] = False
            self.record.taken[name] += 1
            if cycle == 0:
                self.record.fault(f"cycle 0: a beat of {name} taken together with the command")
            if self.record.taken[name] > len(beats):
                self.record.fault(f"cycle {cycle}: {name} takes a beat beyond its {len(beats)}")
        for name in self.streams_out:
            self._sample_output(cycle, name, self.job.outputs[name])
        for memory in self.memories:
            memory.sample(cycle)
        if self.record.cycles is None and all(
            len(got) == self.job.outputs[name] for name, got in self._outputs()
        ):
            self.record.cycles = cycle

    def _sample_output(self, cycle: int, name: str, wanted: int) -> None:
        valid = self.pins.get(f"{name}__valid")
        payload = self.pins.get(f"{name}__payload") if valid else None
        held, self.waiting[name] = self.waiting[name], None
        if held is not None and payload != held:
            what = "changed" if valid else "was withdrawn"
            self.record.fault(f"cycle {cycle}: the waiting beat of {name} {what}")
        if payload is None:
            return
        if not self.job.pace[name].ready(cycle):
            self.waiting[name] = payload
            return
        self.record.outputs[name].append(payload)
        if len(self.record.outputs[name]) > wanted:
            self.record.fault(f"cycle {cycle}: {name} gives a beat beyond its {wanted}")
