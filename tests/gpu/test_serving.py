"""Closed forms of transformers: against counts by hand, the zoo's traces and the engine."""

from __future__ import annotations

import pytest

from archsim.design import load_design
from archsim.engines import op_kinds
from archsim.engines.gpu.spec import spec_of
from archsim.frontends import load
from archsim.gpu.devices import device
from archsim.gpu.serving import (
    Attention,
    batch_at_ridge,
    decode_us,
    experts_touched,
    layer_intensity,
    prefill_us,
    ridge,
    softmax_us,
    tokens_per_expert,
)
from archsim.simulate import simulate


def test_decoding_attention_has_two_operations_a_byte_for_each_query_of_a_key() -> None:
    for shared in (1, 4, 8):
        decode = Attention(32, 32 // shared, 1, 1 << 16, 128)
        assert decode.intensity == pytest.approx(2 * shared / 2, rel=1e-3)


def test_fused_attention_moves_no_scores() -> None:
    prompt = Attention(1, 1, 4096, 4096, 64)
    assert prompt.memory_bytes == 4 * 4096 * 64 * 2
    assert prompt.unfused_bytes == prompt.memory_bytes + 4 * 4096**2 * 2
    one, many = prompt.l2_bytes(4096), prompt.l2_bytes(128)
    assert many - one == pytest.approx(31 * prompt.kv_bytes)
    assert prompt.macs == 2 * 4096**2 * 64
    assert Attention(1, 1, 4096, 4096, 64, causal=True).macs == prompt.macs // 2


@pytest.mark.parametrize(("dim", "ratio"), [(64, 1.0), (128, 0.5)])
def test_exponentials_take_as_long_as_products_on_hopper(dim: int, ratio: float) -> None:
    known, prompt = device("h100"), Attention(1, 1, 4096, 4096, dim)
    products_us = 2 * prompt.macs / known.peak_tflops("fp16") * 1e-6
    softmax = softmax_us(prompt, int(known["sms"]), known["clock_mhz"])
    assert softmax / products_us == pytest.approx(ratio, rel=0.01)


@pytest.mark.parametrize(("name", "tokens"), [("a100", 153), ("h100", 295), ("h200", 206)])
def test_tokens_at_which_weights_stop_binding(name: str, tokens: int) -> None:
    known = device(name)
    at = ridge(known.peak_tflops("fp16"), known["memory_gb_per_s"])
    assert batch_at_ridge(at) == pytest.approx(tokens, rel=0.01)
    assert batch_at_ridge(at, weight_bytes=0.5) == pytest.approx(tokens / 4, rel=0.01)
    assert layer_intensity(tokens, 1 << 20, 1 << 20) == pytest.approx(at, rel=0.01)


def test_experts_that_are_touched() -> None:
    assert experts_touched(8, 2, 1) == 2
    assert experts_touched(8, 2, 5) == pytest.approx(8 * (1 - 0.75**5))
    assert experts_touched(8, 2, 1000) == pytest.approx(8)
    assert tokens_per_expert(8, 2, 12) == 3


@pytest.mark.parametrize("name", ["a100", "h100"])
def test_a_simulated_token_is_above_its_bound_and_near(name: str) -> None:
    trace = load("llama_decode@dtype=fp16,kv=1024", op_kinds())
    design = load_design(name, {"engines.gpu.launch_ns": 0})
    spec = spec_of(name)
    found = simulate(design, trace).metrics.time_us
    cache = 2 * 32 * 1024 * 4096 * 2  # keys and values, 32 layers, 16 bits
    least = decode_us(trace.weight_bytes(), cache, spec.memory_gb_per_s)
    assert least <= found <= 1.1 * least


def test_a_simulated_prompt_is_above_its_bound_and_near() -> None:
    trace = load("llama_prefill@dtype=fp16,seq=2048", op_kinds())
    design, known = load_design("a100", {"engines.gpu.launch_ns": 0}), device("a100")
    found = simulate(design, trace).metrics.time_us
    parameters = 6.6e9
    least = prefill_us(parameters, 2048, known.peak_tflops("fp16") * known["tensor_share"])
    assert least <= found <= 1.5 * least
