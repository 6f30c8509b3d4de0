"""Drivers with a mistake in them, for runs that must be found wrong. The mistake is chosen with the
variable BROKEN_DRIVER.
"""

from __future__ import annotations

import os
from typing import Any

from pyhost.dma.debug import DMA_SINGLE, DMA_TO_DEVICE
from pyhost.dma.mapping import DMA_FROM_DEVICE
from pyhost.drivers.net.hnic import hnic_tx

VARIABLE = "BROKEN_DRIVER"
FAR_AWAY = 0x300000


def unmap_early() -> None:
    """The linear part is unmapped as soon as its descriptor is written."""
    tx_map = hnic_tx._tx_map

    def broken(ring: Any, skb: Any, first: int) -> bool:
        mapped = tx_map(ring, skb, first)
        buffer = ring.buffers[first & ring.mask]
        ring.dma_dev.debug.unmap(buffer.dma, buffer.length, DMA_TO_DEVICE, DMA_SINGLE)
        return mapped

    hnic_tx._tx_map = broken


def wrong_address() -> None:
    """The descriptors point at memory that was never mapped."""
    real = hnic_tx.TX_DESC

    class Descriptor:
        @staticmethod
        def pack_into(buf: Any, at: int, addr: int, *words: int) -> None:
            real.pack_into(buf, at, addr + FAR_AWAY, *words)

    hnic_tx.TX_DESC = Descriptor  # type: ignore[assignment]


def wrong_direction() -> None:
    """Packets are mapped as if the card were to write them."""
    hnic_tx.DMA_TO_DEVICE = DMA_FROM_DEVICE


MISTAKES = {f.__name__: f for f in (unmap_early, wrong_address, wrong_direction)}


def alter() -> None:
    """Make the mistake that the environment names."""
    MISTAKES[os.environ[VARIABLE]]()
