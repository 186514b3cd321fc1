"""SMASH on a PIUMA block: the abstract's number, what is counted, and what the model says."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from archsim.reproduce.row import Paper, Row, Section
from archsim.reproduce.smash import matrices
from archsim.reproduce.smash.numbers import PUBLISHED
from archsim.reproduce.smash.runs import Runs, row_of
from archsim.result import Result
from archsim.sparse.hashing import HashRule, Scheme, count_probes
from archsim.sparse.product import SparseProduct

NAMES = ("V1", "V2", "V3")
OURS = "model; the thesis's own is not known"
TABLES = ((1 << 18, 0.25), (1 << 18, 0.5), (1 << 17, 0.5), (1 << 18, 0.1))  # slots, fill
BLOCKS = ((4, 16, 4), (16, 1, 8), (4, 1, 16))  # cores, threads of each, MiB of scratchpad
STEPS: Mapping[str, Mapping[str, str]] = {
    "V1": {"algorithm": "smash_v1"},
    "V1, rows to whoever is free": {"algorithm": "smash_v1", "token": "row"},
    "V1, rows to whoever is free, low bits": {
        "algorithm": "smash_v1", "token": "row", "hash": "low",
    },
    "V2: that, and no sorting": {"algorithm": "smash_v2"},
    "V2, nonzeros to whoever is free": {"algorithm": "smash_v2", "token": "nonzero"},
    "V3: that, and DMA writes back": {"algorithm": "smash_v3"},
    "V3, rows to whoever is free": {"algorithm": "smash_v3", "token": "row"},
    "V3, rolling eviction (a what-if)": {"algorithm": "smash_v3", "eviction": "rolling"},
}  # fmt: skip


@cache
def sections() -> tuple[Section, ...]:
    """Return what the abstract says, and what archsim counts and simulates."""
    runs = Runs.of(matrices.graph())
    results = runs.variants()
    return (
        _abstract(results),
        _counts(),
        Section(
            "Where the cycles go, on the graph on which the budget was fitted",
            tuple(
                _alone(f"cycles of a product, {step}", _cycles(runs.run(**fields)))
                for step, fields in STEPS.items()
            ),
            ("V1 to V2 is balance and no sorting, V2 to V3 finer tokens and no scan.",),
        ),
        _machine(results),
        _balance(),
        *_judged(),
    )


def _alone(quantity: str, ours: float, unit: str = "", tag: str = OURS) -> Row:
    return Row(quantity, None, tag, ours, unit=unit)


def _cycles(result: Result) -> float:
    return result.metrics.cycles / result.metrics.macs


def _abstract(results: tuple[Result, ...]) -> Section:
    published = PUBLISHED["abstract"]
    v1, _, v3 = (result.metrics.time_us for result in results)
    row = Row(
        "speed-up over competing approaches",
        published.value("over competing approaches", "speed_up"), published.tag, v1 / v3,
        "ours is V3 over V1 on one graph, and what theirs is over is not known; the model's budget "
        "was fitted on this graph to run times from memory, so that it comes near says nothing",
    )  # fmt: skip
    return Section("The abstract's number", (row,))


def _counts() -> Section:
    """Return what is exact: it follows from the matrix and the rules of the hash table."""
    a = matrices.graph()
    product = SparseProduct(a, a, a.shape[1])
    tag = "exact count; none is published"
    rows = [
        _alone("nonzeros of A", a.entries, tag=tag),
        _alone("scalar products of A A", product.products, tag=tag),
        _alone("nonzeros of C", product.results, tag=tag),
    ]
    schemes: tuple[Scheme, ...] = ("high", "low", "multiplicative")
    for slots, fill in TABLES:
        table = f"{slots:,} slots, windows of {100 * fill:g} %"
        for scheme in schemes:
            found = count_probes(product, HashRule(slots, int(slots * fill), scheme))
            if scheme == "high":
                rows.append(_alone(f"windows, {table}", len(found.windows), tag=tag))
            mean = float(found.probes.sum() / product.products)
            rows.append(_alone(f"slots looked at for a product, {scheme}, {table}", mean, tag=tag))
            most = int(found.longest.max())
            rows.append(_alone(f"most of them, {scheme}, {table}", most, tag=tag))
    note = (
        "A is an R-MAT graph of 16,384 nodes, of odds 0.48, 0.11 and 0.11; the thesis's graphs "
        "are not at hand."
    )
    return Section("What is counted", tuple(rows), (note,))


def _machine(results: tuple[Result, ...]) -> Section:
    rows = []
    for name, result in zip(NAMES, results, strict=True):
        row = row_of(result)
        dram_ps = next(r.busy_ps for r in result.per_resource if r.kind == "dram")
        figures = {
            "imbalance": row.figures["imbalance"],
            "instructions a cycle": row.figures["instructions_per_cycle"],
            "share of threads at work": row.figures["thread_occupancy"],
            "utilisation of the scratchpad": row.figures["scratchpad_utilisation"],
            "utilisation of DRAM": dram_ps / row.time_ps,
            "instructions of a product": sum(
                amount for kind, amount in row.counts.items() if kind.startswith("instructions.")
            ) / row.counts["products"],
        }  # fmt: skip
        rows += [_alone(f"{what}, {name}", value) for what, value in figures.items()]
    note = (
        "Instructions a cycle dip from V1 to V2: sorting, which V2 does without, is work that all "
        "threads share. There is no cache in the model, so it has no hit rates."
    )
    return Section("What the block does meanwhile, on the same graph", tuple(rows), (note,))


def _balance() -> Section:
    """Return what each way to share rows that are alike costs, by rows of a window for a thread."""
    runs = Runs.of(matrices.REGULAR["27-point Poisson, 20 a side"]())
    rows = []
    for cores, threads, mib in BLOCKS:
        shape = {"mtcs": cores, "threads": threads, "spad_bytes": mib << 20}
        for token in ("static", "row", "nonzero"):
            row = row_of(runs.run(algorithm="smash_v2", token=token, **shape))
            windows = sum(n for name, n in row.counts.items() if name.startswith("windows."))
            each = row.counts["rows"] / windows / (cores * threads)
            rows.append(
                _alone(
                    f"imbalance, {token}, {cores * threads} threads, {each:.3g} rows for each",
                    row.figures["imbalance"],
                )
            )
    note = (
        "Rows and nonzeros to whoever is free tie within 5 % from about 12 rows a thread on, rows "
        "by their numbers with them from about 100 on."
    )
    title = "How rows that are alike are shared, on a 27-point grid"
    return Section(title, tuple(rows), (note,))


def _judged() -> tuple[Section, ...]:
    """Return speeds on matrices that nothing was fitted on."""
    found = []
    ordered = []
    other = Runs.of(matrices.graph(1), matrices.graph(2))
    groups = {
        "Speeds on graphs, where the budget was not fitted": {
            name: Runs.of(make()) for name, make in matrices.SKEWED.items()
        } | {"the product of two such graphs as it was fitted on": other},
        "Speeds on regular matrices": {
            name: Runs.of(make()) for name, make in matrices.REGULAR.items()
        },
    }  # fmt: skip
    for title, products in groups.items():
        rows = []
        for name, runs in products.items():
            steps = runs.speed_ups()
            ordered.append(min(steps[:2]) > 1)
            for what, ratio in zip(("V2 over V1", "V3 over V2", "V3 over V1"), steps, strict=True):
                rows.append(_alone(f"{what}, {name}", ratio))
        found.append(Section(title, tuple(rows)))
    judged = (
        _alone("matrices on which it is judged", len(ordered)),
        _alone("of them, those with V1 slower than V2, and V2 than V3", sum(ordered)),
    )
    return (Section("What holds where the budget was not fitted", judged), *found)


PAPER = Paper("smash", PUBLISHED.citation, sections, PUBLISHED.not_found)
