"""The ICMP header (RFC 792) and its types and codes. Linux: include/uapi/linux/icmp.h.

Three layers as in `pyhost.uapi.ip`: offsets, view, record. The four bytes after the checksum mean
something else in each type: id and sequence number of an echo, or in "fragmentation needed" the MTU
in their lower half (RFC 1191).
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

__all__ = [
    "ICMP_CHECK_OFF",
    "ICMP_CODE_OFF",
    "ICMP_DEST_UNREACH",
    "ICMP_ECHO",
    "ICMP_ECHOREPLY",
    "ICMP_EXC_FRAGTIME",
    "ICMP_EXC_TTL",
    "ICMP_FRAG_NEEDED",
    "ICMP_HDR",
    "ICMP_HDR_LEN",
    "ICMP_HOST_ANO",
    "ICMP_HOST_ISOLATED",
    "ICMP_HOST_UNKNOWN",
    "ICMP_HOST_UNREACH",
    "ICMP_HOST_UNR_TOS",
    "ICMP_NET_ANO",
    "ICMP_NET_UNKNOWN",
    "ICMP_NET_UNREACH",
    "ICMP_NET_UNR_TOS",
    "ICMP_PARAMETERPROB",
    "ICMP_PKT_FILTERED",
    "ICMP_PORT_UNREACH",
    "ICMP_PREC_CUTOFF",
    "ICMP_PREC_VIOLATION",
    "ICMP_PROT_UNREACH",
    "ICMP_REDIRECT",
    "ICMP_REDIR_HOST",
    "ICMP_REDIR_HOSTTOS",
    "ICMP_REDIR_NET",
    "ICMP_REST_OFF",
    "ICMP_SOURCE_QUENCH",
    "ICMP_SR_FAILED",
    "ICMP_TIMESTAMP",
    "ICMP_TIMESTAMPREPLY",
    "ICMP_TIME_EXCEEDED",
    "ICMP_TYPE_OFF",
    "NR_ICMP_UNREACH",
    "IcmpHeader",
    "IcmpView",
]  # fmt: skip

ICMP_HDR_LEN = 8

ICMP_ECHOREPLY = 0
ICMP_DEST_UNREACH = 3
ICMP_SOURCE_QUENCH = 4
ICMP_REDIRECT = 5
ICMP_ECHO = 8
ICMP_TIME_EXCEEDED = 11
ICMP_PARAMETERPROB = 12
ICMP_TIMESTAMP = 13
ICMP_TIMESTAMPREPLY = 14

# Codes of ICMP_DEST_UNREACH.
ICMP_NET_UNREACH = 0
ICMP_HOST_UNREACH = 1
ICMP_PROT_UNREACH = 2
ICMP_PORT_UNREACH = 3
ICMP_FRAG_NEEDED = 4
ICMP_SR_FAILED = 5
ICMP_NET_UNKNOWN = 6
ICMP_HOST_UNKNOWN = 7
ICMP_HOST_ISOLATED = 8
ICMP_NET_ANO = 9
ICMP_HOST_ANO = 10
ICMP_NET_UNR_TOS = 11
ICMP_HOST_UNR_TOS = 12
ICMP_PKT_FILTERED = 13
ICMP_PREC_VIOLATION = 14
ICMP_PREC_CUTOFF = 15
NR_ICMP_UNREACH = 15

# Codes of ICMP_REDIRECT.
ICMP_REDIR_NET = 0
ICMP_REDIR_HOST = 1
ICMP_REDIR_HOSTTOS = 3

# Codes of ICMP_TIME_EXCEEDED.
ICMP_EXC_TTL = 0
ICMP_EXC_FRAGTIME = 1

# Layer 1: where the fields are, in bytes from the start of the header.
ICMP_TYPE_OFF = 0
ICMP_CODE_OFF = 1
ICMP_CHECK_OFF = 2
ICMP_REST_OFF = 4

ICMP_HDR = Struct("!BBHI")
"""type, code, checksum, and the four bytes whose meaning the type decides."""

_U16 = Struct("!H")
_U32 = Struct("!I")


class IcmpView:
    """Layer 2: an ICMP header where it lies, `addr` bytes into `buf`. Linux: icmp_hdr(skb)."""

    __slots__ = ("addr", "buf")

    def __init__(self, buf: memoryview | bytearray | bytes, addr: int = 0) -> None:
        self.buf = buf
        self.addr = addr

    @property
    def type(self) -> int:
        """ICMP_ECHO, ICMP_DEST_UNREACH, …"""
        return self.buf[self.addr]

    @property
    def code(self) -> int:
        """The type's subdivision."""
        return self.buf[self.addr + ICMP_CODE_OFF]

    @property
    def check(self) -> int:
        """The checksum over header and data."""
        return int(_U16.unpack_from(self.buf, self.addr + ICMP_CHECK_OFF)[0])

    @property
    def rest(self) -> int:
        """The four bytes after the checksum as one number."""
        return int(_U32.unpack_from(self.buf, self.addr + ICMP_REST_OFF)[0])

    @property
    def mtu(self) -> int:
        """The next hop's MTU in a "fragmentation needed" (RFC 1191 section 4)."""
        return self.rest & 0xFFFF


@dataclass(slots=True, kw_only=True)
class IcmpHeader:
    """Layer 3: all fields of a header."""

    type: int
    code: int = 0
    check: int = 0
    rest: int = 0

    @classmethod
    def parse(cls, data: bytes | memoryview) -> IcmpHeader:
        """Read a header; raises ValueError when `data` is too short."""
        if len(data) < ICMP_HDR_LEN:
            raise ValueError(f"{len(data)} bytes are no ICMP header")
        kind, code, check, rest = ICMP_HDR.unpack_from(data)
        return cls(type=kind, code=code, check=check, rest=rest)

    def emit(self) -> bytes:
        """The header's bytes, with `check` as it is."""
        return ICMP_HDR.pack(self.type, self.code, self.check, self.rest)
