"""Frames are committed with their record or give their room back; a packet's fault stays."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from cocotb.triggers import ClockCycles, RisingEdge

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import (
    Item,
    StreamSink,
    StreamSource,
    interrupt,
    number,
    reset,
    run_module,
    seeded,
    start,
)
from tests.hdl.tx_packets import rfc1071


@pytest.mark.parametrize("width", [64, 256])
def test_frames_are_kept_or_dropped_whole(module_simulator: str, width: int) -> None:
    run_module(__file__, module_simulator, {"DATA_W": width, "ADDR_W": 6, "USER_W": 16})


def words(frame: bytes, lanes: int, about: Item) -> list[Item]:
    """A frame as words of the edit stage, with what is known of it."""
    out = []
    for pos in range(0, max(len(frame), 1), lanes):
        part = frame[pos : pos + lanes]
        last = int(pos + lanes >= len(frame))
        noise = part + b"\xa5" * (lanes - len(part))
        word = {"data": int.from_bytes(noise, "little"), "count": len(part), "last": last}
        out.append(about | word | {"error": about["error"] & last})
    return out


IDLE = {"in_valid": 0, "freed": 0, "rec_room": 1}


async def store(dut: Any, ram: dict[int, int]) -> None:
    while not dut.rst.value:
        await RisingEdge(dut.clk)
        if dut.ram_wr_en.value:
            ram[int(dut.ram_wr_addr.value)] = number(dut.ram_wr_data)


@cocotb.test()
async def good_frames_follow_each_other_and_bad_ones_leave_nothing(dut: Any) -> None:
    await start(dut, **IDLE)
    for _ in range(4):
        await write(dut)
        await reset(dut, **IDLE)


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    await start(dut, **IDLE)
    for count in range(1, 30, 4):
        await interrupt(dut, write(dut), count)
        await reset(dut, **IDLE)
        assert not dut.rec_valid.value
    await write(dut)


def swapped(value: int) -> int:
    return int.from_bytes(value.to_bytes(2, "big"), "little")


async def write(dut: Any) -> None:
    """Frames that are kept lie one behind the other from word 0 on; the dropped ones leave no room
    between them. Some packets have several frames; the first fault is theirs.
    """
    rng = seeded()
    lanes = len(dut.in_data) // 8
    ram: dict[int, int] = {}
    cocotb.start_soon(store(dut, ram))
    items, wanted, frames = [], [], []
    place, fault = 0, (r.STATUS_OK, 0)
    for user in range(16):
        frame = rng.randbytes(rng.randrange(30, 30 + 3 * lanes))
        l3, l4 = rng.randrange(20), rng.randrange(30)
        about = {
            "error": int(rng.random() < 0.2),
            "error_index": rng.randrange(1 << 16),
            "end": int(rng.random() < 0.5),
            "status": rng.choice([r.STATUS_OK] * 4 + [r.STATUS_BAD_CSUM]),
            "index": rng.randrange(1 << 16),
            "csum": rng.randrange(2),
            "csum_pos": rng.randrange(1 << 16),
            "l4": l4,
            "l4_len": rng.choice([0, len(frame)]),
            "ipcsum": rng.randrange(2),
            "l3": l3,
            "l3_end": l3 + 8,
            "user": user,
        }
        items += words(frame, lanes, about)
        if not fault[0]:
            fault = (about["status"], about["index"])
            if about["error"]:
                fault = (r.STATUS_DMA_ERR, about["error_index"])
        add = about["l4_len"].to_bytes(2, "big")
        wanted.append(
            {
                "len": len(frame),
                "csum": about["csum"],
                "csum_pos": about["csum_pos"],
                "csum_value": swapped(rfc1071(add + frame[l4:]) or 0xFFFF),
                "ipcsum": about["ipcsum"],
                "ipcsum_pos": l3 + 10,
                "ipcsum_value": swapped(rfc1071(frame[l3 : l3 + 8])),
                "end": about["end"],
                "status": fault[0],
                "index": fault[1] if fault[0] else about["index"],
                "user": user,
            }
        )
        if not fault[0]:
            frames.append((place, frame))
            place += -(-len(frame) // lanes)
        if about["end"]:
            fault = (r.STATUS_OK, 0)
    assert place < 64
    cocotb.start_soon(StreamSource(dut, "in", rng, 0.2).send(items))
    got = await StreamSink(dut, "rec", list(wanted[0]), rng).take(len(wanted))
    assert got == wanted[: len(got)]
    for at, frame in frames if len(got) == len(wanted) else ():
        count = -(-len(frame) // lanes)
        stored = b"".join(ram[at + i].to_bytes(lanes, "little") for i in range(count))
        assert stored[: len(frame)] == frame


ABOUT = {
    **dict.fromkeys(["error", "error_index", "end", "status", "index", "csum", "csum_pos"], 0),
    **dict.fromkeys(["l4", "l4_len", "ipcsum", "l3", "l3_end", "user"], 0),
}


@cocotb.test()
async def a_full_store_waits_for_room(dut: Any) -> None:
    rng = seeded()
    await start(dut, **IDLE)
    lanes = len(dut.in_data) // 8
    cocotb.start_soon(StreamSource(dut, "in", rng).send(words(bytes(80 * lanes), lanes, ABOUT)))
    await ClockCycles(dut.clk, 90)
    assert not dut.in_ready.value
    dut.freed.value = 1
    await RisingEdge(dut.clk)
    await RisingEdge(dut.clk)
    assert not dut.in_ready.value
    dut.freed.value = 20
    assert (await StreamSink(dut, "rec", ["len"], rng).take(1)) == [{"len": 80 * lanes}]


@cocotb.test()
async def no_frame_ends_without_room_for_its_record(dut: Any) -> None:
    given = {"rec_room": 0, "in_valid": 1, "in_last": 1, "in_count": 1}
    await start(dut, **(IDLE | given))
    for _ in range(5):
        await RisingEdge(dut.clk)
        assert not dut.in_ready.value
