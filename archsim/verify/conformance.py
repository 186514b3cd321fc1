"""Conformance: RTL against the reference bit for bit, against the timing cycle for cycle."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import (
    Case,
    Engine,
    EngineSpec,
    Ints,
    MemoryPort,
    NoRtl,
    Port,
    PortEnv,
    Rate,
    Rtl,
    Stalls,
    Timing,
)
from archsim.errors import InputError
from archsim.verify.drive import JobRecord
from archsim.verify.plan import bits_text, from_ints, plan_case, results
from archsim.verify.simulation import SIMULATORS, Run, Simulator, default_simulator, prepare

MAX_SPECS = 6


@dataclass(frozen=True, slots=True)
class Row:
    """Verdict on one case.

    Parameters
    ----------
    spec
        Fields of the spec.
    env
        Environment of each job, by port; a port not named is ideal.
    values_equal
        Whether all values came out as in the reference.
    model_cycles, rtl_cycles
        Sum over the case's jobs; `rtl_cycles` is None if a job hung.
    disagreements
        Everything that differs: values, cycles, occupied cycles, cycle counters, beats, protocol.
    command
        Command that runs this case alone.
    """

    case: str
    seed: int
    spec: dict[str, Any]
    env: list[dict[str, str]]
    values_equal: bool
    model_cycles: int
    rtl_cycles: int | None
    simulator: str
    disagreements: tuple[str, ...]
    command: str

    @property
    def ok(self) -> bool:
        return not self.disagreements

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def check(
    engine: Engine,
    cases: int = 200,
    seed: int = 0,
    spec: EngineSpec | None = None,
    simulator: Simulator | None = None,
    only: str | None = None,
) -> list[Row]:
    """Run random cases of an engine on its RTL and return a verdict for each.

    Parameters
    ----------
    cases
        How many the engine's generator is asked for.
    seed
        Of the generator: equal seeds give equal cases.
    spec
        Check this spec alone; None: the specs that the generator chooses.
    simulator
        ``verilator`` runs the emitted Verilog, ``amaranth`` the component itself; None: Verilator
        where a C++ compiler is there.
    only
        Name of the single case to run.
    """
    if isinstance(engine.rtl, NoRtl) or engine.cases is None:
        why = engine.rtl.reason if isinstance(engine.rtl, NoRtl) else "it declares no cases"
        raise InputError("rtl check", f"{engine.kind} has no RTL to check: {why}")
    if simulator not in (None, *SIMULATORS):
        raise InputError("--simulator", f"must be {' or '.join(SIMULATORS)}", simulator)
    chosen = engine.cases(np.random.default_rng(seed), spec, cases)
    if only is not None:
        chosen = [case for case in chosen if case.name == only]
        if not chosen:
            raise InputError("--case", f"must name one of the {cases} cases of seed {seed}", only)

    def command(case: Case) -> str:
        fields = [] if spec is None else case.spec.model_dump(exclude_defaults=True).items()
        settings = "".join(f" --set spec.{k}={v}" for k, v in fields if k != "kind")
        run = f"archsim rtl check {engine.kind} --cases {cases} --seed {seed}{settings}"
        return f"{run} --case {case.name}"

    return run_cases(engine, chosen, seed, simulator, command)


def run_cases(
    engine: Engine,
    cases: Sequence[Case],
    seed: int = 0,
    simulator: Simulator | None = None,
    command: Callable[[Case], str] = lambda case: "",
) -> list[Row]:
    """Run given cases, hand-written ones too; one build and one simulation a spec."""
    assert isinstance(engine.rtl, Rtl)
    simulator = simulator or default_simulator()
    specs = list(dict.fromkeys(case.spec for case in cases))
    if len(specs) > MAX_SPECS:
        raise ValueError(f"a run covers at most {MAX_SPECS} specs, not {len(specs)}")
    timings = [_time(engine, case) for case in cases]
    runs: list[Run] = []
    places = [[i for i, case in enumerate(cases) if case.spec == spec] for spec in specs]
    for spec, indices in zip(specs, places, strict=True):
        component = (engine.rtl.bench or engine.rtl.build)(spec)
        plans = [plan_case(engine.rtl, component, cases[i], timings[i]) for i in indices]
        runs.append(prepare(component, engine.kind, plans, simulator))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = list(pool.map(lambda run: run(), runs))
    records = {
        i: jobs
        for indices, results in zip(places, done, strict=True)
        for i, jobs in zip(indices, results, strict=True)
    }
    rows = []
    for i, (case, timing) in enumerate(zip(cases, timings, strict=True)):
        equal, differences = _verdict(engine, case, timing, records[i])
        ends = [record.cycles for record in records[i]]
        hung = None in ends or len(ends) < len(case.envs)
        rows.append(
            Row(
                case=case.name,
                seed=seed,
                spec=case.spec.model_dump(mode="json"),
                env=[{name: _env_text(port) for name, port in env.items()} for env in case.envs],
                values_equal=equal,
                model_cycles=int(timing.cycles.sum()),
                rtl_cycles=None if hung else sum(end for end in ends if end is not None),
                simulator=simulator,
                disagreements=tuple(differences),
                command=command(case),
            )
        )
    return rows


def _env_text(port: PortEnv) -> str:
    """Return an environment in a line: ``rate 3/4 latency 2``, ``stalls 0110``."""
    if isinstance(port, Rate):
        return f"rate {port.p}/{port.q} latency {port.latency}"
    if isinstance(port, Stalls):
        return f"stalls {bits_text(port)}"
    return repr(port)


def _time(engine: Engine, case: Case) -> Timing:
    """Return the model's word on each job in its own environment."""
    parts = [
        engine.time(case.spec, case.jobs.take(np.array([row])), env, case.data)
        for row, env in enumerate(case.envs)
    ]

    def joined(field: str) -> Any:
        values = [getattr(part, field) for part in parts]
        if isinstance(values[0], np.ndarray):
            return np.concatenate(values)
        if values[0] is None:
            return None
        return {name: np.concatenate([value[name] for value in values]) for name in values[0]}

    names = ("cycles", "occupied", "split", "beats", "counts", "lo", "hi")
    return Timing(kind=parts[0].kind, **{name: joined(name) for name in names})


