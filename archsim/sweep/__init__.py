"""Sweeps: a question in YAML, thousands of designs on all cores, a table of answers.

`run_sweep` runs or resumes, `status` looks, `load_results` reads; `SweepFolder` is for reports.
"""

from archsim.sweep.plan import make_plan
from archsim.sweep.run import Outcome, run_sweep
from archsim.sweep.schema import Sweep
from archsim.sweep.status import Status, status
from archsim.sweep.store import SweepFolder, load_results, load_wall_times

__all__ = [
    "Outcome",
    "Status",
    "Sweep",
    "SweepFolder",
    "load_results",
    "load_wall_times",
    "make_plan",
    "run_sweep",
    "status",
]
