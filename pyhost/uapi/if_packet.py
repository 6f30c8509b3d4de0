"""AF_PACKET sockets as a program sees them. Linux: include/uapi/linux/if_packet.h."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from pyhost.uapi.socket import AF_PACKET

__all__ = [
    "PACKET_ADD_MEMBERSHIP", "PACKET_DROP_MEMBERSHIP", "PACKET_MR_PROMISC", "PACKET_QDISC_BYPASS",
    "PACKET_STATISTICS", "SOCKADDR_LL_SIZE", "TPACKET_STATS", "SockaddrLl",
]  # fmt: skip

PACKET_ADD_MEMBERSHIP = 1
PACKET_DROP_MEMBERSHIP = 2
PACKET_STATISTICS = 6
PACKET_QDISC_BYPASS = 20

PACKET_MR_PROMISC = 1

SOCKADDR_LL_SIZE = 20
_HOST = Struct("<H2siHBB8s")
"""Fields in host order but the protocol; see sockaddr_ll."""

TPACKET_STATS = Struct("<II")
"""struct tpacket_stats: packets, drops."""


@dataclass(slots=True)
class SockaddrLl:
    """struct sockaddr_ll: a link-layer address. `protocol` is an EtherType, `addr` at most 8
    bytes.
    """

    protocol: int = 0
    ifindex: int = 0
    hatype: int = 0
    pkttype: int = 0
    addr: bytes = b""
    family: int = AF_PACKET

    @classmethod
    def parse(cls, data: bytes) -> SockaddrLl:
        """Read the 20 bytes; ValueError when there are fewer or `halen` is too big."""
        if len(data) < SOCKADDR_LL_SIZE:
            raise ValueError(f"{len(data)} bytes are too few for a sockaddr_ll")
        family, protocol, ifindex, hatype, pkttype, halen, addr = _HOST.unpack_from(data)
        if halen > len(addr):
            raise ValueError(f"sll_halen {halen}")
        return cls(int.from_bytes(protocol, "big"), ifindex, hatype, pkttype, addr[:halen], family)

    def emit(self) -> bytes:
        """The 20 bytes."""
        return _HOST.pack(
            self.family,
            self.protocol.to_bytes(2, "big"),
            self.ifindex,
            self.hatype,
            self.pkttype,
            len(self.addr),
            self.addr,
        )
