"""The GPU yardstick: reference kernels, tensor-core arithmetic, device tables, measured records."""
