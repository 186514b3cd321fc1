"""One window, cycle by cycle, by the rules at the head of `archsim.engines.hash_spgemm.timing`."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from archsim.engines import Env
from archsim.engines.hash_spgemm.spec import HashSpgemmSpec
from archsim.engines.hash_spgemm.window import Window
from archsim.engines.memory_side import MemorySide

ROW, NONZERO, BOUNDS = -3, -2, -1  # what a word read is for; 0 and on: for that lane
COUNTS = (
    "products", "operations", "adds", "probes", "inserts", "hits", "collisions", "conflicts",
    "slots_scanned",
)  # fmt: skip

Product = tuple[int, int]  # tag, slot
Operation = tuple[int, int, bool]  # tag, slot, whether it only adds


@dataclass(slots=True)
class Tally:
    """What a job took: `cycles` to its last write, and the rest by name."""

    split: dict[str, int] = field(
        default_factory=lambda: {"busy": 0, "fill": 1, "drain": 0, "stall.mem": 0}
    )
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    cycles: int = 0
    requests: int = 0
    responses: int = 0


def round_robin(wants: list[bool], last: int) -> int:
    """Return the first that wants, from the one after ``last`` on, round and round; -1: none."""
    for step in range(1, len(wants) + 1):
        if wants[(last + step) % len(wants)]:
            return (last + step) % len(wants)
    return -1


@dataclass(slots=True)
class Lane:
    """A lane: the token that it walks, products that wait for words, operations that go again."""

    tokens: deque[list[Product | None]] = field(default_factory=deque)  # that wait, if they do
    left: int = 0  # words of the token still to be asked for
    walked: deque[Product | None] = field(default_factory=deque)  # what they will be
    asked: deque[Product | None] = field(default_factory=deque)  # asked for, and not yet used
    words: int = 0  # of these, how many have come
    product: Product | None = None
    again: deque[Operation] = field(default_factory=deque)

    @property
    def is_idle(self) -> bool:
        return not (self.tokens or self.left or self.asked or self.product or self.again)


class WindowLoop:
    """The engine with one job in it."""

    def __init__(self, spec: HashSpgemmSpec, window: Window, env: Env) -> None:
        self.spec, self.side, self.tally = spec, MemorySide(env), Tally()
        self.counts = self.tally.counts
        self.lanes = [Lane() for _ in range(spec.lanes)]
        self.tokens_of = _tokens(spec, window)
        self.rows = [int(count) for count in window.counts]
        self.rows_there = len(self.rows) + window.rest
        self.entries = 0  # of rows that are known to be in the window
        # fetch
        self.rows_asked = self.rows_joined = self.entries_asked = self.entries_joined = 0
        self.rows_come, self.closed = 0, False  # a row behind the window has come
        self.rows_in = self.entries_in = self.bounds_in = 0  # words that wait
        self.row_left, self.tokens_waiting, self.tokens_given = 0, 0, 0
        # arbiters, as last granted
        self.last_reader = self.last_lane = spec.lanes - 1
        self.last_in_bank = [spec.lanes - 1] * spec.banks
        # memory: the request that is offered, and what reads in flight are for
        self.request: str | None = None
        self.route: deque[int] = deque()
        # banks: the operation that was read for in the cycle before, and the table
        self.reading: list[tuple[int, Operation] | None] = [None] * spec.banks
        self.table: dict[int, int] = {}
        self.taken: list[list[int]] = [[] for _ in range(spec.banks)]

    def run(self) -> Tally:
        cycle = 1
        while not self._is_done():
            self._step(cycle)
            cycle += 1
        self._charge("fill")  # the cycle that sees that all is done
        self._write_back(cycle + 1)
        self.tally.requests, self.tally.responses = self.side.requests, self.side.responses
        return self.tally

    def _charge(self, what: str) -> None:
        self.tally.split[what] += 1

    # ------------------------------------------------------------------------------ products

    def _is_done(self) -> bool:
        return (
            (self.closed or self.rows_asked == self.rows_there)
            and self.rows_asked == self.rows_come
            and self.rows_joined == len(self.rows)
            and not self.row_left
            and not self.tokens_waiting
            and all(lane.is_idle for lane in self.lanes)
            and not any(self.reading)
        )

    def _step(self, cycle: int) -> None:
        """Let a cycle pass: everything is decided on what registers hold, then moves."""
        accepted = self.request is not None and self.side.ready(cycle)
        responds = self.side.offers(cycle)
        waiting = bool(self.route)
        reader = self._reader() if self.request is None or accepted else None
        joins = not self.row_left and self.rows_in > 0
        lane_served = self._lane_for_token()
        waking = [bool(lane.tokens) and not lane.left for lane in self.lanes]
        wanted = [lane.again[0] if lane.again else _first(lane) for lane in self.lanes]
        granted = [self._lane_of_bank(bank, wanted) for bank in range(self.spec.banks)]

        outcomes = [self._outcome(bank) for bank in range(self.spec.banks)]
        self._operate(wanted, granted)
        for outcome in outcomes:
            if outcome is not None:
                self.lanes[outcome[0]].again.append(outcome[1])
        for lane in self.lanes:
            _multiply(lane)
        for lane, wakes in zip(self.lanes, waking, strict=True):
            if wakes:
                _walk(lane, lane.tokens.popleft())
        if lane_served >= 0:
            self._give_token(lane_served)
        if joins:
            self.row_left = self.rows[self.rows_joined]
            self.rows_joined += 1
            self.rows_in -= 1
        if responds:
            self._respond()
        if accepted:
            self.side.accept(cycle, write=False)
            self.request = None
        if reader is not None:
            self._ask(reader)
        busy = any(lane >= 0 for lane in granted)
        self._charge("busy" if busy else "stall.mem" if waiting else "fill")

    def _reader(self) -> int | None:
        """Return whose read goes to the port: fetch first, the furthest along before the rest."""
        depth = self.spec.queue
        if self.row_left and self.entries_in and self.tokens_waiting < depth:
            return BOUNDS
        if self.entries_asked < self.entries and self.entries_asked - self.entries_joined < depth:
            return NONZERO
        ahead = self.rows_asked - self.rows_joined - self._dropped
        if self.rows_asked < self.rows_there and not self.closed and ahead < depth:
            return ROW
        lane = round_robin(
            [lane.left > 0 and len(lane.asked) < depth for lane in self.lanes], self.last_reader
        )
        return None if lane < 0 else lane

    @property
    def _dropped(self) -> int:
        return max(self.rows_come - len(self.rows), 0)

    def _ask(self, reader: int) -> None:
        self.request = "read"
        self.route.append(reader)
        if reader == ROW:
            self.rows_asked += 1
        elif reader == NONZERO:
            self.entries_asked += 1
        elif reader == BOUNDS:
            self.entries_in -= 1
            self.entries_joined += 1
            self.row_left -= 1
            self.tokens_waiting += 1
        else:
            lane = self.lanes[reader]
            lane.asked.append(lane.walked.popleft())
            lane.left -= 1
            self.last_reader = reader

    def _respond(self) -> None:
        self.side.respond()
        reader = self.route.popleft()
        if reader == ROW:
            self._lay_out()
        elif reader == NONZERO:
            self.entries_in += 1
        elif reader == BOUNDS:
            self.bounds_in += 1
        else:
            self.lanes[reader].words += 1

    def _lay_out(self) -> None:
        """Take a row that has come into the window; one that does not fit ends it."""
        self.closed = self.rows_come >= len(self.rows)
        if not self.closed:
            self.rows_in += 1
            self.entries += self.rows[self.rows_come]
        self.rows_come += 1

    def _lane_for_token(self) -> int:
        """Return the lane that takes the next token; -1 if none does."""
        if not self.bounds_in:
            return -1
        how, number = self.spec.token, self.tokens_given
        row = self.tokens_of[number][0]
        goes_on = number > 0 and self.tokens_of[number - 1][0] == row
        if how == "nonzero" or (how == "row" and not goes_on):
            free = [not (lane.left or lane.tokens) for lane in self.lanes]
            return round_robin(free, self.last_lane)
        lane = row % self.spec.lanes if how == "static" else self.last_lane
        return lane if len(self.lanes[lane].tokens) < self.spec.queue else -1

    def _give_token(self, number: int) -> None:
        lane, (_, walked) = self.lanes[number], self.tokens_of[self.tokens_given]
        if self.spec.token == "nonzero":
            _walk(lane, walked)
        else:
            lane.tokens.append(walked)
        self.last_lane = number
        self.tokens_given += 1
        self.tokens_waiting -= 1
        self.bounds_in -= 1

    # --------------------------------------------------------------------------------- banks

    def _lane_of_bank(self, bank: int, wanted: list[Operation | None]) -> int:
        line = self.spec.comparators
        mine = [op is not None and op[1] // line % self.spec.banks == bank for op in wanted]
        lane = round_robin(mine, self.last_in_bank[bank])
        self.counts["conflicts"] += max(sum(mine) - 1, 0)
        return lane

    def _operate(self, wanted: list[Operation | None], granted: list[int]) -> None:
        """Start the granted operations."""
        for bank, number in enumerate(granted):
            self.reading[bank] = None
            if number < 0:
                continue
            self.last_in_bank[bank] = number
            lane, operation = self.lanes[number], wanted[number]
            assert operation is not None
            self.reading[bank] = number, operation
            if lane.again:
                lane.again.popleft()
            else:
                lane.product = None
                self.counts["products"] += 1
            self.counts["operations"] += 1
            self.counts["adds"] += operation[2]

    def _outcome(self, bank: int) -> tuple[int, Operation] | None:
        """End a bank's operation; return the lane and what it has to do next about it, if so."""
        if (reading := self.reading[bank]) is None:
            return None
        number, (tag, slot, adds) = reading
        if adds:
            return None
        line = range(slot, slot + self.spec.comparators)
        found = next((at for at in line if self.table.get(at, tag) == tag), line.stop)
        self.counts["collisions"] += found - slot
        self.counts["probes"] += min(found + 1, line.stop) - slot
        if found == line.stop:
            return number, (tag, found % self.spec.slots, False)
        self.counts["hits" if found in self.table else "inserts"] += 1
        if found not in self.table:
            self.table[found] = tag
            self.taken[bank].append(found)
        adds_later = self.spec.atomics == "cas_add" and found == line[-1]
        return (number, (tag, found, True)) if adds_later else None

    # ---------------------------------------------------------------------------- write-back

    def _write_back(self, cycle: int) -> None:
        """Write what the table holds, then how much it was."""
        if self.spec.write_back == "scan":
            steps = [slot in self.table for slot in range(self.spec.slots)]
            steps.insert(0, False)  # reads the first slot
            self.counts["slots_scanned"] = self.spec.slots
        else:
            # two steps to fill the pipeline, and one from each bank to the next
            steps = [False, False]
            for bank, taken in enumerate(self.taken):
                steps += [False] * (bank > 0) + [True] * len(taken)
            self.counts["slots_scanned"] = len(self.table)
        steps.append(True)  # the count
        offered = False
        for writes in [*steps, None]:  # at the end the last write leaves
            passed = False
            while not passed:
                blocked = offered and not self.side.ready(cycle)
                if offered and not blocked:
                    self.side.accept(cycle, write=True)
                self._charge("stall.mem" if blocked else "drain")
                passed = not blocked or writes is False
                offered = blocked or (passed and bool(writes))
                cycle += 1
        self.tally.cycles = cycle - 1


def _walk(lane: Lane, words: list[Product | None]) -> None:
    lane.walked.extend(words)
    lane.left = len(words)


def _first(lane: Lane) -> Operation | None:
    return None if lane.product is None else (*lane.product, False)


def _multiply(lane: Lane) -> None:
    """Move a word that has come into the empty product register; it is gone if out of columns."""
    if lane.words and lane.product is None:
        lane.words -= 1
        lane.product = lane.asked.popleft()


def _tokens(spec: HashSpgemmSpec, window: Window) -> list[tuple[int, list[Product | None]]]:
    """Return row and products of each nonzero of A; None: a word outside the window's columns."""
    source, column, entry = window.products()
    row = window.a_row
    tags = (row[source] << spec.col_bits | column).tolist()
    slots = window.homes(spec, row[source], column).tolist()
    first = window.b_ptr[window.a_col]
    found: list[tuple[int, list[Product | None]]] = [
        (int(r), [None] * int(length)) for r, length in zip(row, window.lengths, strict=True)
    ]
    places = (entry - first[source]).tolist()
    for number, place, tag, slot in zip(source.tolist(), places, tags, slots, strict=True):
        found[number][1][place] = (tag, slot)
    return found
