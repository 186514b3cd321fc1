"""The far side of an engine's memory port: requests in, responses out, in order.

As the rest of the bench it knows no model: plain numbers say what it does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archsim.verify.drive import JobRecord, Pace, Pins


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """A memory behind a port, and how fast it is.

    Parameters
    ----------
    image
        Words at the start of the job, from address 0 on.
    address_bits, bits
        Of a request: a flag (write), then the address, then the data, flag lowest.
    latency, p, q, outstanding
        See `archsim.engines.MemoryEnv`.
    """

    image: Sequence[int]
    address_bits: int
    bits: int
    latency: int
    p: int
    q: int
    outstanding: int


class MemoryBench:
    """One job on a memory port; ``drive`` then ``sample`` once a cycle.

    Parameters
    ----------
    paces
        Of the two streams, on top of what the plan says.
    """

    def __init__(
        self, pins: Pins, name: str, plan: MemoryPlan, paces: tuple[Pace, Pace], record: JobRecord
    ) -> None:
        self._pins, self._name, self._plan, self._paces = pins, name, plan, paces
        self._record = record
        self._words = list(plan.image)
        self._due: deque[tuple[int, int]] = deque()  # cycle, word
        self._free = 0  # when the next response may come, in 1/p cycles
        self._offered, self._ready = False, False
        self._held: int | None = None
        record.outputs[name] = []
        record.taken |= {f"{name}_req": 0, f"{name}_rsp": 0}

    def drive(self, cycle: int) -> None:
        name, (request, response) = self._name, self._paces
        self._ready = request.ready(cycle) and len(self._due) < self._plan.outstanding
        self._pins.set(f"{name}_req__ready", int(self._ready))
        beat = self._record.taken[f"{name}_rsp"]
        if not self._offered and self._due and self._due[0][0] <= cycle:
            self._offered = response.may_offer(beat, cycle)
            self._pins.set(f"{name}_rsp__payload", self._due[0][1])
        self._pins.set(f"{name}_rsp__valid", int(self._offered))

    def sample(self, cycle: int) -> None:
        name = self._name
        if self._offered and self._pins.get(f"{name}_rsp__ready"):
            self._due.popleft()
            self._offered = False
            self._record.taken[f"{name}_rsp"] += 1
        valid = self._pins.get(f"{name}_req__valid")
        payload = self._pins.get(f"{name}_req__payload") if valid else None
        held, self._held = self._held, None
        if held is not None and payload != held:
            what = "changed" if valid else "was withdrawn"
            self._record.fault(f"cycle {cycle}: the waiting request of {name} {what}")
        if payload is None:
            return
        if not self._ready:
            self._held = payload
            return
        self._record.taken[f"{name}_req"] += 1
        self._accept(payload, cycle)

    def quiet(self, cycle: int) -> None:
        """End the job: nothing more is offered or taken."""
        if self._pins.get(f"{self._name}_req__valid"):
            self._record.fault(f"cycle {cycle}: {self._name}_req is valid after the job")
        if self._due:
            self._record.fault(f"cycle {cycle}: {len(self._due)} words of {self._name} not taken")
        self._pins.set(f"{self._name}_req__ready", 0)
        self._pins.set(f"{self._name}_rsp__valid", 0)

    def _accept(self, payload: int, cycle: int) -> None:
        plan = self._plan
        write, rest = payload & 1, payload >> 1
        address, word = rest & (1 << plan.address_bits) - 1, rest >> plan.address_bits
        if address >= len(self._words):
            self._record.fault(f"cycle {cycle}: {self._name} asks for address {address}")
        elif write:
            self._words[address] = word
            self._record.outputs[self._name].append(address << plan.bits | word)
        else:
            # the bus is free q/p cycles after the response before; none comes in its own cycle
            due = max(self._free, (cycle + max(plan.latency, 1)) * plan.p)
            self._free = due + plan.q
            self._due.append((-(-due // plan.p), self._words[address]))
