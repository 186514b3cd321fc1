"""How many cycles a program may take in RTL: `event`, and what its hand-overs leave out.

In `event` a transfer begins at the time at which what it waits for ends, and a job at the edge at
which its operands are there. In RTL a count must be registered, a descriptor compared, an address
sent. Each costs a known number of cycles:

- **a transfer**: a load `LOAD_CYCLES`, a store `STORE_CYCLES`;
- **a job**: the stages of the requantiser, if its results pass it; lanes beyond the columns, which
  find their pixels while the job before drains, a column a cycle;
- **the program**: `PROGRAM_CYCLES`, until its first descriptor is read and after its last word, and
  a cycle a lane, until the lanes know their first pixels;
- **padding**: words that fill up rows, at the memory's pace.

Both sides are maxima and sums along paths of transfers and jobs. A path holds each transfer and job
once at most, so cycles differ by no more than the sum of all these: `bound_cycles`. None of its
terms is fitted; each counts registers in the RTL.

Most hand-overs pass while something else is waited for. `walk` follows the program's own tables
with the hand-overs in their places, and RTL takes exactly the cycles that it says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from archsim.hdl.descriptors import STORE
from archsim.hdl.dma import BURST_WORDS, PAGE_BYTES
from archsim.hdl.requantise import Scaling
from archsim.program import SystemProgram
from archsim.verify.memory import MemoryTiming

READ_CYCLES = 1  # from the start to the first descriptor
ISSUE_CYCLES = 1  # from a load's turn to its address on the bus
SEND_CYCLES = 3  # from a store's turn to its first word: queue, address, read of the sums
COUNT_CYCLES = 1  # from a transfer's last word to its count
END_CYCLES = 2  # from the last acknowledgement to the end: count, idle
LOAD_CYCLES = 1 + ISSUE_CYCLES + COUNT_CYCLES + 1  # its turn after the one before; a cycle begun
STORE_CYCLES = SEND_CYCLES + COUNT_CYCLES + 1
PROGRAM_CYCLES = READ_CYCLES + 1 + END_CYCLES + 1
JOB_CYCLES = Scaling().stages


def bound_cycles(program: SystemProgram, timing: MemoryTiming) -> int:
    """Return by how much RTL and `event` may differ on a program."""
    g, rows = program.geometry, program.tables
    stores = sum(row["action"] == STORE for row in rows["transfers"])
    narrow = sum(row["narrow"] for row in rows["jobs"])
    padding = -(-program.padding_bytes // g.word_bytes)
    late = max(0, g.rows - g.cols) * program.jobs
    handed = LOAD_CYCLES * (program.transfers - stores) + STORE_CYCLES * stores
    paced = -(-padding * timing.q // timing.p)
    return PROGRAM_CYCLES + g.rows + handed + JOB_CYCLES * narrow + late + paced


@dataclass(slots=True)
class _Walk:
    """Times in cycles.

    Parameters
    ----------
    free
        When the bus is, exactly.
    prepared
        When the lanes know the next job's first pixels.
    """

    program: SystemProgram
    timing: MemoryTiming
    occupied: Sequence[int]
    free: Fraction = Fraction(0)
    prepared: int = 0

    def run(self) -> int:
        self.prepared = READ_CYCLES + self.program.geometry.rows + 2
        landed, stored = [0], [0]  # when the count is so many
        ended = [0]
        turn, pace = READ_CYCLES, Fraction(self.timing.q, self.timing.p)
        for row in self.program.tables["transfers"]:
            while len(ended) <= row["jobs"]:
                self._job(ended, landed, stored)
            begun = max(turn, ended[row["jobs"]], stored[row["stores"]])
            words = row["rows"] * row["row_words"]
            is_store = row["action"] == STORE
            at = begun + (SEND_CYCLES if is_store else ISSUE_CYCLES)
            self.free = max(self.free, Fraction(at)) + words * pace
            if is_store:
                stored.append(-(-self.free // 1) + COUNT_CYCLES)
            else:
                landed.append(-(-self.free // 1) + self.timing.latency + COUNT_CYCLES)
            turn = begun + 1 + _bursts(row, self.program.geometry.word_bytes)
        while len(ended) <= self.program.jobs:
            self._job(ended, landed, stored)
        return max(stored[-1], ended[-1], landed[-1]) + END_CYCLES - COUNT_CYCLES

    def _job(self, ended: list[int], landed: list[int], stored: list[int]) -> None:
        number, g = len(ended) - 1, self.program.geometry
        row = self.program.tables["jobs"][number]
        begun = max(ended[-1], landed[row["loads"]], stored[row["stores"]], self.prepared)
        end = begun + self.occupied[number]
        # the last beat is fed so long before the job's end; then the lanes look for pixels
        drain = (row["m"] - 1) % g.rows + 1 + g.cols
        self.prepared = end - drain + g.rows + 1
        ended.append(end + JOB_CYCLES * row["narrow"])


def _bursts(row: Mapping[str, int], word_bytes: int) -> int:
    """Return how many bursts a transfer takes: none longer than AXI4 allows, or across a page."""
    bursts = 0
    for i in range(row["rows"]):
        address, words = row["address"] + i * row["row_stride"], row["row_words"]
        while words:
            burst = min(words, BURST_WORDS, (PAGE_BYTES - address % PAGE_BYTES) // word_bytes)
            words, address = words - burst, address + burst * word_bytes
            bursts += 1
    return bursts


def walk(program: SystemProgram, timing: MemoryTiming, occupied: Sequence[int]) -> int:
    """Return the cycles that a program takes in RTL.

    Parameters
    ----------
    occupied
        Of each job, as the engine's timing has it.
    """
    return _Walk(program, timing, occupied).run()
