"""Boolean functions of cells: the parser against truth tables made independently."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.errors import InputError
from archsim.hdl.synth_function import python_source, same_up_to_inputs, truth_table


@pytest.mark.parametrize(
    ("function", "table"),
    [
        ("A B", 0b1000),
        ("(A + B)'", 0b0001),
        ("!(A*B)", 0b0111),
        ("A^B", 0b0110),
        ("A & !B | B' & !A'", 0b0010),
        ("!A B", 0b0100),  # ! binds tighter than adjacency
        ("A | A & B", 0b1010),  # & binds tighter than |
        ("A ^ B A", 0b0010),  # ^ binds tighter than adjacency
        ("1", 0b1111),
        ("0", 0b0000),
    ],
)
def test_function_means_what_liberty_says(function: str, table: int) -> None:
    assert truth_table(function, ["A", "B"]) == table


trees = st.recursive(
    st.sampled_from(["A", "B", "C"]),
    lambda inner: st.one_of(
        st.tuples(st.just("!"), inner), st.tuples(st.sampled_from("&|^"), inner, inner)
    ),
    max_leaves=12,
)


def written(tree: object, rng: random.Random) -> str:
    if isinstance(tree, str):
        return tree
    assert isinstance(tree, tuple)
    if tree[0] == "!":
        inner = written(tree[1], rng)
        return f"(!{inner})" if rng.random() < 0.5 else f"({inner})'"
    sign = rng.choice({"&": ["&", "*", " "], "|": ["|", "+"], "^": ["^"]}[tree[0]])
    return f"({written(tree[1], rng)} {sign} {written(tree[2], rng)})"


def value(tree: object, pins: dict[str, bool]) -> bool:
    if isinstance(tree, str):
        return pins[tree]
    assert isinstance(tree, tuple)
    if tree[0] == "!":
        return not value(tree[1], pins)
    a, b = value(tree[1], pins), value(tree[2], pins)
    return {"&": a and b, "|": a or b, "^": a != b}[tree[0]]


@given(trees, st.integers(0, 1000))
def test_any_expression_has_its_truth_table(tree: object, seed: int) -> None:
    wanted = 0
    for i, bits in enumerate(itertools.product((False, True), repeat=3)):
        c, b, a = bits
        wanted |= value(tree, {"A": a, "B": b, "C": c}) << i
    assert truth_table(written(tree, random.Random(seed)), ["A", "B", "C"]) == wanted


def test_pins_may_stand_in_any_order() -> None:
    assert same_up_to_inputs("!(X) & Y", "A & !B", ["X", "Y"])
    assert not same_up_to_inputs("X & Y", "A & !B", ["X", "Y"])


@pytest.mark.parametrize("function", ["", "A +", "(A", "A)", "A # B", "!" * 70 + "A"])
def test_nonsense_is_refused(function: str) -> None:
    with pytest.raises(InputError, match=r"^cell library: function must be a Boolean expression"):
        python_source(function, lambda pin: pin)


def test_unknown_pin_is_refused() -> None:
    with pytest.raises(InputError, match=r"^function 'A & Q': pins must be A, B, not 'Q'$"):
        truth_table("A & Q", ["A", "B"])
