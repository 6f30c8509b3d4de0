"""What a driver may see of a device, and a device of the host: MMIO, interrupts, bus master reads
and writes.
"""

from __future__ import annotations

from pyhost.bus.device import BusDevice, MmioPort
from pyhost.bus.master import BusError, BusMaster

__all__ = ["BusDevice", "BusError", "BusMaster", "MmioPort"]
