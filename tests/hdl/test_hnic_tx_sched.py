"""Whole packets, by priority and in turn, each only when all of it is held."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from tests.hdl.bench import run_module, seeded, start

IDLE = {"held_valid": 0, "fetched": 0, "desc_ready": 0, "desc_eop": 0, "desc_last": 0}


@pytest.mark.parametrize("queues", [1, 4, 7])
def test_packets_are_scheduled(module_simulator: str, queues: int) -> None:
    run_module(__file__, module_simulator, {"QUEUES": queues})


class Rings:
    """Queues that hold descriptors, each a bool: it ends a packet. Judges with `fault`."""

    def __init__(self, dut: Any, ready: float = 1.0) -> None:
        self.dut, self.rng, self.ready = dut, seeded(), ready
        self.count = int(dut.QUEUES.value)
        self.held: list[list[bool]] = [[] for _ in range(self.count)]
        self.taken = [0] * self.count
        self.end = [False] * self.count  # no more will come
        self.allowed = (1 << self.count) - 1
        self.fault: Callable[[int, int], bool] = lambda queue, index: False
        self.packets: list[tuple[int, int]] = []  # (queue, descriptors) that went
        self.times: list[int] = []
        self.now = 0
        self._part = 0
        self._at: tuple[int, int] | None = None

    def left(self, queue: int) -> int:
        return len(self.held[queue]) - self.taken[queue]

    async def give(self, queue: int, packets: Sequence[int]) -> None:
        """Descriptors of whole packets, two a cycle at most."""
        flags = [i == size - 1 for size in packets for i in range(size)]
        while flags:
            some, flags = flags[:2], flags[2:]
            self.dut.fetched.value, self.dut.fetched_eops.value = 1 << queue, sum(some)
            await self.cycle()
            self.dut.fetched.value = 0
            self.held[queue] += some

    async def cycle(self) -> None:
        dut = self.dut
        dut.held_valid.value = sum((self.left(i) > 0) << i for i in range(self.count))
        dut.held_more.value = sum((self.left(i) > 1) << i for i in range(self.count))
        dut.held_end.value = sum(self.end[i] << i for i in range(self.count))
        dut.take_index.value = sum((n & 0xFFFF) << 16 * i for i, n in enumerate(self.taken))
        dut.allowed.value = self.allowed
        dut.desc_ready.value = int(self.rng.random() < self.ready)
        dut.desc_last.value = dut.desc_eop.value = dut.desc_fault.value = 0
        if self._at is not None:
            queue, index = self._at
            fault = self.fault(queue, index) or (self.left(queue) == 1 and not self.ends())
            dut.desc_eop.value = self.ends()
            dut.desc_last.value = self.ends() or fault
            dut.desc_fault.value = fault
        await RisingEdge(dut.clk)
        self.now += 1
        self.watch()

    def ends(self) -> bool:
        assert self._at is not None
        return self.held[self._at[0]][self._at[1]]

    def watch(self) -> None:
        dut = self.dut
        assert bool(dut.desc_valid.value) == (self._at is not None)
        if self._at is not None and dut.desc_ready.value:
            queue, index = self._at
            assert (int(dut.desc_queue.value), int(dut.desc_index.value)) == self._at
            assert index == self.taken[queue]
            assert int(dut.take.value) == 1 << queue
            assert bool(dut.desc_final.value) == (self.left(queue) == 1)
            self.taken[queue] += 1
            self._part += 1
            if dut.desc_last.value:
                self.packets.append((queue, self._part))
                self.times.append(self.now)
                self._part = 0
            self._at = None
        else:
            assert not int(dut.take.value)
        if dut.rd_en.value:
            self._at = int(dut.rd_queue.value), int(dut.rd_index.value)
            assert bool(int(dut.start.value)) == (self._part == 0)

    async def until(self, packets: int, limit: int = 3000) -> None:
        while len(self.packets) < packets:
            await self.cycle()
            limit -= 1
            assert limit, f"{len(self.packets)} of {packets} packets went"


async def begin(dut: Any, prio: Sequence[int] = (), ready: float = 1.0) -> Rings:
    rings = Rings(dut, ready)
    await start(
        dut,
        **IDLE,
        cfg_prio=sum(p << 3 * i for i, p in enumerate(prio)),
        status_active=(1 << rings.count) - 1,
        allowed=0,
    )
    rings.allowed = 0
    return rings


def expected(rings: Rings, queues: dict[int, list[int]], prio: Sequence[int]) -> list[Any]:
    """The order in which these packets go when all are there from the beginning."""
    left = {queue: list(sizes) for queue, sizes in queues.items()}
    turn = [0] * 8
    order = []
    while any(left.values()):
        top = max(prio[queue] for queue, sizes in left.items() if sizes)
        queue = min(
            (queue for queue, sizes in left.items() if sizes and prio[queue] == top),
            key=lambda queue: (queue - turn[top]) % rings.count,
        )
        order.append((queue, left[queue].pop(0)))
        turn[top] = (queue + 1) % rings.count
    return order


@cocotb.test()
@cocotb.parametrize(ready=[1.0, 0.4])
async def the_highest_priority_goes_first_and_equals_take_turns(dut: Any, ready: float) -> None:
    count = int(dut.QUEUES.value)
    prio = [(7, 0, 3, 3, 0, 3, 7)[i] for i in range(count)]
    rings = await begin(dut, prio, ready)
    sizes = {i: [rings.rng.randrange(1, 5) for _ in range(8)] for i in range(count)}
    for queue, packets in sizes.items():
        await rings.give(queue, packets)
    rings.allowed = (1 << count) - 1
    await rings.until(8 * count)
    assert rings.packets == expected(rings, sizes, prio)


@cocotb.test()
async def turns_are_kept_while_another_priority_breaks_in(dut: Any) -> None:
    count = int(dut.QUEUES.value)
    if count < 3:
        return
    rings = await begin(dut, [7] + [1] * (count - 1))
    for queue in range(1, count):
        await rings.give(queue, [1] * 6)
    rings.allowed = (1 << count) - 1
    for _ in range(6 * (count - 1)):
        went = len(rings.packets)
        await rings.give(0, [1])
        await rings.until(went + 2)
    low = [queue for queue, _ in rings.packets if queue]
    assert low == [1 + i % (count - 1) for i in range(6 * (count - 1))]


@cocotb.test()
async def packets_of_one_descriptor_go_every_three_cycles(dut: Any) -> None:
    rings = await begin(dut, [0] * int(dut.QUEUES.value))
    await rings.give(0, [1] * 40)
    rings.allowed = 1
    await rings.until(40)
    assert rings.times[-1] - rings.times[0] == 3 * 39
    await rings.give(0, [30] * 4)
    await rings.until(44)
    assert rings.times[-1] - rings.times[-2] == 32


@cocotb.test()
async def no_packet_begins_before_its_end_is_held(dut: Any) -> None:
    """Neither does one that is not allowed to; what has begun goes on."""
    count = int(dut.QUEUES.value)
    rings = await begin(dut, [0] * count, 0.5)
    rings.allowed = (1 << count) - 1
    queue, given = count - 1, []
    for _ in range(30):
        size = rings.rng.randrange(1, 6)
        for i in range(size):
            for _ in range(rings.rng.randrange(6)):
                await rings.cycle()
            assert rings.packets == [(queue, n) for n in given][: len(rings.packets)]
            rings.dut.fetched.value = 1 << queue
            rings.dut.fetched_eops.value = int(i == size - 1)
            await rings.cycle()
            rings.dut.fetched.value = 0
            rings.held[queue].append(i == size - 1)
        given.append(size)
        await rings.until(len(given))
    assert rings.packets == [(queue, n) for n in given]
    rings.allowed = 0
    await rings.give(queue, [2])
    for _ in range(10):
        await rings.cycle()
    assert len(rings.packets) == len(given)


@cocotb.test()
async def a_fault_stops_its_queue_until_it_is_reset(dut: Any) -> None:
    count = int(dut.QUEUES.value)
    rings = await begin(dut, [0] * count)
    for queue in range(count):
        await rings.give(queue, [1, 3, 1, 1])
    rings.fault = lambda queue, index: queue == 0 and index == 2
    rings.allowed = (1 << count) - 1
    await rings.until(2 + 4 * (count - 1))
    for _ in range(20):
        await rings.cycle()
    assert [size for queue, size in rings.packets if queue == 0] == [1, 2]
    rings.fault = lambda queue, index: False
    dut.status_active.value = (1 << count) - 2
    rings.held[0], rings.taken[0] = [], 0
    await rings.cycle()
    dut.status_active.value = (1 << count) - 1
    await rings.give(0, [2])
    await rings.until(3 + 4 * (count - 1))
    assert rings.packets[-1] == (0, 2)


@cocotb.test()
async def what_cannot_get_an_end_goes_to_the_judge(dut: Any) -> None:
    rings = await begin(dut, [0] * int(dut.QUEUES.value))
    rings.allowed = 1
    for flag in (False, False):
        dut.fetched.value, dut.fetched_eops.value = 1, 0
        await rings.cycle()
        dut.fetched.value = 0
        rings.held[0].append(flag)
    for _ in range(10):
        await rings.cycle()
    assert not rings.taken[0]
    rings.end[0] = True
    await rings.until(1)
    assert rings.packets == [(0, 2)]
