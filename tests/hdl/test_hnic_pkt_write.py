"""Packets are committed with their record or give their room back."""

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


@pytest.mark.parametrize("width", [64, 256])
def test_packets_are_kept_or_dropped_whole(module_simulator: str, width: int) -> None:
    run_module(__file__, module_simulator, {"DATA_W": width, "ADDR_W": 6})


def words(frame: bytes, lanes: int, error: int = 0) -> list[Item]:
    """A frame as words of the gather stage."""
    out = []
    for pos in range(0, max(len(frame), 1), lanes):
        part = frame[pos : pos + lanes]
        noise = part + b"\xa5" * (lanes - len(part))
        last = int(pos + lanes >= len(frame))
        out.append(
            {
                "data": int.from_bytes(noise, "little"),
                "count": len(part),
                "last": last,
                "error": error & last,
            }
        )
    return out


IDLE = {"in_valid": 0, "open_valid": 0, "close_valid": 0, "freed": 0, "rec_room": 1}


async def store(dut: Any, ram: dict[int, int]) -> None:
    while not dut.rst.value:
        await RisingEdge(dut.clk)
        if dut.ram_wr_en.value:
            ram[int(dut.ram_wr_addr.value)] = number(dut.ram_wr_data)


@cocotb.test()
async def good_packets_follow_each_other_and_bad_ones_leave_nothing(dut: Any) -> None:
    await start(dut, **IDLE)
    await write(dut)


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    await start(dut, **IDLE)
    for count in range(1, 30, 2):
        await interrupt(dut, write(dut), count)
        await reset(dut, **IDLE)
        assert not dut.rec_valid.value
    await write(dut)


async def write(dut: Any) -> None:
    """Packets that are kept lie one behind the other from word 0 on; the dropped ones leave no room
    between them.
    """
    rng = seeded()
    lanes = len(dut.in_data) // 8
    ram: dict[int, int] = {}
    cocotb.start_soon(store(dut, ram))
    items, opens, closes, wanted = [], [], [], []
    place, room = 0, 64 * lanes
    for index in range(12):
        frame = rng.randbytes(rng.randrange(1, 3 * lanes))
        status = rng.choice([r.STATUS_OK, r.STATUS_OK, r.STATUS_BAD_CSUM])
        error = int(rng.random() < 0.25)
        items += words(frame, lanes, error)
        opens.append({"csum": index & 1, "csum_start": 14, "csum_offset": index, "cookie": index})
        closes.append({"next": index + 1, "status": status})
        final = status or (r.STATUS_DMA_ERR if error else r.STATUS_OK)
        wanted.append(
            {
                "len": len(frame),
                "csum": index & 1,
                "csum_pos": 14 + index,
                "next": index + 1,
                "status": final,
                "cookie": index,
            }
        )
        if final == r.STATUS_OK:
            opens[-1]["place"] = place
            place += -(-len(frame) // lanes)
    assert place * lanes < room
    places = [o.pop("place", None) for o in opens]
    for name, values in (("open", opens), ("close", closes), ("in", items)):
        cocotb.start_soon(StreamSource(dut, name, rng, 0.2).send(values))
    fields = ["len", "csum", "csum_pos", "next", "status", "cookie"]
    got = await StreamSink(dut, "rec", fields, rng).take(12)
    assert got == wanted
    position = 0
    for entry, at in zip(got, places, strict=True):
        count = -(-entry["len"] // lanes)
        stored = (
            b"".join(ram[at + i].to_bytes(lanes, "little") for i in range(count))
            if at is not None
            else None
        )
        sent = b"".join(items[position + i]["data"].to_bytes(lanes, "little") for i in range(count))
        assert stored in (None, sent)
        position += count


@cocotb.test()
async def a_full_store_waits_for_room(dut: Any) -> None:
    rng = seeded()
    await start(dut, **IDLE)
    lanes = len(dut.in_data) // 8
    dut.open_valid.value, dut.close_valid.value, dut.close_status.value = 1, 1, r.STATUS_OK
    (
        dut.open_csum.value,
        dut.open_csum_start.value,
        dut.open_csum_offset.value,
        dut.open_cookie.value,
    ) = 0, 0, 0, 0
    cocotb.start_soon(StreamSource(dut, "in", rng).send(words(bytes(80 * lanes), lanes)))
    await ClockCycles(dut.clk, 90)
    assert not dut.in_ready.value
    dut.freed.value = 1
    await RisingEdge(dut.clk)
    await RisingEdge(dut.clk)
    assert not dut.in_ready.value
    dut.freed.value = 20
    assert (await StreamSink(dut, "rec", ["len"], rng).take(1)) == [{"len": 80 * lanes}]


@cocotb.test()
async def no_packet_ends_without_room_for_its_record(dut: Any) -> None:
    await start(
        dut,
        **(
            IDLE
            | {
                "rec_room": 0,
                "open_valid": 1,
                "close_valid": 1,
                "in_valid": 1,
                "in_last": 1,
                "in_count": 1,
            }
        ),
    )
    for _ in range(5):
        await RisingEdge(dut.clk)
        assert not dut.in_ready.value
