"""Completions follow their frames' answers, in order; faults stop their queue, drops count."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from cocotb.triggers import ClockCycles, RisingEdge

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import StreamSink, StreamSource, number, reset, run_module, seeded, start

IDLE = {
    "frame_valid": 0,
    "done_valid": 0,
    "flush": 0,
    "queue_cpl_addr": 0,
    "queue_cpl_phase": 0,
    "cpl_ready": 0,
    "cpl_done": 0,
}
HEALTHY = (r.STATUS_OK, r.STATUS_NO_DESC)
PULSES = ("finish", "halt", "cpl_issue")
OUTSTANDING = 8


@pytest.mark.parametrize("queues", [1, 3])
def test_completions_follow_the_answers(module_simulator: str, queues: int) -> None:
    run_module(__file__, module_simulator, {"QUEUES": queues, "CPL_OUTSTANDING": OUTSTANDING})


def record(rng: Any, status: int) -> int:
    """A record as it comes from the placing: all but the phase."""
    value = int(rng.getrandbits(256)) & ~(1 << r.RXC_PHASE_LSB)
    return value & ~(0xFF << r.RXC_STATUS_LSB) | status << r.RXC_STATUS_LSB


class Model:
    """Plays the queues: flush after a halt, places of completions; predicts the records."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.count = len(dut.flush)
        self.flush = 0
        self.issued = [0] * self.count
        self.wanted: list[tuple[int, int]] = []
        self.owners: list[int] = []
        self.drops = [0] * self.count
        self.done = [0] * self.count

    def place(self, queue: int) -> tuple[int, int]:
        return 0x1000 * (queue + 1) + 32 * self.issued[queue], self.issued[queue] >> 2 & 1

    def drive(self) -> None:
        addr = phase = 0
        for queue in range(self.count):
            addr |= self.place(queue)[0] << 64 * queue
            phase |= self.place(queue)[1] << queue
        self.dut.queue_cpl_addr.value = addr
        self.dut.queue_cpl_phase.value = phase
        self.dut.flush.value = self.flush

    async def run(self) -> None:
        dut = self.dut
        while True:
            self.drive()
            await RisingEdge(dut.clk)
            if dut.rst.value:
                return
            for queue in range(self.count):
                self.done[queue] += number(dut.queue_cpl_done) >> queue & 1
            if not (dut.frame_valid.value and dut.frame_ready.value):
                assert not any(number(getattr(dut, name)) for name in PULSES)
                continue
            self.frame()

    def frame(self) -> None:
        """The oldest frame ends in this cycle: judge it."""
        dut = self.dut
        assert dut.done_valid.value
        assert dut.done_ready.value
        queue = number(dut.frame_queue)
        me, cpl, error = 1 << queue, number(dut.frame_cpl), number(dut.done_error)
        none = bool(dut.frame_drop.value)
        drop = none or bool(self.flush & me)
        status = cpl >> r.RXC_STATUS_LSB & 0xFF
        fault = status
        if status in HEALTHY and error:
            fault = r.STATUS_DMA_ERR
        assert number(dut.finish) == (0 if none else me)
        assert number(dut.cpl_issue) == (0 if drop else me)
        assert number(dut.halt) == (0 if drop or fault in HEALTHY else me)
        assert number(dut.stat_rx_drops) == int(drop)
        if drop:
            self.drops[queue] += 1
            return
        head = cpl >> r.RXC_HEAD_LSB & 0xFFFF
        bufs = cpl >> r.RXC_BUFS_LSB & 0xFF
        assert number(dut.cpl_issue_head) == head
        if fault not in HEALTHY:
            back = bufs if fault == r.STATUS_DMA_ERR else 1
            assert number(dut.halt_index) == (head - back) & 0xFFFF
            assert number(dut.halt_status) == fault
            self.flush |= me
        addr, phase = self.place(queue)
        whole = cpl & ~(0xFF << r.RXC_STATUS_LSB) | fault << r.RXC_STATUS_LSB
        self.wanted.append((addr, whole | phase << r.RXC_PHASE_LSB))
        self.owners.append(queue)
        self.issued[queue] += 1


