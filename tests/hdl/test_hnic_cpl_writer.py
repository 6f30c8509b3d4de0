"""Completion records become AXI writes; done comes with the answer."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import StreamSink, StreamSource, interrupt, reset, run_module, seeded, start


@pytest.mark.parametrize("width", [64, 128, 512])
def test_completions_are_written_whole(module_simulator: str, width: int) -> None:
    run_module(__file__, module_simulator, {"DATA_W": width})


IDLE = {
    "quiesce": 0,
    "cpl_valid": 0,
    "place_addr": 0x1000,
    "place_phase": 1,
    "aw_ready": 0,
    "w_ready": 0,
    "b_valid": 0,
    "b_resp": 0,
}


class Memory:
    """Takes writes, answers each after a while, counts the records done."""

    def __init__(self, dut: Any, rng: Any, image: bytearray) -> None:
        self.dut, self.rng, self.image = dut, rng, image
        self.done = 0
        self.marks: list[int] = []

    async def run(self, writes: int) -> None:
        lanes = len(self.dut.w_strb)
        aw = StreamSink(self.dut, "aw", ["addr", "size"], self.rng, 0.3)
        w = StreamSink(self.dut, "w", ["data", "strb"], self.rng, 0.3)
        for _ in range(writes):
            address = cocotb.start_soon(aw.take(1))
            (beat,) = await w.take(1)
            (place,) = await address
            assert 1 << place["size"] == beat["strb"].bit_count()
            assert beat["strb"] & -beat["strb"] == 1 << place["addr"] % lanes
            for lane in range(lanes):
                if beat["strb"] >> lane & 1:
                    self.image[place["addr"] // lanes * lanes + lane] = (
                        beat["data"] >> 8 * lane & 0xFF
                    )
            self.marks.append(place["addr"] & 15)
            self.dut.b_valid.value = 1
            await RisingEdge(self.dut.clk)
            self.done += int(self.dut.done.value)
            self.dut.b_valid.value = 0


@cocotb.test()
async def records_land_where_the_queue_says(dut: Any) -> None:
    await start(dut, **IDLE)
    await write(dut)


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    await start(dut, **IDLE)
    for count in range(1, 16):
        await interrupt(dut, write(dut), count)
        await reset(dut, **IDLE)
        assert not dut.aw_valid.value
        assert not dut.w_valid.value
        assert dut.status_idle.value
    await write(dut)


async def write(dut: Any) -> None:
    """32 records at places of a queue; bytes before and behind them stay as they were."""
    rng = seeded()
    image = bytearray(0x2000)
    split = len(dut.w_strb) == 8
    memory = Memory(dut, rng, image)
    items = [
        {
            "cookie": rng.randrange(1 << 32),
            "next": rng.randrange(1 << 16),
            "status": rng.randrange(6),
            "timestamp": rng.randrange(1 << 64),
        }
        for _ in range(32)
    ]

    async def queue() -> None:
        for i in range(32):
            if dut.rst.value:
                return
            dut.place_addr.value, dut.place_phase.value = 0x1040 + 16 * i, i & 1
            await RisingEdge(dut.clk)
            while not dut.place_issue.value and not dut.rst.value:
                await RisingEdge(dut.clk)

    cocotb.start_soon(queue())
    cocotb.start_soon(StreamSource(dut, "cpl", rng).send(items))
    await memory.run(64 if split else 32)
    for i, item in enumerate(items):
        value = int.from_bytes(image[0x1040 + 16 * i : 0x1050 + 16 * i], "little")
        assert value == (
            item["cookie"] << r.TXC_COOKIE_LSB
            | item["next"] << r.TXC_HEAD_LSB
            | item["status"] << r.TXC_STATUS_LSB
            | (i & 1) << r.TXC_PHASE_LSB
            | item["timestamp"] << r.TXC_TIMESTAMP_LSB
        )
    assert memory.done == 32
    assert memory.marks == [8, 0] * 32 if split else [0] * 32
    assert not any(image[:0x1040])
    assert not any(image[0x1040 + 512 :])
    await RisingEdge(dut.clk)
    assert dut.status_idle.value


@cocotb.test()
async def writes_under_way_are_bounded_and_quiesce_starts_none(dut: Any) -> None:
    await start(dut, **IDLE)
    dut.aw_ready.value = dut.w_ready.value = 1
    dut.cpl_valid.value = 1
    issued = 0
    for _ in range(60):
        await RisingEdge(dut.clk)
        issued += int(dut.aw_valid.value)
    assert issued == int(dut.OUTSTANDING.value)
    assert not dut.status_idle.value
    dut.quiesce.value, dut.b_valid.value, dut.b_resp.value = 1, 1, 2
    await RisingEdge(dut.clk)
    assert dut.stat_axi_wr_errs.value
    for _ in range(issued - 1):
        await RisingEdge(dut.clk)
        assert not dut.aw_valid.value
    dut.b_valid.value = 0
    await RisingEdge(dut.clk)
    assert dut.status_idle.value
