"""The engine contract: one spec, five faces, and the registry that finds engines in folders.

An engine is a record of functions, not a class hierarchy. Adding one means adding a folder here, or
installing a package with an ``archsim.engines`` entry point; no list is edited.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from archsim.engines.jobs import GemmJobs as GemmJobs
from archsim.engines.jobs import Jobs as Jobs
from archsim.engines.jobs import Windows as Windows
from archsim.engines.spec import AssumedClock as AssumedClock
from archsim.engines.spec import EngineSpec as EngineSpec
from archsim.engines.spec import SpecBatch as SpecBatch
from archsim.errors import InputError
from archsim.metric import COMMON, EDP, Metric, Panel, installed
from archsim.trace import BASE_OP_KINDS, Op, OpKind

if TYPE_CHECKING:
    from archsim.tech import Tech

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Data = Mapping[str, NDArray[Any]]  # operand values by the refs that jobs carry
Runs = list[tuple[int, list[int]]]  # address of the first, words
Blocks = tuple[int | None, int | None, int | None]  # along m, n and k

# ---------------------------------------------------------------------------------------- env


@dataclass(frozen=True, slots=True)
class Rate:
    """A port that keeps pace p/q after a latency.

    Input: beat i is offered no earlier than cycle ``latency + ceil(i q / p)``, whatever was
    accepted. Output: ready in cycle ``t >= latency`` iff ``floor((t+1) p/q) > floor(t p/q)``.
    """

    latency: int = 0
    p: int = 1
    q: int = 1

    def __post_init__(self) -> None:
        if self.latency < 0 or not 0 < self.p <= self.q:
            raise ValueError(f"a rate needs latency >= 0 and 0 < p <= q, not {self!r}")


@dataclass(frozen=True, slots=True)
class Stalls:
    """A port that stalls by the cycle: bit t is cycle t of the job, past the end nothing stalls.

    Input: bit t = 1 means that no new offer begins in cycle t; a beat once offered stays.
    Output: ready in cycle t is not bit t.
    """

    bits: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class MemoryEnv:
    """The far side of a memory port: requests out, responses in order.

    A response is offered ``latency`` or more cycles after its request was accepted, at most p/q a
    cycle; ``req`` is not ready while ``outstanding`` reads are in flight; writes are posted.
    """

    latency: int = 1
    p: int = 1
    q: int = 1
    outstanding: int = 8


PortEnv = Rate | Stalls | MemoryEnv
IDEAL = Rate()
Env = Mapping[str, PortEnv]  # by port; a port not named is IDEAL
NO_STALLS: Env = MappingProxyType({})

# ---------------------------------------------------------------------------------------- timing

TimingKind = Literal["exact", "expected", "bound"]


@dataclass(frozen=True, slots=True)
class Timing:
    """What `time()` says of n jobs; all arrays have shape [n].

    Parameters
    ----------
    cycles
        From the edge that accepts the command (0) to the edge that accepts the last result beat.
    occupied
        To the first edge at which the next command could be accepted; at least ``cycles + 1``.
    split
        Occupied cycles by what they were: ``busy``, ``fill``, ``drain``, ``stall.PORT``; sums to
        ``occupied``.
    beats
        Beats by port.
    counts
        Named counters that RTL has too.
    kind
        ``exact`` (RTL equals it), ``expected`` or ``bound``; then ``lo <= cycles <= hi``.
    """

    cycles: Ints
    occupied: Ints
    split: Mapping[str, Ints]
    beats: Mapping[str, Ints]
    counts: Mapping[str, Ints] = field(default_factory=dict)
    kind: TimingKind = "exact"
    lo: Ints | None = None
    hi: Ints | None = None


# ---------------------------------------------------------------------------------------- rtl


@dataclass(frozen=True, slots=True)
class Port:
    """A stream of the engine: each beat holds ``lanes`` values of ``bits`` bits, lane 0 lowest.

    Parameters
    ----------
    shares
        Whether the port shares the buffer's bandwidth with the others of its direction. False
        where its beats are rare beside theirs (partial sums: once a fold, not once a step): it is
        held to the bandwidth by itself.
    """

    direction: Literal["in", "out"]
    lanes: int
    bits: int
    signed: bool = True
    shares: bool = True

    @property
    def beat_bits(self) -> int:
        return self.lanes * self.bits


@dataclass(frozen=True, slots=True)
class MemoryPort:
    """A port to memory: streams ``NAME_req`` out (write, address, data) and ``NAME_rsp`` in.

    Writes are posted, reads are answered in order. `Rtl.pack` gives the memory's words [words]
    from address 0 on; `Rtl.unpack` gets addresses and words of the writes [writes, 2], in order.
    `Timing.beats` counts both streams; a job ends with its last result beat or write.
    """

    address_bits: int
    bits: int
    signed: bool = True


@dataclass(frozen=True, slots=True)
class Rtl:
    """The hardware face; functions take the engine's own spec type.

    Parameters
    ----------
    build
        Return the Amaranth component (imports Amaranth inside).
    ports
        Streams by name, without ``cmd``.
    pack
        Return the beats [beats, lanes] that job ``row`` wants on every input port, and the ``cmd``
        fields under ``cmd`` as a mapping.
    unpack
        Return the arrays that `Engine.reference` promises from the output beats of a job.
    bench
        Return what verification runs in place of `build`, where a component has pins beyond its
        streams: the component with a model of their far side, and the same streams.
    writes
        Of an engine with a memory port: ``(spec, packed, results)``, a job as `pack` returns it and
        what `Engine.reference` promises of it, gives what is in memory then, as runs of words: the
        first address, and words that may lie there in any order.
    """

    build: Callable[[Any], Any]
    ports: Callable[[Any], Mapping[str, Port | MemoryPort]]
    pack: Callable[[Any, Any, int, Data], Mapping[str, Any]]
    unpack: Callable[[Any, Any, int, Mapping[str, Ints]], Mapping[str, NDArray[Any]]]
    bench: Callable[[Any], Any] | None = None
    writes: Callable[[Any, Mapping[str, Any], Mapping[str, NDArray[Any]]], Runs] | None = None


@dataclass(frozen=True, slots=True)
class NoRtl:
    """An engine that is a model only, and why; results count its time as not tied."""

    reason: str


# ---------------------------------------------------------------------------------------- cost


@dataclass(frozen=True, slots=True)
class Fmax:
    """A clock limit and where it comes from."""

    mhz: Any  # float, or array for a SpecBatch
    source: str


# ---------------------------------------------------------------------------------------- engine


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an engine does not accept an op; false, so that ``if accepts(...)`` reads well."""

    text: str

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Case:
    """One conformance case: jobs to run one after another on one spec, each in its own env."""

    name: str
    spec: Any
    jobs: Any
    envs: tuple[Env, ...]  # one a job
    data: Data


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine: the record that its folder exports as ``ENGINE``.

    Parameters
    ----------
    accepts
        ``(spec, op) -> True | Reason``: whether the engine can run the op, dtypes aside.
    lower
        ``(spec, op, mapping, data) -> Jobs``: one row a tile of the mapping, in its order. Where
        `reads_values` names operands, ``data`` says by port how often each integer of the operand's
        type is read, lowest first [2^bits], of those of which something is known; and the jobs get
        `Jobs.refs` to tiles of operands that are known whole.
    reference
        ``(spec, jobs, data) -> [{port: array}]``: bit-true results, one mapping a job.
    time
        ``(spec, jobs, env, data) -> Timing``; ``data`` has the tiles that `Jobs.refs` name, and
        cuts each when it is asked for. Equal refs name equal tiles.
    actions
        ``(spec, jobs, timing) -> {action: count[n]}``.
    energy_pj
        ``(spec, tech) -> {action: pJ}``; also of the reserved ``idle_cycle``, a cycle without a
        job, and ``leak_ps``, a picosecond of the run, with ``leak_ps.PART`` for what tables show by
        itself.
    area_um2, fmax_mhz
        ``(spec, tech) -> {component: um2}`` and ``-> Fmax``.
    lanes
        ``(spec) -> {port: Port}``: the streams between buffer and engine, as `Timing.beats`
        counts them.
    dtypes
        ``(spec) -> names``: operand types that the engine computes on; None means any.
    peak_macs
        ``(spec) -> MACs a cycle`` at best.
    sum_bits
        ``(spec) -> bits`` of a partial sum in the buffer. It makes the engine one that takes
        products (`OpKind.tiling` ``gemm``) as tiles of m, n and k; `lower` then gets the steps of a
        mapping, and their jobs are of GEMM engines. None: it takes every op in even slices.
    weight_bytes
        ``(spec, op, k, n) -> bytes``: of tiles of B in memory, for arrays of their extents, where
        the engine reads B in a form of its own: phases of a mesh, a compressed matrix. That form is
        made before the run, so B must then be a weight.
    reads_clock
        Whether cycles depend on the clock: some part keeps a time of its own.
    whole_chip
        Whether area and energy hold all memories of the design, which are then not priced again.
    energy_bound
        Whether `energy_pj` is an upper bound: comparisons then say so.
    reads_values
        ``(spec) -> ports``: operands of products, of ``a`` and ``b``, whose values decide how long
        a job takes. Without them time is ``expected`` or a ``bound``.
    estimate
        ``(spec, jobs) -> Timing``: about what `time` says at ports that do not stall, of which
        ``occupied`` and ``beats`` count. The mapping search goes by it where it is given: for
        engines whose `time` is too dear to be asked of every candidate.
    figures
        ``(spec, jobs) -> {name: value[n]}``: means over cycles, which tables show beside counts.
    step_figures
        Names of figures that `event` also keeps of each step, in its `Span`, for panels over time.
    windows
        ``(spec, op, known, room_bytes) -> Windows``: how the engine cuts ops whose operands decide
        (`OpKind.tiling` ``windows``) into a buffer of so many bytes. ``known`` is a `SparseProduct`
        where operands are sparse, and else the `Known` values. `lower` then gets the windows, with
        ``known`` as ``data``, and makes a job of each; `time` gets ``known.arrays`` as its
        ``data``.
    blocks
        ``(spec) -> (m, n, k)``: the extents that the engine itself cuts a product into, for tiles
        to be multiples of; None along an axis that streams, where any extent suits it.
    cases
        ``(rng, spec or None, count) -> [Case]``: conformance cases; None means the engine's choice
        of at most 6 distinct specs that cover every PE and dataflow.
    process
        ``(sim, spec, jobs, ports)``: a SimPy process that runs the jobs of one step, where
        contention acts inside a job. `event` runs it in place of `time`, which must be a lower
        bound. ``ports["dram"](ps)`` is a process that waits for the shared DRAM and holds it;
        ``ports["clock"]`` is the engine's clock: ``next_edge(ps)``, ``edge_ps(edge)``;
        ``ports["planned"]`` the edge at which the step would end by `time`.
    quality
        ``(spec, trace) -> {metric: value}``: figures that no simulation finds, such as accuracy, of
        metrics declared without ``value``; the mean where several engines of the kind say one.
    assumptions
        Sentences about the spec's conventions that every result prints.
    op_kinds
        Kinds of op that the engine brings: traces may use them.
    metrics, panels
        Figures to judge designs by and charts of a report, for designs that have the engine.
    """

    kind: str
    spec: type[EngineSpec]
    accepts: Callable[[Any, Op], Literal[True] | Reason]
    lower: Callable[..., Any]
    reference: Callable[[Any, Any, Data], list[Mapping[str, NDArray[Any]]]]
    time: Callable[..., Timing]
    actions: Callable[[Any, Any, Timing], Mapping[str, Ints]]
    energy_pj: Callable[[Any, Tech], Mapping[str, float]]
    area_um2: Callable[[Any, Tech], Mapping[str, Any]]
    fmax_mhz: Callable[[Any, Tech], Fmax]
    lanes: Callable[[Any], Mapping[str, Port]]
    rtl: Rtl | NoRtl
    cases: Callable[..., list[Case]] | None = None
    process: Callable[..., Any] | None = None
    quality: Callable[[Any, Any], Mapping[str, float]] | None = None
    dtypes: Callable[[Any], frozenset[str]] | None = None
    peak_macs: Callable[[Any], int] = lambda spec: 0
    sum_bits: Callable[[Any], Any] | None = None  # int, or array for a SpecBatch
    weight_bytes: Callable[[Any, Op, Ints, Ints], Ints] | None = None
    reads_clock: bool = False
    whole_chip: bool = False
    energy_bound: bool = False
    reads_values: Callable[[Any], tuple[str, ...]] = lambda spec: ()
    estimate: Callable[[Any, Any], Timing] | None = None
    figures: Callable[[Any, Any], Mapping[str, Any]] | None = None
    step_figures: tuple[str, ...] = ()
    windows: Callable[[Any, Op, Any, int], Windows] | None = None
    blocks: Callable[[Any], Blocks] = lambda spec: (None, None, None)
    assumptions: Callable[[Any], Sequence[str]] = lambda spec: ()
    op_kinds: tuple[OpKind, ...] = ()
    metrics: tuple[Metric, ...] = ()
    panels: tuple[Panel, ...] = ()


@cache
def discover() -> Mapping[str, Engine]:
    """Return every engine by kind: the folders beside this file, then installed entry points."""
    found: dict[str, Engine] = {}
    for module in pkgutil.iter_modules(__path__):
        engine = getattr(importlib.import_module(f"{__name__}.{module.name}"), "ENGINE", None)
        if engine is not None:
            found[engine.kind] = engine
    for point in importlib.metadata.entry_points(group="archsim.engines"):
        engine = point.load()
        if engine.kind in found:
            raise InputError(f"entry point {point.value}", "engine kind must be new", engine.kind)
        found[engine.kind] = engine
    return MappingProxyType(found)


def op_kinds() -> Mapping[str, OpKind]:
    """Return the op kinds that traces may use: the common ones and those that engines declare."""
    kinds = dict(BASE_OP_KINDS)
    for engine in discover().values():
        kinds.update({kind.name: kind for kind in engine.op_kinds})
    return MappingProxyType(kinds)


@cache
def metrics() -> Mapping[str, Metric]:
    """Return the metrics beyond those of `Metrics`, by name: archsim's own, packages', engines'.

    Raises
    ------
    InputError
        If two of them, or one of them and a common metric, have one name.
    """
    found: dict[str, Metric] = {}
    declared = [metric for engine in discover().values() for metric in engine.metrics]
    for metric in (EDP, *installed(), *declared):
        if metric.name in found or metric.name in COMMON:
            raise InputError(f"metric {metric.name!r}", "must have a name of its own", metric.title)
        found[metric.name] = metric
    return MappingProxyType(found)