async def play(dut: Any, faults: float, pause: float, count: int) -> Model:
    rng = seeded()
    model = Model(dut)
    task = cocotb.start_soon(model.run())
    frames, answers = [], []
    for _ in range(count):
        status = r.STATUS_OK
        if rng.random() < faults:
            status = rng.choice([r.STATUS_NO_DESC, r.STATUS_BAD_DESC, r.STATUS_DESC_ERR])
        frames.append(
            {
                "queue": rng.randrange(model.count),
                "drop": int(rng.random() < 0.1),
                "cpl": record(rng, status),
            }
        )
        answers.append({"error": int(rng.random() < faults / 2)})
    senders = [
        cocotb.start_soon(StreamSource(dut, "frame", rng, pause).send(frames)),
        cocotb.start_soon(StreamSource(dut, "done", rng, 2 * pause).send(answers)),
    ]
    sink = StreamSink(dut, "cpl", ["addr", "record"], rng, pause)
    taking = cocotb.start_soon(sink.take(count))
    answered = seen = 0
    for _ in range(20 * count):
        dut.cpl_done.value = int(answered < seen and rng.random() < 0.5)
        await RisingEdge(dut.clk)
        answered += int(dut.cpl_done.value)
        seen += int(dut.cpl_valid.value and dut.cpl_ready.value)
        if all(sender.done() for sender in senders) and answered == len(model.wanted):
            break
    dut.cpl_done.value = 0
    await ClockCycles(dut.clk, 2)
    taking.cancel()
    task.cancel()
    return model


@cocotb.test()
@cocotb.parametrize((("faults", "pause"), [(0.0, 0.0), (0.0, 0.3), (0.1, 0.2)]))
async def each_frame_is_completed_or_counted(dut: Any, faults: float, pause: float) -> None:
    await start(dut, **IDLE)
    seen: list[tuple[int, int]] = []

    async def watch() -> None:
        while True:
            await RisingEdge(dut.clk)
            if dut.cpl_valid.value and dut.cpl_ready.value:
                seen.append((number(dut.cpl_addr), number(dut.cpl_record)))

    watching = cocotb.start_soon(watch())
    model = await play(dut, faults, pause, 120)
    watching.cancel()
    assert seen == model.wanted
    assert model.done == model.issued
    for queue, drops in enumerate(model.drops):
        assert number(dut.status_drops) >> 32 * queue & 0xFFFFFFFF == drops
    assert sum(model.drops) + len(seen) == 120
    assert bool(model.flush) == (faults > 0)
    assert not dut.status_busy.value


@cocotb.test()
async def nothing_is_completed_before_its_answer(dut: Any) -> None:
    await start(dut, **IDLE | {"cpl_ready": 1})
    rng = seeded()
    dut.frame_valid.value, dut.frame_queue.value, dut.frame_drop.value = 1, 0, 0
    dut.frame_cpl.value = record(rng, r.STATUS_OK)
    for _ in range(10):
        await RisingEdge(dut.clk)
        assert not dut.cpl_valid.value
        assert not dut.frame_ready.value
        assert not number(dut.finish)
    dut.done_valid.value, dut.done_error.value = 1, 0
    await RisingEdge(dut.clk)
    assert dut.frame_ready.value
    dut.frame_valid.value = dut.done_valid.value = 0
    await RisingEdge(dut.clk)
    assert dut.cpl_valid.value


@cocotb.test()
async def records_without_answer_are_bounded_and_drops_go_by(dut: Any) -> None:
    await start(dut, **IDLE | {"cpl_ready": 1, "done_valid": 1, "done_error": 0})
    dut.frame_valid.value, dut.frame_queue.value, dut.frame_drop.value = 1, 0, 0
    dut.frame_cpl.value = record(seeded(), r.STATUS_OK)
    issued = 0
    for _ in range(30):
        await RisingEdge(dut.clk)
        issued += number(dut.cpl_issue) & 1
    assert issued == OUTSTANDING
    dut.frame_drop.value = 1
    await RisingEdge(dut.clk)
    assert dut.frame_ready.value
    assert not number(dut.finish)


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    await start(dut, **IDLE)
    for wait in (3, 7, 20, 45):
        task = cocotb.start_soon(play(dut, 0.1, 0.2, 40))
        await ClockCycles(dut.clk, wait)
        task.cancel()
        await reset(dut, **IDLE)
        assert not dut.cpl_valid.value
        assert not dut.status_busy.value
        assert number(dut.status_drops) == 0
