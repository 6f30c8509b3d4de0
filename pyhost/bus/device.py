"""A device on the bus, as a driver sees it: registers, interrupt vectors, DMA.

Linux: struct pci_dev, include/asm-generic/io.h (readl, writel). Whatever stands behind it, a Python
model or a bridge to RTL, provides a `MmioPort` and calls `fire(vector)`; a driver cannot tell them
apart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from pyhost.dma.mapping import DmaDevice
from pyhost.kernel.bug import KernelBug

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel

__all__ = ["BusDevice", "MmioPort"]


class MmioPort(Protocol):
    """What an implementation of a device provides: 32-bit registers at byte offsets."""

    def read(self, offset: int, done: Callable[[int], None]) -> None:
        """Read a register; `done(value)` is called once, now or from a later event."""

    def write(self, offset: int, value: int) -> None:
        """Write a register. Posted: returns at once, and must not call back into the driver before
        it has returned.
        """


class BusDevice:
    """One function of a device. Linux: struct pci_dev with its BAR 0 mapped and its MSI-X vectors
    allocated.

    `irqs[vector]` is the kernel's interrupt number of a vector.
    """

    __slots__ = ("_port", "dma", "irqs", "kernel", "name")

    def __init__(self, kernel: Kernel, name: str, port: MmioPort, vectors: int) -> None:
        self.kernel = kernel
        self.name = name
        self._port = port
        self.dma = DmaDevice(kernel, name)
        self.irqs = [kernel.irq.alloc_irq() for _ in range(vectors)]

    def __repr__(self) -> str:
        return f"<BusDevice {self.name}>"

    def readl(self, offset: int) -> int:
        """The register at `offset`; the CPU stalls until the device answers. Linux: readl.

        Writes that were posted before reach the device first, as on PCI.
        """
        if offset & 3:
            raise KernelBug(f"{self.name}: readl at {offset:#x}, which is not aligned")
        port = self._port
        return self.kernel.sched.stall(lambda done: port.read(offset, done))

    def writel(self, value: int, offset: int) -> None:
        """Post a register write. Linux: writel: stores that the CPU made earlier are visible to the
        device before it.
        """
        if offset & 3:
            raise KernelBug(f"{self.name}: writel at {offset:#x}, which is not aligned")
        self._port.write(offset, value & 0xFFFFFFFF)

    def fire(self, vector: int) -> None:
        """The device signals `vector`. Called by the implementation, from events only."""
        self.kernel.irq.raise_irq(self.irqs[vector])
