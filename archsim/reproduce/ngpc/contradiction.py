"""Why kernel speed-ups that are told of the paper cannot be the inside of its frame speed-ups."""

from __future__ import annotations

from archsim.engines.ngpc.spec import NgpcSpec
from archsim.graphics.apps import APPS, FHD_PIXELS, REST_SHARE
from archsim.reproduce.ngpc.numbers import PUBLISHED
from archsim.reproduce.row import Row, Section

NFPS = 64
ARITHMETIC = "arithmetic"


def arithmetic() -> Section:
    """Return what follows from the two kernels' speed-ups."""
    kernels, shares = PUBLISHED["kernels"], PUBLISHED["shares"]
    encoding, mlp = (kernels.value(x, "speed_up") for x in ("encoding", "mlp"))
    of_encoding, of_mlp = (shares.value(x, "share_percent") / 100 for x in ("encoding", "mlp"))
    gia = APPS["gia"]
    macs = sum(a * b for a, b in gia.layers(gia.encoding("hash").outputs))
    multipliers = NgpcSpec().mlp_width ** 2
    mlp_us = 1000 * gia.gpu_ms * of_mlp / mlp
    per_us = FHD_PIXELS * macs / mlp_us / NFPS  # MACs a processor and microsecond
    encoding_us = 1000 * gia.gpu_ms * of_encoding / encoding
    fused = PUBLISHED["rest"].value("hash grid", "fused_speed_up")
    few = 8 / NFPS
    inside = of_encoding / (encoding * few) + of_mlp / (mlp * few)
    at_8 = 1 / max(inside, REST_SHARE["hash"] / fused)
    rows = (
        Row("encoding over the GPU's kernel", encoding, kernels.tag, None,
            "no such ratio can be formed here: the GPU's encoding time of each application is not "
            "known", "x"),
        Row("MLP over the GPU's kernel", mlp, kernels.tag, None,
            "as above; what it would take is below", "x"),
        _alone("GIA's MLPs of a full-HD frame, had they 1232x", mlp_us, "us"),
        _alone("MACs of a processor that takes", per_us / 1e6, "TMAC/s"),
        _alone("clock at which 64x64 multipliers make so many", per_us / multipliers / 1000, "GHz"),
        _alone("MACs of a processor's array at 1 GHz", multipliers / 1000, "TMAC/s"),
        _alone("queries a cycle and processor that 246x of GIA's encoding takes, at 1 GHz",
               FHD_PIXELS / encoding_us / NFPS / 1000, "queries"),
        _alone("speed-up of a frame with 8 processors, had kernels an eighth of both", at_8, "x"),
        _alone("most that a frame can gain: 9.94 / r", fused / REST_SHARE["hash"], "x"),
    )  # fmt: skip
    notes = (
        (
            "With 1232x of GIA's MLPs a processor's array would run at some 100 GHz; 246x of its "
            "encoding takes nine queries a cycle, and sixteen engines encode one."
        ),
        (
            "With both, a frame would be at its plateau with 8 processors; the notes say that "
            "NeRF gets there with 64. So kernels' speed-ups and frames' are not of one model, "
            "and ours stands beside the frames'. Shares of encoding and MLP are the four "
            "applications' mean."
        ),
        (
            "A query a cycle is what means of frames are compatible with. An array of 64x64 that "
            "takes a layer a cycle gives a third of it, a fifth for NeRF."
        ),
    )
    return Section("Kernels and frames contradict each other", rows, notes)


def _alone(quantity: str, ours: float, unit: str) -> Row:
    return Row(quantity, None, ARITHMETIC, ours, unit=unit)
