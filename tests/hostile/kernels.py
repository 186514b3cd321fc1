"""Broken commands of archsim gpu: kernels, shapes and targets that there are none of."""

from __future__ import annotations

from tests.hostile.case import Case


def run(name: str, *more: str) -> Case:
    return Case(f"kernel: {name}", ("gpu", "run", "gemm_fp16", "--interpret", *more))


def shape(name: str, text: str, kernel: str = "gemm_fp16") -> Case:
    command = ("gpu", "run", kernel, "--interpret", "--shape", text)
    return Case(f"kernel: {name}", command)


CASES = [
    Case("kernel: unknown", ("gpu", "run", "gemm_fp17", "--interpret")),
    Case("kernel: nothing", ("gpu", "run", "", "--interpret")),
    Case("kernel: a path", ("gpu", "compile", "../../kernels/gemm", "--target", "sm_90")),
    Case("kernel: no target", ("gpu", "compile", "gemm_fp16")),
    Case("kernel: an unknown target", ("gpu", "compile", "gemm_fp16", "--target", "sm_70")),
    Case(
        "kernel: a target with a shell in it", ("gpu", "compile", "gemm_fp16", "--target", "$(id)")
    ),
    Case(
        "kernel: a format that a target lacks", ("gpu", "compile", "gemm_e4m3", "--target", "sm_80")
    ),
    shape("an unknown dimension", "q=4"),
    shape("a dimension without an extent", "m"),
    shape("an empty shape", ""),
    shape("a dimension twice", "m=1,m=2"),
    shape("an extent of none", "m=0"),
    shape("an extent below none", "m=-1"),
    shape("an extent in a word", "m=many"),
    shape("an extent as 1e3", "m=1e3"),
    shape("an extent in other digits", "m=４"),
    shape("an extent of 5,000 digits", "m=" + "9" * 5000),
    shape("an extent beyond 32 bits", "m=999999999"),
    shape("an extent off its step", "k=100", "gemm_w4a16"),
    shape("weeks of interpreting", "m=32768,n=32768,k=32768"),
    run("values that nobody draws", "--values", "random"),
    run("a seed below none", "--seed", "-1"),
    run("records of no GPU", "--records", "records"),
]
