"""The descriptors of one TX queue: fetched ahead in bursts, taken out as whole packets.

Hardware: hdl/ring/hnic_desc_prefetch.v.
"""

from __future__ import annotations

from collections import deque

from pyhost.bus.master import BusError, BusMaster
from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic.hnic_desc import TX_DESC, TXD_EOP
from pyhost.drivers.net.hnic_model.limits import DESC_BURST
from pyhost.drivers.net.hnic_model.queue import INDEX_MASK, QueueBlock
from pyhost.drivers.net.hnic_model.stats import CardStats
from pyhost.drivers.net.hnic_model.tx_packet import DescWords, TxPacket

__all__ = ["PAGE", "TxRing"]

_BYTES = regs.TXD_BYTES
PAGE = 4096
"""No burst crosses a page (AXI4)."""


class TxRing:
    """`next_packet` takes; `clear` forgets everything when the queue starts anew."""

    __slots__ = ("_descs", "_fetched", "_master", "_queue", "_stats")

    def __init__(self, queue: QueueBlock, master: BusMaster, stats: CardStats) -> None:
        self._queue = queue
        self._master = master
        self._stats = stats
        self._descs: deque[tuple[int, DescWords | None]] = deque()
        self._fetched = 0

    def clear(self) -> None:
        """Nothing is fetched, the next descriptor is number 0."""
        self._descs.clear()
        self._fetched = 0

    def next_packet(self) -> TxPacket | None:
        """The next packet, or its beginning up to the first fault; None when the doorbell has given
        no more.
        """
        descs = self._descs
        if not descs and not self._fetch():
            return None
        last = self._queue.tail - 1 & INDEX_MASK
        packet = TxPacket(*descs[0])
        taken = 0
        while True:
            index, words = descs.popleft()
            taken += 1
            status = packet.add(words, index == last)
            if status:
                packet.refuse(status, index)
                break
            assert words is not None
            if words[1] & TXD_EOP:
                break
            if not descs:
                self._fetch()
        self._stats.tx_descs += taken
        packet.next = index + 1 & INDEX_MASK
        return packet

    def _fetch(self) -> bool:
        """Read the next descriptors, not over the ring's end nor over a page; whether there were
        any.
        """
        queue = self._queue
        index = self._fetched
        slot = index & queue.mask
        addr = queue.base + slot * _BYTES
        count = min(
            queue.tail - index & INDEX_MASK,
            queue.size - slot,
            (PAGE - addr % PAGE) // _BYTES,
            DESC_BURST,
        )
        if not count:
            return False
        self._fetched = index + count & INDEX_MASK
        try:
            block = self._master.read(addr, count * _BYTES)
        except BusError:
            self._stats.axi_rd_errs += 1
            self._descs.extend((index + i & INDEX_MASK, None) for i in range(count))
            return True
        for words in TX_DESC.iter_unpack(block):
            self._descs.append((index, words))
            index = index + 1 & INDEX_MASK
        return True
