"""What reports show of frames: their time, what it is spent on, and what other sizes would take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from archsim.engines.ngpc.cluster import WAITS
from archsim.engines.ngpc.quality import PSNR, pictures
from archsim.metric import Metric, Names, Panel, Picture, Series
from archsim.result import OpRow, Result

PS_PER_US, PS_PER_MS = 10**6, 10**9
GPU, DRAM = "the GPU's other kernels", "DRAM"
CAUSES: Mapping[str, str] = {
    "busy": "encoding and MLP",
    "fill": "filling pipelines",
    "stall.bank": "bank conflicts",
    "stall.fifo": "queues of levels",
    "stall.mlp": "the MLP array",
    "stall.buffer": "L2",
    "stall.gpu": GPU,
    "dram": DRAM,
}
PROCESSORS = (1, 2, 4, 8, 16, 32, 64, 128)
FULL_HD = 1920 * 1080
PICTURES = {"full HD": 1, "4K": 4, "8K": 16}  # in pictures of full HD


def rows_of(result: Result, names: Names) -> list[OpRow]:
    return [row for row in result.per_op if row.engine in names and row.counts.get("gpu_ps")]


# ---------------------------------------------------------------------------------- of a frame


def frame_ms(result: Result, names: Names) -> float:
    """Return the time of a frame, mean over those of the result; 0 without one."""
    frames = sum(row.repeat for row in rows_of(result, names))
    return result.metrics.time_us / 1000 / frames if frames else 0.0


def frames_per_s(result: Result, names: Names) -> float:
    ms = frame_ms(result, names)
    return 1000 / ms if ms else 0.0


def speed_up(result: Result, names: Names) -> float:
    """Return the time of all frames on the GPU alone over ours."""
    gpu_ps = sum(row.counts["gpu_ps"] for row in rows_of(result, names))
    return gpu_ps / PS_PER_US / result.metrics.time_us if gpu_ps else 0.0


def spent_ps(row: OpRow) -> dict[str, float]:
    """Return what the time of an op's frames is spent on, by `CAUSES`."""
    cycles = sum(row.split_cycles.values())
    spent = {x: row.occupied_ps * row.split_cycles.get(x, 0) / cycles for x in CAUSES}
    return spent | {"dram": float(sum(row.wait_ps.values()))}


# ---------------------------------------------------------------------------------- other sizes


@dataclass(frozen=True, slots=True)
class Frame:
    """What the time of a frame is made of, batches aside: times of all its queries.

    Parameters
    ----------
    processor_ms
        On one processor.
    gpu_ms, dram_ms
        Of the GPU's other kernels, and of moving queries and answers.
    hidden
        Whether the GPU works meanwhile.
    inside
        What a processor's pace is set by.
    """

    processor_ms: float
    gpu_ms: float
    dram_ms: float
    hidden: bool
    inside: str

    @classmethod
    def of(cls, row: OpRow, result: Result, nfps: int, hidden: bool) -> Frame:
        """Return what a result says of its frame; ``nfps`` and ``hidden`` are the design's."""
        cycle_ps = row.occupied_ps / sum(row.split_cycles.values())
        work = sum(row.split_cycles.get(x, 0) for x in ("busy", *(f"stall.{w}" for w in WAITS)))
        moved = row.dram_read_bytes + row.dram_write_bytes
        return cls(
            work * nfps * cycle_ps / PS_PER_MS,
            row.counts["gpu_rest_cycles"] * cycle_ps / PS_PER_MS,
            moved / result.peak["dram_bytes_per_s"] * 1000,
            hidden,
            _inside(row.figures),
        )

    def limit(self, nfps: int) -> str:
        """Name what takes longest with so many processors."""
        times = {self.inside: self.processor_ms / nfps, GPU: self.gpu_ms, DRAM: self.dram_ms}
        return max(times, key=lambda what: times[what])

    def ms(self, nfps: int) -> float:
        """Return the time on so many processors, first and last batch aside."""
        ours = max(self.processor_ms / nfps, self.dram_ms)
        return max(ours, self.gpu_ms) if self.hidden else ours + self.gpu_ms

    def times(self, factor: float) -> Frame:
        """Return a frame of so many times the pixels."""
        return replace(
            self, processor_ms=self.processor_ms * factor, gpu_ms=self.gpu_ms * factor,
            dram_ms=self.dram_ms * factor,
        )  # fmt: skip


def _inside(figures: Mapping[str, float]) -> str:
    """Return what sets a processor's pace: arrays where queries wait for them, else banks."""
    if figures["mlp_cycles"] > 0:
        return "the MLP array"
    return "bank conflicts" if figures["bank_cycles"] > figures["once_cycles"] / 10 else "encoding"


