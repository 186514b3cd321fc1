"""Neural-fields processors: grid encodings fused with small MLPs.

`spec` is what people type, `jobs` are slices of queries on one processor; `timing`, `reference`
and `rtl` are its faces.
"""
