"""Broken tables of products, mappings and sweeps."""

from __future__ import annotations

from tests.hostile.case import Case, Content

HEAD = "name,M,N,K\n"
CONV = (
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, "
    "Strides,\n"
)


def table(name: str, text: Content) -> Case:
    return Case(f"table: {name}", ("simulate", "tpu_like", "t.csv"), {"t.csv": text})


def mapping(name: str, text: Content, exit_code: int = 2) -> Case:
    command = ("simulate", "tpu_like", "p.csv", "--mapping", "map.yaml")
    files: dict[str, Content] = {"p.csv": HEAD + "x,64,64,64\n", "map.yaml": text}
    return Case(f"mapping: {name}", command, files, exit_code)


CASES = [
    table("empty", ""),
    table("a head only", HEAD),
    table("another head", "a,b,c,d\nx,1,1,1\n"),
    table("a column less", "name,M,N\nx,1,1\n"),
    table("a column twice", "name,M,M,K\nx,1,1,1\n"),
    table("a row too short", HEAD + "x,1,1\n"),
    table("a row too long", HEAD + "x,1,1,1,1\n"),
    table("a name twice", HEAD + "x,1,1,1\nx,1,1,1\n"),
    table("no name", HEAD + ",1,1,1\n"),
    table("a name of 100,000 letters", HEAD + "x" * 100_000 + ",1,1,1\n"),
    table("none of a kind", HEAD + "x,0,1,1\n"),
    table("below none", HEAD + "x,-1,1,1\n"),
    table("1e9", HEAD + "x,1e9,1,1\n"),
    table("0x10", HEAD + "x,0x10,1,1\n"),
    table("no", HEAD + "x,no,1,1\n"),
    table("not a number", HEAD + "x,nan,1,1\n"),
    table("a fraction", HEAD + "x,1.5,1,1\n"),
    table("digits of another script", HEAD + "x,\N{ARABIC-INDIC DIGIT THREE},1,1\n"),
    table("underscores", HEAD + "x,1_000,1,1\n"),
    table("a plus", HEAD + "x,+1,1,1\n"),
    table("5,000 digits", HEAD + "x," + "9" * 5000 + ",1,1\n"),
    table("extents without measure", HEAD + "x,2147483648,2147483648,2147483648\n"),
    table("a NUL", HEAD + "x\0,1,1,1\n"),
    table("not UTF-8", b"name,M,N,K\nx\xff,1,1,1\n"),
    table("an open quote", HEAD + '"x,1,1,1\n'),
    table("a million columns", lambda: b"," * 1_000_000 + b"\n"),
    table("a field of a megabyte", lambda: b"name,M,N,K\n" + b"x" * (1 << 20) + b",1,1,1\n"),
    table("20 megabytes", lambda: b"x,1,1,1\n" * 2_600_000),
    table("a hundred thousand rows and one", lambda: HEAD.encode() + b"".join(
        b"x%d,1,1,1\n" % i for i in range(100_001)
    )),
    table("a formula", HEAD + "=cmd|'/c calc'!A1,1,1,one\n"),
    table("a filter larger than its image", CONV + "c, 2, 2, 3, 3, 1, 1, 1,\n"),
    table("a stride of none", CONV + "c, 8, 8, 3, 3, 1, 1, 0,\n"),
    table("a convolution in a row too short", CONV + "c, 8, 8, 3,\n"),
    mapping("a list", "- x\n"),
    mapping("not YAML", "x: {m: 1\n"),
    mapping("of an op that is not there", "y: {m: 64, n: 64, k: 64}\n"),
    mapping("a number", "x: 3\n"),
    mapping("without k", "x: {m: 64, n: 64}\n"),
    mapping("a tile of none", "x: {m: 0, n: 64, k: 64}\n"),
    mapping("a tile larger than its op", "x: {m: 65, n: 64, k: 64}\n"),
    mapping("a huge tile", "x: {m: 99999999999999999999, n: 64, k: 64}\n"),
    mapping("an order of other letters", "x: {m: 64, n: 64, k: 64, order: xyz}\n"),
    mapping("a letter twice", "x: {m: 64, n: 64, k: 64, order: mmk}\n"),
    mapping("resident strangers", "x: {m: 64, n: 64, k: 64, resident: d}\n"),
    mapping("an unknown key", "x: {m: 64, n: 64, k: 64, tile: 3}\n"),
    mapping("slices of a product", "x: {slices: 4}\n"),
    mapping("groups of parts", "x: {m: 32, n: 64, k: 64, groups: 2}\n"),
    mapping("an op twice", "x: {m: 64, n: 64, k: 64}\nx: {m: 32, n: 64, k: 64}\n"),
    Case(
        "mapping: not there",
        ("simulate", "tpu_like", "p.csv", "--mapping", "nobody.yaml"),
        {"p.csv": HEAD + "x,64,64,64\n"},
    ),
    Case(
        "mapping: is a folder",
        ("simulate", "tpu_like", "p.csv", "--mapping", "."),
        {"p.csv": HEAD + "x,64,64,64\n"},
    ),
    Case("shapes: no table", ("compare", "scalesim", "--shapes", "x.txt", "--array", "8x8"),
         {"x.txt": HEAD}),
    Case("shapes: too large for a command",
         ("compare", "onnxim", "--shapes", "x.csv", "--array", "8x8"),
         {"x.csv": HEAD + "x,16777216,1,1\n"}),
]  # fmt: skip