def frames_of(result: Result, names: Names) -> dict[str, tuple[Frame, int, int]]:
    """Return by op its frame, the processors of its engine, and its pixels."""
    engines = result.provenance["design"]["engines"]
    found = {}
    for row in rows_of(result, names):
        spec = engines[row.engine]
        hidden = spec["ray_groups"] > 1 or not row.counts["marched"]
        frame = Frame.of(row, result, spec["nfps"], hidden).times(1 / row.repeat)
        found[row.name] = (frame, spec["nfps"], row.counts["pixels"] // row.repeat)
    return found


# ---------------------------------------------------------------------------------- panels


def where_it_goes(result: Result, names: Names) -> Sequence[Series]:
    """Return the share of a frame's time by what it is spent on, a series each.

    Beside a frame's name stands what takes longest, and so holds it up.
    """
    rows, frames = rows_of(result, names), frames_of(result, names)
    limits = {name: frame.limit(nfps) for name, (frame, nfps, _) in frames.items()}
    ops = tuple(f"{row.name}: held up by {limits[row.name]}" for row in rows)
    shares = [{x: ps / row.time_ps for x, ps in spent_ps(row).items()} for row in rows]
    return [
        Series(title, ops, tuple(100 * share[cause] for share in shares))
        for cause, title in CAUSES.items()
        if any(share[cause] > 0 for share in shares)
    ]


def a_query(result: Result, names: Names) -> Sequence[Series]:
    """Return the cycles of a query on one processor by what they are, a series each."""
    rows = rows_of(result, names)
    ops = tuple(row.name for row in rows)
    parts = {"once": "without waiting", "bank": "bank conflicts", "fifo": "queues of levels",
             "mlp": "the MLP array"}  # fmt: skip
    return [
        Series(title, ops, tuple(row.figures[f"{part}_cycles"] for row in rows))
        for part, title in parts.items()
        if rows
    ]


def by_processors(result: Result, names: Names) -> Sequence[Series]:
    """Return the time of a frame on other numbers of processors, a line each op."""
    return [
        Series(op, tuple(map(float, PROCESSORS)), tuple(frame.ms(n) for n in PROCESSORS))
        for op, (frame, _, _) in frames_of(result, names).items()
    ]


def by_pixels(result: Result, names: Names) -> Sequence[Series]:
    """Return the time of frames of other sizes, a line each op."""
    return [
        Series(
            op, tuple(PICTURES),
            tuple(frame.times(n * FULL_HD / pixels).ms(nfps) for n in PICTURES.values()),
        )
        for op, (frame, nfps, pixels) in frames_of(result, names).items()
    ]  # fmt: skip


def picture(result: Result, names: Names) -> Sequence[Picture]:
    """Return the scene's picture beside that of tables as the engine has them, if it is known."""
    rows = rows_of(result, names)
    app, _, options = result.provenance["trace_source"].partition("@")
    scenes = [text.removeprefix("scene=") for text in options.split(",") if "scene=" in text]
    if len(rows) != 1 or len(scenes) != 1:
        return []
    return pictures(app, scenes[0], round(rows[0].figures["table_entries"]))


METRICS = (
    Metric(
        "ngpc_frame_ms", "Frame time", value=frame_ms, units=(("ms", 1.0), ("s", 1e3)),
        meaning="Time of a frame, with the GPU's other kernels.",
    ),
    Metric(
        "ngpc_frames_per_s", "Frames a second", "max", value=frames_per_s,
        meaning="One over the time of a frame.",
    ),
    Metric(
        "ngpc_speed_up", "Speed-up over the GPU alone", "max", value=speed_up,
        meaning="Over the frame time of the GPU by itself, as the trace states it, kernels beside "
        "encoding and MLP not fused.",
    ),
    Metric(
        PSNR, "Quality of the picture", "max", units=(("dB", 1.0),),
        meaning="PSNR of the picture of a field that was fitted to the scene, with tables and "
        "features as the engine keeps them, against the scene's own.",
    ),
)  # fmt: skip
PANELS = (
    Panel(
        "The picture", "", "", picture, "pictures",
        "A small picture of the scene, by the application's rules, and of a field that was fitted "
        "to it, whose tables have as many entries as here.",
    ),
    Panel(
        "Where a frame's time goes", "frame", "% of the frame", where_it_goes,
        meaning="Processors work, wait inside, wait for the GPU, or for DRAM.",
    ),
    Panel(
        "A query on one processor", "frame", "cycles", a_query,
        meaning="In a long row of queries, by what would be left without: conflicts in banks, "
        "queues that end, an array that layers take in turn.",
    ),
    Panel(
        "Frame time by processors", "processors", "ms", by_processors, "lines",
        "Where more do not help, the GPU's other kernels or DRAM take all of it.",
    ),
    Panel(
        "Frame time by pixels", "picture", "ms", by_pixels, "lines",
        "Queries grow with pixels; so do the GPU's other kernels.",
    ),
)  # fmt: skip
