"""Synthesis study of the tensor-engine family: PEs and arrays over clock targets, open libraries.

What is compared, and at which clock, stands in `conventions`.
"""
