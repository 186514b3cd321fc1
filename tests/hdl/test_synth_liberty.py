"""Reading cell libraries: figures of the tiny one by hand, and hostile files."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsim.errors import InputError
from archsim.hdl.synth_liberty import FALL, RISE, read_liberty

TINY = Path(__file__).parent / "tiny.lib"


def test_cells_are_read() -> None:
    library = read_liberty(TINY)
    assert (library.name, library.voltage, library.cap_f, library.time_s) == (
        "tiny", 1.0, 1e-15, 1e-12,
    )  # fmt: skip
    assert sorted(library.cells) == [
        "BUF", "DFF", "INV", "NAND2", "NAND2_BIG", "NOR2", "XOR2",
    ]  # fmt: skip
    flip_flop = library.cells["DFF"]
    assert flip_flop.register is not None
    assert flip_flop.register.next_state == "D"
    assert flip_flop.area_um2 == 8
    assert flip_flop.leakage_w == 4e-9  # the mean of its two states
    assert library.cells["NAND2_BIG"].dont_use
    assert library.nand2_area_um2 == 2
    assert library.inverter.name == "INV"


def test_tables_interpolate_and_extrapolate_by_hand() -> None:
    (arc,) = read_liberty(TINY).cells["INV"].pins["Y"].arcs
    assert (arc.related, arc.causes) == ("A", ((FALL,), (RISE,)))
    delay = arc.delay[RISE]
    assert delay is not None
    # 25 ps at (slew 10, load 1), 63 at load 20: 2 ps/fF; 20 ps more at slew 100
    assert delay.at(20.0, 10.0) == pytest.approx(63.0)
    assert delay.at(20.0, 100.0) == pytest.approx(83.0)
    assert delay.at(5.0, 10.0) == pytest.approx(33.0)
    assert delay.at(40.0, 10.0) == pytest.approx(103.0)


def edited(tmp_path: Path, old: str, new: str) -> Path:
    text = TINY.read_text()
    assert old in text
    file = tmp_path / "edited.lib"
    file.write_text(text.replace(old, new))
    return file


def test_semicolons_may_be_missing_at_line_ends(tmp_path: Path) -> None:
    file = edited(tmp_path, "area : 8;", "area : 8")
    assert read_liberty(file).cells["DFF"].area_um2 == 8


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("library (tiny) {", "libary (tiny) {", r":1: must begin with library \(NAME\) \{"),
        ("cell (INV)", "cell (INV;sh)", r": expected '\)', not ';'"),
        ("cell (INV)", 'cell ("INV -exec")', r"names in a cell library must be letters"),
        ('function : "!A"', 'function : "__import__(1)"', r"pins must be A, not '__import__'"),
        ('time_unit : "1ps"', 'time_unit : "soon"', r"units must read like '1ps', not 'soon'"),
        ('index_2 ("1, 5, 20")', 'index_2 ("1, 5")', r"tables and units must be numbers that fit"),
        ('function : "!A"', 'function : "A"', r"a cell library must have an inverter"),
        ("ff (IQ, IQN)", "ff ()", r"ff must name its state and the inverse"),
    ],
)
def test_broken_library_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_liberty(edited(tmp_path, old, new))


def test_truncated_library_names_its_end(tmp_path: Path) -> None:
    file = tmp_path / "cut.lib"
    file.write_text(TINY.read_text()[:3000])
    with pytest.raises(InputError, match=r"cut.lib:\d+: "):
        read_liberty(file)


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "deep.lib"
    file.write_text("library (x) {\n" + "g (x) {\n" * 10_000)
    with pytest.raises(InputError, match=r"must nest at most 12 groups deep, not 'g'"):
        read_liberty(file)


def test_missing_and_binary_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.lib: must be a Liberty file; give --liberty FILE"):
        read_liberty(tmp_path / "none.lib")
    binary = tmp_path / "binary.lib"
    binary.write_bytes(b"\xff\xfe\x00\x01" * 10)
    with pytest.raises(InputError, match=r"binary.lib: must be a readable text file"):
        read_liberty(binary)
