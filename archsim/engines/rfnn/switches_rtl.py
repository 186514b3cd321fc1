"""The sequencer's part of a switch matrix: words that were routed beforehand."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Const, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from archsim.engines.rfnn.routes import stride_words, switch_count


class SwitchMatrix(wiring.Component):
    """Keeps a word for each stride by which a matrix's inputs may be ordered.

    Members
    -------
    set, route : in
        Put out the word of stride ``2^route`` from the next cycle on.
    word : out
        A bit a switch; high: it crosses.
    """

    def __init__(self, modes: int) -> None:
        self._modes = modes
        super().__init__({"set": In(1), "route": In(4), "word": Out(self.word_bits(modes))})

    @staticmethod
    def word_bits(modes: int) -> int:
        return switch_count(modes)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        words = Array(Const(word, len(self.word)) for word in stride_words(self._modes))
        with m.If(self.set):
            m.d.sync += self.word.eq(words[self.route])
        return m
