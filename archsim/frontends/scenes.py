"""Neural graphics of analytic scenes: a frame's queries, as an op with a sample of positions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from archsim.errors import InputError
from archsim.frontends import Frontend
from archsim.frontends.options import Options
from archsim.graphics.apps import APPS, REST_BASIS, REST_SHARE, App, gpu_us
from archsim.graphics.encoding import MAX_FEATURES, MAX_LEVELS, MAX_LOG2_TABLE, Encoding
from archsim.graphics.field import KIND, Field
from archsim.graphics.frames import Frame
from archsim.graphics.representations import (
    BANDS,
    DENSITY_RANKS,
    MOST_RANKS,
    REPRESENTATIONS,
    query_of,
)
from archsim.graphics.scenes import DENSITIES, SCENES
from archsim.graphics.stream import BLOCK, ORDERS
from archsim.trace import Op, OpKind, Sampled, Tensor, Trace

RESOLUTIONS: Mapping[str, tuple[int, int]] = {
    "fhd": (1920, 1080),
    "4k": (3840, 2160),
    "8k": (7680, 4320),
}
MAX_PIXELS = 7680 * 4320
GRIDS = tuple(REST_SHARE)


def _load(model: str, options: Options, kinds: Mapping[str, OpKind]) -> Trace:
    app = APPS[model]
    frame = _frame(app, options)
    order = options.choice("order", ORDERS, "step")
    most = options.count("samples", 1 << 16, least=BLOCK, most=1 << 20)
    asked = _asked(app, options)
    options.done()

    stream = frame.queries()
    if not len(stream):
        raise InputError(f"{model}: res", "must have pixels that see the scene", options.taken)
    queries = max(round(stream.per_pixel * frame.pixels), 1)
    sample = stream.ordered(order).sample(most).records[:queries]
    field = Field(
        app=app.name,
        scene=frame.scene,
        order=order,
        encoding=asked.text,
        queries=queries,
        pixels=frame.pixels,
        in_bytes=4 * app.record,
        out_bytes=2 * app.outputs,
        reads=asked.reads,
        layers=asked.layers,
        macs=asked.macs,
        gpu_us=gpu_us(app, asked.timed_as, frame.pixels),
        rest_share=REST_SHARE[asked.timed_as],
        basis=f"time: {app.basis}{asked.beyond}; share of the rest: {REST_BASIS}",
    )
    known = Sampled("samples", queries / len(sample))
    weights = sum(rows * columns for rows, columns in asked.layers)
    tensors = (
        Tensor("samples", (queries, app.record), "fp32", "input", known),
        Tensor("tables", asked.tables, "fp16", "weight"),
        Tensor("networks", (weights,), "fp16", "weight"),
        Tensor("answers", (queries, app.outputs), "fp16", "output"),
    )  # fmt: skip
    source = f"{model}@" + ",".join(f"{key}={value}" for key, value in options.taken.items())
    op = Op(
        "frame", KIND, ("samples", "tables", "networks"), ("answers",), field.attrs(), source=source
    )
    notes = _notes(app, field, app.basis + asked.beyond, stream.pixels, len(sample))
    named = {tensor.name: tensor for tensor in tensors}
    return Trace(model, named, (op,), notes, {}, source, {"samples": sample})


def _frame(app: App, options: Options) -> Frame:
    """Return the frame that options ask for."""
    scene = options.choice("scene", SCENES, "objects")
    width, height = _resolution(options)
    frame = Frame(app.name, scene, width, height, seed=options.count("seed", 1, least=0))
    if app.name in ("nerf", "nvr"):
        frame = replace(frame, density=options.choice("density", DENSITIES, "soft"))
    if app.name == "nvr":
        frame = replace(frame, majorant=options.number("majorant", 60.0, least=1.0, most=1000.0))
    return frame


def _resolution(options: Options) -> tuple[int, int]:
    if not options.has("res"):
        options.choice("res", RESOLUTIONS, "fhd")
        return RESOLUTIONS["fhd"]
    given = str(options.text("res"))
    size = re.fullmatch(r"(\d{1,5})x(\d{1,5})", given)
    width, height = (int(size[1]), int(size[2])) if size else RESOLUTIONS.get(given, (0, 0))
    if not 0 < width * height <= MAX_PIXELS:
        raise InputError(
            f"{options.where}: res",
            f"must be {', '.join(RESOLUTIONS)} or WIDTHxHEIGHT of 1 to {MAX_PIXELS:,} pixels",
            given,
        )
    return width, height


@dataclass(frozen=True, slots=True)
class Asked:
    """What one query takes: see `Field`.

    Parameters
    ----------
    tables
        Their shape.
    timed_as
        The grid whose time on the GPU is known, and ``beyond``, a word on it if it is not the same.
    """

    text: str
    reads: tuple[tuple[int, int], ...]
    layers: tuple[tuple[int, int], ...]
    macs: int
    tables: tuple[int, int]
    timed_as: str
    beyond: str = ""


def _asked(app: App, options: Options) -> Asked:
    """Return what a query of the representation takes that options ask for."""
    others = tuple(REPRESENTATIONS) if app.name == "nerf" else ()
    name = options.choice("encoding", (*GRIDS, *others), "hash")
    if name in GRIDS:
        encoding = _encoding(app.encoding(name), options)
        layers = app.layers(encoding.outputs)
        reads = ((encoding.corners * encoding.levels, encoding.features),)
        tables = (encoding.entries, encoding.features)
        macs = sum(rows * columns for rows, columns in layers)
        return Asked(encoding.text, reads, layers, macs, tables, name)
    ranks = DENSITY_RANKS
    if name == "tensorf":
        ranks = options.count("ranks", ranks, most=MOST_RANKS)
    query = query_of(name, ranks)
    text = f"{name} ranks={ranks}" if name == "tensorf" else name
    # a field without tables has the octaves of its sines at least
    tables = (query.values or BANDS, 1)
    return Asked(
        text, query.reads, query.layers, query.macs, tables, "hash", ", of a hash grid"
    )  # fmt: skip


def _encoding(encoding: Encoding, options: Options) -> Encoding:
    """Return a grid with the numbers that options change."""
    levels = options.count("levels", encoding.levels, most=MAX_LEVELS)
    features = options.count("features", encoding.features, most=MAX_FEATURES)
    growth = options.number("growth", encoding.growth, least=1.0, most=4.0)
    changed = replace(encoding, levels=levels, features=features, growth=growth)
    if encoding.grid != "hash":
        return changed
    log2_table = options.count("log2_table", encoding.log2_table, least=6, most=MAX_LOG2_TABLE)
    parity = options.choice("parity", ("yes", "no"), "no") == "yes"
    return replace(changed, log2_table=log2_table, parity=parity)


def _notes(app: App, field: Field, trust: str, looked_at: int, sample: int) -> tuple[str, ...]:
    return (
        f"queries: {app.query}; {field.queries:,}, counted on {looked_at:,} pixels",
        f"samples: {sample:,} queries in blocks of {BLOCK}, evenly over those that were counted",
        f"GPU: {field.gpu_us / 1000:,.4g} ms a frame on an RTX 3090 ({trust})",
        f"GPU: {100 * field.rest_share:.2f} % of it beside encoding and MLP: {REST_BASIS}",
    )


def _names() -> Iterator[str]:
    return iter(APPS)


FRONTEND = Frontend("", APPS.__contains__, _load, _names)
