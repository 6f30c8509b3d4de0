"""Completions into host memory, and what follows from them: indices, interrupt, CPL_ERR.

Hardware: hdl/ring/hnic_cpl_writer.v. Writing takes no time here, so a completion is answered as
soon as it is issued.
"""

from __future__ import annotations

from pyhost.bus.master import BusError, BusMaster
from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic_model.queue import INDEX_MASK, QueueBlock
from pyhost.drivers.net.hnic_model.stats import CardStats

__all__ = ["CplWriter"]


class CplWriter:
    """Writes records of `size` bytes; `phase` is the phase bit in the record's last quadword."""

    __slots__ = ("_master", "_phase", "_size", "_stats")

    def __init__(self, master: BusMaster, stats: CardStats, size: int, phase: int) -> None:
        self._master = master
        self._stats = stats
        self._size = size
        self._phase = phase

    def phase(self, queue: QueueBlock) -> int:
        """The phase bit of the queue's next completion: set in the first pass over the ring."""
        return 0 if queue.cpl_head & queue.cpl_mask + 1 else self._phase

    def write(self, queue: QueueBlock, head: int, record: bytes) -> None:
        """The completion of the descriptors before `head`."""
        queue.head = head
        self._stats.cpls += 1
        index = queue.cpl_head
        try:
            self._master.write(queue.cpl_base + (index & queue.cpl_mask) * self._size, record)
        except BusError:
            self._stats.axi_wr_errs += 1
            queue.halt(regs.STATUS_CPL_ERR, index)
        else:
            queue.cpl_head = index + 1 & INDEX_MASK
        queue.irq.update(queue.cpl_head, queue.halted)
