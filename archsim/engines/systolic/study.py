"""How the systolic array's cost tables are measured: configurations, parts, stimuli."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import GemmJobs
from archsim.engines.systolic import beats, cost
from archsim.engines.systolic.spec import SystolicSpec
from archsim.errors import ArchsimError
from archsim.tech.study import Stimulus, Study

if TYPE_CHECKING:
    from archsim.hdl.power import GateSimulator
    from archsim.hdl.synth import SynthResult

TOP = "systolic"
SIGMAS_OF_FULL_SCALE = 3.0  # operands: normal, full scale at 3 sigma, clipped
STIMULUS = (
    "GEMM jobs on the mapped netlist, 64 data sets side by side; operands normal, full scale at "
    "3 sigma, clipped; ports never stall; a warm-up job first; results checked against NumPy"
)
SPEC_FIELDS = ("rows", "cols", "a_bits", "b_bits", "acc_bits")


def _specs(*configurations: tuple[int, int, int, int, int]) -> tuple[SystolicSpec, ...]:
    return tuple(
        SystolicSpec(rows=r, cols=c, a_bits=a, b_bits=b, acc_bits=s)
        for r, c, a, b, s in configurations
    )


FITTED = _specs(
    (2, 2, 8, 8, 32), (4, 4, 8, 8, 32), (8, 8, 8, 8, 32), (16, 16, 8, 8, 32),
    (2, 16, 8, 8, 32), (16, 2, 8, 8, 32), (4, 8, 8, 8, 24), (8, 4, 8, 8, 48),
    (4, 4, 8, 8, 16), (4, 4, 4, 4, 16), (8, 8, 4, 4, 16), (2, 8, 4, 4, 24),
    (4, 4, 8, 4, 24), (4, 4, 4, 8, 32), (4, 4, 16, 8, 40), (4, 4, 16, 16, 48),
    (8, 2, 16, 16, 40), (3, 5, 6, 6, 20), (4, 4, 12, 12, 32), (2, 4, 2, 2, 16),
    (1, 4, 8, 8, 32),
)  # fmt: skip
HELD_OUT = _specs(
    (32, 32, 8, 8, 32), (6, 10, 8, 8, 24), (12, 4, 16, 8, 32), (3, 7, 4, 4, 24),
    (5, 5, 6, 6, 24), (16, 8, 4, 4, 16), (8, 12, 8, 8, 40), (7, 3, 16, 16, 48),
    (1, 16, 8, 8, 32), (4, 6, 10, 10, 36),
)  # fmt: skip
POWERED = _specs(
    (4, 4, 8, 8, 32), (2, 6, 8, 8, 24), (6, 2, 8, 8, 32), (4, 4, 4, 4, 16),
    (2, 4, 8, 4, 24), (3, 3, 16, 16, 40), (4, 2, 6, 6, 20),
)  # fmt: skip
POWERED_HELD_OUT = _specs(
    (8, 8, 8, 8, 32), (5, 3, 6, 6, 24), (2, 5, 8, 8, 40), (3, 4, 16, 8, 32),
)  # fmt: skip


def verilog(spec: SystolicSpec) -> str:
    """Return the array's Verilog."""
    from archsim.engines.systolic.rtl import SystolicArray  # noqa: PLC0415
    from archsim.hdl.emit import to_verilog  # noqa: PLC0415

    return to_verilog(SystolicArray(spec), TOP)


def parts(spec: SystolicSpec, result: SynthResult) -> dict[str, float]:
    """Sum module areas; what is left of the top is skew, operand masks and the row multiplexer."""
    um2 = result.module_um2
    found = {
        "pe": spec.rows * um2[f"{TOP}_row"],
        "result_port": um2[f"{TOP}.port"],
        "control": um2[f"{TOP}.folds"] + um2[f"{TOP}.drain"] + um2[f"{TOP}.accounts"],
    }
    return {**found, "edges": um2[TOP] - sum(found.values())}


