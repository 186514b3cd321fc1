"""From a schedule to the tables that a system runs: transfers, jobs, taps and scales."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archsim.errors import InfeasibleError, InputError
from archsim.hdl.descriptors import LOAD_A, LOAD_B, LOAD_BIAS, STORE, Geometry, words_of
from archsim.program.placement import Matrix, is_narrow, matrices_of, straight
from archsim.program.tiles import Tiled, groups_of, kept_tensors
from archsim.schedule import Program as Schedule
from archsim.trace import Op, Packed, Trace, as_gemm

EPILOGUES = frozenset({"bias", "relu", "requantise"})
Row = dict[str, int]


@dataclass(frozen=True, slots=True)
class Scales:
    """How an op's sums become narrow integers: see `archsim.formats.requantise`.

    Parameters
    ----------
    multiplier, shift
        By column of the result.
    """

    multiplier: Sequence[int]
    shift: Sequence[int]
    zero_point: int = 0


@dataclass(frozen=True, slots=True)
class SystemProgram:
    """What a system runs, and where it finds its data.

    Parameters
    ----------
    tables
        Rows of each table of `Geometry.tables`.
    matrices
        Tensors in memory; those that stay on chip are there, too, and never touched.
    padding_bytes
        What transfers move beyond the bytes that the model counts, rows being whole words.
    """

    geometry: Geometry
    tables: Mapping[str, Sequence[Row]]
    matrices: Mapping[str, Matrix]
    padding_bytes: int

    @property
    def transfers(self) -> int:
        return len(self.tables["transfers"])

    @property
    def jobs(self) -> int:
        return len(self.tables["jobs"])

    @property
    def memory_bytes(self) -> int:
        return max(m.address + m.size_bytes for m in self.matrices.values())

    def words(self) -> list[tuple[int, int, int]]:
        """Return what writes the tables: table, word address, word."""
        return words_of(self.geometry, self.tables)

    def image(self, data: Mapping[str, Any]) -> bytes:
        """Return the memory's content with matrices [rows, columns] put in their places."""
        memory = bytearray(self.memory_bytes)
        for name, values in data.items():
            place = self.matrices[name]
            memory[place.address : place.address + place.size_bytes] = place.pack(values)
        return bytes(memory)


def compile_program(
    schedule: Schedule,
    trace: Trace,
    geometry: Geometry,
    scales: Mapping[str, Scales],
    origin: int = 0,
) -> SystemProgram:
    """Return the descriptors of a schedule.

    Parameters
    ----------
    scales
        By op, for those that requantise.
    origin
        Address of the first tensor in memory.

    Raises
    ------
    InputError
        If an op or mapping has no datapath in the system; the reason says which.
    InfeasibleError
        If the tiles or tables do not fit the system's memories.
    """
    for placed in schedule.ops:
        check_op(placed.op, trace)
    return _Compiler(
        schedule, trace, geometry, scales, matrices_of(trace, geometry, origin)
    ).compiled()


def check_op(op: Op, trace: Trace) -> None:
    """Raise `InputError` unless a system has the datapath for an op."""

    def refuse(expected: str, got: object) -> None:
        raise InputError(f"op {op.name!r}", expected, got, fix="the system has no datapath for it")

    if op.kind not in ("gemm", "conv"):
        refuse("must be a product (gemm, conv)", op.kind)
    if op.repeat > 1:
        refuse("must run once", op.repeat)
    if as_gemm(op).groups > 1:
        refuse("must be one product, not one a group", as_gemm(op).groups)
    if op.kind == "conv" and op.int_attr("batch") > 1:
        refuse("must be of one image", op.int_attr("batch"))
    wide = trace.tensors[op.outputs[0]].dtype == "int32"
    if not EPILOGUES.issuperset(op.epilogue) or is_narrow(op) == wide:
        refuse("must write int32, or bias, relu and then requantise to int8", op.epilogue)
    if wide and op.epilogue:
        refuse("must have no epilogue where it writes int32", op.epilogue)
    if len(op.inputs) > 3 or (len(op.inputs) == 3) != ("bias" in op.epilogue):
        refuse("must have inputs a, b, and a bias where its epilogue has", op.inputs)
    if isinstance(trace.tensors[op.inputs[1]].data, Packed):
        refuse("must have weights that are not packed", op.inputs[1])


