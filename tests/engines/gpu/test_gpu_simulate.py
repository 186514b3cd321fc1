"""GPUs as designs: figures of tables, every model of the zoo, both fidelities, closed books."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from archsim import batch
from archsim.design import load_design, shipped
from archsim.engines import discover, op_kinds
from archsim.engines.gpu.spec import GpuSpec, fields_of
from archsim.errors import ArchsimError, InputError
from archsim.frontends import load
from archsim.frontends.products import multiplied
from archsim.frontends.pruned import pruned
from archsim.frontends.zoo import models
from archsim.gpu.devices import device
from archsim.graphics.field import Field
from archsim.hdl.choose import chosen_engine
from archsim.memory import DramTiming
from archsim.result import Fidelity, Result
from archsim.simulate import simulate
from archsim.tech import load as load_tech
from archsim.trace import Trace
from tests.sparse.matrices import KNOWN

GPUS = ("a100", "b200", "h100", "h200", "rtx3090", "rtx4090")


def trace(model: str) -> Trace:
    return load(model, op_kinds())


def run(name: str, model: Trace, fidelity: Fidelity = "analytic", **fields: Any) -> Result:
    own = {f"engines.gpu.{key}": value for key, value in fields.items()}
    return simulate(load_design(name, own), model, fidelity)


def test_every_gpu_is_there() -> None:
    kinds = {name: {e.kind for e in load_design(name).engines.values()} for name in shipped()}  # type: ignore[attr-defined]
    assert tuple(name for name, found in kinds.items() if found == {"gpu"}) == GPUS


@pytest.mark.parametrize("name", GPUS)
def test_designs_are_what_tables_say(name: str) -> None:
    design, known = load_design(name), device(name)
    spec = design.engines["gpu"]
    assert isinstance(spec, GpuSpec)
    assert spec == GpuSpec.model_validate(fields_of(known))
    memories = design.memories
    assert memories.buffer.capacity_bytes == spec.l2_bytes
    assert memories.buffer.port_bytes >= spec.l2_bytes_per_cycle
    reached = 1e3 / float(DramTiming.of(design).ps_per_byte)
    assert reached == pytest.approx(spec.memory_gb_per_s, rel=1e-3)
    assert design.node == known.process
    with pytest.raises(InputError, match="has no cells and memories that were measured"):
        load_tech(design.node).sram(1024, 64)


@pytest.mark.parametrize("model", sorted(models()))
def test_a_gpu_runs_every_op_of_every_model(model: str) -> None:
    found = trace(model)
    result = run("h100", found)
    assert len(result.per_op) == len(found.ops)
    assert result.metrics.tied_percent == 0
    assert result.metrics.macs == found.macs(op_kinds())


@pytest.mark.parametrize(("name", "model"), [("a100", "resnet50"), ("b200", "gpt2_decode")])
def test_books_close_and_fidelities_agree(name: str, model: str) -> None:
    plain, event = (run(name, trace(model), fidelity) for fidelity in ("analytic", "event"))
    assert plain.per_op == event.per_op
    spec = load_design(name).engines["gpu"]
    assert isinstance(spec, GpuSpec)
    for row in plain.per_resource:
        assert row.busy_ps + sum(row.stall_ps.values()) + row.idle_ps == row.total_ps
    for op in plain.per_op:
        assert op.counts["launches"] == op.repeat
    metrics = plain.metrics
    assert sum(plain.energy_pj.values()) == pytest.approx(metrics.energy_pj)
    assert spec.idle_w * 1e3 < metrics.power_mw < spec.board_w * 1e3
    assert set(plain.area_um2) == {"gpu.die"}
    assert metrics.area_mm2 == spec.die_mm2
    assert not {"buffer", "dram", "buffer.leakage"} & plain.energy_pj.keys()


def test_more_of_everything_is_never_slower() -> None:
    model = trace("bert_base@dtype=fp16,batch=8")
    base = run("a100", model).metrics.time_us
    doubled: dict[str, Any] = {
        "sms": 216, "fma_fp16": 2048, "l2_bytes_per_cycle": 10240, "memory_gb_per_s": 4000.0,
        "launch_ns": 1000, "tensor_share": 1.0,
    }  # fmt: skip
    for field, value in doubled.items():
        assert run("a100", model, **{field: value}).metrics.time_us <= base * 1.001, field


def test_what_is_not_native_is_widened_and_said() -> None:
    int4 = trace("gpt2_prefill@dtype=int4")
    a100, h100 = run("a100", int4), run("h100", int4)
    assert "gpu: FP8 is not native, and widened to FP16" in a100.assumptions
    assert "gpu: INT4 is not native, and widened to INT8" in h100.assumptions
    native = run("h100", int4, fma_int4=8192).metrics.time_us
    assert native < h100.metrics.time_us


@pytest.mark.parametrize("keep", ["2:4", "0.2"])
def test_packed_weights_are_loaded_packed(keep: str) -> None:
    dense = trace("llama_decode@layers=2,dtype=fp16")
    packed = pruned(dense, keep, op_kinds())
    one, two = (run("a100", x).metrics for x in (dense, packed))
    assert two.dram_bytes < 0.65 * one.dram_bytes
    assert two.time_us < one.time_us


def test_half_of_the_weights_are_computed_on_in_half_the_time() -> None:
    dense = trace("bert_base@dtype=fp16,batch=64")
    rows = [run("a100", x).per_op for x in (dense, pruned(dense, "2:4", op_kinds()))]
    large = max(range(len(rows[0])), key=lambda i: rows[0][i].macs)
    one, two = (row[large].split_cycles["busy"] for row in rows)
    assert two == pytest.approx(one / 2, rel=0.02)


@pytest.mark.parametrize("columns", [0, 64])
def test_sparse_products_run(columns: int) -> None:
    known = KNOWN["graph500_8"]
    found = multiplied("s", "a known matrix", known.make(), columns=columns).build()
    result = run("h100", found)
    assert result.per_op[0].macs == found.ops[0].attrs["products"]
    assert result.per_op == run("h100", found, "event").per_op


@pytest.mark.parametrize("app", ["gia", "nsdf"])
def test_frames_of_neural_fields_run(app: str) -> None:
    """Queries are the model's, the rest of a frame is known of the GPU that was compared with."""
    found = trace(f"{app}@res=320x180")
    frame = Field.of(found.ops[0])
    took = {name: run(name, found).metrics.time_us for name in ("rtx3090", "rtx4090", "b200")}
    assert took["b200"] < took["rtx4090"] < took["rtx3090"]
    assert frame.rest_share * frame.gpu_us < took["rtx3090"] < 2 * frame.gpu_us
    assert run("h100", found).per_op == run("h100", found, "event").per_op


def test_designs_go_together() -> None:
    model = trace("digits_64_64_10")
    fields: list[dict[str, Any]] = [
        {}, {"sms": 12}, {"clock_mhz": 700}, {"architecture": "hopper"}, {"fma_int8": 64},
    ]  # fmt: skip
    designs = [load_design("a100", {f"engines.gpu.{k}": v for k, v in x.items()}) for x in fields]
    alone = [simulate(design, model) for design in designs]
    together = batch.evaluate(designs, model, [result.mappings for result in alone])
    assert together.cycles.tolist() == [result.metrics.cycles for result in alone]
    assert len(np.unique(together.cycles)) > 1


def test_what_it_has_no_kernel_for_is_refused() -> None:
    engine = discover()["gpu"]
    op = trace("resnet50").ops[0]
    verdict = engine.accepts(GpuSpec(), replace(op, kind="unsupported"))
    assert getattr(verdict, "text", "") == (
        "runs gemm, conv, spgemm, spmm, field, vector, move ops, not unsupported"
    )


def test_no_hardware_is_generated() -> None:
    with pytest.raises(ArchsimError, match="a GPU that others make is a model"):
        chosen_engine(load_design("a100"), discover(), None)
