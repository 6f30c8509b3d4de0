"""Records become frames without a gap; every record is entered for its completion."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import StreamSink, StreamSource, interrupt, reset, run_module, seeded, start


@pytest.mark.parametrize("width", [64, 128, 512])
def test_packets_leave_the_store_in_order(module_simulator: str, width: int) -> None:
    run_module(__file__, module_simulator, {"DATA_W": width, "ADDR_W": 7})


async def ram(dut: Any, image: bytes) -> None:
    lanes = len(dut.ram_rd_data) // 8
    while True:
        await RisingEdge(dut.clk)
        if dut.ram_rd_en.value:
            place = int(dut.ram_rd_addr.value) * lanes
            dut.ram_rd_data.value = int.from_bytes(image[place : place + lanes], "little")


IDLE = {"quiesce": 0, "rec_valid": 0, "enter_ready": 0, "out_ready": 0}


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.5])
async def frames_come_out_of_the_ring(dut: Any, pause: float) -> None:
    await start(dut, **IDLE)
    image = seeded().randbytes(128 * len(dut.ram_rd_data) // 8)
    cocotb.start_soon(ram(dut, image))
    await read(dut, image, 60, pause)


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    await start(dut, **IDLE)
    image = seeded().randbytes(128 * len(dut.ram_rd_data) // 8)
    cocotb.start_soon(ram(dut, image))
    for count in (1, 2, 5, 11, 40, 90):
        await interrupt(dut, read(dut, image, 20, 0.3), count)
        await reset(dut, **IDLE)
        assert not dut.out_valid.value
        assert int(dut.freed.value) == 0
        await read(dut, image, 3, 0.0)


async def read(dut: Any, image: bytes, count: int, pause: float) -> None:
    """Records of random frames in the ring that starts at 0."""
    rng = seeded()
    lanes = len(dut.ram_rd_data) // 8
    records, frames, place = [], [], 0
    for index in range(count):
        length = rng.randrange(1, 20 * lanes)
        status = rng.choice([r.STATUS_OK, r.STATUS_OK, r.STATUS_TOO_LONG])
        records.append(
            {
                "len": length,
                "csum": index & 1,
                "csum_pos": index,
                "csum_value": 3 * index,
                "next": index,
                "status": status,
                "cookie": 7 * index,
            }
        )
        if status == r.STATUS_OK:
            whole = b"".join(
                image[(place + i) % 128 * lanes :][:lanes] for i in range(-(-length // lanes))
            )
            frames.append((7 * index, index, whole[:length]))
            place += -(-length // lanes)
    cocotb.start_soon(StreamSource(dut, "rec", rng).send(records))
    entered = cocotb.start_soon(
        StreamSink(dut, "enter", ["cookie", "next", "status"], rng, pause).take(count)
    )
    sink = StreamSink(
        dut,
        "out",
        ["data", "count", "last", "index", "cookie", "csum", "csum_pos", "csum_value"],
        rng,
        pause,
    )
    for cookie, index, frame in frames:
        data, word = b"", {"last": 0}
        while not word["last"]:
            (word,) = await sink.take(1)
            assert word["index"] == len(data) // 8
            assert (word["cookie"], word["csum"], word["csum_pos"], word["csum_value"]) == (
                cookie,
                index & 1,
                index,
                3 * index,
            )
            data += word["data"].to_bytes(8, "little")[: word["count"]]
        assert data == frame
    assert [e["status"] for e in await entered] == [q["status"] for q in records]
    assert int(dut.freed.value) == place % 256


@cocotb.test()
async def a_started_frame_has_no_gap_and_quiesce_starts_none(dut: Any) -> None:
    rng = seeded()
    await start(dut, quiesce=1, rec_valid=0, enter_ready=1, out_ready=1, ram_rd_data=0)
    record = {
        "len": 400,
        "csum": 0,
        "csum_pos": 0,
        "csum_value": 0,
        "next": 1,
        "status": 0,
        "cookie": 1,
    }
    cocotb.start_soon(StreamSource(dut, "rec", rng).send([record]))
    for _ in range(10):
        await RisingEdge(dut.clk)
        assert not dut.out_valid.value
        assert not dut.enter_valid.value
    dut.quiesce.value = 0
    await RisingEdge(dut.clk)
    dut.quiesce.value = 1
    while not dut.out_valid.value:
        await RisingEdge(dut.clk)
    for _ in range(50):
        assert dut.out_valid.value
        await RisingEdge(dut.clk)
    assert dut.status_idle.value
