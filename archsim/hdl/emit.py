"""Verilog of a component: deterministic, without source paths, one module for repeated parts."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal
from amaranth.lib import wiring

from archsim.hdl import yosys

# operators are sized by the HDL and its optimiser, where Verilog extends and cuts by itself
_WAIVERS = ("/* verilator lint_off WIDTHEXPAND */", "/* verilator lint_off WIDTHTRUNC */")

# the HDL starts every memory at zero; a chip's memories start with anything, and Verilog that says
# otherwise is a line a row
_ZEROED = re.compile(
    r"  cell \$meminit_v2 .*\n(?:    parameter .*\n)+"
    r"    connect \\ADDR .*\n    connect \\DATA \d+'0+\n    connect \\EN .*\n  end\n"
)


class VerilogTarget:
    """The platform that `elaborate` sees when Verilog is wanted.

    Amaranth emits a module for each instance; an array of equal PEs would become thousands of
    equal modules. `place` asks this target to emit a part once and to instantiate it by name.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._signatures: dict[tuple[Any, ...], wiring.Signature] = {}
        self.rtlil: dict[str, str] = {}

    def instance(self, name: str, part: type[wiring.Component], *arguments: Any) -> Any:
        """Return an interface like the part's and the instance that is wired to it."""
        module = f"{self._prefix}_{name}"
        key = (module, part, *arguments)
        if key not in self._signatures:
            if module in self.rtlil:
                raise ValueError(f"module {module} would stand for two different parts")
            self.rtlil[module] = ""  # keeps its place before the parts it places itself
            component = part(*arguments)
            self._signatures[key] = component.signature
            self.rtlil[module] = rtlil.convert(
                component, name=module, platform=self, emit_src=False
            )
        clocked = " \\clk\n" in self.rtlil[module]
        return reference(module, self._signatures[key], name, clocked=clocked)


def reference(
    module: str, signature: wiring.Signature, name: str, *, clocked: bool = True
) -> tuple[Any, Instance]:
    """Return an interface of the given signature and the instance of a module wired to it.

    Parameters
    ----------
    module
        Verilog module whose ports are the signature's.
    name
        Prefix of the interface's signals.
    clocked
        Whether it has ``clk`` and ``rst``, too.
    """
    interface = signature.create(path=(name,))
    ports = {
        f"{'i' if member.flow == wiring.In else 'o'}_{'__'.join(map(str, path))}": value
        for path, member, value in signature.flatten(interface)
    }
    if clocked:
        ports = {"i_clk": ClockSignal(), "i_rst": ResetSignal(), **ports}
    return interface, Instance(module, **ports)


def place(
    m: Module,
    platform: Any,
    name: str,
    instance: str,
    part: type[wiring.Component],
    *arguments: Any,
) -> Any:
    """Add a part that repeats, ``part(*arguments)``, to a module and return its interface.

    Parameters
    ----------
    name
        What the parts are: the Verilog module is called the top's name, then this.
    instance
        Name of this one.
    """
    if isinstance(platform, VerilogTarget):
        interface, m.submodules[instance] = platform.instance(name, part, *arguments)
        return interface
    m.submodules[instance] = component = part(*arguments)
    return component


def to_verilog(component: wiring.Component, name: str) -> str:
    """Return the Verilog of a component whose top module is called ``name``.

    Clock ``clk``, synchronous reset ``rst``; a stream ``x`` is ``x__payload``, ``x__valid``,
    ``x__ready``, arrays with element 0 lowest. Memories that start at zero are undefined until they
    are written.
    """
    target = VerilogTarget(name)
    top = rtlil.convert(component, name=name, platform=target, emit_src=False)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        rtlil_text = "\n".join([*target.rtlil.values(), top])
        (folder / "design.il").write_text(_ZEROED.sub("", rtlil_text))
        yosys.run(
            [
                "read_rtlil design.il",
                "proc -norom",
                "pmuxtree",  # multiplexers as expressions: case statements trip linters
                "opt_expr",
                "wreduce",
                "opt_clean -purge",
                "memory_collect",
                "write_verilog -norename design.v",
            ],
            folder,
        )
        lines = (folder / "design.v").read_text().splitlines()
    # the first line names the tool's build, which would differ between equal results
    body = [line.rstrip() for line in lines if not line.startswith("/* Generated")]
    return "\n".join([*_WAIVERS, *body, ""])
