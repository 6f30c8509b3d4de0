"""Plugging a Python card into a machine."""

from __future__ import annotations

from pyhost.bus.device import BusDevice
from pyhost.drivers.net.hnic_model.card import HnicModel
from pyhost.drivers.net.hnic_model.limits import QUEUES
from pyhost.drivers.net.hnic_model.wire_port import WirePort
from pyhost.kernel.clock import Clock
from pyhost.kernel.kernel import Kernel

__all__ = ["attach_hnic_model"]


def attach_hnic_model(
    kernel: Kernel,
    clock: Clock,
    port: WirePort,
    mac: bytes,
    rate_bps: int,
    tx_queues: int = QUEUES,
    rx_queues: int = QUEUES,
) -> BusDevice:
    """A card with address `mac` (6 bytes) on the wire `port` of `rate_bps` bits a second; returns
    what `hnic_probe` wants.
    """
    return HnicModel(kernel, clock, port, mac, rate_bps, tx_queues, rx_queues).device