PART_COMPONENTS = {
    "pe": ("pe",),
    "result_port": ("result_port",),
    "control": ("control",),
    "edges": ("row_mux", "skew", "edge"),
}


def path_group(place: str) -> str:
    return "pe" if place.startswith("row_") else "control"


def energy_group(place: str) -> str:
    """Return ``pe``, ``port``, ``control`` or, for the top's own logic, ``edges``."""
    head = place.split(".", 1)[0]
    if head.startswith("row_"):
        return "pe"
    return {"": "edges", "port": "port"}.get(head, "control")


GROUP_ACTIONS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "pe": {
        "mac": tuple(cost.ENERGY_TERMS["mac"]),
        "a_hop": tuple(cost.ENERGY_TERMS["a_hop"]),
        "b_hop": tuple(cost.ENERGY_TERMS["b_hop"]),
        "result_beat": ("result_bits",),
    },
    "edges": {
        "a_beat": ("line_bits",),
        "b_beat": ("line_bits",),
        "result_beat": tuple(cost.ENERGY_TERMS["result_beat"]),
    },
    "port": {"result_beat": ("result_bits",), "c_beat": ("result_bits",)},
    "control": {"control_cycle": tuple(cost.ENERGY_TERMS["control_cycle"])},
}


# ---------------------------------------------------------------------------------------- stimuli


