"""How the engine's cost table is measured: configurations, parts, stimuli.

Memories of the table and of the dense array are left out of every figure; small ones of flip-flops
stand in for them, so that the paths around them are there.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines.hash_spgemm import beats, terms, timing
from archsim.engines.hash_spgemm.reference import reference
from archsim.engines.hash_spgemm.spec import ADDRESS_BITS, WORD_BITS, HashSpgemmSpec, WindowJobs
from archsim.engines.hash_spgemm.windows import window_jobs
from archsim.errors import ArchsimError
from archsim.sparse import Csr
from archsim.sparse.product import SparseProduct
from archsim.tech.stimuli import PATIENCE_CYCLES, reset
from archsim.tech.study import Stimulus, Study

if TYPE_CHECKING:
    from archsim.hdl.power import GateSimulator
    from archsim.hdl.synth import SynthResult

TOP = "hash_spgemm"
MEMORIES = (f"{TOP}_table", f"{TOP}_list")
STIMULUS = (
    "windows on the mapped netlist, 64 sets of values side by side on one pattern; values of 8 "
    "bits, sums of 32; memory answers in two cycles; a warm-up window first; results checked "
    "against NumPy; memories of the table left out"
)
FIELDS = (
    "lanes", "banks", "slots", "queue", "hash", "atomics", "write_back", "token", "comparators",
)  # fmt: skip


def _specs(*configurations: tuple[Any, ...]) -> tuple[HashSpgemmSpec, ...]:
    return tuple(HashSpgemmSpec(**dict(zip(FIELDS, c, strict=True))) for c in configurations)


FITTED = _specs(
    (1, 1, 16, 2, "low", "fused", "scan", "nonzero", 1),
    (1, 1, 32, 8, "multiplicative", "fused", "dense", "nonzero", 2),
    (1, 2, 64, 6, "low", "fused", "dense", "row", 1),
    (2, 2, 32, 4, "low", "cas_add", "scan", "row", 1),
    (2, 4, 32, 2, "multiplicative", "fused", "dense", "nonzero", 1),
    (2, 1, 16, 8, "high", "cas_add", "dense", "nonzero", 1),
    (3, 1, 64, 2, "high", "fused", "dense", "static", 4),
    (3, 2, 32, 4, "high", "cas_add", "scan", "nonzero", 2),
    (4, 2, 64, 2, "multiplicative", "fused", "scan", "nonzero", 4),
)
HELD_OUT = _specs(
    (4, 4, 32, 4, "multiplicative", "fused", "dense", "nonzero", 1),
    (2, 1, 64, 8, "low", "fused", "scan", "row", 2),
)
POWERED = _specs(
    (1, 1, 32, 2, "low", "fused", "scan", "nonzero", 1),
    (2, 2, 32, 4, "multiplicative", "fused", "dense", "nonzero", 1),
    (2, 1, 32, 2, "low", "cas_add", "dense", "row", 4),
)
POWERED_HELD_OUT = _specs(
    (2, 1, 32, 2, "high", "cas_add", "scan", "static", 1),
    (3, 2, 32, 4, "multiplicative", "fused", "dense", "nonzero", 2),
)


def verilog(spec: HashSpgemmSpec) -> str:
    """Return the engine's Verilog."""
    from archsim.engines.hash_spgemm.rtl import HashSpgemm  # noqa: PLC0415
    from archsim.hdl.emit import to_verilog  # noqa: PLC0415

    return to_verilog(HashSpgemm(spec), TOP)


def parts(spec: HashSpgemmSpec, result: SynthResult) -> dict[str, float]:
    """Sum module areas; what is left of the top is the port, the crossbar and the counters."""
    um2 = result.module_um2
    memory = spec.comparators * um2[f"{TOP}_table"]
    if spec.write_back == "dense":
        memory += um2[f"{TOP}_list"]
    found = {
        "lanes": spec.lanes * um2[f"{TOP}_lane"],
        "banks": spec.banks * (um2[f"{TOP}_bank"] - memory),
        "fetch": um2[f"{TOP}.fetch"],
        "write_back": um2[f"{TOP}.write_back"],
    }
    return {**found, "port": um2[TOP] - spec.banks * memory - sum(found.values())}


def energy_group(place: str) -> str:
    """Return the part that a cell belongs to; ``memory`` is none that counts."""
    head, _, rest = place.partition(".")
    if head.startswith("bank_") and not head.startswith("bank_arbiter"):
        return "memory" if rest.startswith(("table", "list")) else "bank"
    if head.startswith("lane_"):
        return "lane"
    return head if head in ("fetch", "write_back") else "port"


def path_group(place: str) -> str:
    """Return ``lane``, ``bank`` for what begins in the table, else ``control``."""
    group = energy_group(place)
    return {"lane": "lane", "bank": "bank", "memory": "bank"}.get(group, "control")


# ---------------------------------------------------------------------------------------- stimuli


def jobs_of(spec: HashSpgemmSpec, rng: np.random.Generator) -> list[tuple[str, Csr, Csr]]:
    """Return products that separate the actions: few entries and many, short rows and long."""
    few = spec.cap

    def pattern(rows: int, columns: int, entries: int) -> Csr:
        found = np.zeros(rows * columns, bool)
        found[rng.permutation(rows * columns)[:entries]] = True
        return Csr.of(found.reshape(rows, columns))

    return [
        ("warm-up", pattern(3, 4, 5), pattern(4, 12, 12)),
        ("many hits", pattern(4, 8, 20), pattern(8, 3, 16)),
        ("few hits", pattern(4, 8, 8), pattern(8, 40, 60)),
        ("one row", pattern(1, 4, 4), pattern(4, 200, few)),
        ("short rows", pattern(20, 20, 30), pattern(20, 20, 20)),
        ("empty rows", pattern(60, 8, 4), pattern(8, 8, 8)),
    ]


