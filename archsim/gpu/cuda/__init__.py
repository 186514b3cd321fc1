"""Kernels in CUDA C++, for tensor instructions that Triton cannot express."""
