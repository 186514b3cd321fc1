"""Fuzz a loader with Atheris: ``python -m tests.fuzz.run TARGET --seconds N``.

Every input must end within 10 CPU seconds in less than 1 GB, and either be taken or end in an
`ArchsimError`. What does not is kept in ``out/fuzz/TARGET``, with how to repeat it, and the exit
status is not 0. Coverage guides the mutations; the seed is fixed, but times are not.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.targets import ROOT, TARGETS

MAX_BYTES, MAX_MEGABYTES = 16 << 10, 1024
MAX_SECONDS = 10  # of CPU time, counting branches included
HANGS_SECONDS = 120  # of wall time: what never ends, on however busy a machine


def fuzz(name: str, arguments: list[str]) -> None:
    """Run in a process of its own: the fuzzer ends it."""
    import atheris

    with atheris.instrument_imports(include=["archsim", "yaml"], enable_loader_override=False):
        import archsim.cli
        import archsim.cli.mapping_file
        import archsim.compare.shapes
        import archsim.frontends.onnx.load
        import archsim.hdl.synth_liberty_text
        import archsim.sparse.matrix_market
        import archsim.sweep
        import archsim.trace_io  # noqa: F401
    target = TARGETS[name]
    folder = Path(tempfile.mkdtemp(prefix="fuzz"))

    def one(data: bytes) -> None:
        start = time.process_time()
        target.run(data, folder)
        if time.process_time() - start > MAX_SECONDS:
            raise TimeoutError(f"took more than {MAX_SECONDS} CPU seconds")

    atheris.Setup([sys.argv[0], *arguments], one)
    atheris.Fuzz()


def run(name: str, seconds: int, seed: int) -> int:
    """Fuzz one loader in a child; return its exit status."""
    found = ROOT / "out" / "fuzz" / name
    found.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        for number, data in enumerate(TARGETS[name].seeds()):
            (Path(corpus) / f"{number:04}").write_bytes(data)
        options = [
            f"-max_total_time={seconds}", f"-max_len={MAX_BYTES}", f"-timeout={HANGS_SECONDS}",
            f"-rss_limit_mb={MAX_MEGABYTES}", f"-seed={seed}", f"-artifact_prefix={found}/",
            "-print_final_stats=1", "-verbosity=0",
        ]  # fmt: skip
        command = [sys.executable, "-m", "tests.fuzz.run", name, "--child", *options, corpus]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False
        )
    runs = [line for line in done.stderr.splitlines() if "number_of_executed_units" in line]
    count = runs[-1].split()[-1] if runs else "an unknown number of"
    print(f"{name}: {count} inputs in {seconds} s, exit {done.returncode}", flush=True)
    if done.returncode:
        said = (done.stdout + done.stderr).splitlines()
        said = [x for x in said if not x.startswith(("INFO:", "WARNING:"))]
        print("\n".join(said[-40:]), flush=True)
    return done.returncode


def main() -> int:
    if "--child" in sys.argv[2:3]:
        fuzz(sys.argv[1], sys.argv[3:])
        return 0
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    if unknown := set(asked.target) - set(TARGETS):
        parser.error(f"must be of {', '.join(TARGETS)}, not {', '.join(sorted(unknown))}")
    statuses = [run(name, asked.seconds, asked.seed) for name in asked.target or TARGETS]
    return 1 if any(statuses) else 0


if __name__ == "__main__":
    sys.exit(main())
