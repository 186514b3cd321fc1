"""For all tests: property tests without deadlines, and no skip that nobody expects."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# machines differ in speed, so time is no reason to fail; a failure prints how to repeat it
settings.register_profile("archsim", deadline=None, print_blob=True)
settings.load_profile("archsim")

EXPECTED_SKIPS: frozenset[str] = frozenset()  # node ids that may be skipped where CI is set

_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.skipped:
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run of CI in which a test was skipped; workers report to the one that counts."""
    is_worker = hasattr(session.config, "workerinput")
    if os.environ.get("CI") and not is_worker and set(_skipped) - EXPECTED_SKIPS:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    unexpected = sorted(set(_skipped) - EXPECTED_SKIPS)
    if os.environ.get("CI") and unexpected:
        terminalreporter.section("skipped, and nobody expected it", red=True)
        for name in unexpected:
            terminalreporter.line(name)
