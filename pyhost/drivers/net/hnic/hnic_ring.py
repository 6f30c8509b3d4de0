"""The rings of the driver: memory that driver and card share, and what the driver remembers for
each slot.

Linux: drivers/net/ethernet/intel/igb/igb.h (struct igb_ring, igb_tx_buffer, igb_rx_buffer). All
indices are free-running 16-bit counts, the slot is `index & mask`; `next_to_clean == next_to_use`
is empty, and all slots may be in use.

    next_to_clean ─────→ next_to_use      TX: given to the card, not yet completed
                                          RX: buffers that the card may fill

Completions have an index of their own, `cpl_next`. Rings live while the interface is up; what they
count (`TxQueueStats`, `RxQueueStats`) lives as long as the driver.
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
    "RxQueueStats",
    "RxRing",
    "TxBuffer",
    "TxQueueStats",
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

    def clear(self) -> None:
        """Fill it with zeros, so that no record looks new."""
        self._dev.memory.ram[self.addr : self.addr + self.size] = 0

    def place(self) -> tuple[int, int]:
        """What the card must know: bus address, records."""
        return self.dma, self.count

    def free(self) -> None:
        """Give the memory back."""
        dma_free_coherent(self._dev, self.size, self.addr, self.dma)


class TxQueueStats:
    """What a TX queue counts. Linux: struct igb_tx_queue_stats.

    `tso` super-packets among `packets` frames; `stops` and `wakes` of the queue; packets refused
    (`tx_busy`), not mapped (`mapping_errors`), completed with an error (`errors`), thrown away by a
    `reset` of the queue (`reset_drops`).
    """

    __slots__ = (
        "bytes", "errors", "mapping_errors", "packets", "reset_drops", "resets", "stops", "tso",
        "tx_busy", "wakes",
    )  # fmt: skip

    def __init__(self) -> None:
        self.packets = self.bytes = self.tso = self.stops = self.wakes = 0
        self.tx_busy = self.mapping_errors = self.errors = self.resets = self.reset_drops = 0


class RxQueueStats:
    """What an RX queue counts. Linux: struct igb_rx_queue_stats.

    Frames without memory for an skb (`drops`), a buffer without memory (`alloc_failed`), with a
    wrong checksum of the IPv4 header (`csum_errors`), completed with an error (`errors`), of them
    those for which the buffers did not suffice (`no_desc`); `resets` of the queue.
    """

    __slots__ = (
        "alloc_failed", "bytes", "csum_errors", "drops", "errors", "no_desc", "packets", "resets",
    )  # fmt: skip

    def __init__(self) -> None:
        self.packets = self.bytes = self.drops = self.alloc_failed = 0
        self.csum_errors = self.errors = self.no_desc = self.resets = 0


class TxBuffer:
    """What one TX descriptor points at. Linux: struct igb_tx_buffer. `skb`, `segs` (how many frames
    it makes) and `bytecount` (their bytes, as the byte queue limits were told) are set in the
    packet's first slot only.
    """

    __slots__ = ("bytecount", "dma", "length", "segs", "skb")

    def __init__(self) -> None:
        self.skb: SkBuff | None = None
        self.bytecount = 0
        self.segs = 0
        self.dma = 0
        self.length = 0


class TxRing:
    """One TX queue. `tail` is the producer index the card was told last, `cpl_next` counts
    completions seen, `armed` is what it was when the interrupt was armed. `failed` is the fault
    (status, descriptor) that stopped the queue in the card; nothing goes on until it has been
    reset. With `tstamp` the card's timestamps are passed on.
    """

    __slots__ = (
        "arm_reg", "armed", "block", "buf", "buffers", "bus", "count", "cpl", "cpl_next", "desc",
        "dev", "dma_dev", "doorbell_reg", "failed", "index", "mask", "next_to_clean", "next_to_use",
        "stats", "tail", "trace", "tstamp", "txq",
    )  # fmt: skip

    def __init__(
        self, dev: NetDevice, bus: BusDevice, count: int, queue: int, stats: TxQueueStats
    ) -> None:
        self.dev = dev
        self.bus = bus
        self.index = queue
        self.stats = stats
        self.failed: tuple[int, int] | None = None
        self.tstamp = False
        self.dma_dev = bus.dma
        self.buf = bus.kernel.mem.buf
        self.trace = bus.kernel.trace
        self.txq = dev.tx[queue]
        self.count = count
        self.mask = count - 1
        self.block = tx_block(queue)
        self.doorbell_reg = self.block + regs.Q_DOORBELL
        self.arm_reg = self.block + regs.Q_IRQ_ARM
        self.desc = RingMemory(bus.dma, count, regs.TXD_BYTES, f"{dev.name} TX ring")
        try:
            self.cpl = RingMemory(bus.dma, count, regs.TXC_BYTES, f"{dev.name} TX completions")
        except MemoryError:
            self.desc.free()
            raise
        self.buffers = [TxBuffer() for _ in range(count)]
        self.next_to_use = self.next_to_clean = self.tail = self.cpl_next = self.armed = 0

    def arm(self) -> None:
        """Have the card interrupt as soon as there are completions that nobody has looked at."""
        self.armed = self.cpl_next
        self.bus.writel(self.cpl_next, self.arm_reg)

    def restart(self) -> None:
        """Begin anew at index 0, empty, as the card does after a queue reset."""
        self.next_to_use = self.next_to_clean = self.tail = self.cpl_next = 0
        self.failed = None
        self.cpl.clear()

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
    """One RX queue. Buffers of `buf_size` bytes are cut from the pages of `frag`. `cpl_next` and
    `failed` as of a `TxRing`. With `tstamp` the card's timestamps are passed on.
    """

    __slots__ = (
        "arm_reg", "armed", "block", "buf", "buf_size", "buffers", "bus", "count", "cpl",
        "cpl_next", "desc", "dev", "dma_dev", "doorbell_reg", "failed", "frag", "index", "mask",
        "next_to_clean", "next_to_use", "pool", "stats", "trace", "tstamp",
    )  # fmt: skip

    def __init__(
        self,
        dev: NetDevice,
        bus: BusDevice,
        count: int,
        queue: int,
        stats: RxQueueStats,
        buf_size: int,
    ) -> None:
        self.dev = dev
        self.bus = bus
        self.index = queue
        self.stats = stats
        self.failed: tuple[int, int] | None = None
        self.tstamp = False
        self.dma_dev = bus.dma
        self.buf = bus.kernel.mem.buf
        self.trace = bus.kernel.trace
        self.pool = dev.net.skbs
        self.count = count
        self.mask = count - 1
        self.buf_size = buf_size
        self.block = rx_block(queue)
        self.doorbell_reg = self.block + regs.Q_DOORBELL
        self.arm_reg = self.block + regs.Q_IRQ_ARM
        self.desc = RingMemory(bus.dma, count, regs.RXD_BYTES, f"{dev.name} RX ring")
        try:
            self.cpl = RingMemory(bus.dma, count, regs.RXC_BYTES, f"{dev.name} RX completions")
        except MemoryError:
            self.desc.free()
            raise
        self.buffers = [RxBuffer() for _ in range(count)]
        self.frag = PageFrag(bus.kernel.mem)
        self.next_to_use = self.next_to_clean = self.cpl_next = self.armed = 0

    def arm(self) -> None:
        """As `TxRing.arm`."""
        self.armed = self.cpl_next
        self.bus.writel(self.cpl_next, self.arm_reg)

    def restart(self) -> None:
        """Begin anew at index 0, with no buffer posted, as the card does after a queue reset; the
        buffers stay in their slots.
        """
        self.next_to_use = self.next_to_clean = self.cpl_next = 0
        self.failed = None
        self.cpl.clear()

    def unused(self) -> int:
        """Slots without a posted buffer."""
        return self.count - (self.next_to_use - self.next_to_clean & INDEX_MASK)

    def free(self) -> None:
        """Give the rings' memory back."""
        self.desc.free()
        self.cpl.free()
