"""The rings of the driver: memory that driver and card share, and what the driver remembers for
each slot.

Linux: drivers/net/ethernet/intel/igb/igb.h (struct igb_ring, igb_tx_buffer, igb_rx_buffer). All
indices are free-running 16-bit counts, the slot is `index & mask`; `next_to_clean == next_to_use`
is empty, and all slots may be in use.

    next_to_clean ─────→ next_to_use      TX: given to the card, not yet completed
                                          RX: buffers that the card may fill
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.dma.mapping import dma_alloc_coherent, dma_free_coherent
from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic.hnic_hw import rx_block, tx_block
from pyhost.mm.page_frag import PageFrag

if TYPE_CHECKING:
    from pyhost.bus.device import BusDevice
    from pyhost.dma.mapping import DmaDevice
    from pyhost.mm.memory import Page
    from pyhost.net.core.netdevice import NetDevice
    from pyhost.net.core.skbuff import SkBuff

__all__ = [
    "INDEX_MASK",
    "RING_MAX",
    "RING_MIN",
    "RingMemory",
    "RxBuffer",
    "RxRing",
    "TxBuffer",
    "TxRing",
]

INDEX_MASK = 0xFFFF
RING_MIN = 64
RING_MAX = 4096


class RingMemory:
    """`count` records of `record` bytes in coherent memory. `addr` is for the CPU, `dma` for the
    card.
    """

    __slots__ = ("_dev", "addr", "count", "dma", "size")

    def __init__(self, dev: DmaDevice, count: int, record: int, name: str) -> None:
        """Raises MemoryError."""
        self._dev = dev
        self.count = count
        self.size = count * record
        area = dma_alloc_coherent(dev, self.size, name)
        if area is None:
            raise MemoryError(f"{name}: no {self.size} bytes of coherent memory")
        self.addr, self.dma = area

    def place(self) -> tuple[int, int]:
        """What the card must know: bus address, records."""
        return self.dma, self.count

    def free(self) -> None:
        """Give the memory back."""
        dma_free_coherent(self._dev, self.size, self.addr, self.dma)


class TxBuffer:
    """What one TX descriptor points at. Linux: struct igb_tx_buffer. `skb` and `bytecount`, what
    the byte queue limits were told of the packet, are set in the packet's first slot only.
    """

    __slots__ = ("bytecount", "dma", "length", "skb")

    def __init__(self) -> None:
        self.skb: SkBuff | None = None
        self.bytecount = 0
        self.dma = 0
        self.length = 0


class TxRing:
    """One TX queue. `tail` is the producer index the card was told last, `cpl_next` counts
    completions seen.
    """

    __slots__ = (
        "arm_reg", "buf", "buffers", "bus", "count", "cpl", "cpl_next", "desc", "dev", "dma_dev",
        "doorbell_reg", "mapping_errors", "mask", "next_to_clean", "next_to_use", "stops", "tail",
        "trace", "tx_busy", "txq", "wakes",
    )  # fmt: skip

    def __init__(self, dev: NetDevice, bus: BusDevice, count: int, queue: int) -> None:
        self.dev = dev
        self.bus = bus
        self.dma_dev = bus.dma
        self.buf = bus.kernel.mem.buf
        self.trace = bus.kernel.trace
        self.txq = dev.tx[queue]
        self.count = count
        self.mask = count - 1
        self.doorbell_reg = tx_block(queue) + regs.Q_DOORBELL
        self.arm_reg = tx_block(queue) + regs.Q_IRQ_ARM
        self.desc = RingMemory(bus.dma, count, regs.TXD_BYTES, f"{dev.name} TX ring")
        try:
            self.cpl = RingMemory(bus.dma, count, regs.TXC_BYTES, f"{dev.name} TX completions")
        except MemoryError:
            self.desc.free()
            raise
        self.buffers = [TxBuffer() for _ in range(count)]
        self.next_to_use = self.next_to_clean = self.tail = self.cpl_next = 0
        self.stops = self.wakes = self.tx_busy = self.mapping_errors = 0

    def unused(self) -> int:
        """Descriptors that may be written. Linux: igb_desc_unused."""
        return self.count - (self.next_to_use - self.next_to_clean & INDEX_MASK)

    def free(self) -> None:
        """Give the rings' memory back."""
        self.desc.free()
        self.cpl.free()


class RxBuffer:
    """What one RX descriptor points at: a piece of a page, mapped FROM_DEVICE; `page` is None in an
    empty slot.
    """

    __slots__ = ("dma", "offset", "page")

    def __init__(self) -> None:
        self.page: Page | None = None
        self.offset = 0
        self.dma = 0


class RxRing:
    """One RX queue. Buffers of `buf_size` bytes are cut from the pages of `frag`."""

    __slots__ = (
        "alloc_failed", "arm_reg", "buf", "buf_size", "buffers", "bus", "count", "cpl", "desc",
        "dev", "dma_dev", "doorbell_reg", "frag", "mask", "next_to_clean", "next_to_use", "pool",
        "trace",
    )  # fmt: skip

    def __init__(
        self, dev: NetDevice, bus: BusDevice, count: int, queue: int, buf_size: int
    ) -> None:
        self.dev = dev
        self.bus = bus
        self.dma_dev = bus.dma
        self.buf = bus.kernel.mem.buf
        self.trace = bus.kernel.trace
        self.pool = dev.net.skbs
        self.count = count
        self.mask = count - 1
        self.buf_size = buf_size
        self.doorbell_reg = rx_block(queue) + regs.Q_DOORBELL
        self.arm_reg = rx_block(queue) + regs.Q_IRQ_ARM
        self.desc = RingMemory(bus.dma, count, regs.RXD_BYTES, f"{dev.name} RX ring")
        try:
            self.cpl = RingMemory(bus.dma, count, regs.RXC_BYTES, f"{dev.name} RX completions")
        except MemoryError:
            self.desc.free()
            raise
        self.buffers = [RxBuffer() for _ in range(count)]
        self.frag = PageFrag(bus.kernel.mem)
        self.next_to_use = self.next_to_clean = 0
        self.alloc_failed = 0

    def unused(self) -> int:
        """Slots without a posted buffer."""
        return self.count - (self.next_to_use - self.next_to_clean & INDEX_MASK)

    def free(self) -> None:
        """Give the rings' memory back."""
        self.desc.free()
        self.cpl.free()
