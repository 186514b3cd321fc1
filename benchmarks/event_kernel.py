"""The `event` fidelity: time for each engine job and each DMA transfer that the kernel runs.

All models of the zoo at their default lengths on `tpu_like`; plans are in the memo, so that what is
timed is the kernel and the closing of the books. A repeated block counts as often as it is run.
"""

from __future__ import annotations

from functools import partial

from calibrate import HANDOVERS, Figure, least_s, show, simpy_handovers

from archsim.design import load_design
from archsim.frontends import load
from archsim.plan import Memo
from archsim.simulate import simulate

MODELS = ("resnet50", "mobilenet_v2", "vit_b16", "bert_base", "gpt2_prefill", "gpt2_decode")
MOST_H = 4.0


def main() -> None:
    design = load_design("tpu_like")
    figures = []
    for model in MODELS:
        trace, memo = load(model), Memo()
        spans = len(simulate(design, trace, "event", memo=memo).spans)
        handovers_s, event_s = least_s(
            simpy_handovers, partial(simulate, design, trace, "event", memo=memo), runs=5
        )
        ratio = event_s / spans / (handovers_s / HANDOVERS)
        figures.append(
            Figure(
                f"event: {model}, a job or transfer", ratio, "H", f"<= {MOST_H:g}",
                ratio <= MOST_H, f"{spans:,} jobs and transfers",
            )
        )  # fmt: skip
    show(figures)


if __name__ == "__main__":
    main()
