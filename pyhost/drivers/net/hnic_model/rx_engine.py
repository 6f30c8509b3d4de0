"""The receive side of the card: a frame from the wire goes into the next buffer of the RX ring,
then its completion is written.

It lives on register writes of the RXQ block and on DMA alone, so that it also stands beside the RTL
as long as that has no receive engine of its own.
"""

from __future__ import annotations

from contextlib import suppress

from pyhost.bus.device import BusDevice
from pyhost.bus.master import BusError, BusMaster
from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic.hnic_desc import (
    RX_CPL,
    RX_DESC,
    RXC_COOKIE_SHIFT,
    RXC_CSUM_OK,
    RXC_CSUM_SHIFT,
    RXC_HEAD_SHIFT,
    RXC_PHASE,
    RXC_STATUS_SHIFT,
    RXD_BUF_ID_SHIFT,
    RXD_LEN_MASK,
)
from pyhost.drivers.net.hnic_model.cycle import cycle_of
from pyhost.drivers.net.hnic_model.queue import INDEX_MASK, QueueBlock
from pyhost.kernel.clock import Clock
from pyhost.net.core.checksum import csum_bytes, csum_tcpudp_nofold
from pyhost.uapi.ethernet import ETH_HLEN, ETH_P_IP
from pyhost.uapi.ip import IP_HDR, IP_MF, IP_OFFSET, IPPROTO_TCP, IPPROTO_UDP, IPVERSION

__all__ = ["RX_VECTOR", "RxEngine", "l4_checksum_ok"]

RX_VECTOR = 1
"""Vector `2*q + 1` belongs to RX queue q."""

_L4_BEGIN = ETH_HLEN + 20
_L4_MIN = {IPPROTO_TCP: 20, IPPROTO_UDP: 8}
"""Which protocols are checked, and the shortest header of each."""


class RxEngine:
    """RX queue 0. `dropped_no_desc` counts frames for which no buffer was there, `dropped_disabled`
    those of a queue that is off, `dropped_too_long` those longer than the buffer whose turn it was
    (which keeps its turn).
    """

    def __init__(self, device: BusDevice, clock: Clock) -> None:
        self._clock = clock
        self._trace = device.kernel.trace
        self.master = BusMaster(device.dma)
        self.queue = QueueBlock(clock, device.fire, RX_VECTOR, _nothing, self._disabled)
        self.frames = 0
        self.dropped_no_desc = 0
        self.dropped_disabled = 0
        self.dropped_too_long = 0

    @staticmethod
    def owns(offset: int) -> bool:
        """Whether the register at `offset` of the device's window belongs here."""
        return regs.RXQ_BASE <= offset < regs.RXQ_BASE + regs.RXQ_STRIDE

    def write(self, offset: int, value: int) -> None:
        """Write the register at `offset` of the device's window."""
        self.queue.write(offset - regs.RXQ_BASE, value)

    def read(self, offset: int) -> int:
        """The register at `offset` of the device's window."""
        return self.queue.read(offset - regs.RXQ_BASE)

    def _disabled(self) -> None:
        """Nothing is under way between two frames: the queue stops at once."""
        self.queue.stopped()

    def receive(self, frame: bytes, key: int) -> None:
        """A frame has arrived (without preamble and FCS): into memory with it, or it is dropped and
        counted.
        """
        queue = self.queue
        if not queue.enabled:
            self.dropped_disabled += 1
            return
        if queue.head == queue.tail:
            self.dropped_no_desc += 1
            return
        try:
            slot = queue.base + (queue.head & queue.mask) * regs.RXD_BYTES
            addr, word = RX_DESC.unpack(self.master.read(slot, regs.RXD_BYTES))
            if len(frame) > word & RXD_LEN_MASK:
                self.dropped_too_long += 1
                return
            status = self._store(addr, frame)
        except BusError:
            word = 0
            status = regs.STATUS_DESC_ERR
        self._complete(frame, key, word >> RXD_BUF_ID_SHIFT, status)

    def _store(self, addr: int, frame: bytes) -> int:
        try:
            self.master.write(addr, frame)
        except BusError:
            return regs.STATUS_DMA_ERR
        return regs.STATUS_OK

    def _complete(self, frame: bytes, key: int, buf_id: int, status: int) -> None:
        """Write the completion of the buffer at the head."""
        queue = self.queue
        head = queue.head + 1 & INDEX_MASK
        word = head << RXC_HEAD_SHIFT | status << RXC_STATUS_SHIFT
        if queue.cpl_phase():
            word |= RXC_PHASE
        csum = csum_bytes(memoryview(frame)[ETH_HLEN:])
        if l4_checksum_ok(frame, csum):
            word |= RXC_CSUM_OK
        shape = len(frame) | csum << RXC_CSUM_SHIFT
        ident = buf_id | key << RXC_COOKIE_SHIFT
        record = RX_CPL.pack(ident, cycle_of(self._clock.now), shape, word)
        with suppress(BusError):
            self.master.write(
                queue.cpl_base + (queue.cpl_head & queue.cpl_mask) * regs.RXC_BYTES, record
            )
        self.frames += 1
        if self._trace.on:
            self._trace.hit("nic_rx", key, len=len(frame))
        queue.completed(head)


def _nothing() -> None:
    """A doorbell of the RX queue asks for no action: the buffers wait for frames."""


def l4_checksum_ok(frame: bytes, csum: int) -> bool:
    """Whether `frame` is whole TCP or UDP over IPv4 (RFC 791) with a right checksum.

    RFC 9293 section 3.1, RFC 768. `csum` is the sum over all behind the Ethernet header. A UDP
    datagram without a checksum was not checked, so the answer is no.
    """
    if len(frame) < _L4_BEGIN or frame[12] << 8 | frame[13] != ETH_P_IP:
        return False
    first, _, total, _, frag, _, proto, _, saddr, daddr = IP_HDR.unpack_from(frame, ETH_HLEN)
    begin = ETH_HLEN + (first & 15) * 4
    end = ETH_HLEN + total
    size = end - begin
    if first >> 4 != IPVERSION or frag & (IP_MF | IP_OFFSET) or end > len(frame):
        return False
    if proto not in _L4_MIN or size < _L4_MIN[proto]:
        return False
    if proto == IPPROTO_UDP and frame[begin + 6 : begin + 8] == b"\0\0":
        return False
    if end < len(frame):
        csum = csum_bytes(memoryview(frame)[ETH_HLEN:end])
    header = csum_bytes(frame[ETH_HLEN:begin])
    return (csum_tcpudp_nofold(saddr, daddr, size, proto, csum) - header) % 0xFFFF == 0
