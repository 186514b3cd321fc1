"""Figures 11 to 13, simulated: networks on OPT4E against a systolic array of its area."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources

from archsim.design import load_design
from archsim.engines import op_kinds
from archsim.frontends import load
from archsim.frontends.borrowed import borrow
from archsim.reproduce.equal_area import SpeedUp, speedup_factors
from archsim.reproduce.row import Row, Section
from archsim.reproduce.tpe.networks import pp_to_macs
from archsim.reproduce.tpe.numbers import PUBLISHED
from archsim.result import Result

COUNTS = resources.files("archsim.reproduce.tpe") / "counts"
NODE = "freepdk45"
DENSE, BITSLICE = "tpu_like", "opt4e_like"
CNN, TRANSFORMER = "text_detection_counts", "minilm_counts"
MODELS = {  # the paper's networks that archsim has, and whose operands stand in for theirs
    "ResNet-50": ("resnet50", CNN),
    "MobileNet-V2": ("mobilenet_v2", CNN),
    "ViT": ("vit_b16", TRANSFORMER),
    "GPT-2": ("gpt2_prefill", TRANSFORMER),
}
TRAINED = {"text detection (trained)": CNN, "MiniLM (trained)": TRANSFORMER}
OURS = (
    f"ours: {BITSLICE} over {DENSE} in {NODE}, simulated, arrays of equal area, each at the clock "
    "that synthesis of its RTL reaches"
)
OPERANDS = (
    "operands: counts of the integers of two trained networks, a text detector (CNN) and MiniLM "
    "(transformer); the paper's networks borrow those of the products that are most like theirs"
)
ALONE = (
    "arrays alone: areas without operand banks, buffers and accumulators in SRAM, and without the "
    "lanes that requantise, none of which Table VII seems to have"
)
NOT_ALONE = ("operand_banks", "digit_buffers", "accumulators", "epilogue")
OWN_CLOCKS = {"node": NODE, "engines.vpu.clock_mhz": 400}  # arrays need not wait for the other unit


def section() -> Section:
    """Return speed-ups, utilisation and energy at equal area."""
    found = {net: _compared(model, donor) for net, (model, donor) in MODELS.items()}
    trained = {net: _compared(None, donor) for net, donor in TRAINED.items()}
    rows = [row for net, speed_up in found.items() for row in _rows(net, speed_up)]
    notes = [_factors(net, speed_up) for net, speed_up in (*found.items(), *trained.items())]
    return Section(
        "Figures 11-13: networks at equal area", tuple(rows), (OURS, ALONE, OPERANDS, *notes)
    )


def _compared(model: str | None, donor: str) -> SpeedUp:
    """Return the speed-up on a named model with a donor's counts, or on the donor itself."""
    kinds = op_kinds()
    with resources.as_file(COUNTS) as folder:
        counts = load(str(folder / f"{donor}.jsonl"), kinds)
        trace = counts if model is None else borrow(load(model, kinds), counts, kinds)
        dense, bitslice = (load_design(name, OWN_CLOCKS) for name in (DENSE, BITSLICE))
        return speedup_factors(trace, dense, bitslice)


def _rows(network: str, found: SpeedUp) -> Iterator[Row]:
    published = PUBLISHED["networks"]
    alone = found.simulated / found.factors["area"] * _area_alone(found)
    rows = (
        ("speed_up", "speed-up", found.simulated, _factors_differ(found)),
        ("speed_up", "speed-up, arrays alone", alone, _factors_differ(found)),
        ("utilisation", "utilisation of OPT4E", 100 * _busy(found), _waits(found)),
        ("energy", "energy over the systolic array's", _energy(found), _parts(found)),
    )
    for column, what, ours, cause in rows:
        row = Row(
            f"{network}: {what}", published.value(network, column), published.tag, ours,
            unit=published.units[column],
        )  # fmt: skip
        yield row.because(cause)


def _engine(result: Result) -> str:
    """Return the engine that runs a result's products."""
    (name,) = {row.engine for row in result.per_op if row.macs}
    return name


def _area_alone(found: SpeedUp) -> float:
    """Return the ratio of areas, dense over bit-slice, of what Table VII seems to have."""
    areas = []
    for result in (found.dense, found.bitslice):
        owner = _engine(result)
        parts = (part.partition(".") for part in result.area_um2)
        names = [f"{e}.{p}" for e, _, p in parts if e == owner and p not in NOT_ALONE]
        areas.append(sum(result.area_um2[name] for name in names))
    return areas[0] / areas[1]


def _factors_differ(found: SpeedUp) -> str:
    """Return what a speed-up is made of, ours and theirs."""
    factors = found.factors
    pace = factors["lanes"] * factors["clock"]
    return (
        f"lanes x clock x area is {pace * factors['area']:.2f}, of arrays alone "
        f"{pace * _area_alone(found):.2f}, and by Table VII {pp_to_macs():.2f}; partial products a "
        f"MAC {found.num_pp:.2f}; lanes with an element {100 * factors['edges']:.0f} %; columns "
        f"issue a digit in {100 * factors['columns']:.0f} % of their cycles; the systolic array "
        f"does {100 / factors['1/dense utilisation']:.0f} % of its MACs"
    )


def _busy(found: SpeedUp) -> float:
    """Return the share of its cycles that a column works between barriers, groups of zeros too."""
    taken = _counted(found, "digits") + _counted(found, "empty")
    return taken / (taken + _counted(found, "bank_wait") + _counted(found, "sync_wait"))


def _counted(found: SpeedUp, name: str) -> int:
    return sum(row.counts.get(name, 0) for row in found.bitslice.per_op)


def _waits(found: SpeedUp) -> str:
    names = ("digits", "empty", "bank_wait", "sync_wait")
    counts = {name: _counted(found, name) for name in names}
    whole = sum(counts.values())
    banks, others = (100 * counts[name] / whole for name in ("bank_wait", "sync_wait"))
    return (
        f"columns wait {banks:.0f} % of their time for a bank that the column before them is in, "
        f"and {others:.0f} % for the slowest one at the end of a chunk; how the paper's columns "
        "share banks, and how long its chunks are, is not known"
    )


def _parts(found: SpeedUp) -> str:
    """Return where the energy of both arrays goes."""
    texts = []
    for name, result in ((BITSLICE, found.bitslice), (DENSE, found.dense)):
        owner = _engine(result)
        parts = {p: pj for p, pj in result.energy_pj.items() if p.split(".")[0] == owner}
        whole = sum(parts.values())
        shares = (f"{part} {100 * pj / whole:.0f} %" for part, pj in parts.items())
        texts.append(f"{name}: {whole * 1e-9:.3g} mJ ({', '.join(shares)})")
    return f"{'; '.join(texts)}; whether the paper has memories in its energies is not known"


def _energy(found: SpeedUp) -> float:
    """Return the energy of the products' array over the dense one's."""
    spent = []
    for result in (found.bitslice, found.dense):
        parts, owner = result.energy_pj.items(), _engine(result)
        spent.append(sum(pj for part, pj in parts if part.split(".")[0] == owner))
    return spent[0] / spent[1]


def _factors(network: str, found: SpeedUp) -> str:
    """Return a speed-up factor by factor."""
    product = " x ".join(f"{value:.3g} ({name})" for name, value in found.factors.items())
    return (
        f"{network}: {product} = {found.product:.3f}; simulated {found.simulated:.3f}, "
        f"with what arrays wait for {found.network:.3f}"
    )