class _Compiler:
    def __init__(
        self,
        schedule: Schedule,
        trace: Trace,
        geometry: Geometry,
        scales: Mapping[str, Scales],
        matrices: Mapping[str, Matrix],
    ) -> None:
        self.schedule, self.trace, self.geometry, self.scales = schedule, trace, geometry, scales
        self.matrices = matrices
        self.tables: dict[str, list[Row]] = {name: [] for name in geometry.tables}
        self.loads = self.stores = self.padding_bytes = 0
        self.written: dict[str, int] = {}  # by tensor in memory: stores until all of it is there
        self.kept = kept_tensors(schedule, self.matrices, geometry)
        self.ops = [Tiled.of(x, trace, geometry, self.kept) for x in schedule.ops]
        self.first_tap: list[int] = []  # by op: where its rows of these tables begin
        self.first_scale: list[int] = []
        for x in self.ops:
            self.first_tap.append(len(self.tables["taps"]))
            self.first_scale.append(len(self.tables["scales"]))
            self.tables["taps"] += x.planes.taps()
            self.tables["scales"] += self._scales(x.placed.op)

    def compiled(self) -> SystemProgram:
        runs = self.schedule.runs({})
        for run, following in zip(runs, [*runs[1:], None], strict=True):
            x = self.ops[run.placed.index]
            begun = len(self.tables["jobs"])  # jobs of the ops before
            if run.opening_ps:
                self._load(x, 0, begun, (True,))
            for step in range(len(x.steps.m)):
                fetched = step == 0 and run.fetched
                self._load(
                    x, step, begun + max(step - 1, 0), (False,) if fetched else (False, True)
                )
                waits = {"loads": self.loads, "stores": self.stores}
                if step:
                    self._store(x, step - 1, begun + step)
                self._job(x, step, waits)
            if run.prefetch_next_ps and following is not None:
                y = self.ops[following.placed.index]
                y.check_beside(x)
                self._load(y, 0, begun, (True,))
            self._store(x, len(x.steps.m) - 1, len(self.tables["jobs"]))
            self.written[run.placed.op.outputs[0]] = self.stores
        for name, table in self.geometry.tables.items():
            if len(self.tables[name]) > table.depth:
                raise InfeasibleError(
                    f"the program's table of {name}", demand=len(self.tables[name]),
                    bound=table.depth, unit="rows", levers=("run it in parts",),
                )  # fmt: skip
        return SystemProgram(self.geometry, self.tables, self.matrices, self.padding_bytes)

    def _scales(self, op: Op) -> list[Row]:
        if not is_narrow(op):
            return []
        if op.name not in self.scales:
            raise InputError(f"op {op.name!r}", "must have scales, as it requantises")
        scales, n, rows = self.scales[op.name], as_gemm(op).n, []
        for first in range(0, n, self.geometry.cols):
            row = {}
            for j in range(self.geometry.cols):
                real = first + j < n
                row[f"multiplier_{j}"] = int(scales.multiplier[first + j]) if real else 0
                row[f"shift_{j}"] = int(scales.shift[first + j]) if real else 0
            rows.append(row)
        return rows

    # ---------------------------------------------------------------------------------- transfers

    def _load(self, x: Tiled, step: int, jobs: int, roles: tuple[bool, ...]) -> None:
        """Add what a step loads of its inputs: those that are weights, those that are not."""
        op, g = x.placed.op, self.geometry
        moved = {"a": int(x.steps.a_bytes[step]), "b": int(x.steps.b_bytes[step]), "bias": 0}
        if len(op.inputs) > 2 and step == 0:
            moved["bias"] = self.trace.tensors[op.inputs[2]].size_bytes
        for operand, name in zip(("a", "b", "bias"), op.inputs, strict=False):
            weight = self.trace.tensors[name].role == "weight"
            if not moved[operand] or weight not in roles or name in x.placed.held_inputs:
                continue
            blocks = {"a": self._block_a, "b": self._block_b, "bias": self._block_bias}
            row = blocks[operand](x, step)
            self.padding_bytes += row["rows"] * row["row_words"] * g.word_bytes - moved[operand]
            waits = {"jobs": jobs, "stores": self.written.get(name, 0), "entries": 0, "wide": 0}
            self.tables["transfers"].append({**row, **waits})
            self.loads += 1

    def _block_a(self, x: Tiled, step: int) -> Row:
        g, reading, planes = self.geometry, x.planes.reading, x.planes
        (m, rows), (k, depth) = x.span("m", step), x.span("k", step)
        first, stop = reading.pixels_of(m, m + rows)
        group, groups = groups_of(k, k + depth, reading.taps, g.cols)
        block = self.matrices[x.placed.op.inputs[0]].block(first, stop - first, group, groups)
        walk = planes.walk(x.slots["a"].fill(step) - x.origin(step), first)
        return {
            "action": LOAD_A, **block, **_prefixed(walk), "group_words": groups,
            "group_step": planes.group_step,
        }  # fmt: skip

    def _block_b(self, x: Tiled, step: int) -> Row:
        (k, depth), (n, width), cols = x.span("k", step), x.span("n", step), self.geometry.cols
        words = -(-width // cols)
        return {
            "action": LOAD_B,
            **self.matrices[x.placed.op.inputs[1]].block(k, depth, n // cols, words),
            **_prefixed(straight(x.slots["b"].fill(step), 1)),
            "group_words": words, "group_step": depth,
        }  # fmt: skip

    def _block_bias(self, x: Tiled, step: int) -> Row:
        matrix = self.matrices[x.placed.op.inputs[2]]
        return {
            "action": LOAD_BIAS, **matrix.block(0, 1, 0, matrix.row_words),
            **_prefixed(straight(x.regions["bias"].base, 1)),
            "group_words": self.geometry.sum_words, "group_step": 0,
        }  # fmt: skip

    def _store(self, x: Tiled, step: int, jobs: int) -> None:
        moved = int(x.steps.store_bytes[step])
        if not moved or x.placed.held_output:
            return
        g, op = self.geometry, x.placed.op
        (m, rows), (n, width) = x.span("m", step), x.span("n", step)
        folds, words = -(-width // g.cols), 1 if is_narrow(op) else g.sum_words
        matrix = self.matrices[op.outputs[0]]
        block = matrix.block(m, rows, n // g.cols * words, folds * words)
        self.padding_bytes += block["rows"] * block["row_words"] * g.word_bytes - moved
        self.tables["transfers"].append(
            {
                "action": STORE,
                **block,
                **_prefixed(straight(x.slots["c"].of(step), 1)),
                "group_words": 0,
                "group_step": 0,
                "entries": rows * folds,
                "wide": int(not is_narrow(op)),
                "jobs": jobs,
                "stores": 0,
            }
        )
        self.stores += 1

    # ---------------------------------------------------------------------------------- jobs

    def _job(self, x: Tiled, step: int, waits: Row) -> None:
        op, g, planes = x.placed.op, self.geometry, x.planes
        (m, rows), (n, width), (k, depth) = (x.span(axis, step) for axis in "mnk")
        folds, taps = -(-width // g.cols), planes.reading.taps
        group = groups_of(k, k + depth, taps, g.cols)[0]
        accumulate = bool(x.steps.accumulate[step])
        c = x.slots["c"].of(step)
        kept = op.inputs[0] in self.kept
        base = self.kept[op.inputs[0]][0] + group * planes.group_step if kept else 0
        if not kept:
            base = x.slots["a"].of(step) - x.origin(step)
        final = bool(x.steps.final[step])
        narrow, keeps = final and is_narrow(op), final and x.placed.held_output
        walk, group_step = straight(c, folds), 1
        if keeps:
            first, image = self.kept[op.outputs[0]]
            walk = image.walk(first + n // g.cols * image.group_step, m)
            group_step = image.group_step
        self.tables["jobs"].append(
            {
                "m": rows,
                "n": width,
                "k": depth,
                "accumulate": int(accumulate),
                **waits,
                "kept_input": int(kept),
                **planes.pixels(base, m),
                "first_tap": self.first_tap[x.placed.index],
                "taps": taps,
                "tap": k % taps,
                "element": k // taps % g.cols,
                "b_base": x.slots["b"].of(step),
                "c_base": c,
                "c_step": folds,
                "narrow": int(narrow),
                "keep": int(keeps),
                "out_group_step": group_step,
                **_prefixed(walk),
                "biased": int(narrow and "bias" in op.epilogue),
                "bias": x.regions["bias"].base + n // g.cols,
                "scale": self.first_scale[x.placed.index] + n // g.cols,
                **self._range(op),
            }
        )

    def _range(self, op: Op) -> Row:
        """Return the clamp of an op's results."""
        top = 1 << self.geometry.bits - 1
        zero = self.scales[op.name].zero_point if is_narrow(op) else 0
        low = max(-top, zero) if "relu" in op.epilogue else -top
        return {"zero_point": zero, "low": low, "high": top - 1}


def _prefixed(walk: Row) -> Row:
    return {f"walk_{name}": value for name, value in walk.items()}
