"""A sweep's folder: one run at a time, one question, and tables that come out equal."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from archsim.errors import ArchsimError, InputError
from archsim.metric import COMMON
from archsim.sweep import SweepFolder, load_results, load_wall_times, make_plan, run_sweep
from archsim.sweep.store import claimed
from tests.sweep.fakes import QUESTION, answer, thread_pool, write_question


def run(folder: Path, text: str = QUESTION, out: str = "out") -> Path:
    path = write_question(folder, text)
    run_sweep(path, folder / out, workers=2, evaluate=answer, pool=thread_pool)
    return folder / out


def test_the_table_has_a_row_a_point_sorted_by_key(tmp_path: Path) -> None:
    frame = load_results(run(tmp_path))
    assert list(frame.columns) == [
        "design", "workload", "fidelity", "version", "swept", "baseline", "beside", "status",
        "reason",
        "engines.mxu.rows", "engines.mxu.cols", *COMMON, "energy.buffer_pj", "energy.mxu_pj",
        "area.mxu_um2",
    ]  # fmt: skip
    assert len(frame) == 9
    assert list(frame["design"]) == sorted(frame["design"])
    assert set(frame["status"]) == {"ok"}
    assert set(frame["reason"]) == {""}
    row = frame.iloc[0]
    design = SweepFolder(tmp_path / "out").design(row["design"])
    assert design.name == f"tiny-{row['design'][:8]}"
    assert design.digest() == row["design"]
    assert design.model_dump()["engines"]["mxu"]["rows"] == row["engines.mxu.rows"]


def test_equal_sweeps_write_equal_files(tmp_path: Path) -> None:
    one, two = run(tmp_path, out="one"), run(tmp_path, out="two")
    assert (one / "results.parquet").read_bytes() == (two / "results.parquet").read_bytes()


def test_the_table_from_journals_is_the_table_from_parquet(tmp_path: Path) -> None:
    out = run(tmp_path, QUESTION.replace("[2, 4, 8]\nobj", "[2, auto]\nobj").replace(
        "engines.mxu.cols", "engines.mxu.clock_mhz"))  # fmt: skip
    from_parquet = load_results(out)
    (out / "results.parquet").unlink()
    pd.testing.assert_frame_equal(from_parquet, load_results(out))
    assert set(from_parquet["engines.mxu.clock_mhz"]) == {"2.0", "auto"}


def test_wall_times_stand_apart(tmp_path: Path) -> None:
    out = run(tmp_path)
    times = load_wall_times(out)
    assert list(times.columns) == ["design", "workload", "fidelity", "version", "wall_s", "at_s"]
    assert (times["wall_s"] >= 0).all()
    assert list(times["design"]) == list(load_results(out)["design"])


def test_another_question_does_not_enter_the_folder(tmp_path: Path) -> None:
    out = run(tmp_path)
    before = (out / "results.parquet").read_bytes()
    message = (
        f"{out}: holds the answers to another sweep: axes differ; choose another folder with -o, "
        "or remove this one"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        run(tmp_path, QUESTION.replace("rows: [2, 4, 8]", "rows: [2, 4]"))
    assert (out / "results.parquet").read_bytes() == before


def test_new_objectives_enter_it(tmp_path: Path) -> None:
    out = run(tmp_path)
    run(tmp_path, QUESTION.replace("area_mm2: min", "energy_pj: min"))
    assert SweepFolder(out).sweep.objectives == {"time_us": "min", "energy_pj": "min"}


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    message = f"{out}: must be empty or hold a sweep, not 'thesis.tex'; choose another folder"
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        run(tmp_path)
    assert [file.name for file in out.iterdir()] == ["thesis.tex"]


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    message = (
        f"{tmp_path / 'out'}: must be a folder that can be written: Not a directory; make room"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        run(tmp_path)


def test_a_folder_takes_one_run_at_a_time(tmp_path: Path) -> None:
    out = run(tmp_path)
    hold = (
        "import sys; from pathlib import Path\n"
        "from archsim.sweep import make_plan\n"
        "from archsim.sweep.store import claimed\n"
        "with claimed(Path(sys.argv[2]), make_plan(sys.argv[1])):\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", hold, str(tmp_path / "question.yaml"), str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        assert SweepFolder(out).is_running()
        holder = f"process {other.pid} on {socket.gethostname()}"
        message = f"{out}: another run ({holder}) is at work in this folder; wait"
        with pytest.raises(ArchsimError, match=f"^{re.escape(message)}"):
            run(tmp_path)
        other.kill()  # however it ends, the folder is free
    assert not SweepFolder(out).is_running()
    run(tmp_path)


def test_a_run_that_fails_frees_the_folder(tmp_path: Path) -> None:
    plan = make_plan(write_question(tmp_path))
    with pytest.raises(RuntimeError), claimed(tmp_path / "out", plan):
        raise RuntimeError
    with claimed(tmp_path / "out", plan) as folder:
        assert len(folder.answers()) == 0


def test_a_folder_without_a_sweep_is_refused(tmp_path: Path) -> None:
    message = f"{tmp_path}: must be a folder that `archsim sweep run` wrote; plan.json is missing"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        load_results(tmp_path)


def test_an_unknown_design_is_refused(tmp_path: Path) -> None:
    folder = SweepFolder(run(tmp_path))
    with pytest.raises(InputError, match="design must be one of the sweep's digests, not 'x'"):
        folder.design("x")
