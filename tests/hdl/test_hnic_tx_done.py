"""Completion records: in order, sent packets with their time, a fault as its queue's last one."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import run_module, seeded, start


@pytest.mark.parametrize("queues", [1, 5])
def test_completion_records_come_in_order(module_simulator: str, queues: int) -> None:
    run_module(__file__, module_simulator, {"QUEUES": queues, "DEPTH": 8, "WRITES": 4})


def place(queue: int, number: int) -> tuple[int, int]:
    """(address, phase) of a queue's completion."""
    return (queue + 1) << 20 | number << 4, number >> 3 & 1


class Card:
    """The queues, the MAC and the completion writer around the module."""

    def __init__(self, dut: Any, pause: float) -> None:
        self.dut, self.rng, self.pause = dut, seeded(), pause
        self.count = int(dut.QUEUES.value)
        self.issued = [0] * self.count
        self.finished = [0] * self.count
        self.answered = [0] * self.count
        self.halts: list[tuple[int, int, int]] = []
        self.flush = 0
        self.lost: set[int] = set()
        self.waiting = 0  # packets on their way to the wire
        self.sent = 0
        self.writes = 0
        self.records: list[tuple[int, int]] = []
        self.drops = 0
        self.order: list[int] = []  # queues of the records

    async def cycle(self) -> None:
        dut, rng = self.dut, self.rng
        places = [place(i, self.issued[i]) for i in range(self.count)]
        dut.place_addr.value = sum(addr << 64 * i for i, (addr, _) in enumerate(places))
        dut.place_phase.value = sum(phase << i for i, (_, phase) in enumerate(places))
        dut.flush.value = self.flush
        dut.error_status.value = sum(r.STATUS_CPL_ERR << 8 * i for i in self.lost)
        go = self.waiting > 0 and rng.random() >= self.pause
        dut.sent.value, dut.sent_time.value = int(go), 1000 + self.sent
        self.sent += go
        self.waiting -= go
        answer = self.writes > 0 and rng.random() >= self.pause
        dut.cpl_done.value = int(answer)
        self.writes -= answer
        dut.cpl_ready.value = int(rng.random() >= self.pause)
        await RisingEdge(dut.clk)
        if answer:
            queue = self.order.pop(0)
            assert int(dut.place_done.value) == 1 << queue
            self.answered[queue] += 1
        self.drops += int(dut.stat_tx_drops.value)
        if halt := int(dut.halt.value):
            queue = halt.bit_length() - 1
            assert not self.flush >> queue & 1
            self.halts.append((queue, int(dut.halt_status.value), int(dut.halt_index.value)))
            self.flush |= halt
        if issue := int(dut.place_issue.value):
            self.issued[issue.bit_length() - 1] += 1
            self.order.append(issue.bit_length() - 1)
        if finish := int(dut.finish.value):
            self.finished[finish.bit_length() - 1] += 1
        if dut.cpl_valid.value and dut.cpl_ready.value:
            self.records.append((int(dut.cpl_addr.value), int(dut.cpl_record.value)))
            self.writes += 1

    async def enter(self, queue: int, cookie: int, status: int = r.STATUS_OK) -> None:
        dut = self.dut
        while self.rng.random() < self.pause / 2:
            await self.cycle()
        dut.enter_valid.value, dut.enter_queue.value, dut.enter_status.value = 1, queue, status
        dut.enter_cookie.value, dut.enter_next.value = cookie, cookie + 1 & 0xFFFF
        dut.enter_index.value = cookie + 77 & 0xFFFF
        await self.cycle()
        while not dut.enter_ready.value:
            await self.cycle()
        dut.enter_valid.value = 0
        self.waiting += status == r.STATUS_OK

    async def end(self) -> None:
        """Until all is done."""
        for _ in range(300):
            await self.cycle()


IDLE = {"enter_valid": 0, "sent": 0, "flush": 0, "error_status": 0, "cpl_ready": 0, "cpl_done": 0}


