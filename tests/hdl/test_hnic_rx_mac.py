"""The receive MAC for XGMII, fed by cocotbext-eth's XgmiiSource, and by hand with faults."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge
from cocotbext.eth import XgmiiFrame, XgmiiSource

from tests.hdl.bench import interrupt, reset, run_module, seeded, start
from tests.hdl.frames import RxMonitor, SideBand
from tests.hdl.xgmii import ERROR, IDLE, START, Line, wire_frame

MAX_FRAME = 1514
QUIET = {"xgmii_rxd": 0x0707070707070707, "xgmii_rxc": 0xFF}


def test_frames_are_received_whatever_comes_between(module_simulator: str) -> None:
    run_module(__file__, module_simulator, {"MAX_FRAME": MAX_FRAME})


async def begin(dut: Any) -> tuple[RxMonitor, list[tuple[int, int]]]:
    """A monitor, and the cycle and time of each start character from now on."""
    await start(dut, **QUIET)
    SideBand(dut)
    monitor = RxMonitor(dut)
    starts: list[tuple[int, int]] = []
    cocotb.start_soon(watch(dut, monitor, starts))
    return monitor, starts


async def watch(dut: Any, monitor: RxMonitor, starts: list[tuple[int, int]]) -> None:
    edge, quiet = RisingEdge(dut.clk), True
    while True:
        await edge
        assert quiet or dut.rst.value or dut.status_busy.value
        quiet = all(getattr(dut, name).value == value for name, value in QUIET.items())
        lanes = int(dut.xgmii_rxd.value).to_bytes(8, "little")
        control = int(dut.xgmii_rxc.value)
        if any(lanes[lane] == 0xFB and control >> lane & 1 for lane in (0, 4)):
            starts.append((monitor.cycle, int(dut.time_ns.value)))


async def settle(dut: Any, monitor: RxMonitor) -> None:
    await ClockCycles(dut.clk, 8)
    assert monitor.between_frames
    assert not dut.status_busy.value


@cocotb.test()
@cocotb.parametrize(ifg=[12, 5], offset=[False, True])
async def frames_of_a_source(dut: Any, ifg: int, offset: bool) -> None:
    rng = seeded()
    monitor, starts = await begin(dut)
    await FallingEdge(dut.clk)
    source = XgmiiSource(dut.xgmii_rxd, dut.xgmii_rxc, dut.clk)
    source.log.setLevel("WARNING")
    source.ifg, source.enable_dic, source.force_offset_start = ifg, ifg >= 12, offset
    frames = [rng.randbytes(n) for n in [*range(60, 94), *range(MAX_FRAME - 3, MAX_FRAME + 5)]]
    for frame in frames:
        await source.send(XgmiiFrame.from_payload(frame))
    await source.wait()
    await settle(dut, monitor)
    assert monitor.good == frames
    assert [frame.time for frame in monitor.frames] == [time for _, time in starts]
    assert (monitor.fcs_errs, monitor.len_errs) == (0, 0)


@cocotb.test()
async def frames_five_bytes_apart(dut: Any) -> None:
    """From each lane to each lane, with the shortest gap that a receiver may see."""
    rng = seeded()
    monitor, starts = await begin(dut)
    line, frames = Line(), []
    for _ in range(150):
        frames.append(rng.randbytes(rng.randrange(60, 90)))
        line.align(0 if -len(line.lanes) % 8 < 4 else 4)
        line.lanes += wire_frame(frames[-1])
        line.idle(4)
    await line.send(dut)
    await settle(dut, monitor)
    assert monitor.good == frames
    assert [frame.time for frame in monitor.frames] == [time for _, time in starts]


@cocotb.test()
async def latency_is_what_the_header_says(dut: Any) -> None:
    monitor, starts = await begin(dut)
    for lane in (0, 4):
        for length in range(60, 76):
            line = Line()
            line.align(lane)
            line.lanes += wire_frame(bytes(length))
            end = (len(line.lanes) - 1) // 8
            in_frame = (length + 4) % 8  # bytes of the last word, as if on lane 0
            await line.send(dut)
            await settle(dut, monitor)
            begun = starts[-1][0]
            frame = monitor.frames[-1]
            assert frame.first_cycle - begun == 4 + (lane == 4)
            late = lane == 4 and in_frame < 4  # the terminate character is on lane 4 to 7
            assert frame.last_cycle - begun - end == 2 + (in_frame > 4) + late, (lane, length)


@cocotb.test()
async def bad_frames_count_once_and_end(dut: Any) -> None:
    """Each kind of fault, on each lane, with a good frame right behind it."""
    rng = seeded()
    monitor, _ = await begin(dut)
    frames, bad, fcs_errs, len_errs = [], 0, 0, 0
    for lane in (0, 4):
        for kind, size in [
            *(("flipped", n) for n in range(60, 70)),
            *(("error", n) for n in range(60, 80)),
            *(("control", n) for n in range(60, 70)),
            *(("idle", n) for n in range(60, 70)),
            *(("cut", n) for n in range(70, 80)),
            *(("short", n) for n in range(60)),
            *(("long", n) for n in range(MAX_FRAME + 5, MAX_FRAME + 15)),
        ]:
            frame = rng.randbytes(size)
            line = Line()
            line.align(lane)
            whole = wire_frame(frame)
            place = rng.randrange(16, len(whole) - 1) if size >= 60 else 0
            if kind == "flipped":
                byte, _ = whole[place]
                whole[place] = (byte ^ 1 << rng.randrange(8), 0)
            elif kind == "error":
                whole[place] = ERROR
            elif kind == "control":
                whole[place] = (rng.choice([0x9C, 0x00, 0x55, 0xFF]), 1)
            elif kind == "idle":
                whole[-1] = IDLE
            elif kind == "cut":  # the next frame starts instead of a terminate character
                whole = whole[: -1 - (lane + len(whole) - 1) % 4]
            line.lanes += whole
            if kind != "cut":
                line.idle(4)
            good = rng.randbytes(rng.randrange(60, 80))
            line.align(0 if -len(line.lanes) % 8 < 4 else 4)
            line.lanes += wire_frame(good)
            frames.append(good)
            await line.send(dut)
            await settle(dut, monitor)
            bad += size > 0
            wrong_length = kind in ("short", "long")
            fcs_errs += not wrong_length
            len_errs += wrong_length
            seen = (len(monitor.frames), monitor.fcs_errs, monitor.len_errs)
            assert seen == (bad + len(frames), fcs_errs, len_errs), (kind, lane, size)
    assert monitor.good == frames


@cocotb.test()
async def a_wrong_preamble_starts_nothing(dut: Any) -> None:
    rng = seeded()
    monitor, _ = await begin(dut)
    line, frames = Line(), []
    for lane in (0, 4):
        for place in range(8):
            for wrong in ((0x54, 0), (0x55, 1), (0xD5, 1), START, (0xFB, 0)):
                frame = wire_frame(rng.randbytes(64))
                if frame[place] == wrong:
                    continue
                frame[place] = wrong
                line.align(lane)
                line.lanes += frame
                line.idle(5)
                line.align(rng.choice([0, 4]))
                frames.append(rng.randbytes(60))
                line.lanes += wire_frame(frames[-1])
                line.idle(5)
    await line.send(dut)
    await settle(dut, monitor)
    assert monitor.good == frames
    assert len(monitor.frames) == len(frames)


@cocotb.test()
async def no_garbage_loses_the_next_frame(dut: Any) -> None:
    rng = seeded()
    monitor, _ = await begin(dut)
    frames = []
    for _ in range(400):
        line = Line()
        if rng.random() < 0.4:  # begin as a frame does
            line.align(rng.choice([0, 4]))
            line.lanes += wire_frame(rng.randbytes(60))[: rng.randrange(70)]
        line.noise(rng.randrange(90), rng)
        while len(line.lanes) % 4:
            line.noise(1, rng)
        frames.append(rng.randbytes(rng.randrange(60, 76)))
        line.lanes += wire_frame(frames[-1])
        await line.send(dut)
    await settle(dut, monitor)
    assert monitor.good == frames
    assert len(monitor.frames) > len(frames)


@cocotb.test()
async def a_frame_without_end_is_cut(dut: Any) -> None:
    rng = seeded()
    monitor, _ = await begin(dut)
    line = Line()
    line.lanes += wire_frame(rng.randbytes(9000))[:-1]
    line.align(0)
    good = rng.randbytes(60)
    line.lanes += wire_frame(good)
    await line.send(dut)
    await settle(dut, monitor)
    assert [frame.good for frame in monitor.frames] == [False, True]
    assert MAX_FRAME < len(monitor.frames[0].data) <= MAX_FRAME + 12
    assert monitor.good == [good]
    assert (monitor.fcs_errs, monitor.len_errs) == (0, 1)


async def traffic(dut: Any, rng: random.Random, lane: int) -> None:
    line = Line()
    for _ in range(5):
        line.align(lane)
        line.lanes += wire_frame(rng.randbytes(70))
    await line.send(dut)


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    rng = seeded()
    monitor, _ = await begin(dut)
    for count in range(1, 28):
        await interrupt(dut, traffic(dut, rng, 4 * (count & 1)), count)
        await reset(dut, **QUIET)
        assert not dut.out_valid.value
        assert not dut.status_busy.value
        seen, line, frame = len(monitor.good), Line(), rng.randbytes(64)
        line.align(rng.choice([0, 4]))
        line.lanes += wire_frame(frame)
        await line.send(dut)
        await settle(dut, monitor)
        assert monitor.good[seen:] == [frame]
