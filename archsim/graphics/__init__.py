"""Neural graphics: analytic scenes, rays that march through them, grid encodings and small MLPs."""
