"""Words become frames without FCS, judged by it (zlib made it), by length and by their end."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from tests.hdl.bench import reset, run_module, seeded, start
from tests.hdl.frames import RxMonitor, cookie_of, fcs, words

MAX_FRAME = 300
IDLE = {
    "in_start": 0,
    "in_time": 0,
    "in_cookie": 0,
    "in_valid": 0,
    "in_data": 0,
    "in_count": 0,
    "in_end": 0,
    "in_error": 0,
}


def test_frames_are_judged_and_lose_their_fcs(module_simulator: str) -> None:
    run_module(__file__, module_simulator, {"MAX_FRAME": MAX_FRAME})


class Wire:
    """Plays a decoder: the frame with its FCS, in words, the time and cookie of its number."""

    def __init__(self, dut: Any, rng: random.Random, pause: float) -> None:
        self._dut, self._rng, self._pause = dut, rng, pause

    async def _cycle(self, **inputs: int) -> None:
        for name, value in {"start": 0, "valid": 0, "end": 0, "error": 0, **inputs}.items():
            getattr(self._dut, f"in_{name}").value = value
        await RisingEdge(self._dut.clk)

    async def send(self, index: int, raw: bytes, *, error: int = 0, close: bool = True) -> None:
        await self._cycle(start=1, valid=self._rng.randrange(2), end=1, count=0)
        self._dut.in_time.value = index
        self._dut.in_cookie.value = cookie_of(index)
        parts = words(raw)
        if not parts or parts[-1]["count"] == 8:
            parts.append({"data": self._rng.getrandbits(64), "count": 0})
        if not close:
            parts.pop()
        for item in parts:
            while self._rng.random() < self._pause:
                await self._cycle()
            end = int(item is parts[-1] and close)
            await self._cycle(
                valid=1, data=item["data"], count=item["count"], end=end, error=error & end
            )
        self._dut.in_start.value = self._dut.in_valid.value = 0


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.4])
async def every_length_and_every_end(dut: Any, pause: float) -> None:
    rng = seeded()
    await start(dut, **IDLE)
    monitor, wire = RxMonitor(dut), Wire(dut, rng, pause)
    lengths = [*range(90), *range(MAX_FRAME - 9, MAX_FRAME + 30), *range(150, 158)]
    want, fcs_errs, len_errs = [], 0, 0
    for index, length in enumerate(lengths * 2):
        frame = rng.randbytes(length)
        kind = rng.choice(["right", "right", "right", "flipped", "error"])
        legal = 60 <= length <= MAX_FRAME + 4
        raw = bytearray(frame + fcs(frame))
        if kind == "flipped":
            raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        await wire.send(index, bytes(raw), error=int(kind == "error"))
        good = legal and kind == "right"
        wrong_length = length > MAX_FRAME + 4 or (length < 60 and kind != "error")
        fcs_errs += not good and not wrong_length
        len_errs += wrong_length
        if length:
            want.append((index, good, bytes(raw[:-4])[: MAX_FRAME + 12]))
        if rng.randrange(2):
            await ClockCycles(dut.clk, rng.randrange(1, 4))
    await ClockCycles(dut.clk, 4)
    got = [(frame.time, frame.good, frame.data) for frame in monitor.frames]
    for mine, other in zip(got, want, strict=True):
        assert mine[:2] == other[:2]
        assert other[2].startswith(mine[2])
        assert mine[2] == other[2] or len(other[2]) > MAX_FRAME + 4
    assert (monitor.fcs_errs, monitor.len_errs) == (fcs_errs, len_errs)
    assert not dut.status_busy.value


@cocotb.test()
async def a_frame_without_end_is_cut(dut: Any) -> None:
    rng = seeded()
    await start(dut, **IDLE)
    monitor, wire = RxMonitor(dut), Wire(dut, rng, 0.0)
    await wire.send(0, rng.randbytes(5000), close=False)
    frame = rng.randbytes(77)
    await wire.send(1, frame + fcs(frame))
    await ClockCycles(dut.clk, 4)
    assert [frame.good for frame in monitor.frames] == [False, True]
    assert MAX_FRAME < len(monitor.frames[0].data) <= MAX_FRAME + 12
    assert monitor.good == [frame]
    assert (monitor.fcs_errs, monitor.len_errs) == (0, 1)


@cocotb.test()
async def a_reset_in_flight_leaves_nothing(dut: Any) -> None:
    rng = seeded()
    await start(dut, **IDLE)
    monitor, wire = RxMonitor(dut), Wire(dut, rng, 0.0)
    frame = rng.randbytes(101)
    for index, length in enumerate((3, 8, 16, 40, 101, 105)):
        await wire.send(0, (frame + fcs(frame))[:length], close=length == 105)
        await reset(dut, **IDLE)
        assert not dut.out_valid.value
        assert not dut.status_busy.value
        seen = len(monitor.frames)
        await wire.send(index, frame + fcs(frame))
        await ClockCycles(dut.clk, 4)
        assert [(f.time, f.good, f.data) for f in monitor.frames[seen:]] == [(index, True, frame)]
