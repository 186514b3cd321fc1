from __future__ import annotations

from pathlib import Path

import pytest

from archsim.verify import verilator

pytestmark = pytest.mark.skipif(
    not verilator.is_available(), reason="needs Verilator and a C++ compiler"
)

COUNTER = """
module counter(input clk, input rst, output reg [3:0] q);
  always @(posedge clk) if (rst) q <= 0; else q <= q + 1;
endmodule
"""


def test_a_design_is_built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = verilator.build(COUNTER, "counter")
    monkeypatch.setattr(verilator, "_compile", None)  # would fail if called
    assert first == verilator.build(COUNTER, "counter")


def test_verilators_words_reach_the_user() -> None:
    with pytest.raises(verilator.SimulatorError, match=r"(?s)^verilator failed:.*syntax error"):
        verilator.build("module broken(; endmodule", "broken")


def test_a_failing_bench_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "failing_bench.py").write_text(
        "import cocotb\n\n@cocotb.test()\nasync def fails(top):\n    assert top.q.value == 99\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    simulator = verilator.build(COUNTER, "counter")
    with pytest.raises(verilator.SimulatorError, match=r"(?s)^the bench failed:.*AssertionError"):
        verilator.run(simulator, "failing_bench", "counter", {})


def test_lint_complains() -> None:
    text = "module wide(input [3:0] a, output [1:0] q); assign q = a; endmodule\n"
    assert "WIDTHTRUNC" in verilator.lint(text, "wide")


def test_without_a_compiler_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "")
    assert not verilator.is_available()
    with pytest.raises(
        verilator.SimulatorError, match=r"^no C\+\+ compiler .* use --simulator amaranth$"
    ):
        verilator.build(COUNTER + "// another\n", "counter")
