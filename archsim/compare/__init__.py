"""How other tools account for the same work: one file a peer, and what makes its answer differ.

A peer's accounting that no hardware has lives here and in no engine's spec.
"""
