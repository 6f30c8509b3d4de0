"""The IPv4 header (RFC 791) and the numbers around it.

Linux: include/uapi/linux/ip.h, in.h, include/net/ip.h.

Three layers: offsets of the fields (`IP_*_OFF`, for code on the packet path), a view over a header
in a buffer (`IpView`), and a record that is parsed and emitted as a whole (`IpHeader`). Addresses
are ints in host order.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from pyhost.uapi.socket import INADDR_ANY, IPPROTO_ICMP, IPPROTO_IP, IPPROTO_TCP, IPPROTO_UDP

__all__ = [
    "INADDR_ANY",
    "INADDR_BROADCAST",
    "INADDR_LOOPBACK",
    "IN_PKTINFO",
    "IPDEFTTL",
    "IPPROTO_ICMP",
    "IPPROTO_IP",
    "IPPROTO_TCP",
    "IPPROTO_UDP",
    "IPTOS_RT_MASK",
    "IPVERSION",
    "IP_ADD_MEMBERSHIP",
    "IP_BIND_ADDRESS_NO_PORT",
    "IP_CE",
    "IP_CHECK_OFF",
    "IP_DADDR_OFF",
    "IP_DF",
    "IP_DROP_MEMBERSHIP",
    "IP_FRAG_OFF",
    "IP_FREEBIND",
    "IP_HDR",
    "IP_HDRINCL",
    "IP_HDR_LEN",
    "IP_ID_OFF",
    "IP_LOCAL_PORT_RANGE",
    "IP_MAX_LEN",
    "IP_MF",
    "IP_MINTTL",
    "IP_MREQN",
    "IP_MTU",
    "IP_MTU_DISCOVER",
    "IP_MULTICAST_ALL",
    "IP_MULTICAST_IF",
    "IP_MULTICAST_LOOP",
    "IP_MULTICAST_TTL",
    "IP_OFFSET",
    "IP_PKTINFO",
    "IP_PMTUDISC_DO",
    "IP_PMTUDISC_DONT",
    "IP_PMTUDISC_INTERFACE",
    "IP_PMTUDISC_OMIT",
    "IP_PMTUDISC_PROBE",
    "IP_PMTUDISC_WANT",
    "IP_PROTOCOL",
    "IP_PROTOCOL_OFF",
    "IP_RECVERR",
    "IP_RECVOPTS",
    "IP_RECVORIGDSTADDR",
    "IP_RECVTOS",
    "IP_RECVTTL",
    "IP_RETOPTS",
    "IP_SADDR_OFF",
    "IP_TOS",
    "IP_TOS_OFF",
    "IP_TOT_LEN_OFF",
    "IP_TRANSPARENT",
    "IP_TTL",
    "IP_TTL_OFF",
    "IP_UNICAST_IF",
    "MAXTTL",
    "IpHeader",
    "IpView",
    "ip_eth_mc_map",
    "ipv4_is_lbcast",
    "ipv4_is_loopback",
    "ipv4_is_multicast",
    "ipv4_is_zeronet",
]  # fmt: skip

IPVERSION = 4
IPDEFTTL = 64
MAXTTL = 255
IP_HDR_LEN = 20
IP_MAX_LEN = 65535

IP_CE = 0x8000
IP_DF = 0x4000
IP_MF = 0x2000
IP_OFFSET = 0x1FFF

IPTOS_RT_MASK = 0x1C

INADDR_LOOPBACK = 0x7F000001
INADDR_BROADCAST = 0xFFFFFFFF

# Socket options of level SOL_IP.
IP_TOS = 1
IP_TTL = 2
IP_HDRINCL = 3
IP_RECVOPTS = 6
IP_RETOPTS = 7
IP_PKTINFO = 8
IP_MTU_DISCOVER = 10
IP_RECVERR = 11
IP_RECVTTL = 12
IP_RECVTOS = 13
IP_MTU = 14
IP_FREEBIND = 15
IP_TRANSPARENT = 19
IP_RECVORIGDSTADDR = 20
IP_MINTTL = 21
IP_BIND_ADDRESS_NO_PORT = 24
IP_MULTICAST_IF = 32
IP_MULTICAST_TTL = 33
IP_MULTICAST_LOOP = 34
IP_ADD_MEMBERSHIP = 35
IP_DROP_MEMBERSHIP = 36
IP_MULTICAST_ALL = 49
IP_UNICAST_IF = 50
IP_LOCAL_PORT_RANGE = 51
IP_PROTOCOL = 52

IN_PKTINFO = Struct("<i4s4s")
"""struct in_pktinfo: interface, the local address, the address in the header."""

IP_MREQN = Struct("=4s4si")
"""struct ip_mreqn: group, local address, interface. struct ip_mreq is without the last."""

IP_PMTUDISC_DONT = 0
IP_PMTUDISC_WANT = 1
IP_PMTUDISC_DO = 2
IP_PMTUDISC_PROBE = 3
IP_PMTUDISC_INTERFACE = 4
IP_PMTUDISC_OMIT = 5

# Layer 1: where the fields are, in bytes from the start of the header.
IP_TOS_OFF = 1
IP_TOT_LEN_OFF = 2
IP_ID_OFF = 4
IP_FRAG_OFF = 6
IP_TTL_OFF = 8
IP_PROTOCOL_OFF = 9
IP_CHECK_OFF = 10
IP_SADDR_OFF = 12
IP_DADDR_OFF = 16

IP_HDR = Struct("!BBHHHBBHII")
"""version and ihl, tos, tot_len, id, frag_off, ttl, protocol, check, saddr, daddr."""

_U16 = Struct("!H")
_U32 = Struct("!I")


class IpView:
    """Layer 2: an IPv4 header where it lies, `addr` bytes into `buf`. Linux: ip_hdr(skb)."""

    __slots__ = ("addr", "buf")

    def __init__(self, buf: memoryview | bytearray | bytes, addr: int = 0) -> None:
        self.buf = buf
        self.addr = addr

    @property
    def version(self) -> int:
        """4."""
        return self.buf[self.addr] >> 4

    @property
    def header_len(self) -> int:
        """Bytes of header with options: ihl times 4."""
        return (self.buf[self.addr] & 15) * 4

    @property
    def tos(self) -> int:
        """The type of service byte: DSCP and ECN."""
        return self.buf[self.addr + IP_TOS_OFF]

    @property
    def tot_len(self) -> int:
        """Bytes of the packet, header included."""
        return int(_U16.unpack_from(self.buf, self.addr + IP_TOT_LEN_OFF)[0])

    @property
    def id(self) -> int:
        """The identification that the fragments of one packet share."""
        return int(_U16.unpack_from(self.buf, self.addr + IP_ID_OFF)[0])

    @property
    def frag_off(self) -> int:
        """Flags (IP_DF, IP_MF) and the fragment's offset in units of 8 bytes."""
        return int(_U16.unpack_from(self.buf, self.addr + IP_FRAG_OFF)[0])

    @property
    def ttl(self) -> int:
        """Time to live, in hops."""
        return self.buf[self.addr + IP_TTL_OFF]

    @property
    def protocol(self) -> int:
        """IPPROTO_* of what follows."""
        return self.buf[self.addr + IP_PROTOCOL_OFF]

    @property
    def check(self) -> int:
        """The header checksum."""
        return int(_U16.unpack_from(self.buf, self.addr + IP_CHECK_OFF)[0])

    @property
    def saddr(self) -> int:
        """Source address, host order."""
        return int(_U32.unpack_from(self.buf, self.addr + IP_SADDR_OFF)[0])

    @property
    def daddr(self) -> int:
        """Destination address, host order."""
        return int(_U32.unpack_from(self.buf, self.addr + IP_DADDR_OFF)[0])


