"""The Ethernet II header (IEEE 802.3 clause 3). Linux: include/uapi/linux/if_ether.h, if_packet.h.

0        6        12    14
├────────┼────────┼─────┤
│  dest  │ source │type │ payload …
└────────┴────────┴─────┘
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

__all__ = [
    "ARPHRD_ETHER", "ARPHRD_LOOPBACK", "ETH_ALEN", "ETH_BROADCAST", "ETH_DATA_LEN", "ETH_FCS_LEN",
    "ETH_FRAME_LEN", "ETH_HDR", "ETH_HLEN", "ETH_P_802_2", "ETH_P_802_3", "ETH_P_802_3_MIN",
    "ETH_P_8021Q", "ETH_P_ALL", "ETH_P_ARP", "ETH_P_IP", "ETH_P_IPV6", "ETH_ZLEN", "OFF_DEST",
    "OFF_SOURCE", "OFF_TYPE", "PACKET_BROADCAST", "PACKET_HOST", "PACKET_LOOPBACK",
    "PACKET_MULTICAST", "PACKET_OTHERHOST", "PACKET_OUTGOING", "VLAN_HLEN", "EthHeader", "EthView",
    "mac_text",
]  # fmt: skip

ETH_ALEN = 6
ETH_HLEN = 14
ETH_ZLEN = 60
"""Shortest frame without FCS."""
ETH_DATA_LEN = 1500
ETH_FRAME_LEN = 1514
ETH_FCS_LEN = 4
VLAN_HLEN = 4

ETH_P_802_3 = 0x0001
ETH_P_ALL = 0x0003
ETH_P_802_2 = 0x0004
ETH_P_802_3_MIN = 0x0600
"""A type field below this is a length."""
ETH_P_IP = 0x0800
ETH_P_ARP = 0x0806
ETH_P_8021Q = 0x8100
ETH_P_IPV6 = 0x86DD

ETH_BROADCAST = b"\xff" * ETH_ALEN

ARPHRD_ETHER = 1
ARPHRD_LOOPBACK = 772

PACKET_HOST = 0
PACKET_BROADCAST = 1
PACKET_MULTICAST = 2
PACKET_OTHERHOST = 3
PACKET_OUTGOING = 4
PACKET_LOOPBACK = 5

OFF_DEST = 0
OFF_SOURCE = 6
OFF_TYPE = 12
ETH_HDR = Struct("!6s6sH")


def mac_text(addr: bytes) -> str:
    """`02:00:00:00:00:01`, as Linux prints %pM."""
    return addr.hex(":")


class EthView:
    """A header where it lies in `buf`, from offset `at` on. Linux: struct ethhdr."""

    __slots__ = ("at", "buf")

    def __init__(self, buf: memoryview, at: int = 0) -> None:
        self.buf = buf
        self.at = at

    @property
    def dest(self) -> bytes:
        """Destination address."""
        return bytes(self.buf[self.at : self.at + ETH_ALEN])

    @dest.setter
    def dest(self, addr: bytes) -> None:
        self.buf[self.at : self.at + ETH_ALEN] = addr

    @property
    def source(self) -> bytes:
        """Source address."""
        return bytes(self.buf[self.at + OFF_SOURCE : self.at + OFF_SOURCE + ETH_ALEN])

    @source.setter
    def source(self, addr: bytes) -> None:
        self.buf[self.at + OFF_SOURCE : self.at + OFF_SOURCE + ETH_ALEN] = addr

    @property
    def type(self) -> int:
        """EtherType, or a length below ETH_P_802_3_MIN."""
        return self.buf[self.at + OFF_TYPE] << 8 | self.buf[self.at + OFF_TYPE + 1]

    @type.setter
    def type(self, value: int) -> None:
        self.buf[self.at + OFF_TYPE] = value >> 8
        self.buf[self.at + OFF_TYPE + 1] = value & 0xFF


@dataclass(slots=True)
class EthHeader:
    """A header as a plain record."""

    dest: bytes
    source: bytes
    type: int

    @classmethod
    def parse(cls, data: bytes | memoryview) -> EthHeader:
        """Read the first 14 bytes; ValueError when there are fewer."""
        if len(data) < ETH_HLEN:
            raise ValueError(f"{len(data)} bytes are too few for an Ethernet header")
        return cls(*ETH_HDR.unpack_from(data))

    def emit(self) -> bytes:
        """The 14 bytes; ValueError when an address is not 6 bytes long or the type not 16 bits."""
        if len(self.dest) != ETH_ALEN or len(self.source) != ETH_ALEN:
            raise ValueError("an Ethernet address has 6 bytes")
        if not 0 <= self.type <= 0xFFFF:
            raise ValueError(f"an EtherType has 16 bits: {self.type:#x}")
        return ETH_HDR.pack(self.dest, self.source, self.type)
