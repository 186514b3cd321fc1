"""Hash SpGEMM engine: spec, reference, timing, cost and RTL."""
