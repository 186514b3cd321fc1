"""RF neural networks: interferometer meshes, tensor trains on them, and their digital control."""
