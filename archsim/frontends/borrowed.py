"""Counts of another model's operands for a trace that has no values: a stated stand-in.

Named models are shapes without trained values. What a design with data-dependent time takes on one
of them can still rest on digits that some trained network has: every product borrows the counts of
the donor's product that is most like it. Products are alike by three traits, of which as many as
can must agree: whether B is a weight, whether it is a convolution, whether it has groups. Of n
products that borrow from m, the i-th, counted from 0, takes from number ``i m // n``, both in order
of execution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from archsim.errors import InputError
from archsim.operands import NOTE, PORTS, Operands, operand_of
from archsim.trace import Histogram, Op, OpKind, Trace, as_gemm

Traits = tuple[bool, bool, bool]


def borrow(trace: Trace, donor: Trace, kinds: Mapping[str, OpKind]) -> Trace:
    """Return a trace whose products' operands have the counts of another trace's.

    An operand that several products read has the counts that the first of them borrows.

    Raises
    ------
    InputError
        If the donor knows no operands of integers as wide as the trace's.
    """
    known, tensors = Operands(donor), dict(trace.tensors)
    values: dict[str, NDArray[Any]] = {}
    borrowers = _products(trace, kinds)
    for port in PORTS:
        lenders: dict[str, list[Op]] = {}  # by type
        for op in _products(donor, kinds):
            name = operand_of(op, port)
            if known.counts(name) is not None:
                lenders.setdefault(donor.tensors[name].dtype, []).append(op)
        alike: dict[tuple[str, Traits], list[Op]] = {}
        for op in borrowers:
            dtype = trace.tensors[operand_of(op, port)].dtype
            alike.setdefault((dtype, _traits(op, trace)), []).append(op)
        lender: dict[str, Op] = {}
        for (dtype, traits), ops in alike.items():
            lend = _most_alike(lenders.get(dtype, []), donor, traits)
            lender |= {op.name: lend[i * len(lend) // len(ops)] for i, op in enumerate(ops) if lend}
        for op in borrowers:
            name = operand_of(op, port)
            if op.name in lender and tensors[name].data is None:
                counts = known.counts(operand_of(lender[op.name], port))
                assert counts is not None
                ref = f"counts{len(values)}"
                values[ref] = counts
                tensors[name] = replace(tensors[name], data=Histogram(ref))
    if not values:
        raise InputError(
            f"values of {donor.name!r}", f"must be of integers that {trace.name!r} has, too",
            fix="record them with: archsim trace MODEL --with-data -o FILE",
        )  # fmt: skip
    note = (
        f"{NOTE}counts of {len(values)} operands are those of {donor.name!r} ({donor.source}), "
        "each of the product there that is most like its own, in order"
    )
    notes = (*trace.notes, note, *(x for x in donor.notes if x.startswith(NOTE)))
    return replace(trace, tensors=tensors, notes=notes, values={**trace.values, **values})


def _products(trace: Trace, kinds: Mapping[str, OpKind]) -> list[Op]:
    return [op for op in trace.ops if kinds[op.kind].tiling == "gemm"]


def _traits(op: Op, trace: Trace) -> Traits:
    weight = trace.tensors[op.inputs[1]].role == "weight"
    return weight, op.kind == "conv", as_gemm(op).groups > 1


def _most_alike(lenders: list[Op], donor: Trace, traits: Traits) -> list[Op]:
    """Return the products that share most traits, in order of execution."""
    shared = [
        sum(x == y for x, y in zip(_traits(op, donor), traits, strict=True)) for op in lenders
    ]
    most = max(shared, default=0)
    return [op for op, count in zip(lenders, shared, strict=True) if count == most]
