"""What the manifest of a built system says: sizes, tables, and what of a design is in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from archsim.design import Design
from archsim.hdl.descriptors import Geometry
from archsim.hdl.requantise import Scaling


def system_of(design: Design, geometry: Geometry, layers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest's entry on the system."""
    g = geometry
    bank, row = g.rows * g.word_bytes, g.cols * g.acc_bits // 8
    memories = {
        "tiles": ("activations that stream, a bank a lane", g.a_depth * bank),
        "kept": ("results that stay on chip, a bank a lane", g.kept_depth * bank),
        "weights": ("operand B", g.b_depth * g.word_bytes),
        "sums": ("partial sums, and results on their way out", g.c_depth * row),
        "biases": ("biases of two layers", g.bias_depth * row),
    }
    return {
        "rows": g.rows, "cols": g.cols, "bits": g.bits, "acc_bits": g.acc_bits,
        "word_bits": g.word_bits,
        "memories": {
            name: {"holds": holds, "bytes": size} for name, (holds, size) in memories.items()
        },
        "tables": {
            name: {
                "number": table.number, "rows": table.depth, "words": table.words,
                "stride_words": table.stride_words, "fields": dict(table.fields),
            }
            for name, table in g.tables.items()
        },
        "runs": "products (gemm, conv) of one group and one image, bias, ReLU, requantisation",
        "departures": list(_departures(design, g, layers)),
    }  # fmt: skip


def _departures(design: Design, g: Geometry, layers: Mapping[str, Any]) -> Iterator[str]:
    """Yield where the generated system and the model of the design part."""
    asked = design.memories.buffer.capacity_bytes
    yield (
        f"the buffer of {asked} bytes is four memories in fixed shares, {g.buffer_bytes} bytes, "
        "where the model lets tiles share one room: programs that do not fit are refused"
    )
    pace = layers["words_a_cycle"]["design"]
    if pace > 1:
        yield (
            f"the memory port moves a word of {g.word_bytes} bytes a cycle, the design's link and "
            f"DRAM {pace:g} words: for the model to say the same, lower link.gb_per_s"
        )
    yield "rows in memory are padded to whole words, which the model does not count"
    yield (
        "a transfer takes up to 5 cycles more than in the model, a requantised job "
        f"{Scaling().stages}: `archsim rtl check system` holds systems to that"
    )


def modelled_only(design: Design, engine: str) -> Iterator[tuple[str, str]]:
    """Yield what of the design is not in the system, and why."""
    for name, spec in design.engines.items():
        kind = getattr(spec, "kind", "engine")
        if name != engine:
            yield f"engines.{name}", f"simulated: the system has one array, and no {kind} engine"
    yield "memories.dram", "simulated: the memory behind the AXI4 port is yours"
    yield "link", "simulated: the AXI4 port is its only limit"
    if design.fallback:
        yield "fallback", design.fallback.reason
