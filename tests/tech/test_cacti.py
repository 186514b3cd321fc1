"""The SRAM table: what is committed is whole, and the reader of CACTI's output is right."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import yaml

from archsim import tech
from archsim.errors import InputError
from archsim.tech import cacti

TABLE = yaml.safe_load((Path(tech.__file__).parent / "sram_cacti.yaml").read_text())

HEADER = (
    " Tech node (nm), Random cycle time (ns), Dynamic read energy (nJ), "
    "Dynamic write energy (nJ), Standby leakage per bank(mW), Area (mm2)"
)
FAKE = f"""#!/bin/sh
grep -q '^-size (bytes) 65536$' "$2" || exit 3
printf '{HEADER}\\n45, 1.5, 0.02, 0.01, 0.002, 0.2\\n' > "$2.out"
"""


def test_committed_table_has_every_point_and_its_recipe() -> None:
    points = {tuple(row[:3]) for row in TABLE["rows"]}
    wanted = {
        (node, capacity, width)
        for node in cacti.NODES_NM
        for capacity in cacti.CAPACITIES_BYTES
        for width in cacti.WIDTHS_BITS
        if capacity * 8 >= width * cacti.MIN_DEPTH
    }
    assert points == wanted
    assert tuple(TABLE["columns"]) == cacti.COLUMNS
    assert "CACTI 7" in TABLE["tool"]
    digest = hashlib.sha256(cacti.SETTINGS.encode()).hexdigest()[:16]
    assert TABLE["recipe"] == f"python -m archsim.tech.cacti DIR, settings digest {digest}"


def folder_with(tmp_path: Path, script: str) -> Path:
    program = tmp_path / "cacti"
    program.write_text(script)
    program.chmod(0o755)
    return tmp_path


def test_units_are_converted(tmp_path: Path) -> None:
    row = cacti.measure(folder_with(tmp_path, FAKE), 45, 65536, 64)
    assert row == [45, 65536, 64, 20.0, 10.0, 200_000.0, 2.0, 1500.0]


def test_failure_says_what_cacti_said(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "#!/bin/sh\necho no organisation; exit 1\n")
    with pytest.raises(InputError, match=r"CACTI must give a result; it said: no organisation$"):
        cacti.measure(folder, 45, 65536, 64)
