"""The MLP of a processor: layers on one array in turn, or an array for each.

An array is a dot product for every output, pipelined: a query is on its way through one layer for
``mlp_stages`` cycles. With one array a query comes round again for its next layer; as many queries
as the array has stages go round at once, each in its own slot, and a new one enters where a slot is
free. With an array for each layer a query may enter in every cycle.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from archsim.engines.ngpc.spec import MOST_LAYERS, RESULT_BITS, SHIFT_BITS, NgpcSpec
from archsim.hdl.dot_product import DotProduct
from archsim.hdl.emit import place
from archsim.hdl.mac import Arithmetic
from archsim.hdl.row_memory import RowMemory


def vector_layout(spec: NgpcSpec) -> data.ArrayLayout:
    return data.ArrayLayout(signed(spec.act_bits), spec.mlp_width)


def result_layout(spec: NgpcSpec) -> data.ArrayLayout:
    return data.ArrayLayout(signed(RESULT_BITS), spec.outputs)


def sum_bits(spec: NgpcSpec) -> int:
    """Return the bits of a layer's sum, which never wraps."""
    return 2 * spec.act_bits + spec.mlp_width.bit_length() - 1


class Narrow(wiring.Component):
    """Moves a sum down, rounding half up, and keeps it in range: a layer's output, and a result.

    Members
    -------
    sum, shift : in
    hidden, result : out
        What the next layer takes, which is never negative; and what leaves.
    """

    def __init__(self, spec: NgpcSpec) -> None:
        self._spec = spec
        super().__init__(
            {
                **{"sum": In(signed(sum_bits(spec))), "shift": In(SHIFT_BITS)},
                **{"hidden": Out(signed(spec.act_bits)), "result": Out(signed(RESULT_BITS))},
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # one bit more than is wanted, and the half is added to it
        doubled = Signal(signed(sum_bits(self._spec) + 1))
        moved = Signal(signed(sum_bits(self._spec) + 1))
        m.d.comb += [
            doubled.eq(self.sum << 1),
            moved.eq(((doubled >> self.shift) + 1) >> 1),
            self.hidden.eq(_clamped(moved, 0, self._spec.act_bits)),
            self.result.eq(_clamped(moved, None, RESULT_BITS)),
        ]
        return m


def _clamped(value: Value, least: int | None, bits: int) -> Value:
    most = (1 << bits - 1) - 1
    low = -most - 1 if least is None else least
    return Mux(value > most, most, Mux(value < low, low, value))


class LayerArray(wiring.Component):
    """A dot product for every output.

    Members
    -------
    load, layer, row, weights : in
        Put an output's weights of a layer into their place.
    enter, of, x : in
        A query, and the layer that it is for.
    shift : in
        Of the query that is about to leave.
    hidden, results : out
        ``mlp_stages`` cycles after a query has entered.
    """

    def __init__(self, spec: NgpcSpec, layers: int) -> None:
        self._spec, self._layers = spec, layers
        layer = range(max(layers, 2))
        super().__init__(
            {
                **{"load": In(1), "layer": In(layer), "row": In(range(spec.mlp_width))},
                "weights": In(vector_layout(spec)),
                **{"enter": In(1), "of": In(layer), "x": In(vector_layout(spec))},
                "shift": In(SHIFT_BITS),
                **{"hidden": Out(vector_layout(spec)), "results": Out(result_layout(spec))},
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        spec = self._spec
        x = Signal(vector_layout(spec), reset_less=True)
        with m.If(self.enter):
            m.d.sync += x.eq(self.x)
        for i in range(spec.mlp_width):
            weights = self._weights(m, platform, i)
            dot = place(
                m, platform, "dot", f"dot_{i}", DotProduct, spec.mlp_width, spec.act_bits,
                spec.act_bits, sum_bits(spec), spec.mlp_stages - 1, Arithmetic(),
            )  # fmt: skip
            narrow = place(m, platform, "narrow", f"narrow_{i}", Narrow, spec)
            m.d.comb += [
                *(dot.advance.eq(1), narrow.sum.eq(dot.sum), narrow.shift.eq(self.shift)),
                *(dot.a[j].eq(x[j]) for j in range(spec.mlp_width)),
                *(dot.b[j].eq(weights[j]) for j in range(spec.mlp_width)),
                self.hidden[i].eq(narrow.hidden),
            ]
            if i < spec.outputs:
                m.d.comb += self.results[i].eq(narrow.result)
        return m

    def _weights(self, m: Module, platform: Any, row: int) -> Any:
        """Return an output's weights for the query in ``x``: of several layers, or of one."""
        layout = vector_layout(self._spec)
        mine = self.load & (self.row == row)
        if self._layers == 1:
            kept = Signal(layout, name=f"weights_{row}", reset_less=True)
            with m.If(mine):
                m.d.sync += kept.eq(self.weights)
            return kept
        rows = place(m, platform, "weights", f"weights_{row}", RowMemory, self._layers, layout)
        m.d.comb += [
            *(rows.write.eq(mine), rows.write_row.eq(self.layer), rows.write_data.eq(self.weights)),
            *(rows.read.eq(self.enter), rows.read_row.eq(self.of)),
        ]
        return rows.read_data


class Mlp(wiring.Component):
    """Takes vectors, gives results in their order.

    Members
    -------
    layers, shifts : in
        Of the job: matrices of a query, and each one's shift.
    load, layer, row, weights : in
        See `LayerArray`.
    vector : in, stream
        Taken where a slot is free and its result has a place.
    result : out, stream
    has_place : out
        Whether a result of a query that enters has a place.
    passes : out
        Layers that begin in this cycle.
    """

    def __init__(self, spec: NgpcSpec) -> None:
        self._spec = spec
        super().__init__(
            {
                **{"layers": In(range(MOST_LAYERS + 1))},
                "shifts": In(MOST_LAYERS * SHIFT_BITS),
                **{"load": In(1), "layer": In(range(MOST_LAYERS))},
                **{"row": In(range(spec.mlp_width)), "weights": In(vector_layout(spec))},
                "vector": In(stream.Signature(vector_layout(spec))),
                "result": Out(stream.Signature(result_layout(spec))),
                **{"has_place": Out(1), "passes": Out(range(MOST_LAYERS + 1))},
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        self._ends, self._results = Signal(), Signal(result_layout(self._spec))
        if self._spec.mlp_mode == "layered":
            self._layered(m, platform)
        else:
            self._single(m, platform)
        self._queue(m)
        return m

    def _queue(self, m: Module) -> None:
        """Keep results; let no query enter whose result might find no place."""
        spec = self._spec
        bits, depth = result_layout(spec).size, spec.result_depth
        m.submodules.queue = queue = SyncFIFO(width=bits, depth=depth)
        inside = Signal(range(depth + 1))
        enters = self.vector.valid & self.vector.ready
        leaves = self.result.valid & self.result.ready
        m.d.sync += inside.eq(inside + enters - leaves)
        m.d.comb += [
            self.has_place.eq(inside != depth),
            *(queue.w_en.eq(self._ends), queue.w_data.eq(self._results)),
            *(self.result.valid.eq(queue.r_rdy), self.result.p.eq(queue.r_data)),
            queue.r_en.eq(self.result.ready),
        ]

    def _array(self, m: Module, platform: Any, name: str, layers: int) -> Any:
        array = place(m, platform, "array", name, LayerArray, self._spec, layers)
        m.d.comb += [array.row.eq(self.row), array.weights.eq(self.weights)]
        return array

    def _single(self, m: Module, platform: Any) -> None:
        array = self._array(m, platform, "array", self._spec.mlp_layers)
        layer = range(MOST_LAYERS)
        slots = [(Signal(name=f"slot_{i}"), Signal(layer, name=f"layer_{i}"))
                 for i in range(self._spec.mlp_stages)]  # fmt: skip
        taken, of = slots[-1]
        again, enters = Signal(), self.vector.valid & self.vector.ready
        m.d.comb += [
            self._ends.eq(taken & (of + 1 == self.layers)),
            again.eq(taken & ~self._ends),
            self.vector.ready.eq(self.has_place & ~again),
            *(array.load.eq(self.load), array.layer.eq(self.layer)),
            array.enter.eq(enters | again),
            array.of.eq(Mux(again, of + 1, 0)),
            array.x.eq(Mux(again, array.hidden, self.vector.p)),
            array.shift.eq(self.shifts.word_select(of, SHIFT_BITS)),
            self._results.eq(array.results),
            self.passes.eq(array.enter),
        ]
        m.d.sync += [slots[0][0].eq(array.enter), slots[0][1].eq(array.of)]
        for before, after in pairwise(slots):
            m.d.sync += [after[0].eq(before[0]), after[1].eq(before[1])]

    def _layered(self, m: Module, platform: Any) -> None:
        m.d.comb += self.vector.ready.eq(self.has_place)
        enter: Value = self.vector.valid & self.vector.ready
        x: Any = self.vector.p
        entered = []
        for number in range(self._spec.arrays):
            array = self._array(m, platform, f"array_{number}", 1)
            m.d.comb += [
                array.load.eq(self.load & (self.layer == number)),
                *(
                    array.enter.eq(enter),
                    array.x.eq(x),
                    array.shift.eq(self.shifts.word_select(number, SHIFT_BITS)),
                ),
            ]
            entered.append(enter)
            leaves: Value = enter
            for stage in range(self._spec.mlp_stages):
                held = Signal(name=f"slot_{number}_{stage}")
                m.d.sync += held.eq(leaves)
                leaves = held
            ends = leaves & (self.layers == number + 1)
            with m.If(ends):
                m.d.comb += [self._ends.eq(1), self._results.eq(array.results)]
            enter, x = leaves & ~ends, array.hidden
        m.d.comb += self.passes.eq(sum(entered[1:], entered[0]))
