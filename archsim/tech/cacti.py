"""Compute the SRAM table once from a CACTI 7 binary: ``python -m archsim.tech.cacti DIR``.

DIR is a CACTI folder with ``tech_params`` and a built ``cacti`` (``make clean; make`` builds it;
the sources come in the hwcomponents-cacti package). The table is committed: users need no CACTI.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import itertools
import subprocess
import sys
import tempfile
from pathlib import Path

from archsim.errors import InputError

NODES_NM = (22, 28, 45, 90)
CAPACITIES_BYTES = tuple(1024 * 2**i for i in range(13))  # 1 KiB .. 4 MiB
WIDTHS_BITS = (32, 64, 128, 256, 512)
MIN_DEPTH = 64  # rows below which CACTI finds no organisation

SETTINGS = """\
-cache type "ram"
-UCA bank count 1
-associativity 1
-read-write port 1
-exclusive read port 0
-exclusive write port 0
-single ended read ports 0
-tag size (b) 0
-Data array cell type - "itrs-lstp"
-Data array peripheral type - "itrs-lstp"
-Tag array cell type - "itrs-lstp"
-Tag array peripheral type - "itrs-lstp"
-operating temperature (K) 300
-access mode (normal, sequential, fast) - "fast"
-design objective (weight delay, dynamic power, leakage power, cycle time, area) 0:0:1000000:0:0
-deviate (delay, dynamic power, leakage power, cycle time, area) 20:10:100000:100:100
-NUCAdesign objective (weight delay, dynamic power, leakage power, cycle time, area) 100:100:0:0:100
-NUCAdeviate (delay, dynamic power, leakage power, cycle time, area) 10:10000:10000:10000:10000
-Optimize ED or ED^2 (ED, ED^2, NONE): "ED^2"
-Cache model (NUCA, UCA)  - "UCA"
-NUCA bank count 0
-Wire signaling (fullswing, lowswing, default) - "Global_30"
-Wire inside mat - "semi-global"
-Wire outside mat - "semi-global"
-Interconnect projection - "normal"
-Core count 1
-Add ECC - "false"
-Array Power Gating - "false"
-WL Power Gating - "false"
-CL Power Gating - "false"
-Bitline floating - "false"
-Interconnect Power Gating - "false"
-Power Gating Performance Loss 0.01
-page size (bits) 0
-burst length 8
-internal prefetch width 8
-Print level (DETAILED, CONCISE) - "DETAILED"
-Print input parameters - "true"
-Force cache config - "false"
-Ndwl 1
-Ndbl 1
-Nspd 0
-Ndcm 1
-Ndsam1 0
-Ndsam2 0
-dram_type "DDR3"
-io state "WRITE"
-addr_timing 1.0
-mem_density 4 Gb
-bus_freq 800 MHz
-duty_cycle 1.0
-activity_dq 1.0
-activity_ca 0.5
-num_dq 72
-num_dqs 18
-num_ca 25
-num_clk 2
-num_mem_dq 2
-mem_data_width 8
-rtt_value 10000
-ron_value 34
-tflight_value
-num_bobs 1
-capacity 80
-num_channels_per_bob 1
-first metric "Cost"
-second metric "Bandwidth"
-third metric "Energy"
-DIMM model "ALL"
-mirror_in_bob "F"
"""  # the lines on external IO change nothing here; CACTI refuses to start without them

COLUMNS = (
    "node_nm", "capacity_bytes", "width_bits",
    "read_pj", "write_pj", "area_um2", "leakage_uw", "cycle_ps",
)  # fmt: skip


def measure(folder: Path, node_nm: int, capacity_bytes: int, width_bits: int) -> list[float]:
    """Return one row of the table, in the order of `COLUMNS`.

    Raises
    ------
    InputError
        When CACTI ends without a result.
    """
    config = SETTINGS + (
        f"-size (bytes) {capacity_bytes}\n-block size (bytes) {width_bits // 8}\n"
        f"-output/input bus width {width_bits}\n-technology (u) {node_nm / 1000}\n-UCA bank 1\n"
    )
    with tempfile.TemporaryDirectory() as scratch:
        infile = Path(scratch) / "sram.cfg"
        infile.write_text(config)
        run = subprocess.run(
            ["./cacti", "-infile", str(infile)],
            cwd=folder, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        out = Path(f"{infile}.out")
        if run.returncode or not out.exists():
            tail = " | ".join(run.stdout.strip().splitlines()[-3:])
            raise InputError(str(folder), f"CACTI must give a result; it said: {tail}")
        row = list(csv.DictReader(out.read_text().splitlines(), skipinitialspace=True))[-1]
    scaled = {
        "Dynamic read energy (nJ)": 1e3,  # pJ
        "Dynamic write energy (nJ)": 1e3,
        "Area (mm2)": 1e6,  # um2
        "Standby leakage per bank(mW)": 1e3,  # uW
        "Random cycle time (ns)": 1e3,  # ps
    }
    values = [float(f"{float(row[name]) * scale:.5g}") for name, scale in scaled.items()]
    return [node_nm, capacity_bytes, width_bits, *values]


def main(arguments: list[str] | None = None) -> int:
    """Write the table as YAML on stdout."""
    parser = argparse.ArgumentParser(prog="python -m archsim.tech.cacti", description=__doc__)
    parser.add_argument("folder", type=Path, help="CACTI folder with a built `cacti`")
    parser.add_argument("--version", required=True, help="where the sources came from, to record")
    options = parser.parse_args(arguments)
    points = [
        (node, capacity, width)
        for node, capacity, width in itertools.product(NODES_NM, CAPACITIES_BYTES, WIDTHS_BITS)
        if capacity * 8 >= width * MIN_DEPTH
    ]
    digest = hashlib.sha256(SETTINGS.encode()).hexdigest()[:16]
    print(f"tool: {options.version}")
    print(f"recipe: python -m archsim.tech.cacti DIR, settings digest {digest}")
    print(f"columns: [{', '.join(COLUMNS)}]")
    print("rows:")
    for number, point in enumerate(points, 1):
        print(f"  - {measure(options.folder, *point)}", flush=True)
        print(f"\r{number}/{len(points)}", end="", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
