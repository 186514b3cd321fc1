"""A block of barrel cores that multiplies sparse matrices by hashing, as a model."""
