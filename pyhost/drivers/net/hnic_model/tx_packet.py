"""From descriptors to packets: all judging of descriptors is here.

Hardware: hdl/ring/hnic_tx_packet.v. A packet ends at EOP, or at a descriptor that could not be
read, whatever was wrong before. The first fault decides the status.
"""

from __future__ import annotations

from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic.hnic_desc import (
    TXC_COOKIE_MASK,
    TXD_CSUM,
    TXD_CSUM_OFFSET_SHIFT,
    TXD_CSUM_START_SHIFT,
    TXD_EOP,
    TXD_LEN_MASK,
    TXD_SOP,
    TXD_TSO,
    TXD_VLAN,
)

__all__ = ["TxPacket", "TxPacketBuilder"]

_START_MASK = (1 << regs.TXD_CSUM_START_W) - 1
_OFFSET_MASK = (1 << regs.TXD_CSUM_OFFSET_W) - 1
_REFUSED = TXD_TSO | TXD_VLAN
_CSUM_BYTES = 2


class TxPacket:
    """What one packet's descriptors say.

    `pieces` are (bus address, bytes) in the order of the frame, `csum_start` is -1 without a
    checksum request, `csum_pos` where the sum is stored, both counted from the frame's first byte;
    `head` is the descriptor index after the packet.
    """

    __slots__ = ("cookie", "csum_pos", "csum_start", "head", "pieces", "status", "total")

    def __init__(self, cookie: int) -> None:
        self.cookie = cookie
        self.status = regs.STATUS_OK
        self.pieces: list[tuple[int, int]] = []
        self.total = 0
        self.csum_start = -1
        self.csum_pos = 0
        self.head = 0


class TxPacketBuilder:
    """Takes descriptors one by one; `max_frame` is the longest frame without FCS."""

    __slots__ = ("_max_frame", "_packet")

    def __init__(self, max_frame: int) -> None:
        self._max_frame = max_frame
        self._packet: TxPacket | None = None

    def reset(self) -> None:
        """Forget a packet whose end has not come."""
        self._packet = None

    def take(self, head: int, words: tuple[int, int, int, int] | None) -> TxPacket | None:
        """The next descriptor, None for one that could not be read; `head` is the index after it. A
        packet when it is complete.
        """
        packet = self._packet
        inside = packet is not None
        if packet is None:
            packet = self._packet = TxPacket(words[3] & TXC_COOKIE_MASK if words else 0)
        if words is None:
            packet.status = packet.status or regs.STATUS_DESC_ERR
        else:
            self._judge(packet, words[0], words[1], inside)
            if not words[1] & TXD_EOP:
                return None
        packet.head = head
        self._packet = None
        return packet

    def _judge(self, packet: TxPacket, addr: int, word: int, inside: bool) -> None:
        if not inside and word & TXD_CSUM:
            packet.csum_start = word >> TXD_CSUM_START_SHIFT & _START_MASK
            packet.csum_pos = packet.csum_start + (word >> TXD_CSUM_OFFSET_SHIFT & _OFFSET_MASK)
        if packet.status:
            return
        length = word & TXD_LEN_MASK
        sop = bool(word & TXD_SOP)
        packet.total += length
        if sop == inside or not length or (sop and word & _REFUSED):
            packet.status = regs.STATUS_BAD_DESC
        elif packet.total > self._max_frame:
            packet.status = regs.STATUS_TOO_LONG
        elif (
            word & TXD_EOP
            and packet.csum_start >= 0
            and packet.csum_pos + _CSUM_BYTES > packet.total
        ):
            packet.status = regs.STATUS_BAD_CSUM
        packet.pieces.append((addr, length))