def run(
    spec: HashSpgemmSpec, simulator: GateSimulator, rng: np.random.Generator
) -> list[tuple[Stimulus, NDArray[np.int64]]]:
    """Run windows, those of the first product to warm up; return what each did and switched."""
    reset(simulator)
    while not simulator.get("cmd__ready"):  # the table is cleared first
        simulator.settle()
        simulator.clock()
    found = []
    for name, a, b in jobs_of(spec, rng):
        before = simulator.toggles.copy()
        product = SparseProduct(a, b, b.shape[1])
        jobs = window_jobs(spec, product)
        counts: dict[str, float] = {}
        for row in range(len(jobs)):
            for action, count in _window(spec, simulator, rng, jobs, row, product.arrays).items():
                counts[action] = counts.get(action, 0.0) + count
        if name != "warm-up":
            text = f"{name}: {int(jobs.products.sum())} products, {len(jobs)} windows"
            found.append((Stimulus(text, counts), simulator.toggles - before))
    return found


def _window(
    spec: HashSpgemmSpec,
    simulator: GateSimulator,
    rng: np.random.Generator,
    jobs: WindowJobs,
    row: int,
    patterns: dict[str, Any],
) -> dict[str, float]:
    """Run a window with other values in every lane, check what is written, return what it did."""
    data = [_with_values(rng, patterns) for _ in range(simulator.lanes)]
    packed = [beats.pack(spec, jobs, row, values) for values in data]
    images = np.stack([p["mem"] for p in packed], axis=1)  # words, lanes
    writes, cycles = _memory(simulator, _command(packed[0]["cmd"]), images)
    one = jobs.take(np.array([row]))
    timed = timing.time(spec, one, {}, data[0])
    for lane in (0, simulator.lanes - 1):
        written = np.array([(address, words[lane]) for address, words in writes], np.int64)
        (wanted,) = reference(spec, one, data[lane])
        if not np.array_equal(beats.unpack(spec, jobs, row, {"mem": written})["c"], wanted["c"]):
            raise ArchsimError("the mapped netlist's results differ from the reference's")
    counted = timing.actions(spec, one, timed)
    return {**{action: float(n[0]) for action, n in counted.items()}, "cycle": float(cycles)}


def _with_values(rng: np.random.Generator, patterns: dict[str, Any]) -> dict[str, Any]:
    def values(ref: str) -> NDArray[np.int64]:
        return rng.integers(-128, 128, len(patterns[f"{ref}.indices"]))

    return {**patterns, "a.values": values("a"), "b.values": values("b")}


def _command(fields: dict[str, int]) -> int:
    from archsim.engines.hash_spgemm.parts_rtl import COMMAND  # noqa: PLC0415

    return int(COMMAND.const(fields).as_bits())


def _memory(
    simulator: GateSimulator, command: int, images: NDArray[np.int64]
) -> tuple[list[tuple[int, list[int]]], int]:
    """Answer a window's requests until it is done; return address and words of each write."""
    due: deque[int] = deque()
    writes: list[tuple[int, list[int]]] = []
    mask = (1 << WORD_BITS) - 1
    cycles, running = 0, False
    simulator.set("mem_req__ready", 1)
    while True:
        simulator.set("cmd__valid", int(not running))
        simulator.set("cmd__payload", command)
        simulator.set("mem_rsp__valid", int(bool(due)))
        if due:
            simulator.set("mem_rsp__payload", [int(word) & mask for word in images[due.popleft()]])
        simulator.settle()
        if running and simulator.get("cmd__ready"):
            return writes, cycles
        if simulator.get("mem_req__valid"):
            payloads = [simulator.get("mem_req__payload", i) for i in range(simulator.lanes)]
            address = payloads[0] >> 1 & (1 << ADDRESS_BITS) - 1
            if payloads[0] & 1:
                words = [payload >> 1 + ADDRESS_BITS for payload in payloads]
                writes.append((address, [w - (w >> 63 << 64) for w in words]))
            else:
                due.append(address)
        running = True
        simulator.clock()
        cycles += 1
        if cycles > PATIENCE_CYCLES:
            raise ArchsimError("the mapped netlist does not finish its window")


STUDY = Study(
    engine="hash_spgemm",
    top=TOP,
    fitted=FITTED,
    held_out=HELD_OUT,
    powered=POWERED,
    powered_held_out=POWERED_HELD_OUT,
    verilog=verilog,
    parts=parts,
    part_components={name: (name,) for name in terms.AREA_TERMS},
    path_group=path_group,
    energy_group=energy_group,
    group_actions={
        "lane": {"word": tuple(terms.ENERGY_TERMS["word"]), "operation": ("1",)},
        "bank": {"operation": ("1", "comparators"), "slot": ("1",)},
        "fetch": {"token": ("1",), "read": ("queue",)},
        "write_back": {"slot": ("1",)},
        "port": {
            "read": ("1",),
            "write": ("1",),
            "operation": ("lanes",),
            "control_cycle": tuple(terms.ENERGY_TERMS["control_cycle"]),
        },
    },
    terms=terms.COST,
    run=run,
    stimulus=STIMULUS,
    spec_fields=FIELDS,
    left_out=MEMORIES,
)
