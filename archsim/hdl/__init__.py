"""Hardware that engines share, and the ways out of it: Verilog, synthesis."""
