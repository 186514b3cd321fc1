"""A system's program: what the planner decided, as descriptors for the generated hardware.

A pure function of a `schedule.Program`: every transfer and every job, in the order and with the
waits that `analytic` and `kernel` give them, and where everything lies in memory and scratchpad.

`placement` says where tensors lie, `tiles` where an op's tiles do, `compiler` writes the tables.
"""

from __future__ import annotations

from archsim.program.compiler import Scales, SystemProgram, compile_program

__all__ = ["Scales", "SystemProgram", "compile_program"]
