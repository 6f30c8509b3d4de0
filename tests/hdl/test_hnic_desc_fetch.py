"""Descriptors are read in bursts, out of a ring in memory."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import StreamSink, StreamSource, interrupt, reset, run_module, seeded, start


@pytest.mark.parametrize("width", [64, 128, 512])
def test_descriptors_are_fetched_ahead_and_in_order(module_simulator: str, width: int) -> None:
    run_module(__file__, module_simulator, {"DATA_W": width})


class Memory:
    """Answers read bursts in order after `latency` cycles, with gaps; checks each burst."""

    def __init__(self, dut: Any, image: bytes, rng: Any, latency: int, pause: float) -> None:
        self.dut, self.image, self.rng, self.latency, self.pause = dut, image, rng, latency, pause
        self.bursts: list[tuple[int, int]] = []
        self.queue: list[tuple[int, bytes]] = []
        self.now = 0

    async def run(self) -> None:
        dut, lanes = self.dut, len(self.dut.r_data) // 8
        while not dut.rst.value:
            dut.ar_ready.value = self.rng.random() >= self.pause
            dut.r_valid.value = 0
            if self.queue and self.queue[0][0] <= self.now and self.rng.random() >= self.pause:
                dut.r_valid.value, dut.r_error.value = 1, 0
                dut.r_data.value = int.from_bytes(self.queue.pop(0)[1], "little")
            await RisingEdge(dut.clk)
            self.now += 1
            if dut.ar_valid.value and dut.ar_ready.value:
                addr, size = int(dut.ar_addr.value), int(dut.ar_bytes.value)
                self.bursts.append((addr, size))
                first, beats = addr // lanes * lanes, int(dut.ar_len.value) + 1
                assert beats == (addr + size - first + lanes - 1) // lanes
                for i in range(beats):
                    place = first + i * lanes
                    self.queue.append((self.now + self.latency, self.image[place : place + lanes]))


IDLE = {"quiesce": 0, "fetch_valid": 0, "desc_ready": 0, "r_valid": 0, "ar_ready": 0}


@cocotb.test()
@cocotb.parametrize((("latency", "pause"), [(1, 0.0), (60, 0.0), (60, 0.5)]))
async def descriptors_arrive_in_ring_order(dut: Any, latency: int, pause: float) -> None:
    await start(dut, **IDLE)
    await fetch(dut, 128, latency, pause)


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    await start(dut, **IDLE)
    for count in (2, 5, 9, 17, 30, 60):
        await interrupt(dut, fetch(dut, 64, 3, 0.2), count)
        await reset(dut, **IDLE)
        assert not dut.ar_valid.value
        assert not dut.desc_valid.value
        await fetch(dut, 48, 1, 0.0)


async def fetch(dut: Any, total: int, latency: int, pause: float) -> None:
    """All of a ring, in requests of random size; what is read is what was asked for."""
    rng = seeded()
    image = rng.randbytes(total * r.TXD_BYTES)
    memory = Memory(dut, image, rng, latency, pause)
    cocotb.start_soon(memory.run())
    requests, index = [], 0
    while index < total:
        count = min(rng.randrange(1, 9), total - index)
        requests.append({"addr": index * r.TXD_BYTES, "count": count, "index": index})
        index += count
    cocotb.start_soon(StreamSource(dut, "fetch", rng).send(requests))
    got = await StreamSink(dut, "desc", ["data", "error", "next"], rng, pause).take(total)
    for i, item in enumerate(got):
        assert (
            item["data"].to_bytes(r.TXD_BYTES, "little")
            == image[i * r.TXD_BYTES : (i + 1) * r.TXD_BYTES]
        )
        assert (item["next"], item["error"]) == (i + 1, 0)
    assert memory.bursts == [(q["addr"], q["count"] * r.TXD_BYTES) for q in requests]


@cocotb.test()
async def no_read_starts_while_quiesced(dut: Any) -> None:
    await start(
        dut,
        quiesce=1,
        fetch_valid=1,
        fetch_addr=0,
        fetch_count=4,
        fetch_index=0,
        desc_ready=1,
        r_valid=0,
        ar_ready=1,
    )
    for _ in range(10):
        await RisingEdge(dut.clk)
        assert not dut.ar_valid.value


@cocotb.test()
@cocotb.parametrize(latency=[1, 60])
async def no_more_is_asked_for_than_there_is_room(dut: Any, latency: int) -> None:
    """Also while the card waits for memory, when it could take a beat but none has come."""
    rng = seeded()
    await start(dut, **IDLE)
    memory = Memory(dut, bytes(4096), rng, latency, 0.0)
    cocotb.start_soon(memory.run())
    requests = [{"addr": 0, "count": 8, "index": 0}] * 16
    cocotb.start_soon(StreamSource(dut, "fetch", rng).send(requests))
    for _ in range(300):
        await RisingEdge(dut.clk)
    assert sum(size for _, size in memory.bursts) <= int(dut.DESC_FIFO.value) * r.TXD_BYTES
    await StreamSink(dut, "desc", ["next"], rng).take(16 * 8)
