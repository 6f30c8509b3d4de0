"""Each frame gets the buffers it needs, or a reason why not."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import cocotb
import pytest
from cocotb.triggers import ClockCycles, RisingEdge

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import StreamSink, StreamSource, number, reset, run_module, seeded, start

IDLE = {
    "quiesce": 0,
    "cfg_card_enable": 1,
    "pkt_valid": 0,
    "place_ready": 0,
    "frame_ready": 1,
    "held_valid": 0,
    "take_index": 0,
    "tail": 0,
    "flush": 0,
    "on": 0,
}


@pytest.mark.parametrize("queues", [1, 3])
def test_frames_get_their_places(module_simulator: str, queues: int) -> None:
    run_module(__file__, module_simulator, {"QUEUES": queues})


@dataclass
class Queue:
    """A queue as the module sees it: descriptors (address, bytes, id, error) from `base` on."""

    base: int = 0
    descs: list[tuple[int, int, int, int]] = field(default_factory=list)
    taken: int = 0
    held: int = 0
    on: bool = True
    flush: bool = False
    started: int = 0


class Queues:
    """Plays the queues and the descriptor store; fetched descriptors come late."""

    def __init__(self, dut: Any, rng: random.Random, slow: float = 0.0) -> None:
        self.dut, self.rng, self.slow = dut, rng, slow
        self.all = [Queue(rng.randrange(1 << 16)) for _ in range(int(dut.QUEUES.value))]
        self.places: list[tuple[int, int, int]] = []
        self.frames: list[dict[str, int]] = []

    def give(self, queue: Queue, *sizes: int, error: int = 0) -> None:
        for size in sizes:
            queue.descs.append((self.rng.randrange(1 << 64), size, self.rng.getrandbits(32), error))

    def drive(self) -> None:
        values = dict.fromkeys(["on", "flush", "held_valid", "take_index", "tail"], 0)
        for i, queue in enumerate(self.all):
            live = queue.on and not queue.flush
            values["on"] |= int(live) << i
            values["flush"] |= int(queue.flush) << i
            values["held_valid"] |= int(live and queue.held > queue.taken) << i
            values["take_index"] |= (queue.base + queue.taken & 0xFFFF) << 16 * i
            values["tail"] |= (queue.base + len(queue.descs) & 0xFFFF) << 16 * i
        for name, value in values.items():
            getattr(self.dut, name).value = value

    async def run(self) -> None:
        dut = self.dut
        while True:
            for queue in self.all:
                if queue.held < len(queue.descs) and self.rng.random() >= self.slow:
                    queue.held += 1
            self.drive()
            await RisingEdge(dut.clk)
            if dut.rst.value:
                continue
            take, start_of = number(dut.take), number(dut.start)
            assert bool(take) == bool(dut.rd_en.value)
            assert start_of & ~take == 0
            if not take:
                continue
            i = number(dut.rd_queue)
            queue = self.all[i]
            assert take == 1 << i
            assert number(dut.rd_index) == (queue.base + queue.taken) & 0xFFFF
            assert queue.held > queue.taken
            queue.started += int(start_of != 0)
            addr, size, buf_id, error = queue.descs[queue.taken]
            queue.taken += 1
            dut.rd_data.value = (
                addr << r.RXD_ADDR_LSB
                | size << r.RXD_LEN_LSB
                | buf_id << r.RXD_BUF_ID_LSB
                | self.rng.getrandbits(16) << r.RXD_LEN_LSB + r.RXD_LEN_W
            )
            dut.rd_error.value = error

    async def watch(self) -> None:
        """Note the frames; each comes with its last place."""
        dut = self.dut
        while True:
            await RisingEdge(dut.clk)
            if dut.rst.value or not dut.frame_valid.value:
                continue
            assert dut.place_valid.value
            assert dut.place_ready.value
            assert dut.place_last.value
            assert dut.frame_ready.value
            cpl = number(dut.frame_cpl)
            frame = {"queue": number(dut.frame_queue), "drop": int(dut.frame_drop.value)}
            if not frame["drop"]:
                for name in ("BUF_ID", "BUFS", "HEAD", "STATUS", "LEN", "COOKIE", "PHASE"):
                    lsb, width = getattr(r, f"RXC_{name}_LSB"), getattr(r, f"RXC_{name}_W", 1)
                    frame[name] = cpl >> lsb & (1 << width) - 1
            self.frames.append(frame)


class Plan:
    """What must come of frames, from the rules."""

    def __init__(self, queues: Queues) -> None:
        self.queues = queues
        self.next = [0] * len(queues.all)
        self.stopped = [False] * len(queues.all)
        self.items: list[dict[str, int]] = []
        self.places: list[dict[str, int]] = []
        self.frames: list[dict[str, int]] = []

    def frame(self, number_of: int, size: int) -> None:
        queue = self.queues.all[number_of]
        cookie = len(self.items) + 1
        self.items.append(
            {"queue": number_of, "cpl": size << r.RXC_LEN_LSB | cookie << r.RXC_COOKIE_LSB}
        )
        first = self.next[number_of]
        if not queue.on or self.stopped[number_of] or first == len(queue.descs):
            self.frames.append({"queue": number_of, "drop": 1})
            self.places.append({"bytes": 0, "last": 1})
            return
        left, status, bufs = size, r.STATUS_OK, 0
        while status == r.STATUS_OK:
            if bufs == 255:
                status = r.STATUS_TOO_MANY
            elif first + bufs == len(queue.descs):
                status = r.STATUS_NO_DESC
            else:
                addr, room, _, error = queue.descs[first + bufs]
                bufs += 1
                if error or not room:
                    status = r.STATUS_DESC_ERR if error else r.STATUS_BAD_DESC
                    break
                step = min(left, room)
                left -= step
                self.places.append({"addr": addr, "bytes": step, "last": int(not left)})
                if not left:
                    break
        if status != r.STATUS_OK:
            self.places.append({"bytes": 0, "last": 1})
        self.stopped[number_of] = status not in (r.STATUS_OK, r.STATUS_NO_DESC)
        self.next[number_of] = first + bufs
        self.frames.append(
            {
                "queue": number_of,
                "drop": 0,
                "BUF_ID": 0 if queue.descs[first][3] else queue.descs[first][2],
                "BUFS": bufs,
                "HEAD": queue.base + first + bufs & 0xFFFF,
                "STATUS": status,
                "LEN": size,
                "COOKIE": cookie,
                "PHASE": 0,
            }
        )


async def play(dut: Any, queues: Queues, plan: Plan, pause: float) -> None:
    """Send the plan's frames and compare."""
    tasks = [cocotb.start_soon(queues.run()), cocotb.start_soon(queues.watch())]
    before = [queue.started for queue in queues.all]
    await RisingEdge(dut.clk)
    cocotb.start_soon(StreamSource(dut, "pkt", queues.rng, pause).send(plan.items))
    sink = StreamSink(dut, "place", ["addr", "bytes", "last"], queues.rng, pause)
    got = await sink.take(len(plan.places))
    await ClockCycles(dut.clk, 3)
    assert not dut.status_busy.value
    for place, wanted in zip(got, plan.places, strict=True):
        assert {name: place[name] for name in wanted} == wanted
    assert queues.frames == plan.frames
    for i, queue in enumerate(queues.all):
        kept = [f for f in plan.frames if f["queue"] == i and not f["drop"]]
        assert queue.started - before[i] == len(kept)
        assert queue.taken == plan.next[i]
    for task in tasks:
        task.cancel()


