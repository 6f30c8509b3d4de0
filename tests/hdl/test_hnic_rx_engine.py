"""Received frames land in the host's buffers; completions say so, in order and never too early."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest
from cocotb.triggers import ClockCycles, RisingEdge

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import deep, number, reset, run_module
from tests.hdl.receiver import Host


def test_frames_land_in_buffers(module_simulator: str) -> None:
    run_module(__file__, module_simulator, {"QUEUES": 4}, top="hnic_rx_bench")


@pytest.mark.parametrize(("width", "queues"), deep((64, 1), (512, 3)))
def test_other_widths(module_simulator: str, width: int, queues: int) -> None:
    run_module(
        __file__,
        module_simulator,
        {"DATA_W": width, "QUEUES": queues},
        top="hnic_rx_bench",
        only="^(?!.*slow_memory)",
    )


@cocotb.test()
@cocotb.parametrize((("latency", "pause"), [(0, 0.0), (80, 0.0), (0, 0.4)]))
async def frames_land_and_complete(dut: Any, latency: int, pause: float) -> None:
    host = await Host(dut).start(pause=pause, latency=latency)
    rng = host.rng
    await host.enable(*host.queues)
    watch = cocotb.start_soon(host.watch())
    for _ in range(2):
        frames = []
        for queue in host.queues:
            room = 50 - len(queue.buffers)
            await host.give(queue, [rng.choice([60, 128, 600, 2048]) for _ in range(room)])
        while len(frames) < 30:
            queue = rng.choice(host.queues)
            if len(queue.buffers) < 27:
                break
            frames.append(
                host.frame(queue, rng.choice([60, 64, 65, 128, 600, 1514, rng.randrange(60, 300)]))
            )
        await host.send(frames)
        await host.settle()
        host.check()
    watch.cancel()


@cocotb.test()
async def rings_wrap_and_the_phase_turns(dut: Any) -> None:
    host = await Host(dut).start()
    queue = host.queues[-1]
    await host.enable(queue)
    for _ in range(3):
        await host.give(queue, [64] * (64 - len(queue.buffers)))
        await host.send([host.frame(queue, 60) for _ in range(57)])
        await host.settle()
        host.check()
    assert queue.seen == 171


@cocotb.test()
async def a_frame_without_a_buffer_is_dropped_and_counted(dut: Any) -> None:
    host = await Host(dut).start(pause=0.2)
    last = host.queues[-1]
    await host.send([host.frame(last, 100)])  # off
    await host.settle()
    host.check()
    await host.enable(*host.queues)
    await host.send([host.frame(last, 61), host.frame(last, 200)])  # nothing given
    await host.settle()
    host.check()
    await host.give(last, [2048, 100])
    await host.send([host.frame(last, 300), host.frame(last, 60), host.frame(last, 60)])
    await host.settle()
    host.check()
    assert last.drops == 4
    assert host.status("status_drops", last, 32) == 4
    if len(host.queues) > 1:
        assert host.status("status_drops", host.queues[0], 32) == 0


@cocotb.test()
async def a_frame_waits_for_a_buffer_that_is_being_fetched(dut: Any) -> None:
    host = await Host(dut).start(latency=100)
    (queue, *_) = host.queues
    await host.enable(queue)
    await host.give(queue, [2048])
    await host.send([host.frame(queue, 300)])
    await host.settle()
    host.check()
    assert host.status("status_drops", queue, 32) == 0


@cocotb.test()
async def buffers_that_run_out_inside_a_frame_are_told(dut: Any) -> None:
    host = await Host(dut).start(pause=0.2)
    (queue, *_) = host.queues
    await host.enable(queue)
    for sizes in ([100], [60, 61, 7], [64] * 5):
        await host.give(queue, sizes)
        await host.send([host.frame(queue, 1514), host.frame(queue, 60)])
        await host.settle()
        (got,) = queue.expected
        assert got.status == r.STATUS_NO_DESC
        host.check()
    await host.give(queue, [2048])  # the queue goes on
    await host.send([host.frame(queue, 1514)])
    await host.settle()
    host.check()


async def fault(dut: Any, what: str) -> None:
    """Frames before the fault are whole, the fault is the last completion, other queues go on, and
    after a reset so does this one.
    """
    host = await Host(dut).start(pause=0.1)
    queue, other = host.queues[0], host.queues[-1]
    await host.enable(*host.queues)
    if what == "read":
        slot = host.ring(queue) + 4 * r.RXD_BYTES
        host.memory.read_if.bad = range(slot, slot + r.RXD_BYTES)
    sizes = [600, 200, 600, 300, 600, 600, 600, 600]
    if what == "length":
        sizes[4] = 0
    if what == "write":
        host.memory.write_if.bad = range(0x30000, 0x31000)
        await host.give(queue, sizes[:4])
        await host.give(queue, [600], addr=0x30010)
        await host.give(queue, sizes[5:])
    else:
        await host.give(queue, sizes)
    if other is not queue:
        await host.give(other, [2048] * 30)
    frames = []
    for size in (700, 700, 500, 100, 100):
        frames.append(host.frame(queue, size))
        if other is not queue:
            frames += [host.frame(other, 333), host.frame(other, 60)]
    await host.send(frames)
    await host.settle()
    if what == "write":
        host.forgive(queue)
    error = queue.expected[-1]
    assert len(queue.expected) == 3
    assert (
        error.status
        == {
            "read": r.STATUS_DESC_ERR,
            "length": r.STATUS_BAD_DESC,
            "write": r.STATUS_DMA_ERR,
        }[what]
    )
    host.check()
    assert host.status("error_status", queue, 8) == error.status
    assert host.status("error_index", queue, 16) == 4
    await host.send([host.frame(queue, 60)])  # the queue is known to be halted now
    if other is not queue:
        await host.send([host.frame(other, 61)])
    await host.settle()
    host.check()
    host.memory.read_if.bad = host.memory.write_if.bad = range(0)
    await host.reset(queue)
    for name in ("status_error", "status_active"):
        assert not host.status(name, queue, 1)
    await host.enable(queue)
    await host.give(queue, [300] * 10)
    frames = [host.frame(queue, 700), host.frame(queue, 60)]
    await host.send(frames)
    await host.settle()
    host.check()


@cocotb.test()
@cocotb.parametrize(what=["read", "length", "write"])
async def a_fault_stops_its_queue_only(dut: Any, what: str) -> None:
    await fault(dut, what)


@cocotb.test()
async def a_failed_completion_write_stops_its_queue(dut: Any) -> None:
    host = await Host(dut).start()
    queue, other = host.queues[0], host.queues[-1]
    await host.enable(*host.queues)
    for each in {0: queue, other.number: other}.values():
        await host.give(each, [2048] * 10)
    ring = host.cpl_ring(queue)
    host.memory.write_if.bad = range(ring, ring + r.RXC_BYTES)
    await host.send([host.frame(queue, 60)])
    await host.settle()
    queue.expected.clear()
    assert host.status("status_error", queue, 1)
    assert host.status("error_status", queue, 8) == r.STATUS_CPL_ERR
    queue.halted = True
    drops = [host.frame(queue, 80), host.frame(queue, 80)]
    await host.send(drops + ([host.frame(other, 99)] if other is not queue else []))
    await host.settle()
    assert host.status("status_drops", queue, 32) == 2
    if other is not queue:
        assert host.take(other) == other.expected


@cocotb.test()
async def more_than_255_buffers_are_too_many(dut: Any) -> None:
    host = await Host(dut, ring_log2=9).start()
    (queue, *_) = host.queues
    await host.enable(queue)
    await host.give(queue, [1] * 300)
    await host.send([host.frame(queue, 255)])
    await host.settle()
    host.check()
    await host.reset(queue)
    await host.enable(queue)
    await host.give(queue, [1] * 300)
    await host.send([host.frame(queue, 256), host.frame(queue, 60)])
    assert queue.expected[-1].status == r.STATUS_TOO_MANY
    await host.settle()
    host.check()


@cocotb.test()
async def a_queue_reset_under_traffic_leaves_the_others_alone(dut: Any) -> None:
    host = await Host(dut).start(pause=0.1, latency=20)
    queue, other = host.queues[0], host.queues[-1]
    await host.enable(*host.queues)
    for wait in (1, 10, 25, 50, 120):
        await host.give(queue, [100] * 30)
        frames = []
        if other is not queue:
            await host.give(other, [600] * (40 - len(other.buffers)))
        for _ in range(6):
            frames.append(host.frame(queue, 333))
            if other is not queue:
                frames.append(host.frame(other, 500))
        sender = cocotb.start_soon(host.send(frames))
        await ClockCycles(dut.clk, wait)
        await host.reset(queue)
        head = host.status("status_cpl_head", queue, 16)
        assert head == 0
        assert not host.status("status_active", queue, 1)
        before = host.memory.read(host.cpl_ring(queue), r.RXC_BYTES << 6)
        await sender
        await host.settle()
        assert host.memory.read(host.cpl_ring(queue), r.RXC_BYTES << 6) == before
        if other is not queue:
            wanted, other.expected = other.expected, []
            assert host.take(other) == wanted
        await host.enable(queue)
    host.image = bytearray(host.memory.read(0, len(host.image)))
    queue.drops = host.status("status_drops", queue, 32)
    await host.give(queue, [100] * 30)
    await host.send([host.frame(queue, 333) for _ in range(5)])
    await host.settle()
    host.check()


@cocotb.test()
async def a_disabled_queue_finishes_its_frame_and_forgets_its_buffers(dut: Any) -> None:
    host = await Host(dut).start(latency=30)
    (queue, *_) = host.queues
    await host.enable(queue)
    await host.give(queue, [2048] * 10)
    await host.send([host.frame(queue, 200), host.frame(queue, 300)])
    host._field("cfg_enable", queue, 1, 0)
    await host.settle()
    assert not host.status("status_active", queue, 1)
    assert host.take(queue) == queue.expected
    queue.on = False
    await host.send([host.frame(queue, 200)])
    await host.settle()
    assert host.status("status_drops", queue, 32) == 1


@cocotb.test()
async def a_queue_disabled_inside_a_frame_gets_no_further_buffer(dut: Any) -> None:
    host = await Host(dut).start(latency=100)
    (queue, *_) = host.queues
    await host.enable(queue)
    await host.give(queue, [100])
    await ClockCycles(dut.clk, 250)  # it is held
    sent = host.frame(queue, 200)
    assert queue.expected[-1].status == r.STATUS_NO_DESC
    await host.give(queue, [100])
    sender = cocotb.start_soon(host.send([sent]))
    await ClockCycles(dut.clk, 20)
    host._field("cfg_enable", queue, 1, 0)
    await sender
    await host.settle()
    assert host.take(queue) == queue.expected
    assert not host.status("status_active", queue, 1)


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    host = await Host(dut).start(pause=0.2)
    for wait in (1, 5, 12, 30, 60, 100, 200):
        await host.enable(*host.queues)
        for queue in host.queues:
            await host.give(queue, [300] * 30)
        frames = [host.frame(host.rng.choice(host.queues), 500) for _ in range(15)]
        sender = cocotb.start_soon(host.send(frames))
        await ClockCycles(dut.clk, wait)
        sender.cancel()
        await reset(dut, pkt_valid=0, in_valid=0, cfg_enable=0)
        for valid in (dut.m_axi_awvalid, dut.m_axi_wvalid, dut.m_axi_arvalid, dut.status_busy):
            assert not valid.value
    for queue in host.queues:
        queue.drops = 0
    host.image = bytearray(host.memory.read(0, len(host.image)))
    await host.enable(*host.queues)
    await host.give(host.queues[-1], [300] * 5)
    await host.send([host.frame(host.queues[-1], 700)])
    await host.settle()
    host.check()


@cocotb.test()
async def quiesced_the_bus_comes_to_rest(dut: Any) -> None:
    host = await Host(dut).start(pause=0.2, latency=20)
    await host.enable(*host.queues)
    for queue in host.queues:
        await host.give(queue, [300] * 40)
    frames = [host.frame(host.rng.choice(host.queues), 333) for _ in range(15)]
    sender = cocotb.start_soon(host.send(frames))
    await ClockCycles(dut.clk, 90)
    assert not dut.status_idle.value
    dut.quiesce.value = 1
    for _ in range(500):
        await RisingEdge(dut.clk)
        if dut.status_idle.value:
            break
    for _ in range(100):
        await RisingEdge(dut.clk)
        for valid in (dut.m_axi_awvalid, dut.m_axi_wvalid, dut.m_axi_arvalid):
            assert not valid.value
        assert dut.status_idle.value
    dut.quiesce.value = 0
    await sender
    await host.settle()
    host.check()


@cocotb.test()
async def the_way_of_one_frame_is_short(dut: Any) -> None:
    """Cycles from the frame's record to the address of its data and to that of its completion."""
    host = await Host(dut).start()
    (queue, *_) = host.queues
    await host.enable(queue)
    await host.give(queue, [2048])
    await ClockCycles(dut.clk, 40)
    cocotb.start_soon(host.send([host.frame(queue, 60)]))
    seen: dict[str, int] = {}
    for now in range(100):
        await RisingEdge(dut.clk)
        if dut.pkt_valid.value:
            seen.setdefault("record", now)
        if dut.m_axi_awvalid.value:
            seen.setdefault("completion" if dut.m_axi_awid.value == 0 else "data", now)
        if dut.m_axi_bvalid.value and dut.m_axi_bid.value == 1:
            seen.setdefault("answer", now)
    data, completion = seen["data"] - seen["record"], seen["completion"] - seen["answer"]
    dut._log.info("record to address %d, answer to completion %d cycles", data, completion)
    assert data == 5
    assert completion == 4
    host.check()


