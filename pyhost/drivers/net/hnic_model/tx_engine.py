"""The transmit side of the card: doorbell, descriptor fetch, gather, checksum, padding, wire,
completion.

    doorbell ──DOORBELL_LATENCY_NS──→ fetch, gather, first bit on the wire
             ──(len + 24) bytes──→ completion, interrupt, next packet

One packet at a time, one clock event a packet; the doorbell that finds the engine idle costs one
more. The RTL reads ahead and so keeps the same pace on the wire with a slow memory; here reading
memory takes no time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from pyhost.bus.master import BusError, BusMaster
from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic.hnic_desc import (
    TX_CPL,
    TX_DESC,
    TXC_HEAD_SHIFT,
    TXC_PHASE,
    TXC_STATUS_SHIFT,
)
from pyhost.drivers.net.hnic_model.cycle import CYCLE_NS, cycle_of
from pyhost.drivers.net.hnic_model.queue import INDEX_MASK, QueueBlock
from pyhost.drivers.net.hnic_model.stats import CardStats
from pyhost.drivers.net.hnic_model.tx_packet import TxPacket, TxPacketBuilder
from pyhost.kernel.clock import NSEC_PER_SEC, Clock, Event
from pyhost.kernel.trace import Tracer
from pyhost.net.core.checksum import csum_bytes, csum_fold

__all__ = ["DOORBELL_LATENCY_NS", "MAX_FRAME", "TxEngine", "WirePort"]

DOORBELL_LATENCY_NS = 500
"""From the doorbell of an idle queue to the first bit: posted write, descriptor read and data read
over the bus.
"""

MAX_FRAME = 9600
"""Longest frame without FCS, as the RTL's default."""

DESC_BURST = 8
"""Most descriptors in one read."""

MIN_FRAME = 60
PREAMBLE_AND_FCS = 12


class WirePort(Protocol):
    """One end of a link. The MAC sets `receive(frame, key)`, which is called for each frame that
    has arrived.
    """

    receive: Callable[[bytes, int], None]

    def transmit(self, frame: bytes, key: int) -> object:
        """The first bit of a frame (without preamble and FCS) leaves now."""


