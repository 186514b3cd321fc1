"""The zoo's totals against published ones and against formulas written independently of it.

Published: parameters and operations of torchvision's model pages (ResNet-50 25,557,032 and
4.09 G; MobileNetV2 3,504,872 and 0.30 G; ViT-B/16 86,567,656 and 17.56 G, one multiplication and
addition counted as one); BERT-base 109,482,240 and GPT-2 124,439,808 parameters, which their
reference implementations count with pooler and with tied head; of Llama 2 7B, Llama 3 8B and
Mixtral 8x7B the parameter counts of their model pages (6.74, 8.03 and 46.7 B).
"""

from __future__ import annotations

from fractions import Fraction
from math import prod

import pytest

from archsim.errors import InputError
from archsim.frontends import load
from archsim.frontends.zoo import models
from archsim.trace import BASE_OP_KINDS, Gemm, Trace, as_gemm
from archsim.trace_check import check_trace


def weights(trace: Trace) -> int:
    """Return how many weights there are, all repeats counted."""
    repeat = {name: op.repeat for op in trace.ops for name in op.inputs}
    return sum(t.elements * repeat[t.name] for t in trace.tensors.values() if t.role == "weight")


def parameters(trace: Trace) -> int:
    """Return the parameters of a CNN: a filter's folded bias stands for two of its batch norm."""
    norms = sum(trace.tensors[op.inputs[2]].elements for op in trace.ops if op.kind == "conv")
    return weights(trace) + norms


@pytest.mark.parametrize(
    ("model", "total", "published_g"),
    [("resnet50", 25_557_032, 4.089), ("mobilenet_v2", 3_504_872, 0.3008)],
)
def test_cnns_have_the_published_totals(model: str, total: int, published_g: float) -> None:
    trace = load(model)
    assert parameters(trace) == total
    assert trace.macs() / 1e9 == pytest.approx(published_g, rel=2e-4)


@pytest.mark.parametrize(
    ("model", "total"),
    [
        ("vit_b16", 86_567_656), ("bert_base", 109_482_240), ("gpt2_prefill", 124_439_808),
        ("gpt2_decode", 124_439_808), ("llama_decode", 6_738_415_616),
        ("llama_decode@shape=llama3_8b", 8_030_261_248), ("llama_prefill", 6_738_415_616),
        ("moe_prefill", 46_702_792_704),
    ],
)  # fmt: skip
def test_transformers_have_the_published_parameters(model: str, total: int) -> None:
    assert weights(load(model)) == total


def test_vit_has_the_published_operations() -> None:
    assert load("vit_b16").macs() / 1e9 == pytest.approx(17.564, rel=1e-4)


# --------------------------------------------------------------------------------------- by formula


