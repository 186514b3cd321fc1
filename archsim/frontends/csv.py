"""Lists of products as CSV: columns name, M, N, K, or a SCALE-Sim convolution topology.

SCALE-Sim goes by position and its own files are no two alike: a topology's first columns are taken
by position once its header is seen to be one, and what stands behind them by its header.
"""

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
_ALSO = {  # what columns are called, too
    "num filters": "num filter", "channel": "channels", "stride height": "strides",
    "stride": "strides", "strides height": "strides", "strides width": "stride width",
    "batch": "batch size",
}  # fmt: skip
_MORE = ("stride width", "batch size")  # behind a topology's columns
_DEPTHWISE = "DP"  # in a layer's name, as SCALE-Sim has it


def _load(model: str, options: Options, kinds: Mapping[str, OpKind]) -> Trace:
    path = Path(model)
    builder = TraceBuilder(path.stem, Policy.take(options), f"products of {path.name}")
    rows = _rows(path)
    place, header = next(rows, (str(path), []))
    columns = _columns(header, place)
    topology = columns[1:8] == list(_CONV)
    table = _Table(builder, columns, topology)
    for place, row in rows:
        table.add(row, place)
    if not table.names:
        raise InputError(str(path), "must hold a row for every product below its header")
    table.say()
    return builder.build()


def _columns(header: list[str], place: str) -> list[str]:
    """Return a header's columns by the names that are used here."""
    columns = [" ".join(cell.lower().split()) for cell in header]
    columns = [_ALSO.get(column, column) for column in columns]
    if columns[1:3] == ["ifmap width"] * 2:  # so in SCALE-Sim's own files, which go by position
        columns[1] = "ifmap height"
    named = bool(columns) and columns[0] in _NAMES
    if not named or (columns[1:8] != list(_CONV) and sorted(columns[1:]) not in _LAYOUTS):
        raise InputError(
            place,
            "must begin with the columns name,M,N,K (A is MxK, B is KxN) or a SCALE-Sim topology's",
            ",".join(header),
        )
    return columns


_LAYOUTS = (sorted(_GEMM), sorted(_CONV))


class _Table:
    """Products in the making, row by row.

    Attributes
    ----------
    names
        Those taken so far.
    """

    def __init__(self, builder: TraceBuilder, columns: list[str], topology: bool) -> None:
        self._builder, self._columns, self._topology = builder, columns, topology
        self.names: set[str] = set()
        self._titles: list[str] = []
        self._unread: set[str] = set()
        self._rounded = self._depthwise = 0

    def add(self, row: list[str], place: str) -> None:
        """Add a row's product; a topology's rows without a number are titles or empty."""
        if self._topology and not any(row[1:]):
            self._titles += [row[0]] if row[0] else []
            return
        extents = self._extents(row, place)
        name = self._name(row[0], place)
        if "m" in extents:
            _add_gemm(self._builder, name, extents)
            return
        depthwise = self._topology and _DEPTHWISE in name
        self._depthwise += depthwise
        height, width, kh, kw = (extents[c] for c in _CONV[:4])
        down, right = _strides(extents)
        self._rounded += bool((height - kh) % down or (width - kw) % right)
        _add_conv(self._builder, name, extents, depthwise=depthwise)

    def _extents(self, row: list[str], place: str) -> dict[str, int]:
        if not self._topology:
            if len(row) != len(self._columns):
                raise InputError(place, f"must have {len(self._columns)} columns", row)
            cells = dict(zip(self._columns[1:], row[1:], strict=True))
        else:
            if len(row) < 1 + len(_CONV):
                raise InputError(place, f"must have {1 + len(_CONV)} columns", row)
            cells = dict(zip(_CONV, row[1:8], strict=True)) | self._further(row[8:])
        return {column: _extent(text, f"{place}: {column}") for column, text in cells.items()}

    def _further(self, cells: list[str]) -> dict[str, str]:
        """Return what stands behind the strides: by its header, or a second stride without one."""
        found = {}
        for i, cell in enumerate(cells):
            column = self._columns[8 + i] if 8 + i < len(self._columns) else ""
            if not column and not i and cell.isdigit():
                column = "stride width"
            if column in _MORE:
                found[column] = cell
            elif cell:
                self._unread.add(column or cell)
        return found

    def _name(self, text: str, place: str) -> str:
        """Return a name of its own; SCALE-Sim's files may have one twice, or none."""
        own = self._columns[0]
        name = text
        if own != "name":
            name = base = text or f"layer{len(self.names)}"
            count = 1
            while name in self.names:
                count += 1
                name = f"{base}#{count}"
        elif not name or name in self.names:
            raise InputError(f"{place}: {own}", "must be a name of its own", name)
        if len(name) > MAX_NAME or not name.isprintable():
            words = f"must be at most {MAX_NAME:,} characters that can be printed"
            raise InputError(f"{place}: {own}", words, name)
        self.names.add(name)
        return name

    def say(self) -> None:
        """Note what was not taken as it stands."""
        notes = self._builder.notes
        if self._titles:
            notes.append(f"rows without numbers are titles: {', '.join(self._titles[:8])}")
        if self._unread:
            unread = ", ".join(sorted(self._unread)[:8])
            notes.append(f"not read, behind a topology's columns: {unread}")
        if self._depthwise:
            notes.append(
                f"{self._depthwise} layers with {_DEPTHWISE} in their names are depthwise, as in "
                "SCALE-Sim: so many filters for every channel"
            )
        if self._rounded:
            notes.append(
                f"{self._rounded} convolutions do not end on a whole stride: their outputs are "
                "rounded down, as frameworks do; SCALE-Sim rounds them up"
            )


