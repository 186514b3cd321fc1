"""Every loader as a function of bytes, and the inputs that its fuzzing begins with."""

from __future__ import annotations

import gzip
import io
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archsim.errors import ArchsimError

ROOT = Path(__file__).parents[2]
MAX_SEED_BYTES = 64 << 10


@dataclass(frozen=True)
class Target:
    """A loader.

    Parameters
    ----------
    suffix
        Of the file that it reads.
    load
        Reads the file; what it raises must be an `ArchsimError`.
    seeds
        Inputs to begin with.
    """

    suffix: str
    load: Callable[[Path], object]
    seeds: Callable[[], Iterator[bytes]]

    def run(self, data: bytes, folder: Path) -> bool:
        """Load bytes; return whether they were taken."""
        path = folder / f"input{self.suffix}"
        path.write_bytes(data)
        try:
            self.load(path)
        except ArchsimError:
            return False
        return True


def _files(*patterns: str) -> Iterator[bytes]:
    for pattern in patterns:
        for path in sorted(ROOT.glob(pattern)):
            if path.stat().st_size <= MAX_SEED_BYTES:
                yield path.read_bytes()


def _hostile(suffix: str, prefix: str) -> Iterator[bytes]:
    """Yield the small files of the table of refused inputs."""
    from tests.hostile.test_hostile import CASES

    for case in CASES:
        if case.name.startswith(prefix):
            for name, content in case.files.items():
                if name.endswith(suffix) and isinstance(content, str | bytes):
                    data = content.encode() if isinstance(content, str) else content
                    if len(data) <= MAX_SEED_BYTES:
                        yield data


# ------------------------------------------------------------------------------------- loaders


def _design(path: Path) -> object:
    from archsim.design import load_design

    return load_design(str(path))


def _setting(path: Path) -> object:
    """Read ``PATH=VALUE`` lines as ``--set`` does."""
    from archsim.cli.arguments import design

    lines = path.read_text("utf-8", errors="replace").splitlines()
    return design("tpu_like", lines[:8])


def _sweep(path: Path) -> object:
    from archsim.sweep.schema import Sweep
    from archsim.yaml_file import Document, validate

    document = Document.load(path)
    return validate(Sweep, document.value, document)


def _plan(path: Path) -> object:
    """Read a sweep's plan beside the question that it belongs to."""
    from archsim.sweep.plan_file import read_plan

    question = path.with_name("sweep.yaml")
    if not question.exists():
        question.write_text(SWEEP)
    return read_plan(path, question)


def _mapping(path: Path) -> object:
    from archsim.cli.mapping_file import read_mappings

    return read_mappings(path)


def _matrix(path: Path) -> object:
    """Read a matrix and what it makes as a model: its square, or a product with a dense one."""
    from archsim.frontends import load

    return load(path, columns=3)


def _products(path: Path) -> object:
    from archsim.compare.shapes import read

    return read(path)


def _onnx(path: Path) -> object:
    from archsim import frontends

    return frontends.load(path)


def _options(path: Path) -> object:
    """Read options of models of the zoo; no file and no module is named by them."""
    from archsim import frontends

    first, _, rest = path.read_text("utf-8", errors="replace").partition(",")
    names = frontends.names()
    name = names[sum(first.encode("utf-8", "replace")) % len(names)]
    return frontends.load(f"{name}@{rest}" if "=" in rest else name)


def _trace(path: Path) -> object:
    from archsim.engines import op_kinds
    from archsim.trace_io import read_trace

    return read_trace(path, op_kinds())


def _operands(path: Path) -> object:
    from archsim.trace_io import read_operands

    head = path.with_name("t.jsonl")
    if not head.exists():
        head.write_text(f'{{"schema_version": 1, "name": "t", "operands": "{path.name}"}}\n')
    return read_operands(head)


def _network(path: Path) -> object:
    from archsim.engines.rfnn.network import read

    return read(path)


def _idx(path: Path) -> object:
    from archsim.engines.rfnn.images import idx

    return idx(path, 3)


def _liberty(path: Path) -> object:
    from archsim.hdl.synth_liberty_text import parse_liberty

    return parse_liberty(path)


