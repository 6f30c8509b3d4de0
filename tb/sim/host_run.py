"""Host code on the simulator's time, with the RTL as its NIC: what all cocotb tests that run a
machine have in common.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import cocotb
from cocotb.triggers import Event, Timer

from pyhost.bus.device import BusDevice
from pyhost.kernel.kernel import Kernel
from tb.sim.clock import SimClock
from tb.sim.dut import Dut
from tb.sim.rtl_nic import RtlNic
from tb.wire import Port

__all__ = ["HostRun", "prepare"]

IDLE_CHECK_NS = 100_000
"""How long the card must be idle with nothing to wait for before the run counts as hung."""


class HostRun:
    """A run inside the simulator: ends when it is `finished`, a check failed, or nothing moves any
    more. `error` is what ended it early.
    """

    nic: RtlNic

    def __init__(self, dut: Dut, link_rate_bps: int) -> None:
        self._dut = dut
        self._over = Event()
        self._watching = False
        self.error: BaseException | None = None
        self.clock = SimClock(self._after, self._fail)
        # The card moves 64 bits a cycle.
        dut.half_period_ps.value = 32 * 1_000_000_000_000 // link_rate_bps

    def finished(self) -> bool:
        """Whether the run is over."""
        raise NotImplementedError

    async def play(self, start: Callable[[], None]) -> None:
        """Take the card out of reset, call `start` in host time, and wait for the end."""
        await self.nic.reset()
        with self.clock.running():
            start()
        await self._over.wait()

    def _attach(self, kernel: Kernel, port: Port, mac: bytes) -> BusDevice:
        self.nic = RtlNic(self._dut, self.clock, kernel, port, mac, self._fail)
        return self.nic.device

    def _fail(self, error: BaseException) -> None:
        if self.error is None:
            self.error = error
        self._over.set()

    def _after(self) -> None:
        if self.finished():
            self._over.set()
        elif self.clock.next_ns() is None and not self._watching:
            self._watching = True
            cocotb.start_soon(self._watch_idle())

    async def _watch_idle(self) -> None:
        """The event queue is empty: if the card does nothing either, nobody will ever wake
        anybody.
        """
        while self.clock.next_ns() is None:
            await Timer(IDLE_CHECK_NS, "ns")
            if self.nic.idle and self.clock.next_ns() is None and not self._over.is_set():
                self._over.set()
        self._watching = False


async def prepare(dut: Dut) -> None:
    """What comes before a run in a simulator."""
    # The bus models log every transfer, which costs more than the transfer.
    logging.getLogger("cocotb.hnic_tb").setLevel(logging.WARNING)
    # The bus models go into reset at an edge of it only, and a 4-state simulator starts at X.
    dut.rst.value = 0
    await Timer(1, "step")
