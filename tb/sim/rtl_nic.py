"""The RTL as a device of the emulated host.

Transmit is all RTL. Frames from the wire come in through the receive engine of the Python model: it
serves the registers of the receive side, and reads and writes host memory as the card would.
"""

from __future__ import annotations

from collections.abc import Callable

import cocotb
from cocotb.triggers import ClockCycles, ValueChange

from pyhost.bus.device import BusDevice
from pyhost.bus.master import BusMaster
from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic_model.pause import PauseTimer
from pyhost.drivers.net.hnic_model.rx_engine import RxEngine
from pyhost.drivers.net.hnic_model.stats import CardStats
from pyhost.kernel.kernel import Kernel
from tb.sim.axi_memory import AxiHostMemory
from tb.sim.clock import SimClock
from tb.sim.dut import Dut
from tb.sim.mmio import AxiLiteMmio
from tb.sim.xgmii import XgmiiMonitor
from tb.wire import Port

__all__ = ["RtlNic"]

RESET_CYCLES = 8
LINK_RATE_BPS = 10_000_000_000


class RtlNic:
    """Joins `hnic_tb` to a machine: MMIO on AXI4-Lite, memory on AXI4, XGMII to the wire,
    interrupts to the kernel.

    `on_failure` gets every broken rule: a DMA access that is not mapped, a bad frame, a bus error.
    """

    def __init__(
        self,
        dut: Dut,
        clock: SimClock,
        kernel: Kernel,
        port: Port,
        mac: bytes,
        on_failure: Callable[[Exception], None],
    ) -> None:
        self._dut = dut
        self._clock = clock
        self._port = port
        self._mac = mac
        self.device = BusDevice(kernel, "hnic", self, vectors=2)
        self.mmio = AxiLiteMmio(dut, clock)
        self.memory = AxiHostMemory(
            dut, kernel.mem, self.device.dma.check_device_access, on_failure
        )
        self.monitor = XgmiiMonitor(dut, self._frame_sent, on_failure)
        self.rx = RxEngine(
            clock,
            BusMaster(self.device.dma),
            self.device.fire,
            PauseTimer(LINK_RATE_BPS),
            mac,
            LINK_RATE_BPS,
            1,
            CardStats(),
            kernel.trace,
        )
        port.receive = self.rx.mac.receive
        cocotb.start_soon(self._interrupts())

    async def reset(self) -> None:
        """Power-up: a few cycles of reset, then the station address, as firmware would store it."""
        dut = self._dut
        dut.clk_req.value = 1
        dut.rst.value = 1
        await ClockCycles(dut.clk, RESET_CYCLES)
        dut.rst.value = 0
        await ClockCycles(dut.clk, RESET_CYCLES)
        dut.clk_req.value = 0
        self.mmio.write(regs.MAC_LO, int.from_bytes(self._mac[:4], "little"))
        self.mmio.write(regs.MAC_HI, int.from_bytes(self._mac[4:], "little"))

    @property
    def idle(self) -> bool:
        """Whether nothing is under way in the card or on its register bus."""
        return not self.mmio.pending and not self._dut.status_busy.value

    # -- MmioPort ----------------------------------------------------------------------------------

    def read(self, offset: int, done: Callable[[int], None]) -> None:
        """Read a register: those of the receive side from the engine, all others from the RTL."""
        at = offset - regs.RXQ_BASE
        value = self.rx.queues[0].read(at) if 0 <= at < regs.RXQ_STRIDE else self.rx.read(offset)
        if value is None:
            self.mmio.read(offset, done)
        else:
            done(value)

    def write(self, offset: int, value: int) -> None:
        """Write a register, likewise; control of the card and its address are the engine's too."""
        rx = self.rx
        if 0 <= offset - regs.RXQ_BASE < regs.RXQ_STRIDE:
            rx.queues[0].write(offset - regs.RXQ_BASE, value)
            return
        if rx.write(offset, value):
            return
        if offset == regs.CTRL:
            if value >> regs.CTRL_RESET_LSB & 1:
                rx.reset()
            rx.mac.card_enabled = bool(value >> regs.CTRL_ENABLE_LSB & 1)
        elif offset == regs.MAC_LO:
            rx.filter.mac = value.to_bytes(4, "little") + rx.filter.mac[4:]
        elif offset == regs.MAC_HI:
            rx.filter.mac = rx.filter.mac[:4] + value.to_bytes(4, "little")[:2]
        self.mmio.write(offset, value)

    # -- the card's outputs ------------------------------------------------------------------------

    def _frame_sent(self, start_ns: int, frame: bytes, key: int) -> None:
        with self._clock.running():
            self._port.transmitted(start_ns, frame, key)

    async def _interrupts(self) -> None:
        irq = self._dut.irq
        while True:
            await ValueChange(irq)
            fired = irq.value
            if not fired.is_resolvable:
                continue
            vectors = fired.to_unsigned()
            if vectors:
                with self._clock.running():
                    for vector in range(len(irq)):
                        if vectors >> vector & 1:
                            self.device.fire(vector)
