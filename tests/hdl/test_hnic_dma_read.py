"""Segments are read by bursts, many at a time, and come out as packets."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from tests.hdl.bench import StreamSink, StreamSource, interrupt, reset, run_module, seeded, start

IMAGE = 1 << 16


@pytest.mark.parametrize("width", [64, 128, 512])
def test_segments_become_packets(module_simulator: str, width: int) -> None:
    run_module(
        __file__,
        module_simulator,
        {"DATA_W": width, "BURST_BYTES": 256, "FIFO_BYTES": 1024, "OUTSTANDING": 8},
    )


class Memory:
    """Answers bursts in order after a latency; reads of `bad` pages are errors."""

    def __init__(self, dut: Any, image: bytes, rng: Any, latency: int, pause: float) -> None:
        self.dut, self.image, self.rng, self.latency, self.pause = dut, image, rng, latency, pause
        self.queue: list[tuple[int, bytes, int]] = []
        self.peak = 0
        self.touched: list[tuple[int, int]] = []
        self.bad = range(0)

    async def run(self) -> None:
        dut, lanes = self.dut, len(self.dut.r_data) // 8
        now = 0
        while not dut.rst.value:
            dut.ar_ready.value = self.rng.random() >= self.pause
            dut.r_valid.value = 0
            if self.queue and self.queue[0][0] <= now and self.rng.random() >= self.pause:
                _, data, error = self.queue.pop(0)
                dut.r_valid.value, dut.r_data.value, dut.r_error.value = (
                    1,
                    int.from_bytes(data, "little"),
                    error,
                )
            await RisingEdge(dut.clk)
            now += 1
            if dut.ar_valid.value and dut.ar_ready.value:
                addr, size, beats = (
                    int(dut.ar_addr.value),
                    int(dut.ar_bytes.value),
                    int(dut.ar_len.value) + 1,
                )
                first = addr // lanes * lanes
                assert beats == -(-(addr + size - first) // lanes)
                assert addr // 4096 == (addr + size - 1) // 4096
                for place in range(first, first + beats * lanes, lanes):
                    self.queue.append(
                        (
                            now + self.latency,
                            self.image[place : place + lanes],
                            int(place in self.bad),
                        )
                    )
                self.touched.append((addr, size))
                self.peak = max(self.peak, len(self.queue))


IDLE = {"quiesce": 0, "seg_valid": 0, "r_valid": 0, "ar_ready": 0, "out_ready": 0}


def joined(pieces: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """(address, bytes) pieces with those that follow each other made one."""
    out: list[tuple[int, int]] = []
    for addr, size in pieces:
        if out and sum(out[-1]) == addr:
            out[-1] = (out[-1][0], out[-1][1] + size)
        else:
            out.append((addr, size))
    return out


async def run(dut: Any, count: int, latency: int, pause: float, bad: range) -> Memory:
    """Packets of scattered segments; no byte beside them is asked for, and none comes out."""
    rng = seeded()
    image = rng.randbytes(IMAGE)
    memory = Memory(dut, image, rng, latency, pause)
    memory.bad = bad
    cocotb.start_soon(memory.run())
    segs, wanted = [], []
    for _ in range(count):
        whole, error = b"", 0
        parts = rng.randrange(1, 5)
        for i in range(parts):
            length = rng.choice([1, 2, 15, 60, 64, 255, 1500, rng.randrange(1, 600)])
            addr = rng.choice(
                [rng.randrange(IMAGE - length), 4096 * rng.randrange(1, 8) - rng.randrange(1, 40)]
            )
            segs.append({"addr": addr, "len": length, "last": int(i == parts - 1)})
            whole += image[addr : addr + length]
            error |= int(addr < bad.stop and addr + length > bad.start)
        wanted.append((whole, error))
    cocotb.start_soon(StreamSource(dut, "seg", rng).send(segs))
    sink = StreamSink(dut, "out", ["data", "count", "last", "error"], rng, pause / 2)
    lanes = len(dut.r_data) // 8
    for whole, error in wanted:
        data, word = b"", {"last": 0}
        while not word["last"]:
            (word,) = await sink.take(1)
            data += word["data"].to_bytes(lanes, "little")[: word["count"]]
        assert word["error"] == error
        assert data == whole
    assert joined(memory.touched) == joined([(seg["addr"], seg["len"]) for seg in segs])
    return memory


@cocotb.test()
@cocotb.parametrize((("latency", "pause"), [(1, 0.0), (80, 0.0), (80, 0.5)]))
async def packets_come_out_as_they_lie_in_memory(dut: Any, latency: int, pause: float) -> None:
    await start(dut, **IDLE)
    memory = await run(dut, 24, latency, pause, range(0))
    assert memory.peak * len(dut.r_data) // 8 <= int(dut.FIFO_BYTES.value)
    if latency == 80:
        assert memory.peak > 1


@cocotb.test()
async def a_read_error_marks_its_packets(dut: Any) -> None:
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


@cocotb.test()
async def no_read_starts_while_quiesced(dut: Any) -> None:
    await start(
        dut,
        quiesce=1,
        seg_valid=1,
        seg_addr=0,
        seg_len=60,
        seg_last=1,
        r_valid=0,
        ar_ready=1,
        out_ready=1,
    )
    for _ in range(10):
        await RisingEdge(dut.clk)
        assert not dut.ar_valid.value