SWEEP = (
    "name: s\ndesign: tpu_like\nworkloads: [resnet50]\naxes:\n"
    "  engines.mxu.rows: {pow2: [8, 32]}\n  memories.dram.channels: {range: [1, 4, 1]}\n"
    "sampling: {kind: lhs, count: 4, seed: 1}\nobjectives: {time_us: min, area_mm2: min}\n"
    "constraints: {area_mm2: {max: 20}}\n"
)


def _plan_seeds() -> Iterator[bytes]:
    from archsim.sweep.plan import make_plan
    from archsim.sweep.plan_file import plan_text

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sweep.yaml"
        path.write_text(SWEEP)
        yield plan_text(make_plan(path)).encode()


def _onnx_seeds() -> Iterator[bytes]:
    from tests.hostile import models

    for case in models.CASES:
        content = case.files.get("m.onnx", b"")
        data = content() if callable(content) else content
        yield data.encode() if isinstance(data, str) else data
    yield from _files("workloads/*/*.onnx")


def _matrix_seeds() -> Iterator[bytes]:
    from tests.sparse.test_matrix_market import KINDS, text

    yield from (text(*kind) for kind in KINDS)
    yield from _hostile("m.mtx", "matrix")


def _packed_seeds() -> Iterator[bytes]:
    yield from (gzip.compress(seed, mtime=0) for seed in _matrix_seeds())


def _operand_seeds() -> Iterator[bytes]:
    from tests.hostile import traces

    yield traces.archive(("a.npy", traces.array([1, 2, 3])), ("b.npy", traces.array([[0.5]])))
    yield traces.archive(("a.npy", traces.array(range(1000))), compressed=True)
    yield traces.archive(("a.npy", traces.header((1 << 40,))))


def _network_seeds() -> Iterator[bytes]:
    from archsim.engines.rfnn.network import VARIANTS, arrays_of, shipped

    for variant in (VARIANTS[0], VARIANTS[3], VARIANTS[-9]):  # a matrix, both kinds of train
        with io.BytesIO() as stream:
            np.savez(stream, allow_pickle=False, **arrays_of(shipped(variant)))
            yield stream.getvalue()


def _idx_seeds() -> Iterator[bytes]:
    yield bytes((0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3)) + bytes(range(12))
    yield bytes((0, 0, 8, 3)) + b"\xff" * 12


TARGETS = {
    "design": Target(".yaml", _design, lambda: (
        yield from (*_files("archsim/designs/*.yaml"), *_hostile("d.yaml", "design"))
    )),
    "setting": Target(".txt", _setting, lambda: iter((
        b"engines.mxu.rows=8\nmemories.dram.channels=2", b"engines.mxu={kind: vector}", b"a=[1,2]",
    ))),
    "sweep": Target(".yaml", _sweep, lambda: (
        yield from (SWEEP.encode(), *_files("sweeps/*.yaml"), *_hostile("s.yaml", "sweep"))
    )),
    "plan": Target(".json", _plan, _plan_seeds),
    "mapping": Target(".yaml", _mapping, lambda: (
        yield from (b"x: {m: 64, n: 64, k: 64, order: mnk}\n", *_hostile("map.yaml", "mapping"))
    )),
    "products": Target(".csv", _products, lambda: (
        yield from (*_files("workloads/products/*.csv"), *_hostile("t.csv", "table"))
    )),
    "matrix": Target(".mtx", _matrix, _matrix_seeds),
    "packed": Target(".mtx.gz", _matrix, _packed_seeds),
    "onnx": Target(".onnx", _onnx, _onnx_seeds),
    "options": Target(".txt", _options, lambda: iter((
        b"x,batch=2", b"x,seq=128,batch=1", b"x,dtype=int8", b"x,kv=64", b"x,image=64,dtype=keep",
    ))),
    "trace": Target(".jsonl", _trace, lambda: (
        yield from (*_files("workloads/traces/*.jsonl"), *_hostile("t.jsonl", "trace"))
    )),
    "operands": Target(".npz", _operands, _operand_seeds),
    "network": Target(".npz", _network, _network_seeds),
    "idx": Target("", _idx, _idx_seeds),
    "idx_packed": Target(".gz", _idx, lambda: (gzip.compress(s, mtime=0) for s in _idx_seeds())),
    "liberty": Target(".lib", _liberty, lambda: _files("tests/**/*.lib")),
}  # fmt: skip