class TxEngine:
    """One TX queue and the MAC behind it. `gap` is the inter-frame gap in bytes (LINK_CFG),
    `card_enabled` is CTRL.ENABLE.
    """

    def __init__(
        self,
        clock: Clock,
        master: BusMaster,
        fire: Callable[[int], None],
        port: WirePort,
        rate_bps: int,
        stats: CardStats,
        trace: Tracer,
    ) -> None:
        self._clock = clock
        self._master = master
        self._port = port
        self._rate_bps = rate_bps
        self._stats = stats
        self._trace = trace
        self._builder = TxPacketBuilder(MAX_FRAME)
        self._descs: deque[tuple[int, tuple[int, int, int, int] | None]] = deque()
        self._fetched = 0
        self._busy = False
        self._start: Event | None = None
        self._reset_done: Callable[[], None] | None = None
        self.card_enabled = False
        self.gap = regs.LINK_CFG_RST
        self.queue = QueueBlock(clock, fire, 0, self.kick, self.kick)

    @property
    def busy(self) -> bool:
        """Whether a packet is under way or about to be."""
        return self._busy or self._start is not None

    def kick(self) -> None:
        """There may be something to do: a doorbell, the card enabled, the queue disabled."""
        if not self._busy and self._start is None:
            self._start = self._clock.call_at(self._clock.now + DOORBELL_LATENCY_NS, self._begin)

    def reset(self, done: Callable[[], None]) -> None:
        """Let the frame on the wire end, forget everything else, then call `done`."""
        if self._start is not None:
            self._start.cancel()
            self._start = None
        self._reset_done = done
        if not self._busy:
            self._clock.call_soon(self._do_reset)

    def _do_reset(self) -> None:
        done, self._reset_done = self._reset_done, None
        self._busy = False
        self._builder.reset()
        self._descs.clear()
        self._fetched = 0
        self.card_enabled = False
        self.queue.reset()
        if done is not None:
            done()

    # -- one packet after the other ----------------------------------------------------------------

    def _begin(self) -> None:
        self._start = None
        self._next()

    def _next(self) -> None:
        """Put the next packet on the wire, or rest."""
        packet = self._build()
        if packet is None:
            self._rest()
            return
        self._busy = True
        frame = self._gather(packet) if not packet.status else b""
        now = self._clock.now
        if packet.status:
            self._clock.call_at(now + CYCLE_NS, lambda: self._finish(packet, self._clock.now))
            return
        stats = self._stats
        stats.tx_frames += 1
        stats.tx_bytes += len(frame)
        if self._trace.on:
            self._trace.hit("nic_tx", packet.cookie, len=len(frame))
        self._port.transmit(frame, packet.cookie)
        wire_ns = -(
            -(len(frame) + PREAMBLE_AND_FCS + self.gap) * 8 * NSEC_PER_SEC // self._rate_bps
        )
        self._clock.call_at(now + wire_ns, lambda: self._finish(packet, now))

    def _rest(self) -> None:
        self._busy = False
        queue = self.queue
        if not queue.enabled and queue.active and queue.head == queue.tail:
            queue.stopped()
            self._fetched = 0
            self._builder.reset()

    def _build(self) -> TxPacket | None:
        """Take descriptors until a packet is complete; None when the doorbell has given no more."""
        descs = self._descs
        take = self._builder.take
        while descs or self._fetch():
            self._stats.tx_descs += 1
            packet = take(*descs.popleft())
            if packet is not None:
                return packet
        return None

    def _fetch(self) -> bool:
        """Read the next descriptors, not over the ring's end; whether there were any."""
        queue = self.queue
        index = self._fetched
        slot = index & queue.mask
        count = min(queue.tail - index & INDEX_MASK, queue.size - slot, DESC_BURST)
        if not count or not self.card_enabled:
            return False
        self._fetched = index + count & INDEX_MASK
        try:
            block = self._master.read(queue.base + slot * regs.TXD_BYTES, count * regs.TXD_BYTES)
        except BusError:
            self._stats.axi_rd_errs += 1
            self._descs.extend((index + i + 1 & INDEX_MASK, None) for i in range(count))
            return True
        for words in TX_DESC.iter_unpack(block):
            index = index + 1 & INDEX_MASK
            self._descs.append((index, words))
        return True

    def _gather(self, packet: TxPacket) -> bytes:
        """Read the pieces in order: the frame as it goes to the wire. Sets the status when a read
        fails.
        """
        read = self._master.read
        if self._trace.on:
            for addr, length in packet.pieces:
                self._trace.hit("nic_gather", packet.cookie, addr=addr, len=length)
        try:
            frame = b"".join([read(addr, length) for addr, length in packet.pieces])
        except BusError:
            self._stats.axi_rd_errs += 1
            packet.status = regs.STATUS_DMA_ERR
            return b""
        if packet.csum_start >= 0:
            frame = self._insert_csum(frame, packet)
        return frame if len(frame) >= MIN_FRAME else frame.ljust(MIN_FRAME, b"\0")

    def _insert_csum(self, frame: bytes, packet: TxPacket) -> bytes:
        """Checksum from `csum_start` to the end (RFC 1071); a result of 0 becomes 0xffff, which UDP
        needs and TCP may have.
        """
        value = csum_fold(csum_bytes(memoryview(frame)[packet.csum_start :])) or 0xFFFF
        self._stats.tx_csums += 1
        pos = packet.csum_pos
        return b"".join((frame[:pos], value.to_bytes(2, "big"), frame[pos + 2 :]))

    def _finish(self, packet: TxPacket, start_ns: int) -> None:
        """The packet has left or was dropped: write its completion, go on."""
        if self._reset_done is not None:
            self._do_reset()
            return
        queue = self.queue
        stats = self._stats
        if packet.status:
            stats.tx_drops += 1
        word = packet.cookie | packet.head << TXC_HEAD_SHIFT | packet.status << TXC_STATUS_SHIFT
        if queue.cpl_phase():
            word |= TXC_PHASE
        try:
            slot = queue.cpl_head & queue.cpl_mask
            self._master.write(
                queue.cpl_base + slot * regs.TXC_BYTES, TX_CPL.pack(cycle_of(start_ns), word)
            )
        except BusError:
            stats.axi_wr_errs += 1
        stats.cpls += 1
        queue.completed(packet.head)
        self._next()