@cocotb.test()
@cocotb.parametrize((("slow", "pause"), [(0.0, 0.0), (0.9, 0.0), (0.5, 0.4)]))
async def frames_get_the_buffers_they_need(dut: Any, slow: float, pause: float) -> None:
    await start(dut, **IDLE)
    rng = seeded()
    queues = Queues(dut, rng, slow)
    for queue in queues.all:
        queues.give(queue, *[rng.choice([1, 60, 64, 500, 2048, 65535]) for _ in range(40)])
    plan = Plan(queues)
    for _ in range(60):
        plan.frame(rng.randrange(len(queues.all)), rng.choice([60, 64, 128, 1514, 9600]))
    await play(dut, queues, plan, pause)


@cocotb.test()
@cocotb.parametrize(what=["off", "empty", "error", "first", "zero", "many"])
async def a_frame_that_cannot_be_placed_says_why(dut: Any, what: str) -> None:
    """The queue before and behind it go on, where that is the rule."""
    await start(dut, **IDLE)
    rng = seeded()
    queues = Queues(dut, rng, 0.3)
    queue, other = queues.all[0], queues.all[-1]
    queues.give(other, *[2048] * 20)
    if what == "off":
        queue.on = False
    elif what == "many":
        queues.give(queue, *[1] * 300)
    elif what != "empty":
        queues.give(queue, *([] if what == "first" else [100, 100]))
        queues.give(queue, 0 if what == "zero" else 100, error=int(what != "zero"))
        queues.give(queue, 100, 100, 100)
    plan = Plan(queues)
    for size in (100, 1514, 100, 100):
        plan.frame(0, size)
        plan.frame(len(queues.all) - 1, 200)
    await play(dut, queues, plan, 0.1)


