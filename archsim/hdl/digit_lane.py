"""One stream of digits: which groups a column looks at, bank by bank, and which digit is next.

Three stages: a group's word is read; its digits are found; one that is not zero is issued a cycle.
A group of zeros takes a cycle, too.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from archsim.formats.digits import Scheme
from archsim.hdl.chunk_loader import BankShape, bits_for
from archsim.hdl.digit_elements import WINDOW_BITS, digit_of_window
from archsim.hdl.digits import DIGIT
from archsim.hdl.gemm import pick


def stored_bits(bits: int, scheme: Scheme) -> int:
    """Return the bits in which buffers keep an operand of so many: EN-T codes have their sign."""
    return bits if scheme == "mbe" else (bits + 1) // 2 * 2 + 1


def windows_of(stored: Value, passes: int, scheme: Scheme) -> list[Value]:
    """Return what makes a stored operand's digit, at each bit weight."""
    if scheme == "en_t":
        return [Cat(stored[2 * i : 2 * i + 2], stored[-1]) for i in range(passes)]
    text = Cat(0, stored, stored[-1])
    return [text[2 * i : 2 * i + 3] for i in range(passes)]


class DigitLane(wiring.Component):
    """The groups of a lane in the order of a column's passes, and their digits one by one.

    A column begins each pass at its own bank and goes round its ring. It may be ``slack - 1`` banks
    closer to the column before it than at the start of a chunk, and no closer: so no two columns
    are in one bank, whichever is slow.

    Members
    -------
    home : in
        The bank where the column begins: a constant.
    chunks, loaded : in
        Of the loader.
    read, read_half, read_group : out; word : in
        A group's stored elements, there the cycle after, until the next read.
    go : in
        The next pass may begin.
    next_finishes : in
        The column before this one leaves a bank in this cycle.
    finishes : out
        This one does.
    ended : out
        The lane is through with a pass and waits for ``go``.
    issues : out
        A group is worked on in this cycle.
    begins : out
        ... for the first time, and it is not of zeros.
    digit : out
        The `DIGIT` that is issued; zero if the group is of zeros.
    half, slot, element, bank : out
        Where the digit's other operand lies.
    windows : out
        Of the group: what makes its digits.
    waits : out
        The next group may not be worked on yet, for the column before.
    """

    def __init__(self, shape: BankShape, bits: int, scheme: Scheme) -> None:
        self._shape, self._scheme = shape, scheme
        bank = bits_for(shape.banks)
        super().__init__(
            {
                "home": In(bank),
                "chunks": In(shape.chunk_layout).array(2),
                "loaded": In(2),
                **{"read": Out(1), "read_half": Out(1)},
                "read_group": Out(bits_for(shape.groups)),
                "word": In(stored_bits(bits, scheme)).array(shape.group),
                **{"go": In(1), "next_finishes": In(1)},
                **{name: Out(1) for name in ("finishes", "ended", "issues", "begins", "waits")},
                "digit": Out(DIGIT),
                "half": Out(1),
                "slot": Out(bits_for(shape.slots)),
                "element": Out(bits_for(shape.group)),
                "bank": Out(bank),
                "windows": Out(WINDOW_BITS).array(shape.group),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        shape = self._shape
        at = data.StructLayout(
            {
                "half": 1,
                "slot": bits_for(shape.slots),
                "bank": bits_for(shape.banks),
                "leaves": 1,  # the last group of its bank
                "ends": 1,  # and of the pass
            }
        )
        fetched, fetched_valid = Signal(at), Signal()
        now, now_valid = Signal(at), Signal()
        takes = Signal()  # the group that was fetched is the next to be worked on
        real = Signal(shape.group)  # elements inside the chunk
        weight = Signal(bits_for(shape.passes))
        there, next_real, next_weight = self._fetch(m, at, ~fetched_valid | takes)
        with m.If(self.read):
            m.d.sync += [fetched.eq(there), real.eq(next_real), weight.eq(next_weight)]
            m.d.sync += fetched_valid.eq(1)
        with m.Elif(takes):
            m.d.sync += fetched_valid.eq(0)

        digits = Signal(data.ArrayLayout(DIGIT, shape.group))
        left = Signal(shape.group)  # digits that are not zero and not issued yet
        worked_on, last = Signal(), Signal()
        m.d.comb += [
            last.eq((left & (left - 1)) == 0),
            takes.eq(fetched_valid & (~now_valid | (self.issues & last))),
        ]
        found = self._digits(m, platform, [real[i] for i in range(shape.group)], weight)
        with m.If(takes):
            m.d.sync += [now.eq(fetched), now_valid.eq(1), worked_on.eq(0)]
            for i, (window, digit) in enumerate(found):
                m.d.sync += [
                    self.windows[i].eq(window),
                    Value.cast(digits[i]).eq(Value.cast(digit)),
                    left[i].eq(digit.one | digit.two),
                ]
        with m.Elif(self.issues):
            m.d.sync += [left.eq(left & (left - 1)), worked_on.eq(1)]
            with m.If(last):
                m.d.sync += now_valid.eq(0)

        ahead = Signal(range(-shape.banks, shape.slack + 1))  # banks, of the column before
        begun = Signal()
        m.d.comb += [
            begun.eq(now_valid & (~self.ended | self.go)),
            self.waits.eq(begun & (ahead == shape.slack)),
            self.issues.eq(begun & (ahead != shape.slack)),
            self.begins.eq(self.issues & ~worked_on & left.any()),
            self.finishes.eq(self.issues & last & now.leaves),
            self.half.eq(now.half),
            self.slot.eq(now.slot),
            self.bank.eq(now.bank),
        ]
        m.d.sync += [
            ahead.eq(ahead + self.finishes - self.next_finishes),
            self.ended.eq((self.finishes & now.ends) | (self.ended & ~self.go)),
        ]
        for i in reversed(range(shape.group)):
            with m.If(left[i]):  # the lowest one that is set comes last and decides
                m.d.comb += [self.digit.eq(digits[i]), self.element.eq(i)]
        return m

    def _digits(
        self, m: Module, platform: Any, real: list[Value], weight: Value
    ) -> list[tuple[Value, data.View]]:
        """Return windows and digits of the group that was fetched, at its pass's weight."""
        found = []
        for i, word in enumerate(self.word):
            windows = windows_of(word, self._shape.passes, self._scheme)
            window = Signal(WINDOW_BITS, name=f"window_{i}")
            m.d.comb += window.eq(Mux(real[i], pick(windows, weight), 0))
            digit = digit_of_window(m, platform, window, self._scheme, f"digit_{i}")
            found.append((window, data.View(DIGIT, digit)))
        return found

    def _fetch(
        self, m: Module, at: data.StructLayout, room: Value
    ) -> tuple[data.View, Value, Value]:
        """Walk over the groups of all passes.

        Returns
        -------
        Where the next group lies, which of its elements are inside the chunk, its bit weight.
        """
        shape = self._shape
        there = Signal(at)
        half, turn = Signal(), Signal()  # of chunks loaded into the halves, alternating
        round_, slot = Signal(bits_for(shape.banks)), Signal(bits_for(shape.slots))
        weight = Signal(bits_for(shape.passes))
        chunk = Signal(shape.chunk_layout)
        bank, low = Signal.like(self.home), Signal.like(self.home)
        last_bank, last_slot = Signal.like(self.home), Signal(bits_for(shape.slots))
        slot_shift = (shape.banks - 1).bit_length()
        m.d.comb += [
            chunk.eq(Mux(half, self.chunks[1], self.chunks[0])),
            low.eq((self.home + round_) & chunk.ring),
            bank.eq((self.home & ~chunk.ring) | low),
            last_bank.eq(chunk.last_group & (shape.banks - 1)),
            last_slot.eq(chunk.last_group >> slot_shift),
            there.half.eq(half),
            there.slot.eq(slot),
            there.bank.eq(bank),
            there.leaves.eq(slot == last_slot - ((bank > last_bank) & (last_slot != 0))),
            there.ends.eq(there.leaves & (round_ == chunk.ring)),
            self.read.eq((self.loaded.bit_select(half, 1) != turn) & room),
            self.read_half.eq(half),
            self.read_group.eq((slot << slot_shift) | low),
        ]
        with m.If(self.read):
            m.d.sync += slot.eq(Mux(there.leaves, 0, slot + 1))
            with m.If(there.leaves):
                m.d.sync += round_.eq(Mux(there.ends, 0, round_ + 1))
            with m.If(there.ends):
                m.d.sync += weight.eq(weight + 1)
                with m.If(weight == shape.passes - 1):
                    m.d.sync += [weight.eq(0), half.eq(~half), turn.eq(turn ^ half)]
        group = self.read_group
        inside = [
            (group < chunk.last_group) | ((group == chunk.last_group) & (i <= chunk.last_element))
            for i in range(shape.group)
        ]
        return there, Cat(inside), weight
