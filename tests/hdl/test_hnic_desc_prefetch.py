"""Descriptors of several queues are read in bursts and lie in the store at their index."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import deep, interrupt, number, reset, run_module, seeded, start

RING = 64
DEPTH = 16
EOP = r.TXD_EOP_LSB


@pytest.mark.parametrize(
    ("width", "size", "queues"),
    [
        (128, 32, 8),
        (512, 16, 8),
        *deep((64, 32, 3), (256, 32, 2), (512, 32, 5), (64, 16, 2), (128, 16, 1), (256, 16, 4)),
    ],
)
def test_descriptors_are_fetched_ahead(
    module_simulator: str, width: int, size: int, queues: int
) -> None:
    run_module(
        __file__,
        module_simulator,
        {
            "DATA_W": width,
            "DESC_BYTES": size,
            "QUEUES": queues,
            "DEPTH": DEPTH,
            "BURST": 8,
            "EOP_LSB": EOP if size == r.TXD_BYTES else -1,
        },
    )


class Memory:
    """Answers read bursts in order after a latency, with gaps; addresses in `bad` are errors."""

    def __init__(self, dut: Any, image: bytes, rng: random.Random, latency: int, pause: float):
        self.dut, self.image, self.rng, self.latency, self.pause = dut, image, rng, latency, pause
        self.bad: set[int] = set()
        self.bursts: list[tuple[int, int]] = []
        self.queue: list[tuple[int, int]] = []
        self.now = 0

    async def run(self) -> None:
        dut, lanes = self.dut, len(self.dut.r_data) // 8
        while not dut.rst.value:
            dut.ar_ready.value = self.rng.random() >= self.pause
            dut.r_valid.value = 0
            if self.queue and self.queue[0][0] <= self.now and self.rng.random() >= self.pause:
                _, place = self.queue.pop(0)
                dut.r_valid.value = 1
                dut.r_error.value = int(any(place + i in self.bad for i in range(lanes)))
                dut.r_data.value = int.from_bytes(self.image[place : place + lanes], "little")
            await RisingEdge(dut.clk)
            self.now += 1
            if dut.ar_valid.value and dut.ar_ready.value:
                addr, size = int(dut.ar_addr.value), int(dut.ar_bytes.value)
                self.bursts.append((addr, size))
                first, beats = addr // lanes * lanes, int(dut.ar_len.value) + 1
                assert beats == (addr + size - first + lanes - 1) // lanes
                for i in range(beats):
                    self.queue.append((self.now + self.latency, first + i * lanes))


class Queue:
    """What a queue asks for and has: its ring is RING descriptors from `base`."""

    def __init__(self, base: int, total: int) -> None:
        self.base, self.total = base, total
        self.asked = self.held = self.taken = 0
        self.request: tuple[int, int] | None = None  # (index, count)


class Bench:
    """All queues, driven and checked cycle by cycle."""

    def __init__(self, dut: Any, total: int, latency: int, pause: float, bad: float = 0.0) -> None:
        self.dut, self.rng, self.pause = dut, seeded(), pause
        self.size, self.count = int(dut.DESC_BYTES.value), int(dut.QUEUES.value)
        image = self.rng.randbytes(self.count * RING * self.size)
        self.memory = Memory(dut, image, self.rng, latency, pause)
        self.queues = [Queue(i * RING * self.size, total) for i in range(self.count)]
        lanes = len(dut.r_data) // 8
        for place in range(0, len(image), lanes):
            if self.rng.random() < bad:
                self.memory.bad.update(range(place, place + lanes))
        self.wanted: tuple[int, int] | None = None  # what the store is to show in this cycle
        self.reads = 0

    def descriptor(self, queue: int, index: int) -> tuple[int, int]:
        """(data, error) as they lie in memory."""
        place = self.queues[queue].base + index % RING * self.size
        data = int.from_bytes(self.memory.image[place : place + self.size], "little")
        return data, int(any(place + i in self.memory.bad for i in range(self.size)))

    def drive(self) -> None:
        """Requests of queues that have room, and one read of the store."""
        dut, rng = self.dut, self.rng
        valid = addr = count = index = 0
        for i, queue in enumerate(self.queues):
            room = min(DEPTH - (queue.asked - queue.taken), queue.total - queue.asked)
            if queue.request is None and room and rng.random() >= self.pause / 2:
                most = min(room, 8, RING - queue.asked % RING)
                queue.request = queue.asked, rng.randrange(1, most + 1)
            if queue.request is not None:
                valid |= 1 << i
                addr |= queue.base + queue.request[0] % RING * self.size << 64 * i
                index |= (queue.request[0] & 0xFFFF) << 16 * i
                count |= queue.request[1] << 8 * i
        dut.fetch_valid.value, dut.fetch_addr.value = valid, addr
        dut.fetch_count.value, dut.fetch_index.value = count, index
        ready = [i for i, queue in enumerate(self.queues) if queue.held > queue.taken]
        dut.rd_en.value = 0
        self.next: tuple[int, int] | None = None
        if ready and rng.random() >= self.pause / 2:
            i = rng.choice(ready)
            dut.rd_en.value, dut.rd_queue.value = 1, i
            dut.rd_index.value = self.queues[i].taken & 0xFFFF
            self.next = i, self.queues[i].taken
            self.queues[i].taken += 1

    def check(self) -> None:
        """What the module did in this cycle."""
        dut = self.dut
        if self.wanted is not None:
            data, error = self.descriptor(*self.wanted)
            assert (int(dut.rd_error.value), error or number(dut.rd_data) == data) == (error, 1)
            self.reads += 1
        if self.next is not None:
            self.wanted = self.next
        taken = int(dut.fetch_ready.value) & int(dut.fetch_valid.value)
        for i, queue in enumerate(self.queues):
            if taken >> i & 1:
                assert queue.request is not None
                queue.asked += queue.request[1]
                queue.request = None
        pulses = int(dut.fetched.value)
        if pulses:
            i = pulses.bit_length() - 1
            assert pulses == 1 << i
            queue, count = self.queues[i], int(dut.fetched_count.value)
            came = [self.descriptor(i, queue.held + k) for k in range(count)]
            if int(dut.EOP_LSB.value.to_signed()) >= 0:
                ends = sum(error or data >> EOP & 1 for data, error in came)
                assert int(dut.fetched_eops.value) == ends
            queue.held += count
            assert queue.held <= queue.asked

    async def run(self) -> None:
        cocotb.start_soon(self.memory.run())
        while any(queue.taken < queue.total for queue in self.queues) and not self.dut.rst.value:
            self.drive()
            await RisingEdge(self.dut.clk)
            if self.dut.rst.value:
                return
            self.check()


IDLE = {"quiesce": 0, "fetch_valid": 0, "rd_en": 0, "r_valid": 0, "ar_ready": 0}


@cocotb.test()
@cocotb.parametrize((("latency", "pause"), [(1, 0.0), (60, 0.0), (60, 0.5)]))
async def descriptors_lie_at_their_index(dut: Any, latency: int, pause: float) -> None:
    await start(dut, **IDLE)
    bench = Bench(dut, 80, latency, pause)
    await bench.run()
    assert bench.reads >= bench.count * 80 - 1


@cocotb.test()
async def errors_mark_their_descriptors(dut: Any) -> None:
    await start(dut, **IDLE)
    bench = Bench(dut, 80, 5, 0.3, bad=0.2)
    await bench.run()
    assert bench.memory.bad


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    await start(dut, **IDLE)
    for count in (2, 5, 9, 17, 30, 60):
        await interrupt(dut, Bench(dut, 150, 3, 0.2).run(), count)
        await reset(dut, **IDLE)
        assert not dut.ar_valid.value
        await Bench(dut, 20, 1, 0.0).run()


@cocotb.test()
async def no_read_starts_while_quiesced(dut: Any) -> None:
    ones = int(dut.QUEUES.value)
    await start(dut, **{**IDLE, "quiesce": 1, "ar_ready": 1})
    dut.fetch_valid.value = (1 << ones) - 1
    dut.fetch_addr.value = dut.fetch_index.value = 0
    dut.fetch_count.value = sum(1 << 8 * i for i in range(ones))
    for _ in range(10):
        await RisingEdge(dut.clk)
        assert not dut.ar_valid.value
        assert not int(dut.fetch_ready.value)


@cocotb.test()
async def queues_that_ask_are_served_in_turn(dut: Any) -> None:
    """All ask all the time: nobody waits longer than one turn of all the others."""
    await start(dut, **IDLE)
    queues = int(dut.QUEUES.value)
    bench = Bench(dut, 0, 1, 0.0)
    cocotb.start_soon(bench.memory.run())
    dut.fetch_valid.value = (1 << queues) - 1
    dut.fetch_addr.value = dut.fetch_index.value = 0
    dut.fetch_count.value = sum(1 << 8 * i for i in range(queues))
    orders: list[int] = []
    for _ in range(100):
        await RisingEdge(dut.clk)
        if taken := int(dut.fetch_ready.value):
            orders.append(taken.bit_length() - 1)
            assert taken == 1 << orders[-1]
    assert len(orders) >= 20
    assert orders == [i % queues for i in range(len(orders))]
