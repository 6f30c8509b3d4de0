"""Frames on XGMII, one at a time: what the card sends, and what it is sent. IEEE 802.3 clause 46.

The words themselves are the business of tb/hdl/xgmii_recorder.v and tb/hdl/xgmii_player.v; Python
is woken once a frame.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable

import cocotb
from cocotb.triggers import ValueChange

from tb.sim.dut import Dut

__all__ = ["FrameSink", "XgmiiError", "XgmiiMonitor", "XgmiiPlayer"]

START = 0xFB
TERMINATE = 0xFD
PREAMBLE = bytes.fromhex("555555555555d5")
LANES = 8
CHUNK = 64
"""Bytes in a chunk of the recorder and of the player."""

HALF = 256
"""Chunks in one of the two halves of the recorder."""

FrameSink = Callable[[int, bytes, int], None]
"""`sink(start_ns, frame without FCS, packet key)`, called when the last byte has left."""


class XgmiiError(Exception):
    """The MAC broke a rule of XGMII or sent a frame with a bad FCS."""


class XgmiiMonitor:
    """Collects the card's frames from the recorder."""

    def __init__(self, dut: Dut, sink: FrameSink, on_error: Callable[[Exception], None]) -> None:
        self._recorder = dut.recorder
        self._sink = sink
        self._on_error = on_error
        self.frames = 0
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        recorder = self._recorder
        while True:
            await ValueChange(recorder.frames)
            words = recorder.words.value.to_unsigned()
            chunks = recorder.chunks
            first = HALF if recorder.half.value else 0
            data = b"".join(
                [
                    chunks[number].value.to_unsigned().to_bytes(CHUNK, "little")
                    for number in range(first, first - (-words * LANES // CHUNK))
                ]
            )
            control = recorder.last_ctrl.value.to_unsigned()
            end = (words - 1) * LANES + (control & -control).bit_length() - 1
            try:
                frame = _check(data, end)
            except XgmiiError as error:
                self._on_error(error)
            else:
                self.frames += 1
                start_ns = recorder.start_ps.value.to_unsigned() // 1000
                self._sink(start_ns, frame, recorder.key.value.to_unsigned())


class XgmiiPlayer:
    """Sends frames to the card, in the order given, each as soon as the wire is free."""

    def __init__(self, dut: Dut) -> None:
        self._player = dut.player
        self._waiting: deque[tuple[bytes, int]] = deque()
        self._busy = False

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way to the card."""
        return not self._busy

    def send(self, frame: bytes, key: int) -> None:
        """Put `frame` (without FCS) on the wire; its first bit leaves now if the wire is free."""
        if self._busy:
            self._waiting.append((frame, key))
            return
        self._busy = True
        cocotb.start_soon(self._run(frame, key))

    async def _run(self, frame: bytes, key: int) -> None:
        player = self._player
        while True:
            for number in range(-(-len(frame) // CHUNK)):
                chunk = frame[number * CHUNK : number * CHUNK + CHUNK]
                player.chunks[number].value = int.from_bytes(chunk, "little")
            player.size.value = len(frame)
            player.key.value = key
            player.go.value = not player.taken.value
            await ValueChange(player.taken)
            if not self._waiting:
                break
            frame, key = self._waiting.popleft()
        self._busy = False


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
