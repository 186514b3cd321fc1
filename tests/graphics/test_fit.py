from __future__ import annotations

import numpy as np
import pytest

from archsim.graphics.encoding import Encoding
from archsim.graphics.fit import Fit, field_picture, fitted, psnr_db, quality_db, scene_picture
from archsim.graphics.frames import Frame

QUICK = Fit(positions=1 << 13, batch=1 << 11, steps=90)
PLANE = Encoding(levels=6, log2_table=12, growth=1.4, dims=2)
SPACE = Encoding(levels=6, log2_table=12, growth=1.5)


def test_psnr_is_of_the_mean_square() -> None:
    picture = np.zeros((2, 2, 3), np.float32)
    assert psnr_db(picture + np.float32(0.1), picture) == pytest.approx(20.0, abs=1e-4)
    assert psnr_db(picture, picture) == 100.0


@pytest.mark.parametrize(
    ("app", "before", "after"),
    [
        ("gia", 4, 18),
        pytest.param("nvr", 12, 19, marks=pytest.mark.slow),
        pytest.param("nerf", 13, 16, marks=pytest.mark.slow),
        pytest.param("nsdf", 8, 14, marks=pytest.mark.slow),
    ],
)
def test_a_fitted_field_shows_the_scene(app: str, before: float, after: float) -> None:
    frame = Frame(app, "objects", 32, 18, majorant=150.0)
    grid = PLANE if app == "gia" else SPACE
    truth = scene_picture(frame).colours
    blank = fitted(frame, grid, Fit(positions=256, batch=1, steps=0))
    assert psnr_db(field_picture(frame, blank).colours, truth) < before
    found = field_picture(frame, fitted(frame, grid, QUICK))
    assert psnr_db(found.colours, truth) > after
    again = fitted.__wrapped__(frame, grid, QUICK)
    assert (again.tables == fitted(frame, grid, QUICK).tables).all()


def test_fewer_entries_and_bits_make_a_worse_picture() -> None:
    def quality(levels: int, bits: int) -> float:
        grid = Encoding(levels=levels, log2_table=12, growth=1.4, dims=2)
        return quality_db("gia", "objects", grid, bits, QUICK, (48, 27))

    assert quality(6, 16) > quality(2, 16) + 0.5
    assert quality(6, 16) == pytest.approx(quality(6, 8), abs=0.3)
    assert quality(6, 8) > quality(6, 2) + 2


@pytest.mark.slow
@pytest.mark.parametrize(("app", "least"), [("gia", 25), ("nsdf", 19), ("nvr", 24), ("nerf", 27)])
def test_pictures_of_the_default_fit_are_good(app: str, least: float) -> None:
    grid = Encoding(levels=8, log2_table=14, growth=1.4, dims=2 if app == "gia" else 3)
    assert quality_db(app, "objects", grid) > least
