"""What the paper prints, and what follows from it alone."""

from __future__ import annotations

from importlib import resources

from archsim.reproduce.published import read

PUBLISHED = read(resources.files("archsim.reproduce.tpe") / "published.yaml")

OPERAND_BITS = 8
PES = 1024  # of every array of Table VII: 2.05 TOPS at 1 GHz
OPS_A_MAC = 2
TERA = 1e12
DENSE = tuple(
    f"{pe}({array})" if pe else array
    for array in ("TPU", "Ascend", "Trapezoid", "FlexFlow")
    for pe in (("", "OPT1", "OPT2") if array == "FlexFlow" else ("", "OPT1"))
)
LANES = {"OPT3": 1, "OPT4C": 1, "OPT4E": 4}  # partial products a PE takes a cycle
SIGMA = 25.0  # of int8 values that a normal matrix of 1024 x 1024 becomes, about
RECOMPUTED = "recomputed from the paper's own numbers"


def implied_num_pp(design: str) -> float:
    """Return the partial products a MAC by which Table VII's peak follows from its clock."""
    table = PUBLISHED["table_7"]
    tera_pp = PES * LANES[design] * table.value(design, "clock_mhz") * 1e-6
    return OPS_A_MAC * tera_pp / table.value(design, "tops")


def dense_ops_per_s(clock_mhz: float) -> float:
    """Return the peak of an array that does `PES` MACs a cycle."""
    return OPS_A_MAC * PES * clock_mhz * 1e6
