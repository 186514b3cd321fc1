"""Lists of products as CSV: columns name, M, N, K, or a SCALE-Sim convolution topology."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from archsim.errors import InputError
from archsim.files import check_file
from archsim.frontends import Frontend
from archsim.frontends.builder import TraceBuilder
from archsim.frontends.options import Options
from archsim.frontends.policy import Policy
from archsim.trace import MAX_NAME, OpKind, Trace

MAX_FILE_BYTES = 16 << 20
MAX_ROWS = 100_000
MAX_EXTENT = 1 << 31

Row = Mapping[str, int]

_NAMES = ("name", "layer", "layer name")
_GEMM = ("m", "n", "k")
_CONV = (
    "ifmap height", "ifmap width", "filter height", "filter width", "channels", "num filter",
    "strides",
)  # fmt: skip


def _load(model: str, options: Options, kinds: Mapping[str, OpKind]) -> Trace:
    path = Path(model)
    builder = TraceBuilder(path.stem, Policy.take(options), f"products of {path.name}")
    rows = _rows(path)
    place, header = next(rows, (str(path), []))
    columns = [column.lower() for column in header]
    if not columns or columns[0] not in _NAMES or sorted(columns[1:]) not in _LAYOUTS:
        raise InputError(
            place,
            "must begin with the columns name,M,N,K (A is MxK, B is KxN) or a SCALE-Sim topology's",
            ",".join(header),
        )
    seen: set[str] = set()
    for place, row in rows:
        if len(row) != len(columns):
            raise InputError(place, f"must have {len(columns)} columns", row)
        name = row[0]
        if not name or name in seen:
            raise InputError(f"{place}: {header[0]}", "must be a name of its own", name)
        if len(name) > MAX_NAME or not name.isprintable():
            words = f"must be at most {MAX_NAME:,} characters that can be printed"
            raise InputError(f"{place}: {header[0]}", words, name)
        seen.add(name)
        extents = {c: _extent(v, f"{place}: {c}") for c, v in zip(columns, row, strict=True)
                   if c not in _NAMES}  # fmt: skip
        (_add_gemm if "m" in extents else _add_conv)(builder, name, extents)
    if not seen:
        raise InputError(str(path), "must hold a row for every product below its header")
    return builder.build()


_LAYOUTS = (sorted(_GEMM), sorted(_CONV))


def _add_gemm(builder: TraceBuilder, name: str, row: Row) -> None:
    m, n, k = row["m"], row["n"], row["k"]
    a = builder.tensor(f"{name}.a", (m, k), "input")
    b = builder.tensor(f"{name}.b", (k, n), "weight")
    c = builder.tensor(f"{name}.c", (m, n), "output")
    builder.op("gemm", name, (a, b), (c,), {"m": m, "n": n, "k": k, "groups": 1})


def _add_conv(builder: TraceBuilder, name: str, row: Row) -> None:
    """Add a topology's row: one image, padded beforehand."""
    height, width, kh, kw, channels, filters, stride = (row[c] for c in _CONV)
    a = builder.tensor(f"{name}.a", (1, channels, height, width), "input")
    b = builder.tensor(f"{name}.b", (filters, channels, kh, kw), "weight")
    shape = (1, filters, max(0, height - kh) // stride + 1, max(0, width - kw) // stride + 1)
    c = builder.tensor(f"{name}.c", shape, "output")
    builder.op(
        "conv",
        name,
        (a, b),
        (c,),
        {
            "batch": 1, "channels": channels, "height": height, "width": width,
            "filters": filters, "kernel": (kh, kw), "stride": (stride, stride),
            "pad": (0, 0, 0, 0), "dilation": (1, 1), "groups": 1,
        },
    )  # fmt: skip


def _extent(text: str, place: str) -> int:
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0
    if not 0 < value <= MAX_EXTENT:
        raise InputError(place, f"must be a whole number from 1 to {MAX_EXTENT:,}", text)
    return value


def _rows(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each row's place and its cells, without the empty one that a trailing comma makes."""
    try:
        check_file(path, MAX_FILE_BYTES)
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            for count, cells in enumerate(reader):
                row = [cell.strip() for cell in cells]
                if row and not row[-1]:
                    row.pop()
                if count > MAX_ROWS:
                    raise InputError(str(path), f"must hold at most {MAX_ROWS:,} rows")
                if row:
                    yield f"{path}:{reader.line_num}", row
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise InputError(str(path), f"must be a readable CSV file: {fault}") from None


FRONTEND = Frontend("FILE.csv", lambda model: model.endswith(".csv"), _load)