def record(queue: int, number: int, cookie: int, status: int, time: int) -> tuple[int, int]:
    addr, phase = place(queue, number)
    return addr, (
        cookie << r.TXC_COOKIE_LSB
        | (cookie + 1 & 0xFFFF) << r.TXC_HEAD_LSB
        | status << r.TXC_STATUS_LSB
        | phase << r.TXC_PHASE_LSB
        | time << r.TXC_TIMESTAMP_LSB
    )


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.6])
async def records_keep_the_order_of_packets(dut: Any, pause: float) -> None:
    """Queues halt by and by; behind the fault nothing of a queue is reported."""
    await start(dut, **IDLE)
    card = Card(dut, pause)
    wanted, halts, sent, drops = [], [], 0, 0
    numbers, dead = [0] * card.count, set()
    for i in range(100):
        queue = card.rng.randrange(card.count)
        bad = queue in dead or card.rng.random() < 0.08
        status = card.rng.choice([r.STATUS_DMA_ERR, r.STATUS_BAD_DESC]) if bad else r.STATUS_OK
        cookie = card.rng.randrange(1 << 32)
        if queue not in dead:
            drops += bad
            time = cookie + 77 & 0xFFFF if bad else 1000 + sent
            wanted.append(record(queue, numbers[queue], cookie, status, time))
            numbers[queue] += 1
            if bad:
                halts.append((queue, status, cookie + 77 & 0xFFFF))
                dead.add(queue)
        sent += not bad
        await card.enter(queue, cookie, status)
        if len(dead) == card.count and i % 9 == 0:
            await card.end()
            card.flush, dead = 0, set()
    await card.end()
    assert card.records == wanted
    assert card.halts == halts
    assert card.drops == drops
    assert sum(card.finished) == 100
    assert card.answered == card.issued == numbers


@cocotb.test()
async def a_full_rate_needs_a_cycle_a_record(dut: Any) -> None:
    await start(dut, **IDLE)
    card = Card(dut, 0.0)
    for i in range(50):
        await card.enter(0, i)
    assert card.issued[0] >= 45


@cocotb.test()
async def the_halt_comes_with_the_entry(dut: Any) -> None:
    await start(dut, **IDLE)
    dut.enter_valid.value, dut.enter_queue.value = 1, 0
    dut.enter_status.value, dut.enter_index.value = r.STATUS_DMA_ERR, 9
    await RisingEdge(dut.clk)
    assert int(dut.halt.value) == 1
    dut.enter_valid.value = 0
    await RisingEdge(dut.clk)
    assert int(dut.halt.value) == 0


@cocotb.test()
async def what_a_reset_flushes_ends_without_a_record(dut: Any) -> None:
    await start(dut, **IDLE)
    card = Card(dut, 0.0)
    await card.enter(0, 1)
    card.flush = 1
    await card.cycle()
    await card.enter(0, 2, r.STATUS_DMA_ERR)
    await card.enter(0, 3)  # it was already on its way to the wire
    await card.end()
    assert card.records == [record(0, 0, 1, r.STATUS_OK, 1000)]
    assert card.finished[0] == 3
    assert not card.halts
    assert card.drops == 0


@cocotb.test()
async def after_a_lost_completion_no_other_is_written(dut: Any) -> None:
    await start(dut, **IDLE)
    card = Card(dut, 0.0)
    dut.cpl_ready.value = 0
    for i in range(3):
        await card.enter(0, i)
    card.lost, card.flush = {0}, 1
    issued = card.issued[0]
    await card.end()
    assert card.finished[0] == 3
    assert card.issued[0] == issued < 3
    if card.count > 1:
        await card.enter(1, 5)
        await card.end()
        assert card.records[-1] == record(1, 0, 5, r.STATUS_OK, 1003)


@cocotb.test()
async def no_more_records_are_under_way_than_there_is_room(dut: Any) -> None:
    await start(dut, **IDLE)
    card = Card(dut, 0.0)
    card.writes = -100  # no answer
    for i in range(8):
        await card.enter(0, i)
    await card.end()
    assert card.issued[0] == 4


@cocotb.test()
async def two_packets_may_be_sent_before_they_are_entered(dut: Any) -> None:
    """They wait in the reader's slice while their frames are on the wire and nothing is written."""
    await start(dut, **IDLE)
    card = Card(dut, 1.0)  # nothing is taken or answered
    dut.enter_queue.value, dut.enter_status.value = 0, r.STATUS_OK
    entered = 0
    while True:
        dut.enter_valid.value = 1
        dut.enter_cookie.value, dut.enter_next.value = entered, entered + 1
        await card.cycle()
        if not dut.enter_ready.value:
            break
        dut.enter_valid.value = 0
        await sent_from_below(card)
        entered += 1
    for _ in range(2):
        await sent_from_below(card)
    card.pause = 0.0
    for cookie in (entered, entered + 1):
        await card.enter(0, cookie)
        card.waiting = 0
    await card.end()
    times = [word >> r.TXC_TIMESTAMP_LSB & 0xFFFF for _, word in card.records]
    assert times == [1000 + i for i in range(entered + 2)]


async def sent_from_below(card: Card) -> None:
    """The MAC has sent the next packet, entered or not."""
    card.dut.sent.value, card.dut.sent_time.value = 1, 1000 + card.sent
    card.sent += 1
    await RisingEdge(card.dut.clk)
    card.dut.sent.value = 0
