"""From axes to points."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.errors import InputError
from archsim.sweep import sample
from archsim.sweep.sample import Point, Space
from archsim.sweep.schema import Sweep
from archsim.yaml_file import Document, validate

BASE = {"a": 1, "b": 2, "deep": {"c": 3, "word": "os"}}


def space(text: str) -> Space:
    document = Document(f"name: q\ndesign: {{}}\nworkloads: [x]\n{text}", "q.yaml")
    return Space(validate(Sweep, document.value, document), BASE, document)


def points(text: str) -> list[Point]:
    return space(text).points()


def test_a_grid_is_the_product_of_its_axes_the_last_changing_fastest() -> None:
    found = points("axes: {a: [1, 2], deep.c: {pow2: [1, 4]}}")
    assert [(p["a"], p["deep.c"]) for p in found] == list(product([1, 2], [1, 2, 4]))


def test_linked_paths_take_one_row_at_a_time() -> None:
    found = points("axes: {ab: {link: {paths: [a, b], values: [[1, 10], [2, 20]]}}, deep.c: [5]}")
    assert found == [{"a": 1, "b": 10, "deep.c": 5}, {"a": 2, "b": 20, "deep.c": 5}]


def test_an_axis_varies_only_where_its_conditions_hold() -> None:
    found = points("axes: {a: [1, 2], b: {values: [7, 8], when: {path: a, at_least: 2}}}")
    assert found == [{"a": 1}, {"a": 2, "b": 7}, {"a": 2, "b": 8}]


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("{path: a, equals: 2}", [(2, 1), (2, 2), (2, 4)]),
        ("{path: a, not_equals: {path: deep.c}}", [(1, 2), (1, 4), (2, 1), (2, 4)]),
        ("{path: deep.c, in: [1, 4]}", [(1, 1), (1, 4), (2, 1), (2, 4)]),
        ("{product: [a, deep.c], at_most: 2}", [(1, 1), (1, 2), (2, 1)]),
        ("{product: [a, deep.c], more_than: 2, less_than: 8}", [(1, 4), (2, 2)]),
        ("[{path: a, equals: 1}, {path: deep.c, at_least: {path: b}}]", [(1, 2), (1, 4)]),
        ("{path: deep.word, equals: os}", list(product([1, 2], [1, 2, 4]))),
        ("{path: a, at_most: 1e0}", [(1, 1), (1, 2), (1, 4)]),
    ],
)
def test_points_outside_the_conditions_are_left_out(
    condition: str, kept: list[tuple[int, int]]
) -> None:
    found = points(f"axes: {{a: [1, 2], deep.c: [1, 2, 4]}}\nwhen: {condition}")
    assert [(p["a"], p["deep.c"]) for p in found] == kept


def test_conditions_see_inside_values_that_are_trees() -> None:
    found = points("axes: {deep: [{c: 1}, {c: 9}]}\nwhen: {path: deep.c, more_than: 5}")
    assert found == [{"deep": {"c": 9}}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "axes: {a: [1]}\nwhen: {path: deep.d, equals: 1}",
            r"^q.yaml:5: when: path must lead to a value of the design, not 'deep.d'$",
        ),
        (
            "axes: {a: [1]}\nwhen: {path: deep.word, at_least: 1}",
            r"^q.yaml:5: when: at_least must compare numbers, not \('os', 1\)$",
        ),
        (
            "axes: {a: [1]}\nwhen: {product: [a, deep.word], equals: 1}",
            r"^q.yaml:5: when: product must be of numbers; deep.word is, not 'os'$",
        ),
        (
            "axes: {a: [1]}\nwhen: {path: a, equals: 2}",
            r"^q.yaml:4: axes: must leave at least one point; `when` leaves none$",
        ),
        (
            "axes: {a: {range: [1, 3000, 1]}, b: {range: [1, 3000, 1]}}",
            (
                r"^q.yaml:4: axes: must have at most 5,000,000 combinations for a grid, "
                r"not 9000000; take fewer values, or a sample: sampling: {kind: lhs, count: 1000}$"
            ),
        ),
        (
            "axes: {a: {range: [1, 1000, 1]}, b: {range: [1, 1000, 1]}}",
            r"^q.yaml:4: axes: must make at most 200,000 designs; take fewer values, or a sample",
        ),
    ],
)
def test_faults_say_where_and_what(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        points(text)


@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    count=st.integers(1, 40),
    seed=st.integers(0, 5),
    kind=st.sampled_from(["random", "lhs"]),
)
@settings(max_examples=60, deadline=None)
def test_a_sample_is_distinct_points_of_the_grid_and_depends_on_its_seed_alone(
    sizes: list[int], count: int, seed: int, kind: str
) -> None:
    axes = ", ".join(f"x{i}: {list(range(size))}" for i, size in enumerate(sizes))
    grid = [tuple(p.values()) for p in points(f"axes: {{{axes}}}")]
    text = f"axes: {{{axes}}}\nsampling: {{kind: {kind}, count: {count}, seed: {seed}}}"
    found = [tuple(p.values()) for p in points(text)]
    assert set(found) <= set(grid)
    assert len(set(found)) == len(found) <= min(count, len(grid))
    assert found == [tuple(p.values()) for p in points(text)]
    if kind == "random":
        assert len(found) == min(count, len(grid))


def test_a_latin_hypercube_covers_every_axis_evenly() -> None:
    text = "axes: {a: [0, 1, 2, 3], b: [0, 1], deep.c: {range: [0, 99, 1]}}\n"
    found = points(text + "sampling: {kind: lhs, count: 100, seed: 3}")
    assert len(found) == 100
    for path, size in (("a", 4), ("b", 2), ("deep.c", 100)):
        assert set(Counter(p[path] for p in found).values()) == {100 // size}


def test_a_random_sample_reaches_into_spaces_no_grid_could_walk() -> None:
    axes = ", ".join(f"x{i}: {{range: [1, 1000, 1]}}" for i in range(9))
    text = f"axes: {{{axes}}}\nsampling: {{kind: random, count: 50}}"
    assert space(text).combinations == 10**27
    assert len(points(text)) == 50


def test_a_random_sample_gives_up_where_conditions_leave_too_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sample, "TRIES", 3)
    text = "axes: {a: {range: [1, 1000, 1]}, b: {range: [1, 1000, 1]}}\n"
    found = points(text + "when: {path: a, at_most: 500}\nsampling: {kind: random, count: 100}")
    assert len(found) == 100
    with pytest.raises(InputError, match="must leave at least one point"):
        points(text + "when: {path: a, more_than: 5000}\nsampling: {kind: random, count: 100}")
