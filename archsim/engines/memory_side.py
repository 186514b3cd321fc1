"""The far side of a memory port in a model that goes cycle by cycle."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from archsim.engines import IDEAL, Env, MemoryEnv
from archsim.engines.offers import is_ready, may_offer


class MemorySide:
    """Memory behind port ``name``: call `ready`, then `offers`, then what happened, every cycle.

    It implements `MemoryEnv` and the environments of ``NAME_req`` and ``NAME_rsp``. Words are
    whatever the model wants back.
    """

    def __init__(self, env: Env, name: str = "mem") -> None:
        memory = env.get(name, MemoryEnv())
        if not isinstance(memory, MemoryEnv):
            raise TypeError(f"port {name!r} is to memory and takes a MemoryEnv, not {memory!r}")
        self.memory = memory
        self._request, self._response = (env.get(f"{name}_{s}", IDEAL) for s in ("req", "rsp"))
        self._due: deque[int] = deque()
        self._free = 0  # when the next response may come, in 1/p cycles
        self._offered = False
        self.requests = self.responses = 0
        self._always = self._request == IDEAL

    def ready(self, cycle: int) -> bool:
        """Whether a request is accepted in this cycle."""
        room = len(self._due) < self.memory.outstanding
        return room and (self._always or is_ready(self._request, cycle))

    def offers(self, cycle: int) -> bool:
        """Whether a response is offered in this cycle; one that is offered stays."""
        if not self._offered and self._due and self._due[0] <= cycle:
            self._offered = may_offer(self._response, self.responses, cycle)
        return self._offered

    def respond(self) -> None:
        """Let the response be taken."""
        self._due.popleft()
        self._offered = False
        self.responses += 1

    def accept(self, cycle: int, *, write: bool) -> None:
        """Take a request; writes are posted."""
        self.requests += 1
        if write:
            return
        memory = self.memory
        due = max(self._free, (cycle + max(memory.latency, 1)) * memory.p)
        self._free = due + memory.q
        self._due.append(-(-due // memory.p))


def check_memory_ports(env: Env, names: tuple[str, ...] = ("mem",)) -> None:
    """Raise unless the environment names memory ports, or their streams, that the engine has."""
    allowed: Mapping[str, type] = {name: MemoryEnv for name in names}
    streams = [f"{name}_{side}" for name in names for side in ("req", "rsp")]
    for name, port in env.items():
        if name not in (*allowed, *streams, "cmd"):
            listed = ", ".join((*names, *streams))
            raise ValueError(f"env names port {name!r}; the engine has {listed}")
        if name in streams and isinstance(port, MemoryEnv):
            raise TypeError(f"port {name!r} is a stream and takes a Rate or Stalls, not {port!r}")
