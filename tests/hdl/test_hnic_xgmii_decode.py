"""Lanes become words that begin with the frame, wherever it starts."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from tests.hdl.bench import number, run_module, seeded, start
from tests.hdl.frames import SideBand, cookie_of, fcs
from tests.hdl.xgmii import ERROR, IDLE, START, TERMINATE, Line, wire_frame

QUIET = {"xgmii_rxd": 0x0707070707070707, "xgmii_rxc": 0xFF}


def test_words_begin_with_the_frame(module_simulator: str) -> None:
    run_module(__file__, module_simulator)


async def collect(dut: Any, frames: list[tuple[bytes, bool]]) -> None:
    """What is behind each right preamble up to a control character, and if that is right."""
    data, within, times = b"", 0, []
    while True:
        await RisingEdge(dut.clk)
        if within:
            count = int(dut.out_count.value)
            data += number(dut.out_data).to_bytes(8, "little")[:count]
            assert int(dut.out_end.value) == int(count < 8)
            if dut.out_end.value:
                frames.append((data, not dut.out_error.value))
                within = 0
        if dut.out_start.value:
            assert dut.out_end.value
            assert int(dut.out_count.value) == 0
            data, within = b"", 1
            times.append(int(dut.out_time.value))
            assert int(dut.out_cookie.value) == cookie_of(times[-1])
            assert times == sorted(set(times))


@cocotb.test()
async def frames_on_both_lanes_end_on_every_lane(dut: Any) -> None:
    rng = seeded()
    await start(dut, **QUIET)
    SideBand(dut)
    got: list[tuple[bytes, bool]] = []
    want: list[tuple[bytes, bool]] = []
    cocotb.start_soon(collect(dut, got))
    line = Line()
    for length in range(80):
        for end in (TERMINATE, ERROR, IDLE, START):
            line.align(rng.choice([0, 4]))
            frame = rng.randbytes(length)
            line.lanes += [*wire_frame(frame)[:-1], end]
            line.idle(rng.randrange(4, 12))
            want.append((frame + fcs(frame), end == TERMINATE))
    await line.send(dut)
    await ClockCycles(dut.clk, 2)
    for (data, right), (whole, good) in zip(got, want, strict=True):
        assert right == good
        # A start character may take up to half a word with it, of a frame that is bad anyway.
        assert data == whole if good else whole.startswith(data) and len(whole) - len(data) <= 4
    assert not dut.status_busy.value


@cocotb.test()
async def of_two_start_characters_the_second_counts(dut: Any) -> None:
    rng = seeded()
    await start(dut, **QUIET)
    SideBand(dut)
    got: list[tuple[bytes, bool]] = []
    cocotb.start_soon(collect(dut, got))
    frame, line = rng.randbytes(60), Line()
    for lane in (0, 4, 0):
        line.align(lane)
        line.lanes += wire_frame(frame)[:4]
        line.lanes += wire_frame(frame)
        line.idle(4)
    await line.send(dut)
    await ClockCycles(dut.clk, 2)
    assert got == [(frame + fcs(frame), True)] * 3
