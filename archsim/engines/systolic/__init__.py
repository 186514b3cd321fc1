"""Systolic arrays: spec, reference, timing, cost and RTL."""
