"""Draw docs/figures/neural-graphics.png: scenes, and what small fields learn of them.

Run as ``python docs/figures/neural_graphics.py`` from the top folder: it takes some minutes. With
``--quality`` it prints the table of docs/neural-graphics.md instead.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.image
import numpy as np

from archsim.graphics.encoding import Encoding
from archsim.graphics.fit import field_picture, fitted, psnr_db, quality_db, scene_picture
from archsim.graphics.frames import Frame

FILE = Path(__file__).with_name("neural-graphics.png")
WIDTH, HEIGHT, GAP = 192, 108, 4
FRAMES = (("nerf", "objects"), ("nsdf", "objects"), ("nvr", "room"), ("gia", "room"))


def grid(app: str, log2_table: int = 14, features: int = 2) -> Encoding:
    """Return the encoding of the figure's fields: eight levels, 0.4 MB of tables."""
    dims = 2 if app == "gia" else 3
    return Encoding("hash", 8, features, log2_table, 16, 1.5, dims)


def draw() -> None:
    columns = []
    for app, scene in FRAMES:
        frame = Frame(app, scene, WIDTH, HEIGHT, majorant=150.0)
        truth = scene_picture(frame).colours
        learnt = field_picture(frame, fitted(frame, grid(app))).colours
        print(f"{app} {scene}: {psnr_db(learnt, truth):.1f} dB", flush=True)
        between = np.ones((GAP, WIDTH, 3), np.float32)
        column = np.concatenate([truth, between, learnt])
        columns += [column, np.ones((len(column), GAP, 3), np.float32)]
    picture = np.round(np.concatenate(columns[:-1], axis=1) * 255).astype(np.uint8)
    matplotlib.image.imsave(FILE, picture)


def quality() -> None:
    for app in ("gia", "nvr"):
        for log2_table, features in ((8, 2), (10, 2), (12, 2), (14, 2), (12, 1), (12, 4)):
            own = grid(app, log2_table, features)
            found = [quality_db(app, "objects", own, bits) for bits in (16, 8, 4)]
            cells = [
                f"`{app}`",
                f"2^{log2_table}",
                str(features),
                f"{own.size_bytes() / 1024:,.0f}",
            ]
            print("|", " | ".join([*cells, *(f"{x:.1f}" for x in found)]), "|", flush=True)


if __name__ == "__main__":
    quality() if "--quality" in sys.argv else draw()
