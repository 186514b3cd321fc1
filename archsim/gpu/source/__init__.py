"""The kernels' sources, in Triton: each module has functions and the ``launch`` that starts them.

Importing one imports torch and Triton; only what runs or compiles kernels does.
"""
