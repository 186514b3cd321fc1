"""The system: two convolutions, the result of the first kept on chip, against arithmetic."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import cocotb
from bus import Registers, stalls, start
from cocotb.triggers import FallingEdge
from memory import Matrix, Memory

HERE = Path(__file__).parents[1]
MANIFEST: dict[str, Any] = json.loads((HERE / "manifest.json").read_text())
LAYERS: dict[str, Any] = json.loads((HERE / "layers.json").read_text())
SEED = int(os.environ.get("SEED", "1"))
OFFSET = {register["name"]: register["offset"] for register in MANIFEST["registers"]}
OKAY, SLVERR = 0, 2
BUSY, REFUSED, ERROR = 1, 2, 4
BASE = 0x0001_0000
PATIENCE_POLLS = 100_000


def draw(rng: random.Random) -> dict[str, Matrix]:
    """Return random inputs, weights and biases; biases small beside the sums."""
    drawn = {}
    for name, place in LAYERS["tensors"].items():
        if place["role"] in ("input", "weight"):
            half = 1 << (min(place["bits"], 13) - 1)
            drawn[name] = [
                [rng.randrange(-half, half) for _ in range(place["columns"])]
                for _ in range(place["rows"])
            ]
    return drawn


def convolution(op: dict[str, Any], image: Matrix, weights: Matrix) -> Matrix:
    """Return the sums of each output pixel; taps are in the weights' rows, channel outermost."""
    (kh, kw), (top, left, bottom, right) = op["kernel"], op["pad"]
    height, width, channels = op["height"], op["width"], op["channels"]
    sums = []
    for y in range(height + top + bottom - kh + 1):
        for x in range(width + left + right - kw + 1):
            row = [0] * op["filters"]
            for i in range(kh):
                for j in range(kw):
                    v, u = y + i - top, x + j - left
                    if not (0 <= v < height and 0 <= u < width):
                        continue
                    for c in range(channels):
                        value = image[v * width + u][c]
                        tap = weights[(c * kh + i) * kw + j]
                        row = [total + value * w for total, w in zip(row, tap, strict=True)]
            sums.append(row)
    return sums


def narrowed(op: dict[str, Any], sums: Matrix, bias: list[int]) -> Matrix:
    """Return sums with bias, scaled, rounded half to even, shifted by the zero point, clamped."""

    def one(total: int, multiplier: int, shift: int) -> int:
        product, half = total * multiplier, 1 << shift >> 1
        rounded = (product + half) >> shift
        if shift and product & ((1 << shift) - 1) == half and rounded & 1:
            rounded -= 1
        return max(op["low"], min(op["high"], rounded + op["zero_point"]))

    columns = list(zip(bias, op["multiplier"], op["shift"], strict=True))
    return [
        [one(total + b, m, s) for total, (b, m, s) in zip(row, columns, strict=True)]
        for row in sums
    ]


def results(values: dict[str, Matrix]) -> dict[str, Matrix]:
    """Return what the memory must hold in the end."""
    values = dict(values)
    for op in LAYERS["ops"]:
        sums = convolution(op, *(values[name] for name in op["inputs"][:2]))
        if "multiplier" in op:
            sums = narrowed(op, sums, values[op["inputs"][2]][0])
        values[op["output"]] = sums
    return {n: values[n] for n, place in LAYERS["tensors"].items() if place["role"] == "output"}


async def begin(dut: Any) -> None:
    for name in ("awaddr", "awprot", "awvalid", "wdata", "wstrb", "wvalid", "bready",
                 "araddr", "arprot", "arvalid", "rready"):  # fmt: skip
        getattr(dut, f"s_axi_{name}").value = 0
    for name in ("awready", "wready", "arready", "rvalid", "bvalid"):
        getattr(dut, f"m_axi_{name}").value = 0
    await start(dut, "aclk", "aresetn", active=0)


