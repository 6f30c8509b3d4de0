"""Reads and writes of host memory by a device that is written in Python. Every one is checked
against the DMA shadow map.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyhost.dma.mapping import DmaDevice

__all__ = ["BusError", "BusMaster"]


class BusError(Exception):
    """The memory answered with an error (AXI: SLVERR or DECERR)."""


class BusMaster:
    """The memory port of a device.

    `fault(addr, length, write)` decides, when set, whether an access is answered with an error: for
    tests of a device's and a driver's error paths.
    """

    __slots__ = ("_buf", "_check", "fault")

    def __init__(self, dma: DmaDevice) -> None:
        self._buf = dma.memory.buf
        self._check = dma.check_device_access
        self.fault: Callable[[int, int, bool], bool] | None = None

    def read(self, addr: int, length: int) -> memoryview:
        """`length` bytes of host memory at bus address `addr`, to be used before the next event.

        Raises `DmaViolation` when the driver has not given them to the device, `BusError` when the
        memory answers with an error.
        """
        self._check(addr, length, False)
        if self.fault is not None and self.fault(addr, length, False):
            raise BusError(f"read of {length} bytes at {addr:#x}")
        return self._buf[addr : addr + length]

    def write(self, addr: int, data: bytes | bytearray | memoryview) -> None:
        """Write to host memory at bus address `addr`; errors as in `read`."""
        length = len(data)
        self._check(addr, length, True)
        if self.fault is not None and self.fault(addr, length, True):
            raise BusError(f"write of {length} bytes at {addr:#x}")
        self._buf[addr : addr + length] = data