def resnet50_macs(image: int) -> int:
    """Return multiply-accumulates from the architecture's table, stage by stage."""
    side = -(-image // 2)
    macs = side**2 * 64 * 3 * 49
    side = -(-side // 2)
    channels = 64
    for stage, blocks in enumerate((3, 4, 6, 3)):
        width = 64 << stage
        out = side if stage == 0 else -(-side // 2)
        # the first block: 1x1 before its stride, 3x3 with it, 1x1 and the projection after
        macs += side**2 * channels * width
        macs += out**2 * (9 * width**2 + 4 * width**2 + channels * 4 * width)
        macs += (blocks - 1) * out**2 * (4 * width**2 + 9 * width**2 + 4 * width**2)
        channels, side = 4 * width, out
    return macs + 2048 * 1000


def mobilenet_v2_macs(image: int) -> int:
    """Return multiply-accumulates from the paper's table of bottlenecks (t, c, n, s)."""
    side, channels = -(-image // 2), 32
    macs = side**2 * 27 * 32
    table = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
             (6, 160, 3, 2), (6, 320, 1, 1))  # fmt: skip
    for t, c, n, s in table:
        for i in range(n):
            wide = channels * t
            macs += side**2 * channels * wide if t > 1 else 0
            side = -(-side // (s if i == 0 else 1))
            macs += side**2 * (9 * wide + wide * c)
            channels = c
    return macs + side**2 * 320 * 1280 + 1280 * 1000


def encoder_macs(tokens: int, *, keys: int | None = None, width: int = 768) -> int:
    """Return multiply-accumulates of one transformer block: 12 d^2 a token, 2 d a token and key."""
    return tokens * 12 * width**2 + 2 * tokens * (keys or tokens) * width


def llama_macs(
    tokens: int, keys: int, *, hidden: int = 4096, ffn: int = 11008, kv: int = 32, experts: int = 1
) -> int:
    """Return multiply-accumulates of one block: q, o; k, v; attention; gate, up and down."""
    linear = 2 * hidden**2 + 2 * hidden * kv * 128 + 3 * hidden * ffn * experts
    return tokens * (linear + 2 * keys * hidden)


FORMULAS = {
    "llama_decode": 32 * llama_macs(1, 1024) + 4096 * 32000,
    "llama_decode@kv=5,batch=3": 3 * (32 * llama_macs(1, 5) + 4096 * 32000),
    "llama_decode@shape=llama3_8b": 32 * llama_macs(1, 1024, ffn=14336, kv=8) + 4096 * 128256,
    "llama_decode@layers=2,hidden=512,heads=4,kv_heads=2,ffn=96,vocabulary=50,kv=9": (
        2 * llama_macs(1, 9, hidden=512, ffn=96, kv=2) + 512 * 50
    ),
    "llama_prefill@seq=77": 32 * llama_macs(77, 77) + 4096 * 32000,
    # Mixtral's router and two experts a token
    "moe_decode": 32 * (llama_macs(1, 1024, ffn=14336, kv=8, experts=2) + 4096 * 8) + 4096 * 32000,
    "moe_prefill@seq=50": (
        32 * (llama_macs(50, 50, ffn=14336, kv=8, experts=2) + 50 * 4096 * 8) + 4096 * 32000
    ),
    "digits_64_64_10": 64 * 64 + 64 * 10,
    "resnet50": resnet50_macs(224),
    "resnet50@image=160": resnet50_macs(160),
    "mobilenet_v2": mobilenet_v2_macs(224),
    "mobilenet_v2@image=96": mobilenet_v2_macs(96),
    "vit_b16": 196 * 768 * 768 + 12 * encoder_macs(197) + 768 * 1000,
    "vit_b16@image=384": 576 * 768 * 768 + 12 * encoder_macs(577) + 768 * 1000,
    "bert_base": 12 * encoder_macs(128) + 768**2,
    "bert_base@seq=512": 12 * encoder_macs(512) + 768**2,
    "gpt2_prefill": 12 * encoder_macs(1024) + 768 * 50257,
    "gpt2_prefill@seq=1": 12 * encoder_macs(1) + 768 * 50257,
    "gpt2_decode": 12 * encoder_macs(1, keys=1024) + 768 * 50257,
    "gpt2_decode@kv=77": 12 * encoder_macs(1, keys=77) + 768 * 50257,
}


@pytest.mark.parametrize("model", FORMULAS)
def test_macs_equal_the_formula(model: str) -> None:
    assert load(model).macs() == FORMULAS[model]


@pytest.mark.parametrize("model", models())
def test_batch_multiplies_work_and_not_weights(model: str) -> None:
    one, four = load(model), load(model, batch=4)
    assert four.macs() == 4 * one.macs()
    if model == "moe_decode":  # more tokens touch more experts
        assert four.weight_bytes() > one.weight_bytes()
    else:
        assert four.weight_bytes() == one.weight_bytes()


@pytest.mark.parametrize("model", models())
def test_products_fit_their_tensors(model: str) -> None:
    """Operands and result hold just the elements that the product names."""
    trace = load(model, batch=3)
    for op in trace.ops:
        if op.kind == "gemm":
            p = as_gemm(op)
            a, b, c = (trace.tensors[n].elements for n in (*op.inputs[:2], op.outputs[0]))
            assert (a, b, c) == (p.groups * p.m * p.k, p.groups * p.k * p.n, p.groups * p.m * p.n)
        if op.kind == "conv":
            p = as_gemm(op)
            assert trace.tensors[op.inputs[1]].elements == p.groups * p.n * p.k
            assert trace.tensors[op.outputs[0]].elements == p.groups * p.m * p.n
            assert trace.tensors[op.inputs[0]].elements == prod(
                op.int_attr(a) for a in ("batch", "channels", "height", "width")
            )


@pytest.mark.parametrize("model", models())
def test_traces_are_well_formed_in_every_format(model: str) -> None:
    for dtype in ("int8", "int4", "fp16", "keep"):
        trace = load(model, dtype=dtype)
        check_trace(trace, BASE_OP_KINDS)
        floats = {t.dtype for t in trace.tensors.values()} - {"int32"}
        assert floats == {"fp32" if dtype == "keep" else dtype}
        requantised = {op.epilogue[-1:] == ("requantise",)
                       for op in trace.ops if op.kind in ("gemm", "conv")}  # fmt: skip
        assert requantised == {dtype.startswith("int")}


def test_weight_bytes_are_the_parameters_and_wide_biases() -> None:
    trace = load("resnet50")
    biases = sum(t.elements for t in trace.tensors.values() if t.dtype == "int32")
    assert biases == 26_560 + 1000  # filters of all 53 convolutions, classes
    assert trace.weight_bytes() == weights(trace) + 3 * biases
    assert load("resnet50@dtype=keep").weight_bytes() == 4 * weights(trace)


def test_resnet_strides_in_the_3x3() -> None:
    ops = {op.name: op for op in load("resnet50").ops}
    assert ops["layer2.0.conv1"].ints_attr("stride") == (1, 1)
    assert ops["layer2.0.conv2"].ints_attr("stride") == (2, 2)
    assert sum(op.kind == "conv" for op in ops.values()) == 53


def test_blocks_repeat_twelve_times() -> None:
    for model in ("vit_b16", "bert_base", "gpt2_prefill", "gpt2_decode"):
        repeats = {op.block: op.repeat for op in load(model).ops}
        assert sorted(repeats.values()) == [1, 12]


def test_decoding_reads_the_cache_and_writes_one_row() -> None:
    trace = load("gpt2_decode@kv=100,batch=2")
    ops = {op.name: op for op in trace.ops}
    scores, context = ops["decoder.attention.scores"], ops["decoder.attention.context"]
    for op in (scores, context):
        cache = trace.tensors[op.inputs[1]]
        assert (cache.shape, cache.role) == ((2, 12, 100, 64), "input")
    rows = [trace.tensors[name] for name in ops["decoder.attention.cache"].outputs]
    assert [(t.shape, t.role) for t in rows] == [((2, 12, 1, 64), "output")] * 2


def test_the_tied_head_is_one_weight() -> None:
    trace = load("gpt2_decode")
    readers = [op.name for op in trace.ops if "wte" in op.inputs]
    assert readers == ["embeddings.word", "head"]


def test_what_was_decided_is_said() -> None:
    trace = load("gpt2_prefill@seq=8")
    assert trace.source == "zoo gpt2_prefill@dtype=int8,batch=1,seq=8"
    assert any("int8" in note and "requantised" in note for note in trace.notes)
    assert (
        "causal attention computes the full square of scores, masked half included" in trace.notes
    )


# ------------------------------------------------------------------------------------------ experts


def experts(trace: Trace) -> list[tuple[int, int]]:
    """Return how many experts take how many tokens."""
    found = [as_gemm(op) for op in trace.ops if op.name.endswith(".down") and "experts" in op.name]
    return [(product.groups, product.m) for product in found]


@pytest.mark.parametrize("batch", range(1, 40))
def test_touched_experts_are_those_expected_of_even_choices(batch: int) -> None:
    """Against the probability that none of the tokens chooses an expert, expert by expert."""
    trace = load(f"moe_decode@batch={batch}")
    parts = experts(trace)
    assert sum(n * m for n, m in parts) == 2 * batch
    untouched = sum(Fraction(6, 8) ** batch for _ in range(8))
    assert abs(sum(n for n, _ in parts) - (8 - untouched)) <= Fraction(1, 2)
    assert max(m for _, m in parts) - min(m for _, m in parts) <= 1


def test_one_token_touches_its_experts_exactly() -> None:
    trace = load("moe_decode@experts=64,top_k=6")
    assert experts(trace) == [(6, 1)]
    assert any("6 of 64 experts a layer are touched (exactly)" in note for note in trace.notes)


@pytest.mark.parametrize(
    ("model", "fault"),
    [
        ("llama_decode@heads=30", "llama_decode: heads: must divide hidden = 4,096, not 30"),
        ("llama_decode@kv_heads=5", "llama_decode: kv_heads: must divide heads = 32, not 5"),
        ("moe_decode@top_k=9", "moe_decode: top_k: must be at most experts = 8, not 9"),
        ("llama_decode@shape=llama9", "llama_decode: shape: must be one of llama2_7b, llama3_8b, "),
        ("llama_decode@experts=8", "llama_decode: options: must be of dtype, shape, layers, "),
    ],
)
def test_sizes_that_make_no_decoder_are_refused(model: str, fault: str) -> None:
    with pytest.raises(InputError) as caught:
        load(model)
    assert str(caught.value).startswith(fault)


def test_query_heads_that_share_keys_are_rows_of_a_product() -> None:
    ops = {op.name: op for op in load("llama_decode@shape=llama3_8b,batch=2,kv=100").ops}
    assert as_gemm(ops["decoder.attention.scores"]) == Gemm(4, 100, 128, 16)
    assert as_gemm(ops["decoder.attention.context"]) == Gemm(4, 128, 100, 16)
