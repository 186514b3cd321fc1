"""What a kernel took on a GPU: one JSON file a measurement, complete enough to repeat it."""

from __future__ import annotations

import json
import os
import statistics
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from archsim.errors import InputError
from archsim.files import check_file
from archsim.gpu.kernel import Draw

SUFFIX = ".json"
MAX_FILE_BYTES = 1 << 20
MAX_RECORDS = 10_000

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=1000)]


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class About(_Written):
    """A GPU as it says of itself; ``target`` is what kernels are compiled for on it."""

    name: Text
    target: Text
    sms: Annotated[int, Field(gt=0)]
    memory_bytes: Annotated[int, Field(gt=0)]
    l2_bytes: Annotated[int, Field(ge=0)]
    driver: Text
    cuda: Text


class State(_Written):
    """Clocks, power and temperature of a GPU at work: medians of samples."""

    sm_mhz: Positive
    memory_mhz: Positive
    power_w: Positive
    temperature_c: Annotated[float, Field(ge=-100, le=300)]
    power_limit_w: Positive


class Record(_Written):
    """A measurement of one kernel on one problem.

    Attributes
    ----------
    tile
        Constants, warps and stages of its launch.
    times_us
        Of launches one by one, each with a cold L2 cache, by CUDA events.
    sustained_us
        Mean of launches back to back, during which `state` was sampled.
    state
        None where the GPU's management library did not answer; ``state_missing`` says why.
    operations, bytes
        What the problem is at least; a multiply-add is two operations.
    disagreements
        Results that the oracle does not allow; empty if all agree.
    same_bits
        Share of results that are to the bit what the model of tensor cores gives, of those that
        it was asked for; none where it has no rule.
    """

    schema_version: Literal[1] = 1
    kernel: Text
    shape: dict[str, Annotated[int, Field(gt=0)]]
    formats: dict[str, Text]
    values: Draw
    seed: Annotated[int, Field(ge=0)]
    tile: dict[str, int]
    gpu: About
    times_us: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=10_000)]
    sustained_us: Positive
    state: State | None
    state_missing: Text = ""
    operations: Annotated[int, Field(ge=0)]
    bytes: Annotated[int, Field(ge=0)]
    disagreements: tuple[Text, ...]
    same_bits: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}
    versions: dict[str, Text]
    command: Text
    when: Text

    @property
    def median_us(self) -> float:
        return statistics.median(self.times_us)

    @property
    def spread_us(self) -> tuple[float, float]:
        """Return the lower and the upper quartile of the times."""
        if len(self.times_us) == 1:
            return self.times_us[0], self.times_us[0]
        low, _, high = statistics.quantiles(self.times_us, n=4, method="inclusive")
        return low, high

    @property
    def tera_operations_per_s(self) -> float:
        return self.operations / self.median_us * 1e-6

    @property
    def gb_per_s(self) -> float:
        """Return what the problem's own bytes make in the median time."""
        return self.bytes / self.median_us * 1e-3

    @property
    def energy_pj(self) -> float | None:
        """Return the whole board's energy of one launch, sustained; None without a power."""
        return None if self.state is None else self.state.power_w * self.sustained_us * 1e6

    @property
    def file_name(self) -> str:
        device = "".join(c if c.isalnum() else "-" for c in self.gpu.name.lower()).strip("-")
        extents = "_".join(f"{name}{extent}" for name, extent in self.shape.items())
        drawn = "" if self.values == "normal" else f".{self.values}"
        return f"{device}.{self.kernel}.{extents}{drawn}.seed{self.seed}{SUFFIX}"


def write(record: Record, folder: Path) -> Path:
    """Write a record into a folder, over an earlier one of the same problem; return its file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / record.file_name
    whole = path.with_suffix(".part")
    whole.write_text(json.dumps(record.model_dump(mode="json"), indent=1) + "\n", "utf-8")
    os.replace(whole, path)  # noqa: PTH105
    return path


def read(path: Path) -> Record:
    """Return the record in a file.

    Raises
    ------
    InputError
        If there is none, or it is no record.
    """
    try:
        check_file(path, MAX_FILE_BYTES)
        content = path.read_bytes()
    except OSError as fault:
        raise InputError(str(path), f"cannot be read: {fault.strerror}") from None
    try:
        return Record.model_validate_json(content)
    except ValidationError as fault:
        first = fault.errors()[0]
        at = ".".join(map(str, first["loc"])) or "record"
        raise InputError(
            f"{path}: {at}", f"is no record of archsim gpu run: {first['msg']}", first.get("input")
        ) from None


def read_all(folder: Path) -> tuple[Record, ...]:
    """Return the records of a folder, in the order of their file names.

    Raises
    ------
    InputError
        If the folder is missing, or a ``.json`` file in it is no record.
    """
    if not folder.is_dir():
        raise InputError(str(folder), "must be a folder of records, as archsim gpu run writes them")
    files = sorted(path for path in folder.iterdir() if path.suffix == SUFFIX)
    if len(files) > MAX_RECORDS:
        raise InputError(str(folder), f"must have at most {MAX_RECORDS:,} records", len(files))
    return tuple(read(path) for path in files)