@cocotb.test()
@cocotb.parametrize(latency=[64, 160])
@cocotb.parametrize((("size", "line"), [(60, 10.5), (1514, 192.25)]))
@cocotb.parametrize(spread=[False, True])
async def slow_memory_costs_no_line_rate(
    dut: Any, latency: int, size: int, line: float, spread: bool
) -> None:
    """Frames as fast as the engine takes them, with buffers for all. The rate is taken when what
    can wait is full.
    """
    host = await Host(dut, ring_log2=8).start(latency=latency)
    queues = host.queues if spread else host.queues[:1]
    await host.enable(*queues)
    count = 160 if size == 60 else 16
    for queue in queues:
        await host.give(queue, [2048 if size == 60 else 1600] * (count // len(queues)))
    await ClockCycles(dut.clk, 2 * latency + 40)  # buffers are held
    frames = [host.frame(queues[i % len(queues)], size) for i in range(count)]
    sender = cocotb.start_soon(host.send(frames))
    taken: list[int] = []
    first = None
    for now in range(200 * count):
        await RisingEdge(dut.clk)
        if dut.in_valid.value and dut.in_ready.value and dut.in_last.value:
            taken.append(now)
        if first is None and number(dut.status_cpl_head):
            first = now
        if len(taken) == count:
            break
    await sender
    steady = taken[count // 2 :]
    rate = (steady[-1] - steady[0]) / (len(steady) - 1)
    dut._log.info(
        "%d bits, %d bytes, queues %d, memory %d cycles: %.2f cycles a frame (line rate %.2f), "
        "first after %d",
        8 * host.lanes,
        size,
        len(queues),
        latency,
        rate,
        line,
        first,
    )
    assert rate <= line
    await host.settle()
    host.check()
