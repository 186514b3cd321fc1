"""ResNet-50 on `tpu_like`, `analytic`: with mapping search, and with every plan in the memo.

Imports are done, the trace and the technology are loaded.
"""

from __future__ import annotations

from calibrate import Figure, least_s, python_loop, show

from archsim.design import load_design
from archsim.frontends import load
from archsim.plan import Memo
from archsim.simulate import simulate

COLD_P, WARM_P = 2.0, 0.2
MAESTRO_CPU_S = 0.46


def main() -> None:
    design, trace = load_design("tpu_like"), load("resnet50")
    memo = Memo()
    simulate(design, trace, memo=memo)
    p_s, cold_s, warm_s = least_s(
        python_loop,
        lambda: simulate(design, trace, memo=Memo()),
        lambda: simulate(design, trace, memo=memo),
        runs=25,
    )
    maestro = (
        f"measured earlier, in another run: MAESTRO (commit 4eb08d1), {MAESTRO_CPU_S} CPU-s for "
        "ResNet-50, 66 layers, 1,024 PEs, one fixed mapping; this took "
        f"{cold_s:.3f} CPU-s, search included"
    )
    show(
        [
            Figure(
                "ResNet-50 on tpu_like, search, memo empty", cold_s / p_s, "P",
                f"<= {COLD_P:g}", cold_s <= COLD_P * p_s, maestro,
            ),
            Figure(
                "ResNet-50 on tpu_like, memo warm", warm_s / p_s, "P",
                f"<= {WARM_P:g}", warm_s <= WARM_P * p_s,
            ),
        ]
    )  # fmt: skip


if __name__ == "__main__":
    main()
