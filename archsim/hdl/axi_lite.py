"""AXI4-Lite on one side, a plain register bus on the other."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

DATA_BITS = 32
OKAY, SLVERR = 0b00, 0b10


def axi_lite_members(prefix: str, address_bits: int) -> dict[str, wiring.Member]:
    """Return the ports of an AXI4-Lite subordinate, flat, by standard names."""
    return {
        f"{prefix}_awaddr": In(address_bits),
        f"{prefix}_awprot": In(3),
        f"{prefix}_awvalid": In(1),
        f"{prefix}_awready": Out(1),
        f"{prefix}_wdata": In(DATA_BITS),
        f"{prefix}_wstrb": In(DATA_BITS // 8),
        f"{prefix}_wvalid": In(1),
        f"{prefix}_wready": Out(1),
        f"{prefix}_bresp": Out(2),
        f"{prefix}_bvalid": Out(1),
        f"{prefix}_bready": In(1),
        f"{prefix}_araddr": In(address_bits),
        f"{prefix}_arprot": In(3),
        f"{prefix}_arvalid": In(1),
        f"{prefix}_arready": Out(1),
        f"{prefix}_rdata": Out(DATA_BITS),
        f"{prefix}_rresp": Out(2),
        f"{prefix}_rvalid": Out(1),
        f"{prefix}_rready": In(1),
    }


class AxiLitePort(wiring.Component):
    """AXI4-Lite subordinate: every access becomes one cycle on a register bus.

    Address and data of a write may come in either order or together. Outputs depend on registers
    alone, so no path crosses the port. ``prot`` is ignored.

    Parameters
    ----------
    address_bits
        Bits of the byte address.

    Members
    -------
    s_axi_* : AXI4-Lite
    write : out
        A write happens in this cycle: ``write_word``, ``write_data``, ``write_strobe``.
    write_word, read_word : out
        Word address (byte address over four).
    write_data, write_strobe : out
        Strobe: a bit a byte.
    write_error, read_error : in
        In the same cycle: no such register. Unaligned addresses never reach the bus.
    read : out
        ``read_data`` of ``read_word`` is taken in this cycle.
    read_data : in
    """

    def __init__(self, address_bits: int) -> None:
        word_bits = address_bits - 2
        super().__init__(
            {
                **axi_lite_members("s_axi", address_bits),
                "write": Out(1),
                "write_word": Out(word_bits),
                "write_data": Out(DATA_BITS),
                "write_strobe": Out(DATA_BITS // 8),
                "write_error": In(1),
                "read": Out(1),
                "read_word": Out(word_bits),
                "read_data": In(DATA_BITS),
                "read_error": In(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        self._writes(m)
        self._reads(m)
        return m

    def _writes(self, m: Module) -> None:
        has_address, has_data = Signal(), Signal()
        address = Signal.like(self.s_axi_awaddr)
        act, aligned = Signal(), Signal()
        m.d.comb += [
            self.s_axi_awready.eq(~has_address),
            self.s_axi_wready.eq(~has_data),
            aligned.eq(address[:2] == 0),
            act.eq(has_address & has_data & ~self.s_axi_bvalid),
            self.write.eq(act & aligned),
            self.write_word.eq(address[2:]),
        ]
        with m.If(self.s_axi_awvalid & self.s_axi_awready):
            m.d.sync += [has_address.eq(1), address.eq(self.s_axi_awaddr)]
        with m.If(self.s_axi_wvalid & self.s_axi_wready):
            m.d.sync += [
                has_data.eq(1),
                self.write_data.eq(self.s_axi_wdata),
                self.write_strobe.eq(self.s_axi_wstrb),
            ]
        with m.If(act):
            m.d.sync += [
                has_address.eq(0),
                has_data.eq(0),
                self.s_axi_bvalid.eq(1),
                self.s_axi_bresp.eq(Mux(aligned & ~self.write_error, OKAY, SLVERR)),
            ]
        with m.If(self.s_axi_bvalid & self.s_axi_bready):
            m.d.sync += self.s_axi_bvalid.eq(0)

    def _reads(self, m: Module) -> None:
        has_address, good = Signal(), Signal()
        address = Signal.like(self.s_axi_araddr)
        m.d.comb += [
            self.s_axi_arready.eq(~has_address & ~self.s_axi_rvalid),
            self.read.eq(has_address & (address[:2] == 0)),
            self.read_word.eq(address[2:]),
            good.eq(self.read & ~self.read_error),
        ]
        with m.If(self.s_axi_arvalid & self.s_axi_arready):
            m.d.sync += [has_address.eq(1), address.eq(self.s_axi_araddr)]
        with m.If(has_address):
            m.d.sync += [
                has_address.eq(0),
                self.s_axi_rvalid.eq(1),
                self.s_axi_rdata.eq(Mux(good, self.read_data, Const(0, DATA_BITS))),
                self.s_axi_rresp.eq(Mux(good, OKAY, SLVERR)),
            ]
        with m.If(self.s_axi_rvalid & self.s_axi_rready):
            m.d.sync += self.s_axi_rvalid.eq(0)
