"""Random conformance cases: small processors, grids that fit, positions on rays and anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Case, Env, Ints, environments
from archsim.engines.environments import Rng, upto
from archsim.engines.ngpc.jobs import NgpcJobs, encodings, mapped, refusal
from archsim.engines.ngpc.spec import MOST_LAYERS, POSITION_BITS, NgpcSpec
from archsim.engines.ngpc.timing import PORTS
from archsim.graphics.encoding import Encoding, Grid

MOST_JOBS, MOST_QUERIES, ATTEMPTS = 3, 30, 200
MOST_TABLE_LOG2, MOST_CELLS = 9, 4096
MOST_LANES = 32  # of a row of banks: they take long to simulate

# what every run has, of the choices that hardware differs by; the rest is drawn
COVERED: tuple[Mapping[str, Any], ...] = (
    {"bank_map": "index", "mlp_mode": "single", "fifo_depth": 0},
    {"bank_map": "index", "mlp_mode": "layered", "fifo_depth": 3},
    {"bank_map": "fold", "mlp_mode": "single", "fifo_depth": 8},
    {"bank_map": "parity", "mlp_mode": "single", "fifo_depth": 2},
    {"bank_map": "padded", "mlp_mode": "layered", "fifo_depth": 1},
    {
        "bank_map": "padded",
        "mlp_mode": "single",
        "fifo_depth": 5,
        "parallel": 8,
        "engines": 8,
        "features": 1,
        "feature_bits": 8,
        "mlp_width": 4,
        "mlp_stages": 3,
        "outputs": 2,
    },
)
KINDS = environments.kinds(
    PORTS,
    slow=environments.one_slow("x", "result"),
    loads=environments.some_slow("level", "table", "weight"),
    ends=environments.some_slow("x", "result"),
)


def cases(rng: Rng, spec: NgpcSpec | None = None, count: int = 24) -> list[Case]:
    """Return cases whose i-th does not depend on how many are asked for."""
    specs = [drawn_spec(rng, fixed) for fixed in COVERED] if spec is None else [spec]
    kinds = list(KINDS)
    return [
        _case(child, f"{kinds[i % len(kinds)]}-{i:03d}", kinds[i % len(kinds)],
              specs[(i + i // len(kinds)) % len(specs)])
        for i, child in enumerate(rng.spawn(count))
    ]  # fmt: skip


def drawn_spec(rng: Rng, fixed: Mapping[str, Any]) -> NgpcSpec:
    """Return a small processor with some fields fixed."""
    engines = int(fixed.get("engines", rng.integers(1, 5)))
    width = int(fixed.get("mlp_width", rng.choice([4, 8, 16], p=[0.5, 0.4, 0.1])))
    banks = 8 if fixed["bank_map"] == "parity" else int(rng.choice([1, 2, 4, 8, 16]))
    most = 1 << engines.bit_length() - 1
    features = int(rng.choice([f for f in (1, 2, 4, 8) if f <= width and f * banks <= MOST_LANES]))
    drawn = {
        "engines": engines,
        "parallel": int(rng.choice([p for p in (1, 2, 4, 8) if p <= most])),
        "table_log2": int(rng.integers(6, 9)),
        "features": features,
        "feature_bits": int(rng.choice([8, 16])),
        "banks": banks,
        "sram_cycles": int(rng.integers(1, 5)),
        "mlp_width": width,
        "mlp_layers": int(rng.integers(1, 4)) if width < 16 else 2,
        "mlp_stages": int(rng.integers(2, width.bit_length() + 2)),
        "act_bits": int(rng.choice([8, 16])),
        "outputs": upto(rng, min(width, 4)),
    }
    return NgpcSpec(**{**drawn, **fixed})


def _case(rng: Rng, name: str, kind: str, spec: NgpcSpec) -> Case:
    count = upto(rng, MOST_JOBS)
    data: dict[str, NDArray[Any]] = {}
    rows: list[tuple[Any, ...]] = []
    refs: list[Mapping[str, str]] = []
    envs: list[Env] = []
    for job in range(count):
        load = job == 0 or rng.random() < 0.5
        if load:
            encoding, most = drawn_encoding(rng, spec), upto(rng, spec.mlp_layers)
            loaded = {"table": f"table{job}", "weight": f"weight{job}"}
            data[loaded["table"]] = _integers(
                rng, spec.feature_bits, (mapped(spec, encoding).entries, spec.features)
            )
            shape = (most, spec.mlp_width, spec.mlp_width)
            data[loaded["weight"]] = _integers(rng, spec.act_bits, shape)
        queries, layers = upto(rng, MOST_QUERIES), most if load else upto(rng, most)
        data[f"x{job}"] = positions(rng, queries, encoding.dims)
        rows.append((queries, encoding, layers, _shifts(rng, spec), load))
        refs.append({"x": f"x{job}", **loaded})
        length = queries * layers + 60
        envs.append(KINDS[kind](rng, length))
    columns = list(zip(*rows, strict=True))
    jobs = NgpcJobs(
        np.array(columns[0]), encodings(*columns[1]), np.array(columns[2]),
        np.array(columns[3]), np.array(columns[4]), refs=tuple(refs),
    )  # fmt: skip
    return Case(name, spec, jobs, tuple(envs), data)


def drawn_encoding(rng: Rng, spec: NgpcSpec) -> Encoding:
    """Return a grid that a processor can hold, and that is loaded soon."""
    most = min(spec.table_log2, MOST_TABLE_LOG2)
    for _ in range(ATTEMPTS):
        grid: Grid = "hash" if rng.random() < 0.7 else "dense"
        dims = int(rng.choice([2, 3]))
        levels = upto(rng, min(spec.engines, spec.mlp_width // spec.features))
        coarsest, growth = int(rng.integers(2, 9)), float(rng.choice([1.0, 1.3, 2.0, 3.9]))
        log2_table = int(rng.integers(max(dims, most - 3), most + 1))
        if coarsest * growth ** (levels - 1) > MOST_CELLS:
            continue
        encoding = Encoding(grid, levels, spec.features, log2_table, coarsest, growth, dims)
        small = max(level.entries for level in encoding.table) <= 1 << MOST_TABLE_LOG2
        if small and refusal(spec, encoding, 1) is None:
            return encoding
    return Encoding("dense", 1, spec.features, coarsest=2, dims=2)


def positions(rng: Rng, queries: int, dims: int) -> Ints:
    """Return positions in 2^-24: anywhere, along rays, in one place, or in corners of the cube."""
    kind, top = rng.random(), (1 << POSITION_BITS) - 1
    if kind < 0.4:
        found = rng.integers(0, top + 1, (queries, dims))
    elif kind < 0.8:
        steps = rng.integers(-1 << 20, 1 << 20, dims) * np.arange(queries)[:, None]
        found = (rng.integers(0, top + 1, dims) + steps) & top
    elif kind < 0.9:
        found = np.repeat(rng.integers(0, top + 1, (1, dims)), queries, axis=0)
    else:
        found = rng.choice([0, top], (queries, dims))
    return np.asarray(found)


def _integers(rng: Rng, bits: int, shape: tuple[int, ...]) -> Ints:
    """Return integers of all sizes: small ones, and those at the ends of the range."""
    half = 1 << bits - 1
    found = rng.integers(-half, half, shape) >> rng.integers(0, bits, shape)
    ends = rng.choice([-half, half - 1], shape)
    return np.where(rng.random(shape) < 0.1, ends, found)


def _shifts(rng: Rng, spec: NgpcSpec) -> list[int]:
    """Return a shift for each layer: mostly about as much as keeps sums in range."""
    wide = 2 * spec.act_bits + 4
    return [
        int(rng.integers(spec.act_bits // 2, spec.act_bits + 2) if rng.random() < 0.8
            else rng.integers(0, wide))
        for _ in range(MOST_LAYERS)
    ]  # fmt: skip
