"""Weights that are loaded packed and computed on dense: bytes, bounds of the gain, refusals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archsim import batch
from archsim.design import Design, load_design
from archsim.engines import op_kinds
from archsim.errors import InputError
from archsim.frontends import load
from archsim.frontends.pruned import PLACE_BITS, pruned
from archsim.simulate import PACKED, simulate
from archsim.trace import Packed, Trace
from archsim.trace_check import check_trace
from archsim.trace_io import read_trace, write_trace


def layer(tmp_path: Path, m: int, n: int = 512, k: int = 768) -> Trace:
    path = tmp_path / "layer.csv"
    path.write_text(f"name,M,N,K\nlayer,{m},{n},{k}\n")
    return load(f"{path}@dtype=bf16")


def packed(trace: Trace, keep: str) -> Trace:
    found = pruned(trace, keep, op_kinds())
    check_trace(found, op_kinds())
    return found


def design(**fields: Any) -> Design:
    given = {"engines.mxu.numbers": "bf16", "memories.dram.channel_gb_per_s": 0.5}
    return load_design("tpu_like", given | {k.replace("__", "."): v for k, v in fields.items()})


def test_bytes_are_those_of_kept_weights_and_their_places(tmp_path: Path) -> None:
    dense, elements = layer(tmp_path, 4), 512 * 768
    for keep, kept, bits in (("0.25", elements // 4, PLACE_BITS), ("2:4", elements // 2, 2)):
        trace = packed(dense, keep)
        weights = trace.tensors["layer.b"]
        assert weights.data == Packed(kept, bits)
        assert weights.size_bytes == kept * (16 + bits) // 8
        one, other = (simulate(design(), x).per_op[0] for x in (dense, trace))
        inputs = dense.tensors["layer.a"].size_bytes
        assert one.dram_read_bytes == 2 * elements + inputs
        tiles = other.jobs  # each is rounded up to bytes
        assert 0 <= other.dram_read_bytes - weights.size_bytes - inputs <= 2 * tiles
        assert other.macs == one.macs
        assert other.split_cycles["busy"] == one.split_cycles["busy"]
        assert PACKED in simulate(design(), trace).assumptions
        assert PACKED not in simulate(design(), dense).assumptions


@pytest.mark.parametrize("m", [1, 64, 1024])
@pytest.mark.parametrize("keep", ["0.1", "0.2", "0.3", "0.5", "0.8", "2:4"])
def test_no_layer_gains_more_than_its_weights_are_smaller(
    keep: str, m: int, tmp_path: Path
) -> None:
    """Flash-LLM's bound is 1 / (2 density), 16 bits each for value and place; 2:4 is below 2."""
    dense = layer(tmp_path, m)
    times = [simulate(design(), x).metrics.time_us for x in (dense, packed(dense, keep))]
    bound = 16 / 9 if keep == "2:4" else max(1.0, 1 / (2 * float(keep)))
    gain = times[0] / times[1]
    assert gain <= bound * 1.01  # latency and rounding aside
    if m == 1 and keep in ("0.1", "2:4"):
        assert gain > 0.8 * bound  # the weights are nearly all that such a layer moves
    if keep == "0.8":
        assert gain <= 1  # places take more than is saved


def test_a_trace_on_disk_keeps_them_and_event_agrees(tmp_path: Path) -> None:
    trace = packed(layer(tmp_path, 32), "2:4")
    write_trace(trace, tmp_path / "t.jsonl")
    again = read_trace(tmp_path / "t.jsonl", op_kinds())
    assert again == replace(trace, values={})
    analytic, event = (simulate(design(), again, x) for x in ("analytic", "event"))
    assert analytic.per_op == event.per_op


def test_designs_go_together_with_them(tmp_path: Path) -> None:
    trace = packed(layer(tmp_path, 32), "0.1")
    designs = [design(engines__mxu__rows=rows) for rows in (16, 64)]
    alone = [simulate(x, trace) for x in designs]
    together = batch.evaluate(designs, trace, [x.mappings for x in alone])
    assert together.cycles.tolist() == [x.metrics.cycles for x in alone]
    assert together.dram_bytes.tolist() == [x.metrics.dram_bytes for x in alone]


def test_what_cannot_be_packed_is_refused(tmp_path: Path) -> None:
    dense = layer(tmp_path, 4)
    for keep in ("0", "1", "-0.5", "x", "nan", "4:2"):
        with pytest.raises(InputError) as refused:
            pruned(dense, keep, op_kinds())
        assert str(refused.value) == (
            f"--keep-weights: must be 2:4 or a share above 0 and below 1, not {keep!r}"
        )
    with pytest.raises(InputError, match="rmat: weights: must be of a dense product to be packed"):
        pruned(load("rmat@scale=5"), "2:4", op_kinds())
    for port, data in (("a", Packed(5, 2)), ("b", load("rmat@scale=5").tensors["A"].data)):
        tensors = dict(dense.tensors)
        name = f"layer.{port}"
        tensors[name] = replace(tensors[name], data=data)
        with pytest.raises(InputError, match="must be dense, or packed weights at b"):
            check_trace(replace(dense, tensors=tensors), op_kinds())
