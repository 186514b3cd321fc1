"""A column of PEs that share the digits of an encoded operand, and what paces it.

A pass over a bit weight ends with its *turn*: the sums move to registers from which they leave
while the next pass begins. Between passes there may be a barrier, at which columns wait for each
other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from archsim.formats.digits import Scheme
from archsim.hdl.bitweight import pair_layout
from archsim.hdl.chunk_loader import BankShape, bits_for
from archsim.hdl.digit_elements import EncodingElement, SelectingElement
from archsim.hdl.digit_lane import DigitLane, stored_bits
from archsim.hdl.digits import DIGIT
from archsim.hdl.emit import place
from archsim.hdl.gemm import delayed
from archsim.hdl.row_memory import RowMemory

# from issuing a digit to adding it: a bank is asked, reads, and its word comes through the network
PE_STEPS = 3


@dataclass(frozen=True, slots=True)
class ColumnShape:
    """What columns of PEs are made of.

    Parameters
    ----------
    encoded_bits, other_bits, pair_bits
        Bits of operands, and of a PE's sum and carry each.
    in_pe
        Whether each PE finds its digits itself (OPT3).
    every_pass
        Whether the columns wait for each other after each pass, or only after a chunk.
    """

    banks: BankShape
    scheme: Scheme
    encoded_bits: int
    other_bits: int
    pair_bits: int
    in_pe: bool
    every_pass: bool

    @property
    def together(self) -> int:
        """Elements of the other operand that a bank gives at once, each to all PEs of a column."""
        return self.banks.group if self.in_pe else 1

    @property
    def word(self) -> data.ArrayLayout:
        """Return what a bank gives: elements of k, one a PE each."""
        row = data.ArrayLayout(signed(self.other_bits), self.banks.rows)
        return data.ArrayLayout(row, self.together)

    @property
    def request(self) -> data.StructLayout:
        """Return how a column asks a bank for a word."""
        banks = self.banks
        return data.StructLayout(
            {
                "valid": 1,
                "bank": bits_for(banks.banks),
                "half": 1,
                "slot": bits_for(banks.slots),
                "element": bits_for(banks.group),
            }
        )

    @property
    def leaving(self) -> data.StructLayout:
        """Return what is known of a pass whose sums leave.

        ``opens``: they begin C; ``closes``: they end it; ``wraps``: no column after this one has
        rows of C; ``ends``: nor has a later fold.
        """
        flags = {"opens": 1, "closes": 1, "wraps": 1, "ends": 1}
        return data.StructLayout({"weight": bits_for(self.banks.passes), **flags})


class DigitColumn(wiring.Component):
    """PEs of a column, its lanes, the encoded operand's buffer, and its turns.

    Members
    -------
    index, home : in
        Which column this is and at which bank it begins: constants.
    chunks, loaded : in
        Of the loader.
    working : in
        The half that columns work on.
    write, half, group, element, stored : in
        Where an element of each lane, as it is stored, is written.
    next_finishes : in; finishes : out
        See `DigitLane`; a bit a lane.
    turned : out; barrier : in
        The column waits for the others; none works on the pass any more.
    requests : out; words : in
        What each lane reads from its banks, and gets in the cycle after; asked the cycle after
        the digit is issued.
    pairs, leaving : out
        Sums of the pass before, and what is known of it,
    full : out; resolved : in
        until they have left.
    digits, empty, waits : out, bit a lane
        A lane issues a digit, or works on a group of zeros, or waits for the column before.
    ended, pauses : out, bit a lane
        It is through with a pass, and may not begin the next one in this cycle.
    """

    def __init__(self, shape: ColumnShape) -> None:
        self._shape = shape
        banks = shape.banks
        lanes = banks.lanes
        super().__init__(
            {
                "index": In(bits_for(banks.cols)),
                "home": In(bits_for(banks.banks)),
                "chunks": In(banks.chunk_layout).array(2),
                **{"loaded": In(2), "working": In(1), "write": In(1), "half": In(1)},
                "group": In(bits_for(banks.groups)),
                "element": In(bits_for(banks.group)),
                "stored": In(stored_bits(shape.encoded_bits, shape.scheme)).array(lanes),
                **{"next_finishes": In(lanes), "finishes": Out(lanes)},
                **{"turned": Out(1), "barrier": In(1)},
                "requests": Out(shape.request).array(lanes),
                "words": In(shape.word).array(lanes),
                "pairs": Out(pair_layout(shape.pair_bits)).array(banks.rows),
                "leaving": Out(shape.leaving),
                **{"full": Out(1), "resolved": In(1)},
                **{name: Out(lanes) for name in ("digits", "empty", "waits", "ended", "pauses")},
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        turn, live, go = self._turns(m)
        lanes = [self._lane(m, platform, i, go) for i in range(self._shape.banks.lanes)]
        works = Cat(lane.issues for lane in lanes).any()
        turns, fills = self._later(m, "turns", turn), self._later(m, "fills", turn & live)
        adds, begins = self._later(m, "works", works), Signal(init=1)
        m.d.sync += begins.eq((begins | turns) & ~adds)
        self._elements(m, platform, lanes, turns, adds & (begins | turns))
        with m.If(fills):
            m.d.sync += self.full.eq(1)
        with m.Elif(self.resolved):
            m.d.sync += self.full.eq(0)
        return m

    @staticmethod
    def _later(m: Module, name: str, value: Value, steps: int = PE_STEPS) -> Value:
        """Return a value as it is when PEs add up what is issued with it."""
        return delayed(m, Const(1), value, steps, name, reset_less=False)

    def _turns(self, m: Module) -> tuple[Value, Value, Value]:
        """Add what ends passes.

        Returns
        -------
        Whether the pass's sums move on in this cycle, whether any of them are C's, whether the next
        pass may begin.
        """
        shape = self._shape
        weight = Signal(bits_for(shape.banks.passes))
        waiting = Signal()  # the sums of a pass are on their way
        turn, live, go, last = Signal(), Signal(), Signal(), Signal()
        chunk = Signal(shape.banks.chunk_layout)
        m.d.comb += [
            live.eq(self.index <= chunk.live),
            chunk.eq(Mux(self.working, self.chunks[1], self.chunks[0])),
            last.eq(weight == shape.banks.passes - 1),
            turn.eq(self.ended.all() & ~self.turned & ~waiting),
            go.eq(self.barrier if shape.every_pass else Mux(last, self.barrier, turn)),
        ]
        with m.If(turn):
            m.d.sync += [
                waiting.eq(live),
                self.leaving.weight.eq(weight),
                self.leaving.opens.eq(chunk.opens & (weight == 0)),
                self.leaving.closes.eq(chunk.closes & last),
                self.leaving.wraps.eq(self.index == chunk.live),
                self.leaving.ends.eq(chunk.ends),
            ]
        with m.Elif(self.resolved):
            m.d.sync += waiting.eq(0)
        m.d.sync += self.turned.eq((self.turned | turn) & ~go)
        with m.If(go):
            m.d.sync += weight.eq(Mux(last, 0, weight + 1))
        return turn, live, go

    def _lane(self, m: Module, platform: Any, index: int, go: Value) -> Any:
        """Add a lane and its buffer."""
        shape, banks = self._shape, self._shape.banks
        lane = place(
            m, platform, "lane", f"lane_{index}",
            DigitLane, banks, shape.encoded_bits, shape.scheme,
        )  # fmt: skip
        bits = stored_bits(shape.encoded_bits, shape.scheme)
        word = data.ArrayLayout(bits, banks.group)
        rows = 2 << (banks.groups - 1).bit_length()
        buffer = place(
            m, platform, "digits_memory", f"buffer_{index}", RowMemory, rows, word, banks.group
        )
        group_bits = (banks.groups - 1).bit_length()
        busy = lane.digit.one | lane.digit.two
        request = self.requests[index]
        m.d.comb += [
            buffer.write.eq(Mux(self.write, 1 << self.element, 0)),
            buffer.write_row.eq(Cat(self.group[:group_bits], self.half)),
            *(buffer.write_data[i].eq(self.stored[index]) for i in range(banks.group)),
            buffer.read.eq(lane.read),
            buffer.read_row.eq(Cat(lane.read_group[:group_bits], lane.read_half)),
            *(lane.word[i].eq(buffer.read_data[i]) for i in range(banks.group)),
            lane.home.eq(self.home),
            *(lane.chunks[half].eq(self.chunks[half]) for half in range(2)),
            lane.loaded.eq(self.loaded),
            lane.go.eq(go),
            lane.next_finishes.eq(self.next_finishes[index]),
            self.finishes[index].eq(lane.finishes),
            self.digits[index].eq(lane.issues & busy),
            self.empty[index].eq(lane.issues & ~busy),
            self.waits[index].eq(lane.waits),
            self.ended[index].eq(lane.ended),
            self.pauses[index].eq(lane.ended & ~go),
        ]
        m.d.sync += [
            request.valid.eq(lane.begins if shape.in_pe else lane.issues & busy),
            *(getattr(request, name).eq(getattr(lane, name)) for name in ("bank", "half")),
            *(getattr(request, name).eq(getattr(lane, name)) for name in ("slot", "element")),
        ]
        return lane

    def _elements(
        self, m: Module, platform: Any, lanes: list[Any], turns: Value, fresh: Value
    ) -> None:
        """Add the PEs, and the registers that bring a digit to them with its operand."""
        shape, banks = self._shape, self._shape.banks
        loads, digits = Signal(banks.lanes), Signal(data.ArrayLayout(DIGIT, banks.lanes))
        m.d.sync += loads.eq(Cat(request.valid for request in self.requests))
        issued = Cat(Mux(lane.issues, Value.cast(lane.digit), 0) for lane in lanes)
        windows = self._later(m, "windows", Cat(lanes[0].windows), PE_STEPS - 1)
        m.d.comb += Value.cast(digits).eq(self._later(m, "digits", issued))
        adds = self._later(m, "adds", self.digits.any()) | fresh
        bits = (shape.other_bits, shape.pair_bits)
        for row in range(banks.rows):
            if shape.in_pe:
                pe = place(
                    m, platform, "pe", f"pe_{row}",
                    EncodingElement, banks.group, shape.scheme, *bits,
                )  # fmt: skip
                m.d.comb += [
                    Cat(pe.windows).eq(windows),
                    *(pe.b[i].eq(self.words[0][i][row]) for i in range(banks.group)),
                ]
            else:
                pe = place(m, platform, "pe", f"pe_{row}", SelectingElement, banks.lanes, *bits)
                for i in range(banks.lanes):
                    m.d.comb += [
                        pe.b[i].eq(self.words[i][0][row]),
                        Value.cast(pe.digits[i]).eq(Value.cast(digits[i])),
                    ]
            m.d.comb += [
                pe.load.eq(loads),
                pe.add.eq(adds),
                pe.fresh.eq(fresh),
                pe.turn.eq(turns),
                self.pairs[row].eq(pe.pair),
            ]
