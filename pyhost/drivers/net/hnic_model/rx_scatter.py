"""A frame into the buffers of its queue.

Hardware: hdl/ring/hnic_rx_engine.v, hdl/dma/hnic_dma_write.v. Buffers have any address and any
length; a frame takes as many as it needs, and the rest of its last one is left unused.
"""

from __future__ import annotations

from pyhost.bus.master import BusError, BusMaster
from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic.hnic_desc import RX_DESC, RXC_BUFS_MASK, RXD_BUF_ID_SHIFT, RXD_LEN_MASK
from pyhost.drivers.net.hnic_model.queue import INDEX_MASK, QueueBlock
from pyhost.drivers.net.hnic_model.stats import CardStats

__all__ = ["RxScatter"]


class RxScatter:
    """`store` writes one frame; the other attributes tell how it went: `status`, `fault` (index of
    the descriptor at fault), `buf_id` of the first buffer, `bufs` used, `head` behind the last one.
    """

    __slots__ = ("_master", "_stats", "buf_id", "bufs", "fault", "head", "status")

    def __init__(self, master: BusMaster, stats: CardStats) -> None:
        self._master = master
        self._stats = stats
        self.status = regs.STATUS_OK
        self.fault = self.buf_id = self.bufs = self.head = 0

    def store(self, queue: QueueBlock, data: bytes) -> None:
        """Write a frame into the buffers from the queue's head on, of which there is at least
        one.
        """
        self.status = regs.STATUS_OK
        self.buf_id = self.bufs = 0
        self.head = queue.head
        at, size = 0, len(data)
        while at < size:
            if self.head == queue.tail:
                self.status = regs.STATUS_NO_DESC
                return
            length = self._fill(queue, data, at)
            if self.status:
                return
            at += length

    def _fill(self, queue: QueueBlock, data: bytes, at: int) -> int:
        """Fill the buffer at `head` with what comes from `at` on; how many bytes it has."""
        index = self.head
        self.head = index + 1 & INDEX_MASK
        self.fault = index
        where = queue.base + (index & queue.mask) * regs.RXD_BYTES
        try:
            addr, word = RX_DESC.unpack(self._master.read(where, regs.RXD_BYTES))
        except BusError:
            self._stats.axi_rd_errs += 1
            self.status = regs.STATUS_DESC_ERR
            return 0
        length: int = word & RXD_LEN_MASK
        if not self.bufs:
            self.buf_id = word >> RXD_BUF_ID_SHIFT
        if not length:
            self.status = regs.STATUS_BAD_DESC
            return 0
        self.bufs = min(self.bufs + 1, RXC_BUFS_MASK)
        whole = not at and length >= len(data)
        try:
            self._master.write(addr, data if whole else data[at : at + length])
        except BusError:
            self._stats.axi_wr_errs += 1
            self.status = regs.STATUS_DMA_ERR
        return length