def run(
    spec: SystolicSpec, simulator: GateSimulator, rng: np.random.Generator
) -> list[tuple[Stimulus, NDArray[np.int64]]]:
    """Run jobs that separate the actions: long and short sums, ragged edges, accumulation."""
    rows, cols = spec.rows, spec.cols
    shapes = [
        ("warm-up", rows, cols, 8, False),
        ("four folds", 2 * rows, 2 * cols, 2 * max(rows, cols) + 16, False),
        ("short sums", 2 * rows, cols, 6, False),
        ("accumulate", rows, 2 * cols, 16, True),
        ("ragged", max(rows - 1, 1), max(cols // 2, 1), 24, False),
        ("one row", 1, cols, 24, False),
        ("one column", rows, 1, 24, False),
    ]
    simulator.set("rst", 1)
    for _ in range(2):
        simulator.settle()
        simulator.clock()
    simulator.set("rst", 0)
    found = []
    for name, m, n, k, accumulate in shapes:
        before = simulator.toggles.copy()
        cycles = _job(spec, simulator, rng, (m, n, k, accumulate))
        if name != "warm-up":
            folds = -(-m // rows) * -(-n // cols)
            results = m * -(-n // cols)
            counts = {
                "mac": m * n * k,
                "a_hop": m * k * -(-n // cols) * cols,
                "b_hop": n * k * -(-m // rows) * rows,
                "a_beat": folds * k,
                "b_beat": folds * k,
                "c_beat": results * accumulate,
                "result_beat": results,
                "cycle": cycles,
            }
            found.append((Stimulus(f"{name}: {m} x {n} x {k}", counts), simulator.toggles - before))
    return found


def _job(
    spec: SystolicSpec,
    simulator: GateSimulator,
    rng: np.random.Generator,
    shape: tuple[int, int, int, bool],
) -> int:
    """Run one job with other data in every lane, check the results, return its cycles."""
    m, n, k, accumulate = shape
    refs = ({"a": "a", "b": "b", "c": "c"},)
    jobs = GemmJobs(
        m=np.array([m]), n=np.array([n]), k=np.array([k]),
        accumulate=np.array([accumulate]), refs=refs,
    )  # fmt: skip
    data = [
        {
            "a": _normal(rng, (m, k), spec.a_bits),
            "b": _normal(rng, (k, n), spec.b_bits),
            "c": _normal(rng, (m, n), spec.acc_bits),
        }
        for _ in range(simulator.lanes)
    ]
    packed = [beats.pack(spec, jobs, 0, d) for d in data]
    streams = {
        port: [[_word(p[port][i], bits) for p in packed] for i in range(len(packed[0][port]))]
        for port, bits in (("a", spec.a_bits), ("b", spec.b_bits), ("c", spec.acc_bits))
    }
    results, cycles = _exchange(
        simulator, _command(packed[0]["cmd"]), streams, m * -(-n // spec.cols)
    )
    for lane in (0, simulator.lanes - 1):
        _check(spec, jobs, data[lane], [r[lane] for r in results], accumulate)
    return cycles


def _exchange(
    simulator: GateSimulator, command: int, streams: Mapping[str, Sequence[Any]], results: int
) -> tuple[list[list[int]], int]:
    """Offer every beat as early as may be and take results at once; return them and the cycles."""
    sent = dict.fromkeys(streams, 0)
    got: list[list[int]] = []
    accepted, cycles = False, 0
    simulator.set("result__ready", 1)
    while len(got) < results:
        simulator.set("cmd__valid", int(not accepted))
        simulator.set("cmd__payload", command)
        for port, words in streams.items():
            left = sent[port] < len(words)
            simulator.set(f"{port}__valid", int(left))
            if left:
                simulator.set(f"{port}__payload", words[sent[port]])
        simulator.settle()
        for port, words in streams.items():
            sent[port] += sent[port] < len(words) and simulator.get(f"{port}__ready")
        if simulator.get("result__valid"):
            got.append([simulator.get("result__payload", lane) for lane in range(simulator.lanes)])
        accepted = accepted or bool(simulator.get("cmd__ready"))
        simulator.clock()
        cycles += accepted
        if cycles > 100_000:
            raise ArchsimError("the mapped netlist does not finish its job")
    return got, cycles


def _check(
    spec: SystolicSpec,
    jobs: GemmJobs,
    data: Mapping[str, Any],
    words: Sequence[int],
    accumulate: bool,
) -> None:
    lanes = [
        [_signed(w >> spec.acc_bits * j, spec.acc_bits) for j in range(spec.cols)] for w in words
    ]
    found = beats.unpack(spec, jobs, 0, {"result": np.array(lanes, object)})["result"]
    wanted = data["a"].astype(object) @ data["b"].astype(object) + accumulate * data["c"]
    if any(
        _signed(int(x), spec.acc_bits) != int(y)
        for x, y in zip(wanted.ravel(), found.ravel(), strict=True)
    ):
        raise ArchsimError("the mapped netlist's results differ from NumPy's")


def _normal(rng: np.random.Generator, shape: tuple[int, int], bits: int) -> NDArray[np.int64]:
    top = 2.0 ** (bits - 1)
    values = np.round(rng.normal(0.0, top / SIGMAS_OF_FULL_SCALE, shape))
    return np.clip(values, -top, top - 1).astype(np.int64)


def _word(lanes: Sequence[int], bits: int) -> int:
    return sum((int(x) & ((1 << bits) - 1)) << bits * i for i, x in enumerate(lanes))


def _signed(word: int, bits: int) -> int:
    word &= (1 << bits) - 1
    return word - (1 << bits) if word >> (bits - 1) else word


def _command(fields: Mapping[str, int]) -> int:
    from archsim.hdl.gemm import COMMAND  # noqa: PLC0415

    word = 0
    for name, value in fields.items():
        word |= value << COMMAND[name].offset
    return word


STUDY = Study(
    engine="systolic",
    top=TOP,
    fitted=FITTED,
    held_out=HELD_OUT,
    powered=POWERED,
    powered_held_out=POWERED_HELD_OUT,
    verilog=verilog,
    parts=parts,
    part_components=PART_COMPONENTS,
    path_group=path_group,
    energy_group=energy_group,
    group_actions=GROUP_ACTIONS,
    area_terms=cost.AREA_TERMS,
    whole_terms=cost.WHOLE_TERMS,
    delay_terms=cost.DELAY_TERMS,
    energy_terms=cost.ENERGY_TERMS,
    run=run,
    stimulus=STIMULUS,
    spec_fields=SPEC_FIELDS,
)
