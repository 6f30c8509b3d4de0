"""AF_PACKET sockets as a program sees them. Linux: include/uapi/linux/if_packet.h."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from pyhost.uapi.socket import AF_PACKET

__all__ = [
    "PACKET_ADD_MEMBERSHIP", "PACKET_AUXDATA", "PACKET_COPY_THRESH", "PACKET_DROP_MEMBERSHIP",
    "PACKET_IGNORE_OUTGOING", "PACKET_MREQ", "PACKET_MR_ALLMULTI", "PACKET_MR_MULTICAST",
    "PACKET_MR_PROMISC", "PACKET_MR_UNICAST", "PACKET_ORIGDEV", "PACKET_QDISC_BYPASS",
    "PACKET_RESERVE", "PACKET_STATISTICS", "PACKET_VERSION", "SOCKADDR_LL_SIZE",
    "TPACKET_AUXDATA", "TPACKET_STATS", "TPACKET_V3", "TP_STATUS_CSUMNOTREADY",
    "TP_STATUS_CSUM_VALID", "TP_STATUS_USER", "TP_STATUS_VLAN_TPID_VALID", "TP_STATUS_VLAN_VALID",
    "SockaddrLl",
]  # fmt: skip

PACKET_ADD_MEMBERSHIP = 1
PACKET_DROP_MEMBERSHIP = 2
PACKET_STATISTICS = 6
PACKET_COPY_THRESH = 7
PACKET_AUXDATA = 8
PACKET_ORIGDEV = 9
PACKET_VERSION = 10
PACKET_RESERVE = 12
PACKET_QDISC_BYPASS = 20
PACKET_IGNORE_OUTGOING = 23

PACKET_MR_MULTICAST = 0
PACKET_MR_PROMISC = 1
PACKET_MR_ALLMULTI = 2
PACKET_MR_UNICAST = 3

PACKET_MREQ = Struct("<iHH8s")
"""struct packet_mreq: interface, type, bytes of address, address."""

TPACKET_V3 = 2

TP_STATUS_USER = 1 << 0
TP_STATUS_CSUMNOTREADY = 1 << 3
TP_STATUS_VLAN_VALID = 1 << 4
TP_STATUS_VLAN_TPID_VALID = 1 << 6
TP_STATUS_CSUM_VALID = 1 << 7

TPACKET_AUXDATA = Struct("<IIIHHHH")
"""struct tpacket_auxdata: status, length, captured length, offsets of link and network header, VLAN
tag and its EtherType.
"""

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
