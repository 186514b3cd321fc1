"""A memory behind a memory port, cycle by cycle: latency, bandwidth, reads in flight.

One bus serves bursts in the order in which their addresses were accepted, reads and writes alike,
``p`` words in ``q`` cycles. A word that is read is offered ``latency`` cycles after it was on the
bus; writes are posted, and acknowledged when their last word was on the bus.

It raises `ProtocolError` at what another memory would not forgive: a burst across 4 KiB, words that
end where their burst does not, a read of what is being written.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

PAGE_BYTES = 4096


class ProtocolError(Exception):
    """The component broke a rule of the memory port."""


@dataclass(frozen=True, slots=True)
class MemoryTiming:
    """Bandwidth ``p/q`` words a cycle, and cycles of latency; ``outstanding`` words in flight."""

    latency: int = 0
    p: int = 1
    q: int = 1
    outstanding: int = 1 << 30


@dataclass(slots=True)
class _Burst:
    address: int
    words: int
    write: bool
    since: int  # cycle


@dataclass(slots=True)
class Memory:
    """Content and state of a memory; `offers` then `take` once a cycle.

    Parameters
    ----------
    stalls
        By channel and cycle: whether it stalls, on top of what the timing says.
    """

    content: bytearray
    word_bytes: int
    timing: MemoryTiming
    stalls: Callable[[str, int], bool] = lambda channel, cycle: False
    queue: deque[_Burst] = field(default_factory=deque)
    reads: deque[tuple[int, int]] = field(default_factory=deque)  # offer cycle, address
    acknowledgements: deque[int] = field(default_factory=deque)  # offer cycles
    unacknowledged: deque[range] = field(default_factory=deque)  # addresses
    free: int = 0  # when the bus is, in 1/p cycles
    word_since: int = -1  # cycle from which on the word to write is offered
    last_write: int = -1  # cycle in which one was taken
    offered: dict[str, bool] = field(default_factory=lambda: {"r": False, "b": False})
    words_read: int = 0
    words_written: int = 0

    def offers(self, cycle: int) -> dict[str, int]:
        """Return what the memory drives in a cycle: readies, valids, and the word that is read."""
        self._serve()
        flowing = {name: not self.stalls(name, cycle) for name in ("ar", "aw", "w", "r", "b")}
        due = {
            "r": bool(self.reads) and self.reads[0][0] <= cycle,
            "b": bool(self.acknowledgements) and self.acknowledgements[0] <= cycle,
        }
        for name in ("r", "b"):  # an offer, once made, stays
            self.offered[name] |= due[name] and flowing[name]
        waiting = sum(burst.words for burst in self.queue if not burst.write) + len(self.reads)
        writing = bool(self.queue) and self.queue[0].write
        return {
            "ar__ready": flowing["ar"] and waiting < self.timing.outstanding,
            "aw__ready": flowing["aw"],
            "w__ready": writing and flowing["w"] and cycle * self.timing.p >= self.free,
            "r__valid": self.offered["r"],
            "r__payload": self._word(self.reads[0][1]) if self.offered["r"] else 0,
            "b__valid": self.offered["b"],
            "b__payload": 0,
        }

    def take(self, cycle: int, driven: dict[str, int], pins: dict[str, int]) -> None:
        """Take the transfers of a cycle, given both sides' signals."""
        for name, write in (("ar", False), ("aw", True)):
            if pins[f"{name}__valid"] and driven[f"{name}__ready"]:
                self._accept(pins[f"{name}__payload"], write, cycle)
        if driven["r__valid"] and pins["r__ready"]:
            self.reads.popleft()
            self.offered["r"] = False
            self.words_read += 1
        if driven["b__valid"] and pins["b__ready"]:
            self.acknowledgements.popleft()
            self.unacknowledged.popleft()
            self.offered["b"] = False
        if pins["w__valid"]:
            if self.word_since < 0:  # a word right behind another leaves the bus no gap
                self.word_since = cycle - (self.last_write == cycle - 1)
            if driven["w__ready"]:
                self._write(pins["w__payload"])
                self.last_write = cycle

    def _accept(self, payload: int, write: bool, cycle: int) -> None:
        address, words = payload & 0xFFFFFFFF, payload >> 32
        stop = address + words * self.word_bytes
        if stop > len(self.content):
            raise ProtocolError(f"a burst of {words} words at {address:#x} leaves the memory")
        if address // PAGE_BYTES != (stop - 1) // PAGE_BYTES:
            raise ProtocolError(f"a burst of {words} words at {address:#x} crosses a page")
        if write:
            self.unacknowledged.append(range(address, stop))
        elif any(address < x.stop and x.start < stop for x in self.unacknowledged):
            raise ProtocolError(f"a read at {address:#x} of what is being written")
        self.queue.append(_Burst(address, words, write, cycle))

    def _serve(self) -> None:
        """Give the bus to the reads that are next."""
        p, q = self.timing.p, self.timing.q
        while self.queue and not self.queue[0].write:
            burst = self.queue.popleft()
            self.free = max(self.free, burst.since * p)
            for i in range(burst.words):
                self.free += q
                offer = -(-self.free // p) + self.timing.latency
                self.reads.append((offer, burst.address + i * self.word_bytes))

    def _write(self, payload: int) -> None:
        burst = self.queue[0]
        bits = 8 * self.word_bytes
        word = (payload & (1 << bits) - 1).to_bytes(self.word_bytes, "little")
        self.content[burst.address : burst.address + self.word_bytes] = word
        self.words_written += 1
        p = self.timing.p
        self.free = max(self.free, burst.since * p, self.word_since * p) + self.timing.q
        self.word_since = -1
        burst.address += self.word_bytes
        burst.words -= 1
        last = payload >> bits & 1
        if last != (burst.words == 0):
            raise ProtocolError(f"w.last is {last} with {burst.words} words of the burst to come")
        if last:
            self.queue.popleft()
            self.acknowledgements.append(-(-self.free // p))

    def _word(self, address: int) -> int:
        return int.from_bytes(self.content[address : address + self.word_bytes], "little")
