"""XGMII lane by lane, for what a well-behaved source never sends."""

from __future__ import annotations

import random
from typing import Any

from cocotb.triggers import RisingEdge

from tests.hdl.frames import fcs

__all__ = ["ERROR", "IDLE", "START", "TERMINATE", "Line", "wire_frame"]

IDLE = (0x07, 1)
START = (0xFB, 1)
TERMINATE = (0xFD, 1)
ERROR = (0xFE, 1)

Lane = tuple[int, int]


def wire_frame(frame: bytes) -> list[Lane]:
    """From the start character to the terminate character."""
    body = b"\x55" * 6 + b"\xd5" + frame + fcs(frame)
    return [START, *((byte, 0) for byte in body), TERMINATE]


class Line:
    """Lanes to be sent; a start character can be asked for only where one may be."""

    def __init__(self) -> None:
        self.lanes: list[Lane] = []

    def idle(self, count: int) -> None:
        self.lanes += [IDLE] * count

    def align(self, lane: int) -> None:
        """Idle until that lane of a word is next."""
        self.idle((lane - len(self.lanes)) % 8)

    def noise(self, count: int, rng: random.Random) -> None:
        """Lanes of which each may be anything, and the characters of a frame often are."""
        control = [IDLE, START, TERMINATE, ERROR, (0x9C, 1), (0xD5, 1), (0x55, 1)]
        kind = rng.random()
        for _ in range(count):
            if rng.random() < kind:
                self.lanes.append(rng.choice(control))
            else:
                self.lanes.append((rng.choice([0x55, 0xD5, 0xFB, rng.randrange(256)]), 0))

    async def send(self, dut: Any) -> None:
        """Send all, filled with idle to a whole word, and idle behind it."""
        self.align(0)
        self.idle(8)
        edge = RisingEdge(dut.clk)
        for place in range(0, len(self.lanes), 8):
            word = self.lanes[place : place + 8]
            dut.xgmii_rxd.value = int.from_bytes(bytes(byte for byte, _ in word), "little")
            dut.xgmii_rxc.value = sum(ctrl << lane for lane, (_, ctrl) in enumerate(word))
            await edge
        self.lanes = []
