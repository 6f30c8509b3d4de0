"""A frame into the buffers of its queue.

Hardware: hdl/rx/hnic_rx_place.v, hdl/dma/hnic_dma_write.v, hdl/rx/hnic_rx_done.v. Buffers have any
address and any length; a frame takes as many as it needs, and the rest of its last one is left
unused.

    buffers run out inside the frame   NO_DESC: what there was is filled; the queue goes on
    descriptor of length 0             BAD_DESC
    descriptor read failed             DESC_ERR
    more than 255 buffers              TOO_MANY
    a write failed                     DMA_ERR: the rest of the frame is written all the same
"""

from __future__ import annotations

from pyhost.bus.master import BusError, BusMaster
from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic.hnic_desc import RX_DESC, RXC_BUFS_MASK, RXD_BUF_ID_SHIFT, RXD_LEN_MASK
from pyhost.drivers.net.hnic_model.queue import INDEX_MASK, QueueBlock
from pyhost.drivers.net.hnic_model.stats import CardStats

__all__ = ["RxScatter"]

_HEALTHY = (regs.STATUS_OK, regs.STATUS_NO_DESC)


class RxScatter:
    """`store` writes one frame; the other attributes tell how it went: `status`, `fault` (index of
    the descriptor at fault, of the frame's first one when a write failed), `buf_id` of the first
    buffer, `bufs` taken, `head` behind the last one.
    """

    __slots__ = (
        "_failed", "_master", "_stats", "buf_id", "bufs", "fault", "head", "status",
    )  # fmt: skip

    def __init__(self, master: BusMaster, stats: CardStats) -> None:
        self._master = master
        self._stats = stats
        self._failed = False
        self.status = regs.STATUS_OK
        self.fault = self.buf_id = self.bufs = self.head = 0

    def store(self, queue: QueueBlock, data: bytes) -> None:
        """Write a frame into the buffers from the queue's head on, of which there is at least
        one.
        """
        self._failed = False
        self.buf_id = self.bufs = 0
        self.head = queue.head
        self.status = self._place(queue, data)
        self.fault = self.head - 1 & INDEX_MASK
        if self._failed and self.status in _HEALTHY:
            self.status = regs.STATUS_DMA_ERR
            self.fault = queue.head

    def _place(self, queue: QueueBlock, data: bytes) -> int:
        """Take buffers until the frame fits; the status, failed writes apart."""
        at, size = 0, len(data)
        while True:
            if self.bufs == RXC_BUFS_MASK:
                return regs.STATUS_TOO_MANY
            index = self.head
            if index == queue.tail:
                return regs.STATUS_NO_DESC
            self.head = index + 1 & INDEX_MASK
            self.bufs += 1
            where = queue.base + (index & queue.mask) * regs.RXD_BYTES
            try:
                addr, word = RX_DESC.unpack(self._master.read(where, regs.RXD_BYTES))
            except BusError:
                self._stats.axi_rd_errs += 1
                return regs.STATUS_DESC_ERR
            if not at:
                self.buf_id = word >> RXD_BUF_ID_SHIFT
            length = word & RXD_LEN_MASK
            if not length:
                return regs.STATUS_BAD_DESC
            self._write(addr, data[at : at + length] if at or length < size else data)
            at += length
            if at >= size:
                return regs.STATUS_OK

    def _write(self, addr: int, data: bytes) -> None:
        try:
            self._master.write(addr, data)
        except BusError:
            self._stats.axi_wr_errs += 1
            self._failed = True
