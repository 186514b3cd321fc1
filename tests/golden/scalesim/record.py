"""Record the compute cycles that SCALE-Sim 3.0.0 reports, as ``cycles.csv`` beside this file.

Run it with a Python that has SCALE-Sim, whose release does not start on current NumPy and pandas::

    python -m venv scalesim-venv
    scalesim-venv/bin/pip install "scalesim==3.0.0" "numpy<2" "pandas<2.3"
    scalesim-venv/bin/python tests/golden/scalesim/record.py

Cycles are the "Total Cycles" of its compute report at estimated bandwidth (no memory stalls).
"""

from __future__ import annotations

import contextlib
import csv
import io
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from scalesim.scale_sim import scalesim

HERE = Path(__file__).parent

GEMMS = [  # M, N, K
    (1, 1, 1), (1, 1, 9), (1, 9, 1), (9, 1, 1), (4, 4, 4), (5, 3, 2), (8, 8, 8), (16, 16, 1),
    (17, 33, 5), (31, 32, 33), (63, 65, 127), (64, 8, 16), (8, 64, 16), (16, 16, 200),
    (1, 100, 256), (100, 1, 256), (128, 128, 128), (49, 64, 147), (196, 24, 96), (50, 10, 300),
]  # fmt: skip
CONVS = [  # input height, width, kernel height, width, channels, filters, stride
    (10, 10, 3, 3, 2, 4, 1), (16, 12, 5, 3, 3, 7, 2), (23, 23, 7, 7, 3, 8, 2),
    (7, 7, 1, 1, 16, 8, 1), (14, 14, 1, 1, 8, 8, 2), (9, 9, 9, 9, 1, 5, 1),
]  # fmt: skip
ARRAYS = [(8, 8), (4, 16), (16, 4), (32, 32), (128, 128)]
DATAFLOWS = ("os", "ws", "is")

CONFIG = """[general]
run_name = run
[run_presets]
InterfaceBandwidth = CALC
UseRamulatorTrace = False
[architecture_presets]
ArrayHeight = {rows}
ArrayWidth = {cols}
IfmapSramSzkB = 65536
FilterSramSzkB = 65536
OfmapSramSzkB = 65536
IfmapOffset = 0
FilterOffset = 10000000
OfmapOffset = 20000000
Dataflow = {dataflow}
Bandwidth = 10
ReadRequestBuffer = 32
WriteRequestBuffer = 32
[layout]
IfmapCustomLayout = False
IfmapSRAMBankBandwidth = 10
IfmapSRAMBankNum = 10
IfmapSRAMBankPort = 2
FilterCustomLayout = False
FilterSRAMBankBandwidth = 10
FilterSRAMBankNum = 10
FilterSRAMBankPort = 2
[sparsity]
SparsitySupport = false
"""


def topology(shapes: list[tuple[int, ...]], header: str) -> str:
    rows = [f"layer{i}," + ",".join(map(str, shape)) + "," for i, shape in enumerate(shapes)]
    return "\n".join([header, *rows]) + "\n"


def cycles(text: str, gemm: bool, rows: int, cols: int, dataflow: str) -> list[int]:
    """Return the compute cycles of every layer of a topology, from the tool's own report."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "t.csv").write_text(text)
        (folder / "layout.csv").write_text("Layer name,\n")
        (folder / "c.cfg").write_text(CONFIG.format(rows=rows, cols=cols, dataflow=dataflow))
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            tool = scalesim(
                save_disk_space=True, verbose=False, config=str(folder / "c.cfg"),
                topology=str(folder / "t.csv"), layout=str(folder / "layout.csv"),
                input_type_gemm=gemm,
            )  # fmt: skip
            tool.run_scale(top_path=str(folder / "out"))
        with (folder / "out" / "run" / "COMPUTE_REPORT.csv").open() as report:
            return [int(float(row[" Total Cycles"])) for row in csv.DictReader(report)]


def main() -> None:
    with (HERE / "cycles.csv").open("w", newline="") as out:
        out.write(
            f"# recorded by record.py with scalesim {version('scalesim')}, numpy "
            f"{version('numpy')}, pandas {version('pandas')}, Python {sys.version.split()[0]}\n"
        )
        table = csv.writer(out, lineterminator="\n")
        table.writerow(["form", "shape", "array", "dataflow", "cycles"])
        for rows, cols in ARRAYS:
            for dataflow in DATAFLOWS:
                gemm = topology(GEMMS, "Layer,M,N,K,")
                conv = topology(CONVS, "Layer name,IFMAP Height,IFMAP Width,Filter Height,"
                                "Filter Width,Channels,Num Filter,Strides,")  # fmt: skip
                forms = (("gemm", GEMMS, gemm), ("conv", CONVS, conv))
                for form, shapes, text in forms:
                    found = cycles(text, form == "gemm", rows, cols, dataflow)
                    for shape, value in zip(shapes, found, strict=True):
                        row = [form, "x".join(map(str, shape)), f"{rows}x{cols}", dataflow, value]
                        table.writerow(row)
                        print(*row, file=sys.stderr)


if __name__ == "__main__":
    main()
