"""MMIO: the host's register accesses as AXI4-Lite transfers."""

from __future__ import annotations

from collections.abc import Callable

import cocotb
from cocotb.queue import Queue
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from pyhost.kernel.bug import KernelBug
from tb.sim.clock import SimClock
from tb.sim.dut import Dut

__all__ = ["AxiLiteMmio"]

OKAY = 0


class AxiLiteMmio:
    """A `MmioPort` on an AXI4-Lite bus. Accesses happen one by one in the order asked for, as on
    PCIe: a read pushes the writes before it.
    """

    def __init__(self, dut: Dut, clock: SimClock) -> None:
        self._dut = dut
        self._clock = clock
        self._master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        self._queue: Queue[tuple[int, int | None, Callable[[int], None] | None]] = Queue()
        self.pending = 0
        self.reads = 0
        self.writes = 0
        cocotb.start_soon(self._worker())

    def read(self, offset: int, done: Callable[[int], None]) -> None:
        """Begin a 32-bit read; `done(value)` is called in host time when the answer is there."""
        self._put(offset, None, done)

    def write(self, offset: int, value: int) -> None:
        """Post a 32-bit write."""
        self._put(offset, value, None)

    def _put(self, offset: int, value: int | None, done: Callable[[int], None] | None) -> None:
        self.pending += 1
        self._dut.clk_req.value = 1
        self._queue.put_nowait((offset, value, done))

    async def _worker(self) -> None:
        while True:
            offset, value, done = await self._queue.get()
            if done is None:
                assert value is not None
                self.writes += 1
                response = await self._master.write(offset, value.to_bytes(4, "little"))
                self._finish(offset, response.resp)
            else:
                self.reads += 1
                answer = await self._master.read(offset, 4)
                self._finish(offset, answer.resp)
                with self._clock.running():
                    done(int.from_bytes(answer.data, "little"))

    def _finish(self, offset: int, resp: int) -> None:
        self.pending -= 1
        if not self.pending:
            self._dut.clk_req.value = 0
        if resp != OKAY:
            raise KernelBug(f"register {offset:#x} answered with AXI response {resp}")
