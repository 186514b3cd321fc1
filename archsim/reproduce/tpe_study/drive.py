"""Operands as they reach PEs, cycle by cycle, and the sums that must come out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from archsim.errors import ArchsimError
from archsim.formats.digits import digit_weights, encode

if TYPE_CHECKING:
    from archsim.hdl.power import GateSimulator

Ints = NDArray[np.int64]

BITS = 8
GROUP = 4  # operands whose digits are looked at together
TERM_LANES = 16
INTERLEAVED = 8


@dataclass(frozen=True, slots=True)
class Operands:
    """Dot products, in as many runs side by side as the simulator has lanes.

    Parameters
    ----------
    a, b
        [lanes, sums, k] integers of 8 bits; ``a`` is the operand that is encoded.
    """

    a: Ints
    b: Ints

    @property
    def macs(self) -> int:
        return self.a.size

    @property
    def sums(self) -> Ints:
        """The dot products: [lanes, sums]."""
        totals: Ints = np.sum(self.a * self.b, axis=-1)
        return totals


@dataclass(frozen=True, slots=True)
class Drive:
    """What is put on a PE's ports.

    Parameters
    ----------
    ports
        Port to [cycles, lanes] values.
    busy
        [lanes] cycles in which a lane works; later it stands still.
    least_cycles
        Of all lanes together, without waiting and without groups of zeros: what peak throughput
        counts.
    results
        (cycle, lane, sum): what the output holds, settled, in a cycle.
    output, bits
        Port of the sums, and bits that they wrap at.
    pair
        Whether it has the two halves of a sum in carry-save form, each of so many bits.
    """

    ports: Mapping[str, Ints]
    busy: Ints
    least_cycles: float
    results: Sequence[tuple[int, int, int]]
    output: str
    bits: int
    pair: bool

    def run(self, simulator: GateSimulator) -> None:
        """Drive a netlist; its toggles are the PE's.

        Raises
        ------
        ArchsimError
            When a sum is wrong.
        """
        due: dict[int, list[tuple[int, int]]] = {}
        for cycle, lane, total in self.results:
            due.setdefault(cycle, []).append((lane, total))
        cycles = max(due) + 1
        before: dict[str, Ints] = {}
        simulator.set("rst", 0)
        for cycle in range(cycles):
            for port, values in self.ports.items():
                now = values[min(cycle, len(values) - 1)]
                if port not in before or not np.array_equal(before[port], now):
                    simulator.set(port, now)
                    before[port] = now
            simulator.settle()
            for lane, total in due.get(cycle, ()):
                found = self._read(simulator, lane)
                if (found - total) % (1 << self.bits):
                    raise ArchsimError(f"cycle {cycle}, lane {lane}: {found} is not {total}")
            simulator.clock()

    def _read(self, simulator: GateSimulator, lane: int) -> int:
        value = simulator.get(self.output, lane)
        return (value & ((1 << self.bits) - 1)) + (value >> self.bits) if self.pair else value


# a register of the bench, then the PE's own: two edges from a port to a result
LATENCY_CYCLES = 2


def dense(operands: Operands, acc_bits: int, pair: bool) -> Drive:
    """Drive a PE with one product a cycle, sum after sum."""
    lanes, sums, k = operands.a.shape
    cycles = sums * k
    at = np.arange(cycles)
    ports = {
        "advance": _same(np.ones(cycles), lanes),
        "first": _same(at % k == 0, lanes),
        "last": _same(at % k == k - 1, lanes),
        "a": operands.a.reshape(lanes, cycles).T,
        "b": operands.b.reshape(lanes, cycles).T,
    }
    results = [
        ((i + 1) * k - 1 + LATENCY_CYCLES, lane, int(operands.sums[lane, i]))
        for lane in range(lanes)
        for i in range(sums)
    ]
    busy = np.full(lanes, cycles)
    return Drive(ports, busy, cycles * lanes, results, "sum", acc_bits, pair)


def opt2(operands: Operands, pair_bits: int) -> Drive:
    """Drive a PE with four digits of one weight a cycle, one weight after the other."""
    lanes, sums, k = operands.a.shape
    digits = encode(operands.a, BITS, "mbe").astype(np.int64)  # [lanes, sums, k, weights]
    weights = digits.shape[-1]
    groups = k // GROUP
    cycles = sums * weights * groups
    taken = digits.transpose(1, 3, 2, 0).reshape(cycles, GROUP, lanes)
    b = np.broadcast_to(operands.b[:, :, None], (lanes, sums, weights, k))
    b = b.transpose(1, 2, 3, 0).reshape(cycles, GROUP, lanes)
    at = np.arange(cycles)
    width = BITS + 1
    both = (b & ((1 << width) - 1)) | ((-b & ((1 << width) - 1)) << width)
    ports = {
        "advance": _same(np.ones(cycles), lanes),
        "first": _same(at % groups == 0, lanes),
        "last": _same(at % groups == groups - 1, lanes),
        "a": _packed(_digit_bits(taken), 3),
        "b": _packed(both, 2 * width),
    }
    parts = np.einsum("lskw,lsk->lsw", digits, operands.b)
    results = [
        ((i * weights + w + 1) * groups - 1 + LATENCY_CYCLES, lane, int(parts[lane, i, w]))
        for lane in range(lanes)
        for i in range(sums)
        for w in range(weights)
    ]
    return Drive(ports, np.full(lanes, cycles), cycles * lanes, results, "sum", pair_bits, True)


@dataclass(frozen=True, slots=True)
class _Pass:
    """A pass over a bit weight in one run: its steps, and the sum that they make."""

    steps: list[tuple[Ints, Ints]]  # of each lane of the PE: digit or 0, operand
    total: int


def _passes(operands: Operands, run: int, lanes: int) -> Iterable[_Pass]:
    """Yield the passes of a run; k is cut into as many parts as the PE has lanes."""
    digits = encode(operands.a[run], BITS, "en_t").astype(np.int64)
    for of_sum, b in zip(digits, operands.b[run], strict=True):
        for of_weight in of_sum.T:
            parts = [
                _nonzero_steps(d, x)
                for d, x in zip(np.split(of_weight, lanes), np.split(b, lanes), strict=True)
            ]
            length = max(map(len, parts))
            steps = [
                tuple(
                    np.array([part[i][which] if i < len(part) else 0 for part in parts])
                    for which in (0, 1)
                )
                for i in range(length)
            ]
            yield _Pass(steps, int(of_weight @ b))  # type: ignore[arg-type]


def _nonzero_steps(digits: Ints, b: Ints) -> list[tuple[int, int]]:
    """Return digits that are not zero with their operands; a group of zeros is one step."""
    steps: list[tuple[int, int]] = []
    for start in range(0, len(digits), GROUP):
        found = np.flatnonzero(digits[start : start + GROUP]) + start
        steps += [(int(digits[i]), int(b[i])) for i in found] or [(0, 0)]
    return steps


def told(operands: Operands, pair_bits: int, lanes: int) -> Drive:
    """Drive a PE with a digit a lane and cycle, its operand in the cycle before."""
    runs = len(operands.a)
    passes = [list(_passes(operands, run, lanes)) for run in range(runs)]
    busy = np.array([sum(len(p.steps) for p in of_run) for of_run in passes])
    cycles = int(busy.max()) + 3
    load, add, fresh, turn = (np.zeros((cycles, runs), np.int64) for _ in range(4))
    b = np.zeros((lanes, cycles, runs), np.int64)
    codes = np.zeros((lanes, cycles, runs), np.int64)
    results = []
    for run, of_run in enumerate(passes):
        at = 1  # digits come a cycle after their operands
        for number, each in enumerate(of_run):
            fresh[at, run], turn[at, run] = 1, number > 0
            if number:
                results.append((at + LATENCY_CYCLES, run, of_run[number - 1].total))
            for digits, values in each.steps:
                live = digits != 0
                load[at - 1, run] = int(live @ (1 << np.arange(lanes)))
                b[:, at - 1, run] = np.where(live, values, b[:, at - 2, run])
                codes[:, at, run] = _digit_bits(digits)
                add[at, run] = live.any() or fresh[at, run]
                at += 1
        turn[at, run] = 1
        b[:, at - 1 :, run] = b[:, at - 2, run, None]
        results.append((at + LATENCY_CYCLES, run, of_run[-1].total))
    ports = {"load": load, "add": add, "fresh": fresh, "turn": turn}
    ports |= {f"b__{i}": b[i] for i in range(lanes)}
    ports |= {f"digits__{i}": codes[i] for i in range(lanes)}
    nonzero = np.count_nonzero(encode(operands.a, BITS, "en_t"))
    return Drive(ports, busy, nonzero / lanes, results, "pair", pair_bits, True)


def opt3(operands: Operands, pair_bits: int) -> Drive:
    """Drive a PE with groups of four operands and of what digits are made of."""
    runs, sums, k = operands.a.shape
    digits = encode(operands.a, BITS, "en_t").astype(np.int64)
    negative = operands.a < 0
    codes = np.where(negative[..., None], -digits, digits) % 4  # of the magnitude: -1 is code 3
    windows = codes | (negative[..., None].astype(np.int64) << 2)
    weights, groups = digits.shape[-1], k // GROUP
    spent = np.maximum(np.count_nonzero(digits.reshape(runs, sums, groups, GROUP, weights), 3), 1)
    busy = spent.sum((1, 2, 3))
    cycles = int(busy.max()) + 3
    load, add, fresh, turn = (np.zeros((cycles, runs), np.int64) for _ in range(4))
    b = np.zeros((GROUP, cycles, runs), np.int64)
    window = np.zeros((GROUP, cycles, runs), np.int64)
    results = []
    for run in range(runs):
        at, total = 1, 0
        for s in range(sums):
            for w in range(weights):
                fresh[at, run], turn[at, run] = 1, at > 1
                if at > 1:
                    results.append((at + LATENCY_CYCLES, run, total))
                total = int(digits[run, s, :, w] @ operands.b[run, s])
                for g in range(groups):
                    group = slice(g * GROUP, (g + 1) * GROUP)
                    steps = int(spent[run, s, g, w])
                    load[at - 1, run] = 1
                    b[:, at - 1 :, run] = operands.b[run, s, group, None]
                    window[:, at - 1 :, run] = windows[run, s, group, w, None]
                    live = bool(digits[run, s, group, w].any())
                    add[at : at + steps, run] = live
                    add[at, run] |= fresh[at, run]
                    at += steps
        turn[at, run] = 1
        results.append((at + LATENCY_CYCLES, run, total))
    ports = {"load": load, "add": add, "fresh": fresh, "turn": turn}
    ports |= {f"b__{i}": b[i] for i in range(GROUP)}
    ports |= {f"windows__{i}": window[i] for i in range(GROUP)}
    least = float(np.count_nonzero(digits))
    return Drive(ports, busy, least, results, "pair", pair_bits, True)


def laconic(operands: Operands) -> Drive:
    """Drive a PE with pairs of terms of 16 products, until the last product is through."""
    a, b = (encode(x, BITS, "naf").astype(np.int64) for x in (operands.a, operands.b))
    runs, sums, _ = operands.a.shape
    pairs = np.count_nonzero(a, -1) * np.count_nonzero(b, -1)  # [runs, sums, k]
    spent = np.maximum(pairs.reshape(runs, sums, -1, TERM_LANES).max(-1), 1)
    busy = spent.sum((1, 2))
    cycles = int(busy.max()) + 4
    x, y = (np.zeros((TERM_LANES, cycles, runs), np.int64) for _ in range(2))
    first, last = (np.zeros((cycles, runs), np.int64) for _ in range(2))
    results = []
    for run in range(runs):
        at = 0
        for s in range(sums):
            first[at + 2, run] = 1
            for g, steps in enumerate(spent[run, s].tolist()):
                for lane in range(TERM_LANES):
                    i = g * TERM_LANES + lane
                    terms = [(p, q) for p in _terms(a[run, s, i]) for q in _terms(b[run, s, i])]
                    for n, (p, q) in enumerate(terms):
                        x[lane, at + n, run], y[lane, at + n, run] = p, q
                at += steps
            last[at - 1 + 2, run] = 1
            results.append((at - 1 + LATENCY_CYCLES + 2, run, int(operands.sums[run, s])))
    ports = {"first": first, "last": last}
    ports |= {f"x__{i}": x[i] for i in range(TERM_LANES)}
    ports |= {f"y__{i}": y[i] for i in range(TERM_LANES)}
    return Drive(ports, busy, pairs.sum() / TERM_LANES, results, "sum", 32, False)


def _terms(digits: Ints) -> list[int]:
    """Return what makes each term of an integer: exponent, sign, and that it is one."""
    return [int(i) | int(digits[i] < 0) << 3 | 1 << 4 for i in np.flatnonzero(digits)]


def bitlet(operands: Operands) -> Drive:
    """Drive a PE with an operand a bit weight, of eight, until all weights are through."""
    digits = encode(operands.a, BITS, "twos_complement").astype(np.int64)
    weights = digit_weights(BITS, "twos_complement")
    runs, sums, _ = operands.a.shape
    grouped = digits.reshape(runs, sums, -1, INTERLEAVED, BITS)
    spent = np.maximum(np.count_nonzero(grouped, 3).max(-1), 1)  # [runs, sums, groups]
    busy = spent.sum((1, 2))
    cycles = int(busy.max()) + 3
    picks = np.zeros((BITS, cycles, runs), np.int64)
    b = np.zeros((INTERLEAVED, cycles, runs), np.int64)
    first, last = (np.zeros((cycles, runs), np.int64) for _ in range(2))
    results = []
    for run in range(runs):
        at = 0
        for s in range(sums):
            first[at + 1, run] = 1
            for g, steps in enumerate(spent[run, s].tolist()):
                group = slice(g * INTERLEAVED, (g + 1) * INTERLEAVED)
                b[:, at:, run] = operands.b[run, s, group, None]
                for w in range(BITS):
                    for n, i in enumerate(np.flatnonzero(grouped[run, s, g, :, w])):
                        picks[w, at + n, run] = int(i) | int(weights[w] < 0) << 3 | 1 << 4
                at += steps
            last[at, run] = 1
            results.append((at - 1 + LATENCY_CYCLES + 1, run, int(operands.sums[run, s])))
    ports = {"first": first, "last": last}
    ports |= {f"picks__{i}": picks[i] for i in range(BITS)}
    ports |= {f"operands__{i}": b[i] for i in range(INTERLEAVED)}
    return Drive(ports, busy, np.count_nonzero(digits) / BITS, results, "sum", 32, False)


def _same(values: Ints | NDArray[np.bool_] | NDArray[np.float64], lanes: int) -> Ints:
    """Return one value a cycle for all lanes: [cycles, lanes]."""
    return np.repeat(np.asarray(values, np.int64)[:, None], lanes, axis=1)


def _digit_bits(digits: Ints) -> Ints:
    """Return radix-4 digits as hardware has them: one, two, negative."""
    size = np.abs(digits)
    bits: Ints = (size == 1) | (size == 2) << 1 | (digits < 0) << 2
    return bits


def _packed(values: Ints, bits: int) -> Ints:
    """Return elements of a group side by side: [cycles, group, lanes] to [cycles, lanes]."""
    parts = [values[:, i].astype(object) << bits * i for i in range(values.shape[1])]
    whole: Ints = sum(parts[1:], parts[0])
    return whole