# ---------------------------------------------------------------------------------------- verdict


def _verdict(
    engine: Engine, case: Case, timing: Timing, records: Sequence[JobRecord]
) -> tuple[bool, list[str]]:
    """Return whether all values are equal, and everything that differs."""
    assert isinstance(engine.rtl, Rtl)
    wanted = engine.reference(case.spec, case.jobs, case.data)
    ports = engine.rtl.ports(case.spec)
    equal, differences = len(records) == len(case.envs), []
    for row, record in enumerate(records):
        expected = {
            name: results(timing, row, name, port)
            for name, port in ports.items()
            if name in record.outputs
        }
        values = _value_differences(engine.rtl, case, row, record, ports, expected, wanted[row])
        equal = equal and not values
        found = [*record.faults, *values]
        if record.occupied is not None:
            found += _cycle_differences(timing, row, record, ports)
        differences += [f"job {row}: {text}" for text in found]
    if len(records) < len(case.envs):
        differences.append(f"job {len(records)} and later: not run, as the one before hung")
    return equal, differences


def _value_differences(
    rtl: Rtl,
    case: Case,
    row: int,
    record: JobRecord,
    ports: Mapping[str, Port | MemoryPort],
    expected: Mapping[str, int],
    wanted: Mapping[str, NDArray[Any]],
) -> list[str]:
    if record.cycles is None:
        return ["no values: the job did not end"]
    if any(len(words) > expected[name] for name, words in record.outputs.items()):
        return ["no values: more beats than there are results"]
    beats = {name: from_ints(words, ports[name]) for name, words in record.outputs.items()}
    got = rtl.unpack(case.spec, case.jobs, row, beats)
    differences = []
    for name, values in wanted.items():
        wrong = np.argwhere(got[name] != values)
        if len(wrong):
            at = tuple(int(i) for i in wrong[0])
            differences.append(
                f"{name}: {len(wrong)} of {values.size} values differ; "
                f"at {at} RTL gives {got[name][at]}, the reference {values[at]}"
            )
    return differences


def _cycle_differences(
    timing: Timing, row: int, record: JobRecord, ports: Mapping[str, Port | MemoryPort]
) -> list[str]:
    differences = []

    def compare(what: str, rtl: int | None, model: Ints) -> None:
        if rtl != int(model[row]):
            differences.append(f"{what}: RTL {rtl}, model {int(model[row])}")

    if timing.kind == "exact":
        compare("cycles", record.cycles, timing.cycles)
        compare("occupied", record.occupied, timing.occupied)
    elif timing.lo is not None and timing.hi is not None and record.cycles is not None:
        if not timing.lo[row] <= record.cycles <= timing.hi[row]:
            differences.append(
                f"cycles: RTL {record.cycles}, model {timing.lo[row]} to {timing.hi[row]}"
            )
    passed = {**record.taken, **{name: len(got) for name, got in record.outputs.items()}}
    for name, port in ports.items():
        sides = ("_req", "_rsp") if isinstance(port, MemoryPort) else ("",)
        for stream in (f"{name}{side}" for side in sides):
            compare(f"beats of {stream}", passed[stream], timing.beats[stream])
    if timing.kind == "exact":
        for name, model in {**timing.split, **timing.counts}.items():
            counter = "counters__" + name.replace(".", "_")
            compare(f"counter {name}", record.counters.get(counter), model)
    return differences