@dataclass(slots=True, kw_only=True)
class IpHeader:
    """Layer 3: all fields of a header; `options` is padded to a multiple of 4 bytes by who fills
    it.
    """

    tot_len: int
    protocol: int
    saddr: int
    daddr: int
    tos: int = 0
    id: int = 0
    frag_off: int = 0
    ttl: int = IPDEFTTL
    check: int = 0
    options: bytes = b""

    @classmethod
    def parse(cls, data: bytes | memoryview) -> IpHeader:
        """Read a header; raises ValueError when `data` does not hold a whole IPv4 header."""
        if len(data) < IP_HDR_LEN:
            raise ValueError(f"{len(data)} bytes are no IPv4 header")
        first, tos, tot_len, ident, frag_off, ttl, protocol, check, saddr, daddr = (
            IP_HDR.unpack_from(data)
        )
        length = (first & 15) * 4
        if first >> 4 != IPVERSION or not IP_HDR_LEN <= length <= len(data):
            raise ValueError(f"version {first >> 4}, header of {length} bytes in {len(data)}")
        return cls(
            tot_len=tot_len, protocol=protocol, saddr=saddr, daddr=daddr, tos=tos, id=ident,
            frag_off=frag_off, ttl=ttl, check=check, options=bytes(data[IP_HDR_LEN:length]),
        )  # fmt: skip

    def emit(self) -> bytes:
        """The header's bytes, with `check` as it is.

        Raises ValueError for options of an impossible length.
        """
        words, rest = divmod(IP_HDR_LEN + len(self.options), 4)
        if rest or words > 15:
            raise ValueError(f"{len(self.options)} bytes of options")
        return (
            IP_HDR.pack(
                IPVERSION << 4 | words, self.tos, self.tot_len, self.id, self.frag_off, self.ttl,
                self.protocol, self.check, self.saddr, self.daddr,
            )
            + self.options
        )  # fmt: skip


def ipv4_is_multicast(addr: int) -> bool:
    """224.0.0.0/4. Linux: include/linux/in.h."""
    return addr >> 28 == 14


def ip_eth_mc_map(addr: int) -> bytes:
    """The Ethernet address of a group (RFC 1112 section 6.4). Linux: ip_eth_mc_map."""
    return b"\x01\x00\x5e" + (addr & 0x7FFFFF).to_bytes(3, "big")


def ipv4_is_lbcast(addr: int) -> bool:
    """255.255.255.255. Linux: include/linux/in.h."""
    return addr == INADDR_BROADCAST


def ipv4_is_loopback(addr: int) -> bool:
    """127.0.0.0/8. Linux: include/linux/in.h."""
    return addr >> 24 == 127


def ipv4_is_zeronet(addr: int) -> bool:
    """0.0.0.0: this host on this network. Linux: include/linux/in.h."""
    return addr == 0
