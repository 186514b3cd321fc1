"""A sweep that is killed again and again ends in the undisturbed run's table, bit for bit.

Parent and workers are killed in turn, at instants drawn from a seed; after a parent's death the
same command is given again. Each kill waits until something was finished since the last one, so
that no point can meet two kills in a row and pass for their cause.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from archsim.sweep import run_sweep
from tests.sweep.fakes import QUESTION, answer, thread_pool, write_question
from tests.sweep.processes import command, environment, workers
from tests.traces import LENGTH

LONGEST_DELAY_S = 0.4
PATIENCE_S = 600.0  # for the machine to do anything at all


def journal_bytes(out: Path) -> int:
    return sum(file.stat().st_size for file in (out / "journal").glob("*"))


class Victim:
    """A sweep under fire: its process, restarted whenever it is dead."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self.out = folder / "out"
        self.start()

    def start(self) -> None:
        self.process = self._stack.enter_context(
            subprocess.Popen(command(self._folder, "slow"), env=environment())
        )
        self._stack.callback(self.process.kill)

    def await_progress(self, beyond: int) -> bool:
        """Wait until more is in the journals; return whether the sweep is still at work."""
        deadline = time.monotonic() + PATIENCE_S
        while journal_bytes(self.out) <= beyond and self.process.poll() is None:
            assert time.monotonic() < deadline, "the sweep stands still"
            time.sleep(0.005)
        return self.process.poll() is None

    def kill_parent(self) -> None:
        self.process.kill()
        self.process.wait()
        self.start()

    def kill_worker(self, draw: random.Random) -> bool:
        alive = workers(self.process.pid)
        if alive:
            try:
                os.kill(draw.choice(alive), signal.SIGKILL)
            except ProcessLookupError:
                return False
        return bool(alive)


def kill_often(folder: Path, kills: int, seed: int) -> None:
    """Run the question of a folder to its end through a number of kills."""
    draw = random.Random(seed)
    with ExitStack() as stack:
        victim = Victim(folder, stack)
        done = 0
        while done < kills:
            seen = journal_bytes(victim.out)
            assert victim.await_progress(seen), f"the sweep ended after {done} kills"
            time.sleep(draw.uniform(0, LONGEST_DELAY_S))
            if done % 2 == 0:
                victim.kill_parent()
                done += 1
            else:
                done += victim.kill_worker(draw)
        assert victim.process.wait(PATIENCE_S) == 0


def check_kills_leave_no_trace(
    folder: Path, monkeypatch: pytest.MonkeyPatch, kills: int, designs: int, seed: int
) -> None:
    monkeypatch.setattr("archsim.sweep.plan.model_version", lambda: "1")
    axis = f"memories.dram.latency_ns: {{range: [1, {designs // 3}, 1]}}"
    path = write_question(folder, QUESTION.replace("engines.mxu.rows: [2, 4, 8]", axis))
    run_sweep(path, folder / "undisturbed", 1, evaluate=answer, pool=thread_pool)
    kill_often(folder, kills, seed)
    table = "results.parquet"
    undisturbed = (folder / "undisturbed" / table).read_bytes()
    assert (folder / "out" / table).read_bytes() == undisturbed
    assert len(list((folder / "out" / "journal").glob("*"))) > kills


def test_kills_leave_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_kills_leave_no_trace(tmp_path, monkeypatch, kills=3, designs=360, seed=1)


@pytest.mark.slow
def test_kills_leave_no_trace_at_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_kills_leave_no_trace(
        tmp_path, monkeypatch, kills=20 * LENGTH, designs=2400 * LENGTH, seed=2
    )
