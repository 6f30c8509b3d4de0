"""Frames land byte for byte where their places are, nowhere else; done comes with the answers."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from cocotb.triggers import FallingEdge, RisingEdge

from tests.hdl.bench import StreamSink, StreamSource, interrupt, reset, run_module, seeded, start
from tests.hdl.memory import Memory

SIZE = 1 << 18
BAD = range(0x6000, 0xC000)
BURST = 512
IDLE = {
    "quiesce": 0,
    "place_valid": 0,
    "in_valid": 0,
    "done_ready": 0,
    "tx_valid": 0,
    "rx_valid": 0,
    "m_axi_awready": 0,
    "m_axi_wready": 0,
    "m_axi_bvalid": 0,
}


@pytest.mark.parametrize("width", [64, 128, 512])
def test_frames_land_at_their_places(module_simulator: str, width: int) -> None:
    run_module(
        __file__, module_simulator, {"DATA_W": width, "OUTSTANDING": 32}, top="hnic_write_bench"
    )


def words(frame: bytes, lanes: int) -> list[dict[str, int]]:
    """A frame as packed words."""
    parts = [frame[i : i + lanes] for i in range(0, len(frame), lanes)]
    return [
        {
            "data": int.from_bytes(part, "little"),
            "count": len(part),
            "last": int(i == len(parts) - 1),
        }
        for i, part in enumerate(parts)
    ]


def bursts(addr: int, size: int, lanes: int) -> list[tuple[int, int, int, int]]:
    """The bursts of one place, as the memory sees them."""
    out = []
    while size:
        step = min(size, BURST - addr % BURST)
        out.append((1, addr, -(-(addr % lanes + step) // lanes), lanes))
        addr, size = addr + step, size - step
    return out


class Plan:
    """Frames with places of their own, and what memory must be afterwards."""

    def __init__(self, memory: Memory, rng: Any, lanes: int, count: int, faulty: bool) -> None:
        self.image = bytearray(memory.read(0, SIZE))
        self.places: list[dict[str, int]] = []
        self.words: list[dict[str, int]] = []
        self.bursts: list[tuple[int, int, int, int]] = []
        self.errors: list[dict[str, int]] = []
        addr = rng.randrange(64)
        for _ in range(count):
            frame = rng.randbytes(rng.choice([1, lanes, 60, 64, 1514, rng.randrange(1, 700)]))
            self.words += words(frame, lanes)
            kept = rng.choice([len(frame)] * 6 + [0, rng.randrange(len(frame) + 1)])
            done, error = 0, 0
            while True:
                size = min(kept - done, rng.choice([1, 3, lanes, 128, 600, 2048, 2048]))
                last = done + size == kept
                whole = last and rng.random() < 0.7
                self.places.append({"addr": addr, "bytes": size, "last": int(whole)})
                self.bursts += bursts(addr, size, lanes)
                if addr + size > BAD.start and addr < BAD.stop and size:
                    error |= int(faulty)
                self.image[addr : addr + size] = frame[done : done + size]
                addr += size + rng.choice(
                    [0, 1, 5, 4096 - (addr + size) % 4096 - rng.randrange(40)]
                )
                addr = max(addr, self.places[-1]["addr"] + size)
                done += size
                if whole:
                    break
                if last:  # the end is told by a place of its own
                    self.places.append({"addr": addr, "bytes": 0, "last": 1})
                    break
            self.errors.append({"error": error})
        assert addr < SIZE


async def begin(dut: Any, pause: float, latency: int) -> Memory:
    await start(dut, **IDLE)
    await FallingEdge(dut.clk)
    return Memory(dut, seeded(), size=SIZE, pause=pause, latency=latency)


async def run(dut: Any, memory: Memory, count: int, pause: float = 0.0) -> None:
    rng = seeded()
    lanes = len(dut.m_axi_wstrb)
    plan = Plan(memory, rng, lanes, count, bool(memory.write_if.bad))
    if memory.write_if.bad:
        assert {"error": 0} in plan.errors[20:]
        assert {"error": 1} in plan.errors
    memory.writes.clear()
    cocotb.start_soon(StreamSource(dut, "place", rng, pause).send(plan.places))
    cocotb.start_soon(StreamSource(dut, "in", rng, pause).send(plan.words))
    done = await StreamSink(dut, "done", ["error"], rng, pause).take(len(plan.errors))
    if dut.rst.value:
        return
    assert done == plan.errors
    assert memory.writes == plan.bursts
    if not memory.write_if.bad:
        assert memory.read(0, SIZE) == plan.image
    await RisingEdge(dut.clk)
    assert dut.status_idle.value


@cocotb.test()
@cocotb.parametrize((("latency", "pause"), [(0, 0.0), (80, 0.0), (0, 0.4)]))
async def frames_lie_in_memory_as_they_came(dut: Any, latency: int, pause: float) -> None:
    await run(dut, await begin(dut, pause, latency), 24, pause)


@cocotb.test()
async def a_write_error_marks_its_frame(dut: Any) -> None:
    memory = await begin(dut, 0.2, 0)
    memory.write_if.bad = BAD
    await run(dut, memory, 40)


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    memory = await begin(dut, 0.2, 0)
    for count in (3, 7, 15, 40, 90):
        await interrupt(dut, run(dut, memory, 20), count)
        await reset(dut, **IDLE)
        for valid in (dut.m_axi_awvalid, dut.m_axi_wvalid, dut.done_valid):
            assert not valid.value
        assert dut.status_idle.value
        await run(dut, memory, 3)


@cocotb.test()
async def done_waits_for_the_last_answer(dut: Any) -> None:
    await start(dut, **IDLE | {"m_axi_awready": 1, "m_axi_wready": 1, "done_ready": 1})
    rng, lanes = seeded(), len(dut.m_axi_wstrb)
    cocotb.start_soon(
        StreamSource(dut, "place", rng).send([{"addr": 0x1F0, "bytes": 64, "last": 1}])
    )
    await StreamSource(dut, "in", rng).send(words(bytes(64), lanes))
    for _ in range(20):
        await RisingEdge(dut.clk)
        assert not dut.done_valid.value
    for answer in range(2):
        assert not dut.status_idle.value
        dut.m_axi_bvalid.value, dut.m_axi_bid.value, dut.m_axi_bresp.value = 1, 1, 2 * (1 - answer)
        await RisingEdge(dut.clk)
        assert not dut.done_valid.value
        dut.m_axi_bvalid.value = 0
        for _ in range(3):
            await RisingEdge(dut.clk)
            if dut.done_valid.value:
                assert answer == 1
                assert dut.done_error.value
                assert dut.status_idle.value
                return
    raise AssertionError("no done")


@cocotb.test()
@cocotb.parametrize(offset=[0, 3])
async def a_beat_goes_out_in_every_cycle(dut: Any, offset: int) -> None:
    """Frames of 1514 bytes, memory answers 160 cycles late: the bus is full all the time."""
    memory = await begin(dut, 0.0, 160)
    rng, lanes = seeded(), len(dut.m_axi_wstrb)
    frames, size = 4, 1514
    places = [{"addr": 0x800 * i + offset, "bytes": size, "last": 1} for i in range(frames)]
    beats = sum(b[2] for place in places for b in bursts(place["addr"], size, lanes))
    cocotb.start_soon(StreamSource(dut, "place", rng).send(places))
    stream = [word for _ in range(frames) for word in words(rng.randbytes(size), lanes)]
    cocotb.start_soon(StreamSource(dut, "in", rng).send(stream))
    cocotb.start_soon(StreamSink(dut, "done", ["error"], rng).take(frames))
    while not dut.m_axi_wvalid.value:
        await RisingEdge(dut.clk)
    cycles = 0
    while beats:
        beats -= int(dut.m_axi_wvalid.value)
        cycles += 1
        await RisingEdge(dut.clk)
    total = sum(b[2] for place in places for b in bursts(place["addr"], size, lanes))
    dut._log.info("%d beats in %d cycles", total, cycles)
    assert cycles <= total + 2
    await memory.write_if.b_channel.wait()
