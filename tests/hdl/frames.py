"""Frames on the streams around the MAC: cut to words, collected from a receive MAC."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cocotb
from cocotb.handle import SimHandleBase
from cocotb.triggers import RisingEdge

from tests.hdl.bench import Item, number

__all__ = ["Received", "RxMonitor", "SideBand", "cookie_of", "fcs", "send_whole", "words"]


def fcs(frame: bytes) -> bytes:
    return zlib.crc32(frame).to_bytes(4, "little")


def words(frame: bytes, lanes: int = 8, **fields: int) -> list[Item]:
    """The frame as words of a stream, with noise behind its end; `fields` go with every word."""
    return [
        {
            "data": int.from_bytes(frame[p : p + lanes].ljust(lanes, b"\xa5"), "little"),
            "count": len(frame[p : p + lanes]),
            "last": int(p + lanes >= len(frame)),
            **fields,
        }
        for p in range(0, len(frame), lanes)
    ]


async def send_whole(dut: Any, frames: Sequence[bytes], pauses: Sequence[int] = (0,)) -> None:
    """Give frames to a transmit MAC: their number as user, no pause within a frame, `pauses` in
    turn behind them.
    """
    edge = RisingEdge(dut.clk)
    for index, frame in enumerate(frames):
        for item in words(frame, user=index):
            for name, value in item.items():
                getattr(dut, f"in_{name}").value = value
            dut.in_valid.value = 1
            await edge
            while not dut.in_ready.value:
                await edge
        dut.in_valid.value = 0
        for _ in range(pauses[index % len(pauses)]):
            await edge


def cookie_of(time: int) -> int:
    return time * 2654435761 & 0xFFFFFFFF


class SideBand:
    """Gives `time_ns` and, on a receive MAC, a cookie that belongs to it; others each cycle."""

    def __init__(self, dut: SimHandleBase, step: int = 7) -> None:
        self._dut: Any = dut
        self._step = step
        self._cookie = getattr(dut, "s_wire_cookie", None)
        self._give(1 << 40)
        cocotb.start_soon(self._run())

    def _give(self, time: int) -> None:
        self.time = time
        self._dut.time_ns.value = time
        if self._cookie is not None:
            self._cookie.value = cookie_of(time)

    async def _run(self) -> None:
        while True:
            await RisingEdge(self._dut.clk)
            self._give(self.time + self._step)


@dataclass
class Received:
    data: bytes
    good: bool
    time: int
    first_cycle: int
    last_cycle: int


class RxMonitor:
    """Collects the frames of a receive MAC and counts its pulses; `cycle` counts the clock."""

    def __init__(self, dut: SimHandleBase) -> None:
        self._dut: Any = dut
        self.frames: list[Received] = []
        self.fcs_errs = 0
        self.len_errs = 0
        self.cycle = 0
        self._open: Received | None = None
        cocotb.start_soon(self._run())

    @property
    def good(self) -> list[bytes]:
        return [frame.data for frame in self.frames if frame.good]

    @property
    def between_frames(self) -> bool:
        return self._open is None

    async def _run(self) -> None:
        edge = RisingEdge(self._dut.clk)
        while True:
            await edge
            self.cycle += 1
            if self._dut.rst.value:
                self._open = None
                continue
            self.fcs_errs += int(self._dut.stat_fcs_errs.value)
            self.len_errs += int(self._dut.stat_len_errs.value)
            if self._dut.out_valid.value:
                self._word()

    def _word(self) -> None:
        dut = self._dut
        time, cookie = number(dut.out_time), number(dut.out_cookie)
        if self._open is None:
            self._open = Received(b"", False, time, self.cycle, 0)
        frame, last, count = self._open, bool(dut.out_last.value), int(dut.out_count.value)
        assert dut.status_busy.value
        assert time == frame.time, "the time moved within a frame"
        assert 1 <= count <= 8
        assert last or count == 8
        frame.data += number(dut.out_data).to_bytes(8, "little")[:count]
        if last:
            frame.good, frame.last_cycle = bool(dut.out_good.value), self.cycle
            assert cookie == cookie_of(time)
            self.frames.append(frame)
            self._open = None
