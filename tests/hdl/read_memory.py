"""Memory behind a read port of a module: bursts are answered in order after a latency."""

from __future__ import annotations

import random
from typing import Any

from cocotb.triggers import RisingEdge

__all__ = ["ReadMemory"]


class ReadMemory:
    """Serves `ar_`/`r_`; every beat is ready `latency` cycles after its address was taken. Beats
    whose address is in `bad` are errors. What is asked for is checked against the rules of the bus.
    """

    def __init__(
        self, dut: Any, image: bytearray, rng: random.Random, latency: int, pause: float
    ) -> None:
        self.dut, self.image, self.rng, self.latency, self.pause = dut, image, rng, latency, pause
        self.lanes = len(dut.r_data) // 8
        self.queue: list[tuple[int, int]] = []
        self.peak = 0  # beats asked for and not yet given
        self.touched: list[tuple[int, int]] = []
        self.bad: set[int] = set()

    async def run(self) -> None:
        """Until a reset."""
        dut, lanes, edge = self.dut, self.lanes, RisingEdge(self.dut.clk)
        now = given = 0
        valid = False
        ready = False
        while not dut.rst.value:
            if ready != (self.rng.random() >= self.pause):
                ready = not ready
                dut.ar_ready.value = ready
            due = given < len(self.queue) and self.queue[given][0] <= now
            if due and self.rng.random() >= self.pause:
                place = self.queue[given][1]
                given += 1
                dut.r_data.value = int.from_bytes(self.image[place : place + lanes], "little")
                dut.r_error.value = int(place in self.bad)
                dut.r_valid.value = 1
                valid = True
            elif valid:
                dut.r_valid.value = 0
                valid = False
            await edge
            now += 1
            if ready and dut.ar_valid.value:
                self._ask(now)
                self.peak = max(self.peak, len(self.queue) - given)

    def _ask(self, now: int) -> None:
        dut, lanes = self.dut, self.lanes
        addr, size = int(dut.ar_addr.value), int(dut.ar_bytes.value)
        beats = int(dut.ar_len.value) + 1
        first = addr // lanes * lanes
        assert size > 0
        assert beats == -(-(addr + size - first) // lanes)
        assert addr // 4096 == (addr + size - 1) // 4096
        assert addr + size <= len(self.image)
        for place in range(first, first + beats * lanes, lanes):
            self.queue.append((now + self.latency, place))
        self.touched.append((addr, size))
