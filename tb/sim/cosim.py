"""The cocotb test that is a run: two machines, one of them with the RTL as its NIC."""

from __future__ import annotations

import logging
import os

import cocotb
from cocotb.triggers import Event, Timer

from pyhost.bus.device import BusDevice
from pyhost.kernel.kernel import Kernel
from tb.config import RunConfig
from tb.rtl_session import CONFIG_VARIABLE, STDIO_VARIABLE
from tb.session import conclude
from tb.sim.clock import SimClock
from tb.sim.dut import Dut
from tb.sim.rtl_nic import RtlNic
from tb.testbed import Testbed
from tb.wire import Port

IDLE_CHECK_NS = 100_000
"""How long the card must be idle with nothing to wait for before the run counts as hung."""


class Cosim:
    """One run inside the simulator: ends when the programs have ended, a check failed, or nothing
    moves any more.
    """

    def __init__(self, dut: Dut, config: RunConfig, stdio: tuple[int, int, int]) -> None:
        self._dut = dut
        self._over = Event()
        self._watching = False
        self.error: BaseException | None = None
        self.clock = SimClock(self._after, self._fail)
        dut.half_period_ps.value = 32 * 1_000_000_000_000 // config.link_rate_bps
        self.testbed = Testbed(config, self.clock, self._attach, stdio)

    def _attach(self, kernel: Kernel, port: Port, mac: bytes) -> BusDevice:
        self.nic = RtlNic(self._dut, self.clock, kernel, port, mac, self._fail)
        return self.nic.device

    async def run(self) -> int:
        """Do the run; returns its exit status."""
        await self.nic.reset()
        with self.clock.running():
            self.testbed.start()
        await self._over.wait()
        cycles = self._dut.cycles.value.to_unsigned()
        return conclude(self.testbed, self.error, cycles=cycles)

    def _fail(self, error: BaseException) -> None:
        if self.error is None:
            self.error = error
        self._over.set()

    def _after(self) -> None:
        if self.testbed.finished():
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


async def run_cosim(dut: Dut, kind: type[Cosim] = Cosim) -> int:
    """Do the run that the environment describes; returns its exit status."""
    # The bus models log every transfer, which costs more than the transfer.
    logging.getLogger("cocotb.hnic_tb").setLevel(logging.WARNING)
    # The bus models go into reset at an edge of it only, and a 4-state simulator starts at X.
    dut.rst.value = 0
    await Timer(1, "step")
    config = RunConfig.from_json(os.environ[CONFIG_VARIABLE])
    stdin, stdout, stderr = map(int, os.environ[STDIO_VARIABLE].split(","))
    return await kind(dut, config, (stdin, stdout, stderr)).run()


@cocotb.test()
async def cosim(dut: Dut) -> None:
    """A run, started by `tb.rtl_session`."""
    await run_cosim(dut)
