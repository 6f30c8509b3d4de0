"""Pieces are fetched by bursts, many at a time, and come out as frames without gaps."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from tests.hdl.bench import StreamSink, StreamSource, interrupt, reset, run_module, seeded, start
from tests.hdl.read_memory import ReadMemory

IMAGE = 1 << 16
MEMORY, TAG, HEADER, HEADER_WAIT = range(4)


@pytest.mark.parametrize("width", [64, 128, 512])
def test_pieces_become_frames(module_simulator: str, width: int) -> None:
    run_module(
        __file__,
        module_simulator,
        {"DATA_W": width, "BURST_BYTES": 256, "FIFO_BYTES": 1024, "OUTSTANDING": 8},
    )


IDLE = {
    "quiesce": 0,
    "piece_valid": 0,
    "header_valid": 0,
    "r_valid": 0,
    "ar_ready": 0,
    "out_ready": 0,
}


async def keeper(dut: Any, header: bytes, rng: random.Random, pause: float) -> None:
    """The kept header: its beats in order, again from the front after any other beat."""
    lanes, edge = len(dut.r_data) // 8, RisingEdge(dut.clk)
    at = 0
    while not dut.rst.value:
        dut.header_valid.value = rng.random() >= pause
        dut.header_data.value = int.from_bytes(
            header[at * lanes :][:lanes].ljust(lanes, b"\xa5"), "little"
        )
        await edge
        if dut.header_step.value:
            assert dut.header_valid.value
            at += 1
        elif dut.header_restart.value:
            at = 0


def joined(pieces: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """(address, bytes) pieces with those that follow each other made one."""
    out: list[tuple[int, int]] = []
    for addr, size in pieces:
        if out and sum(out[-1]) == addr:
            out[-1] = (out[-1][0], out[-1][1] + size)
        else:
            out.append((addr, size))
    return out


def some_piece(rng: random.Random, header: bytes, image: bytes) -> tuple[dict[str, int], bytes]:
    kind = rng.choice([MEMORY] * 6 + [TAG, HEADER, HEADER_WAIT])
    index = rng.randrange(1 << 16)
    if kind == MEMORY:
        length = rng.choice([1, 2, 15, 60, 64, 255, 1500, rng.randrange(1, 600)])
        border = 4096 * rng.randrange(1, 8) - rng.randrange(1, 40)
        addr = rng.choice([rng.randrange(IMAGE - length), border])
        data = image[addr : addr + length]
    elif kind == TAG:
        addr, length, data = rng.randrange(IMAGE), 4, b"\x81\0" + index.to_bytes(2, "big")
    else:
        addr, length = 0, rng.randrange(54, 197)
        data = header[:length]
    return {"kind": kind, "addr": addr, "len": length, "index": index}, data


async def run(dut: Any, count: int, latency: int, pause: float, bad: range) -> ReadMemory:
    """Frames of scattered pieces; no byte beside them is asked for, and none comes out."""
    rng = seeded()
    image, header = bytearray(rng.randbytes(IMAGE)), rng.randbytes(196)
    memory = ReadMemory(dut, image, rng, latency, pause)
    memory.bad = set(bad)
    cocotb.start_soon(memory.run())
    cocotb.start_soon(keeper(dut, header, rng, pause))
    pieces, wanted = [], []
    for _ in range(count):
        whole, culprit = b"", None
        parts = rng.randrange(1, 6)
        for i in range(parts):
            piece, data = some_piece(rng, header, image)
            if piece["kind"] > TAG and not (i == 0 < parts - 1):  # only to begin with
                piece |= {"kind": MEMORY, "addr": 0, "len": 7}
                data = bytes(image[:7])
            begin = piece["addr"] // memory.lanes * memory.lanes
            failed = begin < bad.stop and piece["addr"] + piece["len"] > bad.start
            if failed and culprit is None and piece["kind"] == MEMORY:
                culprit = piece["index"]
            pieces.append(piece | {"last": int(i == parts - 1)})
            whole += data
        wanted.append((whole, culprit))
    cocotb.start_soon(StreamSource(dut, "piece", rng).send(pieces))
    fields = ["data", "count", "last", "error", "error_index"]
    sink = StreamSink(dut, "out", fields, rng, pause / 2)
    for whole, culprit in wanted:
        data, word = b"", {"last": 0}
        while not word["last"]:
            (word,) = await sink.take(1)
            data += word["data"].to_bytes(memory.lanes, "little")[: word["count"]]
        assert word["error"] == int(culprit is not None)
        assert culprit is None or word["error_index"] == culprit
        assert data == whole
    asked = [(p["addr"], p["len"]) for p in pieces if p["kind"] == MEMORY]
    assert joined(memory.touched) == joined(asked)
    return memory


@cocotb.test()
@cocotb.parametrize((("latency", "pause"), [(1, 0.0), (80, 0.0), (80, 0.5)]))
async def frames_come_out_as_their_pieces_lie(dut: Any, latency: int, pause: float) -> None:
    await start(dut, **IDLE)
    memory = await run(dut, 24, latency, pause, range(0))
    assert memory.peak * memory.lanes <= int(dut.FIFO_BYTES.value)
    if latency == 80:
        assert memory.peak > 1


@cocotb.test()
async def a_read_error_marks_its_frames_and_names_its_piece(dut: Any) -> None:
    await start(dut, **IDLE)
    await run(dut, 24, 5, 0.3, range(0x4000, 0x6000))


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    await start(dut, **IDLE)
    for count in (2, 5, 10, 21, 50, 120):
        await interrupt(dut, run(dut, 9, 4, 0.2, range(0)), count)
        await reset(dut, **IDLE)
        assert not dut.ar_valid.value
        assert not dut.out_valid.value
        await run(dut, 2, 1, 0.0, range(0))
        await reset(dut, **IDLE)


@cocotb.test()
async def no_read_starts_while_quiesced(dut: Any) -> None:
    piece = {"piece_valid": 1, "piece_kind": 0, "piece_addr": 0, "piece_len": 60, "piece_last": 1}
    await start(dut, **(IDLE | piece | {"quiesce": 1, "ar_ready": 1, "out_ready": 1}))
    for _ in range(10):
        await RisingEdge(dut.clk)
        assert not dut.ar_valid.value
