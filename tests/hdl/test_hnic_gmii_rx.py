"""The receive MAC for GMII, fed by cocotbext-eth's GmiiSource, and by hand with faults."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge
from cocotbext.eth import GmiiFrame, GmiiSource

from tests.hdl.bench import interrupt, reset, run_module, seeded, start
from tests.hdl.frames import RxMonitor, SideBand, fcs

MAX_FRAME = 300
QUIET = {"gmii_rxd": 0, "gmii_rx_dv": 0, "gmii_rx_er": 0}


def test_frames_are_received_whatever_comes_between(module_simulator: str) -> None:
    run_module(__file__, module_simulator, {"MAX_FRAME": MAX_FRAME})


async def begin(dut: Any) -> tuple[RxMonitor, list[tuple[int, int]]]:
    """A monitor, and the cycle and time of each rise of rx_dv from now on."""
    await start(dut, **QUIET)
    SideBand(dut)
    monitor = RxMonitor(dut)
    starts: list[tuple[int, int]] = []
    cocotb.start_soon(watch(dut, monitor, starts))
    return monitor, starts


async def watch(dut: Any, monitor: RxMonitor, starts: list[tuple[int, int]]) -> None:
    before = 0
    while True:
        await RisingEdge(dut.clk)
        now = int(dut.gmii_rx_dv.value)
        if now and not before:
            starts.append((monitor.cycle, int(dut.time_ns.value)))
        before = now


def wire_frame(frame: bytes, preamble: int = 7) -> list[tuple[int, int]]:
    return [(byte, 0) for byte in b"\x55" * preamble + b"\xd5" + frame + fcs(frame)]


async def send(dut: Any, wire: list[tuple[int, int]], gap: int = 1) -> None:
    """Bytes with rx_er, then `gap` cycles without rx_dv."""
    edge = RisingEdge(dut.clk)
    dut.gmii_rx_dv.value = 1
    for byte, error in wire:
        dut.gmii_rxd.value = byte
        dut.gmii_rx_er.value = error
        await edge
    dut.gmii_rx_dv.value = dut.gmii_rx_er.value = 0
    for _ in range(gap):
        await edge


async def settle(dut: Any, monitor: RxMonitor) -> None:
    await ClockCycles(dut.clk, 6)
    assert monitor.between_frames
    assert not dut.status_busy.value


@cocotb.test()
async def frames_of_a_source(dut: Any) -> None:
    rng = seeded()
    monitor, starts = await begin(dut)
    await FallingEdge(dut.clk)
    source = GmiiSource(dut.gmii_rxd, dut.gmii_rx_er, dut.gmii_rx_dv, dut.clk)
    source.log.setLevel("WARNING")
    frames = [rng.randbytes(n) for n in [*range(60, 78), *range(MAX_FRAME - 4, MAX_FRAME + 5)]]
    for frame in frames:
        await source.send(GmiiFrame.from_payload(frame))
    await source.wait()
    await settle(dut, monitor)
    assert monitor.good == frames
    assert [frame.time for frame in monitor.frames] == [time for _, time in starts]
    assert (monitor.fcs_errs, monitor.len_errs) == (0, 0)


@cocotb.test()
async def short_preambles_and_gaps(dut: Any) -> None:
    rng = seeded()
    monitor, starts = await begin(dut)
    frames = [rng.randbytes(60 + n % 9) for n in range(40)]
    for index, frame in enumerate(frames):
        await send(dut, wire_frame(frame, index % 8), gap=1 + index % 3)
    await settle(dut, monitor)
    assert monitor.good == frames
    assert [frame.time for frame in monitor.frames] == [time for _, time in starts]


@cocotb.test()
async def latency_is_what_the_header_says(dut: Any) -> None:
    monitor, starts = await begin(dut)
    for length in range(60, 69):
        wire = wire_frame(bytes(length))
        await send(dut, wire)
        await settle(dut, monitor)
        falls = starts[-1][0] + len(wire)
        assert monitor.frames[-1].last_cycle - falls == 2 + ((length + 4) % 8 > 4)


@cocotb.test()
async def bad_frames_count_once_and_end(dut: Any) -> None:
    rng = seeded()
    monitor, _ = await begin(dut)
    frames, bad, fcs_errs, len_errs = [], 0, 0, 0
    for kind, size in [
        *(("flipped", n) for n in range(60, 69)),
        *(("error", n) for n in range(60, 69)),
        *(("short", n) for n in range(0, 60, 3)),
        *(("long", n) for n in range(MAX_FRAME + 5, MAX_FRAME + 40, 4)),
    ]:
        wire = wire_frame(rng.randbytes(size))
        place = rng.randrange(8, len(wire))
        byte, _ = wire[place]
        if kind == "flipped":
            wire[place] = (byte ^ 1 << rng.randrange(8), 0)
        elif kind == "error":
            wire[place] = (byte, 1)
        await send(dut, wire)
        frames.append(rng.randbytes(rng.randrange(60, 70)))
        await send(dut, wire_frame(frames[-1]))
        await settle(dut, monitor)
        wrong_length = kind in ("short", "long")
        bad += size > 0
        fcs_errs += not wrong_length
        len_errs += wrong_length
        seen = (len(monitor.frames), monitor.fcs_errs, monitor.len_errs)
        assert seen == (bad + len(frames), fcs_errs, len_errs), (kind, size)
    assert monitor.good == frames
    assert max(len(frame.data) for frame in monitor.frames) <= MAX_FRAME + 12


@cocotb.test()
async def what_begins_wrong_is_no_frame(dut: Any) -> None:
    rng = seeded()
    monitor, _ = await begin(dut)
    frames = []
    for place in range(8):
        for wrong in ((0x54, 0), (0x55, 1), (0xD5, 1), (0, 0)):
            wire = wire_frame(rng.randbytes(62))
            wire[place] = wrong
            await send(dut, wire)
            frames.append(rng.randbytes(60))
            await send(dut, wire_frame(frames[-1]))
    dut.gmii_rx_er.value = 1  # a false carrier, and the extension of a carrier
    dut.gmii_rxd.value = 0x0E
    await ClockCycles(dut.clk, 5)
    dut.gmii_rx_er.value = 0
    await send(dut, [(0x55, 0)] * 9)
    await settle(dut, monitor)
    assert monitor.good == frames
    assert len(monitor.frames) == len(frames)


@cocotb.test()
async def no_garbage_loses_the_next_frame(dut: Any) -> None:
    rng = seeded()
    monitor, _ = await begin(dut)
    frames = []
    for _ in range(150):
        garbage = wire_frame(rng.randbytes(60))[: rng.randrange(1, 70)]
        for _ in range(rng.randrange(30)):
            byte = rng.choice([0x55, 0xD5, rng.randrange(256)])
            garbage.insert(rng.randrange(len(garbage)), (byte, int(rng.random() < 0.1)))
        await send(dut, garbage[rng.randrange(len(garbage)) :])
        frames.append(rng.randbytes(60))
        await send(dut, wire_frame(frames[-1]))
    await settle(dut, monitor)
    assert monitor.good == frames
    assert len(monitor.frames) > len(frames)


async def traffic(dut: Any, rng: random.Random) -> None:
    for _ in range(3):
        await send(dut, wire_frame(rng.randbytes(60)))


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    rng = seeded()
    monitor, _ = await begin(dut)
    for count in (1, 5, 8, 9, 16, 17, 40, 72, 73, 74, 76):
        await interrupt(dut, traffic(dut, rng), count)
        # The rest of a frame is not the start of one.
        dut.gmii_rx_dv.value, dut.gmii_rxd.value, dut.gmii_rx_er.value = 1, 0xD5, 0
        await reset(dut)
        assert not dut.out_valid.value
        seen, frame = len(monitor.frames), rng.randbytes(64)
        await send(dut, wire_frame(bytes(70)))
        await ClockCycles(dut.clk, 6)
        assert len(monitor.frames) - seen == 0
        await send(dut, wire_frame(frame))
        await settle(dut, monitor)
        assert [f.data for f in monitor.frames[seen:]] == [frame]
