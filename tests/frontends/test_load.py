"""Loading by name: who takes a model, which options it has, what is refused."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from archsim import frontends
from archsim.errors import InputError
from archsim.frontends import load, names
from archsim.trace_io import write_trace


def message(model: str, **options: str | int) -> str:
    with pytest.raises(InputError) as caught:
        load(model, **options)
    return str(caught.value)


def test_the_zoo_is_known_by_name() -> None:
    assert names() == (
        "bert_base", "digits_64_64_10", "gcn", "gia", "gpt2_decode", "gpt2_prefill", "llama_decode",
        "llama_prefill", "mobilenet_v2", "moe_decode", "moe_prefill", "nerf", "nsdf", "nvr",
        "poisson", "pruned", "resnet50", "rmat", "uniform", "vit_b16",
    )  # fmt: skip


def test_unknown_models_are_refused_with_close_names_and_the_known_ones() -> None:
    assert message("resnet5") == (
        "model: must be one of FILE.csv, FILE.mtx, FILE.onnx, package.module:factory, "
        "FILE.jsonl, bert_base, digits_64_64_10, gcn, gia, gpt2_decode, gpt2_prefill, "
        "llama_decode, llama_prefill, mobilenet_v2, moe_decode, moe_prefill, nerf, nsdf, nvr, "
        "poisson, pruned, resnet50, rmat, uniform, vit_b16, not 'resnet5'; did you mean resnet50?"
    )
    assert message("x.tflite").endswith("vit_b16, not 'x.tflite'")


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ("resnet50@bach=2", ("resnet50: options: must be of dtype, batch, image, not 'bach'; "
                            "did you mean batch?")),
        ("resnet50@batch=two", ("resnet50: batch: must be a whole number from 1 to 1,048,576, "
                               "not 'two'")),
        ("resnet50@batch=0", ("resnet50: batch: must be a whole number from 1 to 1,048,576, "
                             "not '0'")),
        ("resnet50@image=31", "resnet50: image: must be a whole number from 32 to 8,192, not '31'"),
        ("resnet50@batch=1,batch=2", "resnet50: options: must name every key once, not 'batch'"),
        ("resnet50@batch=1,,", "resnet50: options: must be key=value, parted by commas, not ''"),
        ("resnet50@dtype=int7", ("resnet50: dtype: must be one of keep, int4, int8, int16, fp8, "
                                "bf16, fp16, fp32, not 'int7'")),
        ("vit_b16@image=225", "vit_b16: image: must be a multiple of 16, not 225"),
        ("bert_base@seq=513", "bert_base: seq: must be a whole number from 1 to 512, not '513'"),
    ],
)  # fmt: skip
def test_bad_options_are_refused(model: str, text: str) -> None:
    assert message(model) == text


def test_options_may_come_as_arguments_and_win_over_the_text() -> None:
    assert load("resnet50@batch=2,image=64") == load("resnet50", batch=2, image="64")
    assert load("resnet50@batch=2", batch=3).macs() == 3 * load("resnet50").macs()
    for value in (True, 2.5, None):
        assert message("resnet50", batch=value) == (  # type: ignore[arg-type]
            f"resnet50: batch: must be a whole number from 1 to 1,048,576, not {value}"
        )


def test_a_written_trace_loads_and_takes_no_options(tmp_path: Path) -> None:
    trace = load("mobilenet_v2@batch=2")
    write_trace(trace, tmp_path / "m.jsonl")
    assert load(tmp_path / "m.jsonl") == trace
    path = tmp_path / "m.jsonl"
    assert message(f"{path}@batch=2") == f"{path}: options: must be of none at all, not 'batch'"


def test_an_at_sign_in_a_file_name_is_no_option(tmp_path: Path) -> None:
    write_trace(load("mobilenet_v2"), tmp_path / "m@2.jsonl")
    assert load(tmp_path / "m@2.jsonl") == load("mobilenet_v2")


def test_frontends_are_found_without_importing_onnx() -> None:
    code = (
        "import sys; from archsim import frontends; frontends.discover(); "
        "frontends.load('resnet50'); sys.exit('onnx' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_installed_frontend_is_asked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point adds a frontend; nothing here is edited."""

    class Point:
        @staticmethod
        def load() -> frontends.Frontend:
            return frontends.Frontend(
                "FILE.toy", lambda model: model == "a.toy", lambda m, o, k: load("mobilenet_v2")
            )

    monkeypatch.setattr(
        frontends.importlib.metadata, "entry_points", lambda group: [Point] * (group[-1] == "s")
    )
    frontends.discover.cache_clear()
    try:
        assert load("a.toy").name == "mobilenet_v2"
        assert "FILE.toy" in message("b.toy")
    finally:
        frontends.discover.cache_clear()


def test_a_zoo_model_loads_in_milliseconds() -> None:
    load("resnet50")
    fastest = min(_seconds("resnet50") for _ in range(5))
    assert fastest < 0.020


def _seconds(model: str) -> float:
    begin = time.perf_counter()
    load(model)
    return time.perf_counter() - begin