@cocotb.test()
async def a_queue_that_stops_lets_its_frame_go(dut: Any) -> None:
    """A frame waits for a buffer that is being fetched; a flush, a disable, a reset end that."""
    await start(dut, **IDLE)
    rng = seeded()
    for how in ("flush", "on", "card"):
        queues = Queues(dut, rng, 1.0)  # nothing is ever fetched
        queues.give(queues.all[0], 100)
        tasks = [cocotb.start_soon(queues.run()), cocotb.start_soon(queues.watch())]
        await RisingEdge(dut.clk)
        dut.place_ready.value = 1
        await StreamSource(dut, "pkt", rng).send([{"queue": 0, "cpl": 60 << r.RXC_LEN_LSB}])
        await ClockCycles(dut.clk, 20)
        assert dut.status_busy.value
        assert not queues.frames
        if how == "flush":
            queues.all[0].flush = True
        elif how == "on":
            queues.all[0].on = False
        else:
            dut.cfg_card_enable.value = 0
        await ClockCycles(dut.clk, 6)
        assert queues.frames == [{"queue": 0, "drop": 1}]
        assert not dut.status_busy.value
        dut.cfg_card_enable.value = 1
        for task in tasks:
            task.cancel()


@cocotb.test()
async def after_a_flush_a_stopped_queue_takes_frames_again(dut: Any) -> None:
    await start(dut, **IDLE)
    rng = seeded()
    queues = Queues(dut, rng)
    queues.give(queues.all[0], 0, 100)
    plan = Plan(queues)
    plan.frame(0, 100)
    plan.frame(0, 100)
    await play(dut, queues, plan, 0.0)
    queues.all[0].flush = True
    queues.drive()
    await ClockCycles(dut.clk, 2)
    queues.all[0].flush = False
    queues.frames.clear()
    again = Plan(queues)
    again.next[0] = 1
    again.frame(0, 100)
    assert again.frames[-1]["STATUS"] == r.STATUS_OK
    await play(dut, queues, again, 0.0)


@cocotb.test()
async def no_room_for_the_record_holds_the_last_place(dut: Any) -> None:
    await start(dut, **IDLE | {"frame_ready": 0, "place_ready": 1})
    rng = seeded()
    queues = Queues(dut, rng)
    queues.give(queues.all[0], 40, 60, 60)
    cocotb.start_soon(queues.run())
    cocotb.start_soon(queues.watch())
    await RisingEdge(dut.clk)
    cocotb.start_soon(
        StreamSource(dut, "pkt", rng).send([{"queue": 0, "cpl": 60 << r.RXC_LEN_LSB}])
    )
    places = []
    for cycle in range(40):
        dut.frame_ready.value = int(cycle > 20)
        await RisingEdge(dut.clk)
        if dut.place_valid.value:
            places.append(number(dut.place_bytes))
        if cycle <= 20:
            assert places in ([], [40])
    assert places == [40, 20]


@cocotb.test()
async def a_reset_and_quiesce_leave_nothing(dut: Any) -> None:
    await start(dut, **IDLE)
    rng = seeded()
    for wait in range(2, 9):
        queues = Queues(dut, rng, 0.3)
        queues.give(queues.all[0], 10, 10, 10, 10)
        task = cocotb.start_soon(queues.run())
        sender = cocotb.start_soon(
            StreamSource(dut, "pkt", rng).send([{"queue": 0, "cpl": 60 << r.RXC_LEN_LSB}])
        )
        await ClockCycles(dut.clk, wait)
        task.cancel()
        sender.cancel()
        await reset(dut, **IDLE)
        assert not dut.status_busy.value
        assert not dut.place_valid.value
    dut.quiesce.value, dut.pkt_valid.value, dut.pkt_queue.value, dut.pkt_cpl.value = 1, 1, 0, 0
    for _ in range(5):
        await RisingEdge(dut.clk)
        assert not dut.pkt_ready.value
        assert not dut.status_busy.value