async def write_program(registers: Registers) -> None:
    """Write the tables as software would: POINTER at the head of each piece, then its words."""
    place = (-1, -1)
    for table, address, word in LAYERS["words"]:
        if (table, address) != place:
            assert await registers.write(OFFSET["POINTER"], table << 28 | address) == OKAY
        assert await registers.write(OFFSET["WORD"], word) == OKAY
        place = (table, address + 1)
    for name in ("TRANSFERS", "JOBS"):
        assert await registers.write(OFFSET[name], LAYERS[name.lower()]) == OKAY
    assert await registers.write(OFFSET["BASE"], BASE) == OKAY


async def run(registers: Registers) -> int:
    """Start the program and return STATUS when it is done."""
    assert await registers.write(OFFSET["CONTROL"], 1) == OKAY
    for _ in range(PATIENCE_POLLS):
        status, _ = await registers.read(OFFSET["STATUS"])
        assert not status & REFUSED
        if not status & BUSY:
            return status
    raise AssertionError("the program does not end")


def compare(memory: Memory, wanted: dict[str, Matrix]) -> None:
    for name, matrix in wanted.items():
        got = memory.get(LAYERS["tensors"][name])
        for i, (row, right) in enumerate(zip(got, matrix, strict=True)):
            assert row == right, f"{name}, row {i}: {row}, not {right}; repeat with SEED={SEED}"


async def layers(dut: Any, gaps: bool, times: int) -> None:
    await begin(dut)
    rng = random.Random(SEED)
    registers = Registers(dut, dut.aclk, lambda: 0)
    memory = Memory(dut, BASE, LAYERS["memory_bytes"], stalls(rng, gaps))
    tasks = memory.start()
    await write_program(registers)
    for _ in range(times):
        values = draw(rng)
        for name, matrix in values.items():
            memory.put(LAYERS["tensors"][name], matrix)
        assert await run(registers) == 0
        compare(memory, results(values))
        assert await registers.read(OFFSET["JOBS_DONE"]) == (LAYERS["jobs"], OKAY)
    cycles, _ = await registers.read(OFFSET["CYCLES"])
    dut._log.info(f"{cycles} cycles, {memory.bursts} bursts")
    for task in tasks:
        task.cancel()


@cocotb.test()
async def layers_at_full_rate_twice(dut: Any) -> None:
    await layers(dut, gaps=False, times=2)


@cocotb.test()
async def layers_with_the_memory_stalling(dut: Any) -> None:
    await layers(dut, gaps=True, times=1)


@cocotb.test()
async def registers_identify_and_refuse(dut: Any) -> None:
    await begin(dut)
    registers = Registers(dut, dut.aclk, lambda: 0)
    system = MANIFEST["system"]
    assert await registers.read(OFFSET["ID"]) == (int.from_bytes(b"ARSY", "big"), OKAY)
    geometry = system["rows"] | system["cols"] << 16
    assert await registers.read(OFFSET["GEOMETRY"]) == (geometry, OKAY)
    assert await registers.write(OFFSET["ID"], 0) == SLVERR
    assert await registers.write(OFFSET["BASE"] + 1, 1) == SLVERR
    assert await registers.read(0xFC) == (0, SLVERR)
    assert await registers.write(OFFSET["CONTROL"], 1) == OKAY  # no rows to run
    assert await registers.read(OFFSET["STATUS"]) == (REFUSED, OKAY)


@cocotb.test()
async def an_error_of_the_memory_is_reported(dut: Any) -> None:
    await begin(dut)
    registers = Registers(dut, dut.aclk, lambda: 0)
    memory = Memory(dut, BASE, LAYERS["memory_bytes"], lambda: 0)
    tasks = memory.start()
    await write_program(registers)
    memory.response = SLVERR
    assert await run(registers) == ERROR
    memory.response = OKAY
    assert await run(registers) == 0
    for task in tasks:
        task.cancel()
    await FallingEdge(dut.aclk)