def _add_gemm(builder: TraceBuilder, name: str, row: Row) -> None:
    m, n, k = row["m"], row["n"], row["k"]
    a = builder.tensor(f"{name}.a", (m, k), "input")
    b = builder.tensor(f"{name}.b", (k, n), "weight")
    c = builder.tensor(f"{name}.c", (m, n), "output")
    builder.op("gemm", name, (a, b), (c,), {"m": m, "n": n, "k": k, "groups": 1})


def _strides(row: Row) -> tuple[int, int]:
    return row["strides"], row.get("stride width", row["strides"])


def _add_conv(builder: TraceBuilder, name: str, row: Row, *, depthwise: bool) -> None:
    """Add a topology's row: images padded beforehand."""
    height, width, kh, kw, channels, filters, _ = (row[c] for c in _CONV)
    down, right = _strides(row)
    batch, groups = row.get("batch size", 1), channels if depthwise else 1
    filters *= groups
    a = builder.tensor(f"{name}.a", (batch, channels, height, width), "input")
    b = builder.tensor(f"{name}.b", (filters, channels // groups, kh, kw), "weight")
    out = (max(0, height - kh) // down + 1, max(0, width - kw) // right + 1)
    c = builder.tensor(f"{name}.c", (batch, filters, *out), "output")
    builder.op(
        "conv",
        name,
        (a, b),
        (c,),
        {
            "batch": batch, "channels": channels, "height": height, "width": width,
            "filters": filters, "kernel": (kh, kw), "stride": (down, right),
            "pad": (0, 0, 0, 0), "dilation": (1, 1), "groups": groups,
        },
    )  # fmt: skip


def _extent(text: str, place: str) -> int:
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0
    if not 0 < value <= MAX_EXTENT:
        raise InputError(place, f"must be a whole number from 1 to {MAX_EXTENT:,}", text)
    return value


def _rows(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each row's place and its cells, without the empty ones that trailing commas make."""
    try:
        check_file(path, MAX_FILE_BYTES)
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            for count, cells in enumerate(reader):
                row = [cell.strip() for cell in cells]
                if len(row) == 1 and "\t" in cells[0]:
                    row = [cell.strip() for cell in cells[0].split("\t")]
                while row and not row[-1]:
                    row.pop()
                if count > MAX_ROWS:
                    raise InputError(str(path), f"must hold at most {MAX_ROWS:,} rows")
                if row:
                    yield f"{path}:{reader.line_num}", row
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise InputError(str(path), f"must be a readable CSV file: {fault}") from None


FRONTEND = Frontend("FILE.csv", lambda model: model.endswith(".csv"), _load)
