"""Arrays of columns at ideal ports: jobs run together are each what it is event by event."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.engines.bitslice import ENGINE, BitsliceSpec, column_ideal
from archsim.engines.bitslice.column_schedule import run as event_by_event
from archsim.engines.bitslice.columns_timing import work_of
from archsim.engines.bitslice.jobs import BitsliceJobs

SPECS = (
    BitsliceSpec(pe="opt4e", rows=2, cols=4, depth=64),
    BitsliceSpec(pe="opt4c", rows=3, cols=8, depth=64, sync="pass", slack=2),
    BitsliceSpec(pe="opt3", rows=2, cols=4, depth=16, encoded="b", encoding="mbe"),
)
# short k, where columns wait for the result lanes; ragged tiles; and long k, where none does
SHAPES = ((9, 1, 9), (9, 5, 9), (13, 3, 25), (4, 2, 1), (11, 2, 150))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.pe)
@pytest.mark.parametrize("held_bytes", [1, 1 << 27])
def test_jobs_are_what_each_is_alone(
    spec: BitsliceSpec, held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(column_ideal, "HELD_BYTES", held_bytes)
    rng = np.random.default_rng(1)
    shapes = [SHAPES[i] for i in rng.integers(0, len(SHAPES), 24)]
    m, n, k = np.array(shapes).T
    data, refs = {}, []
    for number, (rows, columns, depth) in enumerate(shapes):
        shape = (rows, depth) if spec.encoded == "a" else (depth, columns)
        values = rng.integers(-128, 128, shape) * (rng.random(shape) < rng.random())
        data[str(number)] = values
        refs.append({spec.encoded: str(number)})
    unknown = np.full((len(m), 4), np.nan)
    jobs = BitsliceJobs(m, n, k, rng.random(len(m)) < 0.5, unknown, refs=tuple(refs))
    found = ENGINE.time(spec, jobs, data=data)
    assert found.kind == "exact"
    for row in range(len(jobs)):
        work, digits = work_of(spec, jobs, row, data)
        alone = event_by_event(spec, work, {})
        assert (found.cycles[row], found.occupied[row]) == (alone.cycles, alone.occupied)
        assert {name: found.split[name][row] for name in alone.split} == alone.split
        assert {name: found.counts[name][row] for name in alone.waits} == alone.waits
        assert found.counts["digits"][row] == digits * work.across
