"""A monitor on XGMII: frames as they leave the MAC. IEEE 802.3 clause 46."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import cocotb
from cocotb.simtime import get_sim_time
from cocotb.triggers import FallingEdge, RisingEdge

from tb.sim.dut import Dut

__all__ = ["FrameSink", "XgmiiError", "XgmiiMonitor"]

START = 0xFB
TERMINATE = 0xFD
PREAMBLE = bytes.fromhex("555555555555d5")
LANES = 8

FrameSink = Callable[[int, bytes, int], None]
"""`sink(start_ns, frame without FCS, packet key)`, called when the last byte has left."""


class XgmiiError(Exception):
    """The MAC broke a rule of XGMII or sent a frame with a bad FCS."""


class XgmiiMonitor:
    """Collects frames from `xgmii_txd`/`xgmii_txc`.

    It sleeps between frames: the side-band pulse `m_wire_cookie_valid` in the cycle of the start
    word wakes it and names the packet.
    """

    def __init__(self, dut: Dut, sink: FrameSink, on_error: Callable[[Exception], None]) -> None:
        self._dut = dut
        self._sink = sink
        self._on_error = on_error
        self.frames = 0
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        dut = self._dut
        while True:
            await RisingEdge(dut.m_wire_cookie_valid)
            await FallingEdge(dut.clk)
            await self._frame()

    async def _frame(self) -> None:
        """Collect the frame whose start word is on the bus."""
        dut = self._dut
        key = dut.m_wire_cookie.value.to_unsigned()
        start_ns = int(get_sim_time("step")) // 1000
        words: list[int] = []
        while True:
            words.append(dut.xgmii_txd.value.to_unsigned())
            control = dut.xgmii_txc.value.to_unsigned()
            if control and len(words) > 1:
                break
            await FallingEdge(dut.clk)
        data = b"".join([word.to_bytes(LANES, "little") for word in words])
        end = (len(words) - 1) * LANES + (control & -control).bit_length() - 1
        try:
            frame = _check(data, end)
        except XgmiiError as error:
            self._on_error(error)
        else:
            self.frames += 1
            self._sink(start_ns, frame, key)


def _check(data: bytes, end: int) -> bytes:
    """The frame without preamble and FCS; XgmiiError when it is not well-formed.

    `data` begins with the word of the start character, which is on lane 0 or 4; `end` is the place
    of the first control character behind it.
    """
    start = 0 if data[0] == START else 4
    if data[start] != START:
        raise XgmiiError(f"no start character on lane 0 or 4: {data[:LANES].hex()}")
    if data[end] != TERMINATE:
        raise XgmiiError(f"control character {data[end]:#x} inside a frame")
    if data[start + 1 : start + LANES] != PREAMBLE:
        raise XgmiiError(f"bad preamble {data[start : start + LANES].hex()}")
    body = data[start + LANES : end]
    frame, fcs = body[:-4], body[-4:]
    if zlib.crc32(frame).to_bytes(4, "little") != fcs:
        raise XgmiiError(f"frame of {len(frame)} bytes with a bad FCS")
    return frame
