"""The RTL as a device of the emulated host: registers on AXI4-Lite, memory on AXI4, frames on
XGMII, interrupts.
"""

from __future__ import annotations

from collections.abc import Callable

import cocotb
from cocotb.triggers import ClockCycles, ValueChange

from pyhost.bus.device import BusDevice
from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.kernel.kernel import Kernel
from tb.sim.axi_memory import AxiHostMemory
from tb.sim.clock import SimClock
from tb.sim.dut import Dut
from tb.sim.mmio import AxiLiteMmio
from tb.sim.xgmii import XgmiiMonitor, XgmiiPlayer
from tb.wire import Port

__all__ = ["RtlNic"]

RESET_CYCLES = 8


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
        self.mmio = AxiLiteMmio(dut, clock)
        self.device = BusDevice(kernel, "hnic", self.mmio, vectors=len(dut.irq))
        self.memory = AxiHostMemory(
            dut, kernel.mem, self.device.dma.check_device_access, on_failure
        )
        self.monitor = XgmiiMonitor(dut, self._frame_sent, on_failure)
        self.player = XgmiiPlayer(dut)
        port.receive_start = self.player.send
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
        quiet = not self.mmio.pending and self.player.idle
        return quiet and not self._dut.status_busy.value

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
