"""Neural graphics as models: queries of scenes, their options, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from archsim.errors import InputError
from archsim.frontends import load
from archsim.graphics.apps import APPS, FHD_PIXELS
from archsim.graphics.encoding import Encoding, checked_positions
from archsim.graphics.field import Field
from archsim.patterns import Patterns
from archsim.trace import Sampled, Trace
from archsim.trace_io import read_trace, write_trace

SMALL = "res=64x36"


def field(trace: Trace) -> Field:
    (op,) = trace.ops
    return Field.of(op)


@pytest.mark.parametrize("app", APPS)
def test_a_frame_is_an_op_with_a_sample_of_its_queries(app: str, tmp_path: Path) -> None:
    trace = load(f"{app}@{SMALL}")
    found, sample = field(trace), trace.values["samples"]
    tensors = trace.tensors
    assert found.pixels == 64 * 36 and found.app == app
    assert checked_positions(sample[:, : 2 if app == "gia" else 3], 2 if app == "gia" else 3).any()
    assert tensors["samples"].shape == (found.queries, APPS[app].record)
    data = tensors["samples"].data
    assert isinstance(data, Sampled) and data.scale * len(sample) == pytest.approx(found.queries)
    assert tensors["samples"].size_bytes == found.queries * found.in_bytes
    assert tensors["answers"].size_bytes == found.queries * found.out_bytes
    assert tensors["tables"].size_bytes == Encoding.parse(found.encoding).size_bytes()
    assert trace.macs() == found.queries * found.macs
    write_trace(trace, tmp_path / "t.jsonl", trace.values)
    again = read_trace(tmp_path / "t.jsonl")
    assert again == trace
    assert (again.values["samples"] == sample).all()


def test_a_small_picture_is_followed_whole() -> None:
    trace = load(f"gia@{SMALL}")
    assert field(trace).queries == 64 * 36 == len(trace.values["samples"])


def test_queries_grow_with_pixels_and_samples_do_not() -> None:
    fhd, most = (load(f"nsdf@res={res}") for res in ("fhd", "8k"))
    assert field(fhd).pixels == FHD_PIXELS
    ratio = field(most).queries / field(fhd).queries
    assert ratio == pytest.approx(16, rel=0.01)
    assert len(fhd.values["samples"]) == len(most.values["samples"]) == 65_536
    assert field(most).gpu_us == 16 * field(fhd).gpu_us


def test_the_same_seed_makes_the_same_queries() -> None:
    first, again, other = (load(f"nvr@{SMALL},seed={seed}").values["samples"] for seed in (1, 1, 2))
    assert (first == again).all()
    assert first.shape != other.shape or (first != other).any()


def test_orders_hold_the_same_queries() -> None:
    by = {
        order: load(f"nsdf@{SMALL},samples=1048576,order={order}").values["samples"]
        for order in ("step", "ray", "morton")
    }
    kept = [sorted(map(bytes, sample)) for sample in by.values()]
    assert kept[0] == kept[1] == kept[2]
    jumps = {o: np.abs(np.diff(sample, axis=0)).sum(axis=1).mean() for o, sample in by.items()}
    assert jumps["morton"] < min(jumps["ray"], jumps["step"])


def test_grids_can_be_changed() -> None:
    found = field(load(f"nsdf@{SMALL},levels=8,features=4,log2_table=14,growth=1.5,parity=yes"))
    encoding = Encoding.parse(found.encoding)
    assert (encoding.levels, encoding.features, encoding.log2_table) == (8, 4, 14)
    assert encoding.growth == 1.5
    assert encoding.parity and found.reads == ((64, 4),)
    dense = field(load(f"nerf@{SMALL},encoding=dense"))
    assert dense.layers[0] == (16, 64) and dense.rest_share == pytest.approx(0.4)


def test_other_representations_read_and_multiply_other_things() -> None:
    def asked(options: str) -> Field:
        return field(load(f"nerf@res=32x18,encoding={options}"))

    whole, cut = asked("tensorf"), asked("tensorf,ranks=4")
    assert whole.encoding == "tensorf ranks=16"
    assert sum(n * values for n, values in whole.reads) == 1152
    assert sum(n * values for n, values in cut.reads) == 288
    mlp = load("nerf@res=32x18,encoding=pvd_mlp")
    assert field(mlp).reads == () and mlp.tensors["networks"].elements == field(mlp).macs
    assert "of a hash grid" in field(mlp).basis
    plenoxel = load("nerf@res=32x18,encoding=pvd_plenoxel")
    assert field(plenoxel).reads == ((8, 28),)
    assert plenoxel.tensors["tables"].elements == 28 * 128**3


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        (None, "must be in the side file, under the name 'samples'"),
        (np.zeros((9, 3)), "must be at most [2304, 2], not [9, 3]"),
        (np.zeros((0, 2)), "must be at most [2304, 2], not [0, 2]"),
        (np.full((9, 2), np.nan), "must be finite numbers"),
        (np.full((9, 2), "x"), "must be finite numbers"),
    ],
)
def test_samples_of_another_shape_or_not_finite_are_refused(
    sample: np.ndarray | None, words: str
) -> None:
    values = {} if sample is None else {"samples": sample}
    trace = replace(load(f"gia@{SMALL}"), values=values)
    with pytest.raises(InputError) as caught:
        Patterns(trace).values(trace.ops[0], ("samples", "tables", "networks"))
    assert str(caught.value) == f"trace 'gia': values of 'samples': {words}"


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (
            "nerf@res=16k",
            "nerf: res: must be fhd, 4k, 8k or WIDTHxHEIGHT of 1 to 33,177,600 pixels, not '16k'",
        ),
        ("nerf@res=99999x99999", "nerf: res: must be fhd, 4k, 8k or WIDTHxHEIGHT"),
        ("nerf@res=0x5", "nerf: res: must be fhd, 4k, 8k or WIDTHxHEIGHT"),
        ("nerf@scene=moon", "nerf: scene: must be one of objects, room, not 'moon'"),
        ("gia@majorant=3", "gia: options: must be of scene, res, seed, order, samples, encoding, "),
        ("nvr@majorant=nan", "nvr: majorant: must be a number from 1 to 1000, not 'nan'"),
        ("nsdf@samples=1e9", "nsdf: samples: must be a whole number from 256 to 1,048,576"),
        ("nsdf@encoding=tree", "nsdf: encoding: must be one of hash, dense, lowres, not 'tree'"),
        ("nerf@encoding=pvd_mlp,ranks=4", "nerf: options: must be of scene, res, seed, density, "),
        ("nerf@encoding=tensorf,ranks=17", "nerf: ranks: must be a whole number from 1 to 16"),
        ("nsdf@levels=40", "nsdf: levels: must be a whole number from 1 to 32, not '40'"),
        (
            "nerf@levels=32",
            "encoding: growth: must make fewer than 65,536 cells an axis, not 6357823",
        ),
    ],
)
def test_options_out_of_bounds_are_refused(model: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        load(model)
    assert str(caught.value).startswith(words)
