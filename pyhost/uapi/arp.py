"""ARP for IPv4 over Ethernet (RFC 826). Linux: include/uapi/linux/if_arp.h.

     0     2     4    5    6     8        14      18       24      28
     ├─────┼─────┼────┼────┼─────┼────────┼───────┼────────┼───────┤
     │ hrd │ pro │hln │pln │ op  │  sha   │  spa  │  tha   │  tpa  │
     └─────┴─────┴────┴────┴─────┴────────┴───────┴────────┴───────┘

Protocol addresses are ints in host order.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from pyhost.uapi.ethernet import ARPHRD_ETHER, ETH_ALEN, ETH_P_IP

__all__ = [
    "ARPOP_REPLY", "ARPOP_REQUEST", "ARP_HLEN", "ARP_PACKET", "OFF_OP", "OFF_SHA", "OFF_SPA",
    "OFF_THA", "OFF_TPA", "ArpPacket", "ArpView",
]  # fmt: skip

ARPOP_REQUEST = 1
ARPOP_REPLY = 2

ARP_HLEN = 28
"""Bytes of the whole packet for Ethernet and IPv4."""

OFF_HRD = 0
OFF_PRO = 2
OFF_HLN = 4
OFF_PLN = 5
OFF_OP = 6
OFF_SHA = 8
OFF_SPA = 14
OFF_THA = 18
OFF_TPA = 24
ARP_PACKET = Struct("!HHBBH6sI6sI")
_ADDR = Struct("!I")


class ArpView:
    """A packet where it lies in `buf`, from offset `at` on.

    Linux: struct arphdr and what follows.
    """

    __slots__ = ("at", "buf")

    def __init__(self, buf: memoryview, at: int = 0) -> None:
        self.buf = buf
        self.at = at

    @property
    def op(self) -> int:
        """ARPOP_REQUEST or ARPOP_REPLY."""
        return self.buf[self.at + OFF_OP] << 8 | self.buf[self.at + OFF_OP + 1]

    @property
    def sha(self) -> bytes:
        """Sender's hardware address."""
        return bytes(self.buf[self.at + OFF_SHA : self.at + OFF_SHA + ETH_ALEN])

    @property
    def spa(self) -> int:
        """Sender's IPv4 address."""
        value: int = _ADDR.unpack_from(self.buf, self.at + OFF_SPA)[0]
        return value

    @property
    def tha(self) -> bytes:
        """Target's hardware address; zero in a request."""
        return bytes(self.buf[self.at + OFF_THA : self.at + OFF_THA + ETH_ALEN])

    @property
    def tpa(self) -> int:
        """Target's IPv4 address."""
        value: int = _ADDR.unpack_from(self.buf, self.at + OFF_TPA)[0]
        return value

    def is_ipv4_over_ethernet(self) -> bool:
        """Whether hardware type, protocol type and both lengths are those this file is about."""
        hrd, pro, hln, pln, *_ = ARP_PACKET.unpack_from(self.buf, self.at)
        return bool(hrd == ARPHRD_ETHER and pro == ETH_P_IP and hln == ETH_ALEN and pln == 4)


@dataclass(slots=True)
class ArpPacket:
    """A packet as a plain record."""

    op: int
    sha: bytes
    spa: int
    tha: bytes
    tpa: int

    @classmethod
    def parse(cls, data: bytes | memoryview) -> ArpPacket:
        """Read 28 bytes; ValueError when they are fewer or not ARP for IPv4 over Ethernet."""
        if len(data) < ARP_HLEN:
            raise ValueError(f"{len(data)} bytes are too few for ARP")
        hrd, pro, hln, pln, op, sha, spa, tha, tpa = ARP_PACKET.unpack_from(data)
        if (hrd, pro, hln, pln) != (ARPHRD_ETHER, ETH_P_IP, ETH_ALEN, 4):
            raise ValueError(f"not IPv4 over Ethernet: {hrd} {pro:#06x} {hln} {pln}")
        return cls(op, sha, spa, tha, tpa)

    def emit(self) -> bytes:
        """The 28 bytes; ValueError when a hardware address is not 6 bytes long."""
        if len(self.sha) != ETH_ALEN or len(self.tha) != ETH_ALEN:
            raise ValueError("an Ethernet address has 6 bytes")
        return ARP_PACKET.pack(
            ARPHRD_ETHER, ETH_P_IP, ETH_ALEN, 4, self.op, self.sha, self.spa, self.tha, self.tpa
        )
