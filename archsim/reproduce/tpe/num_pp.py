"""Partial products: how many digits of an operand are not zero, by the paper and by count."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
from scipy.optimize import brentq

from archsim.formats.digits import (
    Scheme,
    integers,
    nonzero_digits,
    nonzero_shares,
    rounded_normal,
    tally,
)
from archsim.reproduce.row import Row, Section
from archsim.reproduce.tpe.numbers import (
    LANES,
    OPERAND_BITS,
    PUBLISHED,
    RECOMPUTED,
    SIGMA,
    implied_num_pp,
)

TITLES: dict[Scheme, str] = {"mbe": "MBE (radix-4 Booth)", "en_t": "EN-T"}
FIGURE_2E: dict[str, tuple[Scheme, str]] = {
    "en_t": ("en_t", "partial products, EN-T"),
    "bits": ("twos_complement", "bits that are set"),
}
DRAWS, SIDE = 40, 1024  # matrices, and their rows and columns
FEW_DIGITS = 3
SIGMAS = (5.0, 60.0)  # between which a standard deviation is looked for


def sections() -> Iterator[Section]:
    yield Section(
        "Partial products of int8 operands",
        (*_matrices(), *_numbers(), *_test_bench()),
        notes=(_matrices_note(), *(_expectation_note(scheme) for scheme in TITLES)),
    )
    yield Section("Two numbers of partial products", tuple(_implied()), notes=_two_constants())


def num_pp(sigma: float, scheme: Scheme) -> float:
    """Return the mean number of partial products of a rounded normal int8 operand, exactly."""
    tallied = rounded_normal(sigma, OPERAND_BITS)
    return float(nonzero_shares(tallied, OPERAND_BITS, scheme).sum())


def sigma_of(mean: float, scheme: Scheme) -> float:
    """Return the standard deviation at which operands have a mean number of partial products."""
    found: float = brentq(lambda sigma: num_pp(sigma, scheme) - mean, *SIGMAS)
    return found


@cache
def drawn_tallies() -> tuple[np.ndarray, ...]:
    """Return the integers' tallies of the normal matrices: `DRAWS` times [256]."""
    found = []
    for seed in range(DRAWS):
        normal = np.random.default_rng(seed).standard_normal((SIDE, SIDE), dtype=np.float32)
        scale = integers(OPERAND_BITS)[-1] / np.abs(normal).max()
        found.append(tally(np.rint(normal * scale).astype(np.int8), OPERAND_BITS))
    return tuple(found)


def _matrices() -> Iterator[Row]:
    published = PUBLISHED["num_pp"]
    for scheme, title in TITLES.items():
        means = [nonzero_shares(t, OPERAND_BITS, scheme).sum() for t in drawn_tallies()]
        yield Row(
            f"partial products an operand, {title}, normal matrix",
            published.value(scheme, "num_pp"), published.tag, float(np.mean(means)),
        )  # fmt: skip


def _numbers() -> Iterator[Row]:
    every = integers(OPERAND_BITS)
    few = PUBLISHED["few_digits"]
    share = float(np.mean(nonzero_digits(every, OPERAND_BITS, "mbe") <= FEW_DIGITS))
    yield Row(
        f"int8 integers with at most {FEW_DIGITS} partial products, MBE",
        few.value("mbe, at most 3", "share"), few.tag, 100 * share, unit="%",
    )  # fmt: skip
    figure = PUBLISHED["figure_2e"]
    for number in figure:
        for column, (scheme, name) in FIGURE_2E.items():
            ours = nonzero_digits(int(number), OPERAND_BITS, scheme)
            yield Row(f"{name}, of {number}", figure.value(number, column), figure.tag, float(ours))


def _test_bench() -> Iterator[Row]:
    """Yield what the authors' test bench counts: a cycle more a row, in which nothing is added."""
    published = PUBLISHED["test_bench_num_pp"]
    for sigma in published:
        for k in published.units:
            yield Row(
                f"partial products, EN-T, sigma {sigma}, counted over rows of {k}",
                published.value(sigma, k), published.tag,
                num_pp(float(sigma), "en_t") * int(k) / (int(k) + 1),
            )  # fmt: skip


def _matrices_note() -> str:
    return (
        f"ours of a matrix: the mean of {DRAWS} normal matrices of {SIDE} x {SIDE} (seeds 0 to "
        f"{DRAWS - 1}), scaled so that the largest magnitude is 127 and rounded"
    )


def _expectation_note(scheme: Scheme) -> str:
    return (
        f"expected of {TITLES[scheme]} at a standard deviation of {SIGMA:g}, exactly: "
        f"{num_pp(SIGMA, scheme):.3f}"
    )


def _implied() -> Iterator[Row]:
    tag = f"Table VII, {RECOMPUTED}"
    for design, lanes in LANES.items():
        yield Row(
            f"partial products a MAC behind the peak of {design} ({lanes} a cycle and PE)",
            implied_num_pp(design), tag, num_pp(SIGMA, "en_t"),
        )  # fmt: skip


def _two_constants() -> tuple[str, ...]:
    text = PUBLISHED["num_pp"].value("en_t", "num_pp")
    table = float(np.mean([implied_num_pp(design) for design in LANES]))
    bench = PUBLISHED["test_bench_num_pp"].value("30", "32")
    sigmas = sigma_of(text, "en_t"), sigma_of(table, "en_t")
    why = (
        f"the text's {text:.2f} and Table VII's {table:.2f} are both EN-T, of operands spread "
        "differently: sigma {:.1f} gives the one, sigma {:.1f} the other".format(*sigmas)
    )
    source = (
        f"{bench:.2f} is also what the authors' test bench counts at sigma 30 over rows of 32; "
        "whether it comes from there is not known"
    )
    used = (
        f"here Table VII and Figure 9 are taken at {table:.2f}, Figure 14 and networks at the "
        "number that each names"
    )
    return why, source, used
