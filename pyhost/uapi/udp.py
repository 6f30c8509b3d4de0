"""The UDP header (RFC 768). Linux: include/uapi/linux/udp.h.

Three layers as in `pyhost.uapi.ip`: offsets, view, record.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

__all__ = [
    "CSUM_MANGLED_0", "UDP_CHECK_OFF", "UDP_CORK", "UDP_DEST_OFF", "UDP_HDR", "UDP_HDR_LEN",
    "UDP_LEN_OFF", "UDP_MAX_PAYLOAD", "UDP_MAX_SEGMENTS", "UDP_SEGMENT", "UDP_SOURCE_OFF",
    "UdpHeader", "UdpView",
]  # fmt: skip

UDP_HDR_LEN = 8
UDP_MAX_PAYLOAD = 65535 - 20 - UDP_HDR_LEN
CSUM_MANGLED_0 = 0xFFFF
"""What stands in the header for a computed checksum of 0: 0 there means that there is none (RFC
768).
"""

# Socket options of level SOL_UDP.
UDP_CORK = 1
UDP_SEGMENT = 103

UDP_MAX_SEGMENTS = 128
"""Datagrams that one call with UDP_SEGMENT may become."""

# Layer 1: where the fields are, in bytes from the start of the header.
UDP_SOURCE_OFF = 0
UDP_DEST_OFF = 2
UDP_LEN_OFF = 4
UDP_CHECK_OFF = 6

UDP_HDR = Struct("!HHHH")
"""source, dest, len, check."""

_U16 = Struct("!H")


class UdpView:
    """Layer 2: a UDP header where it lies, `addr` bytes into `buf`. Linux: udp_hdr(skb)."""

    __slots__ = ("addr", "buf")

    def __init__(self, buf: memoryview | bytearray | bytes, addr: int = 0) -> None:
        self.buf = buf
        self.addr = addr

    @property
    def source(self) -> int:
        """Source port."""
        return int(_U16.unpack_from(self.buf, self.addr + UDP_SOURCE_OFF)[0])

    @property
    def dest(self) -> int:
        """Destination port."""
        return int(_U16.unpack_from(self.buf, self.addr + UDP_DEST_OFF)[0])

    @property
    def len(self) -> int:
        """Bytes of the datagram, header included."""
        return int(_U16.unpack_from(self.buf, self.addr + UDP_LEN_OFF)[0])

    @property
    def check(self) -> int:
        """The checksum over pseudo-header, header and data; 0: none."""
        return int(_U16.unpack_from(self.buf, self.addr + UDP_CHECK_OFF)[0])


@dataclass(slots=True, kw_only=True)
class UdpHeader:
    """Layer 3: all fields of a header."""

    source: int
    dest: int
    len: int
    check: int = 0

    @classmethod
    def parse(cls, data: bytes | memoryview) -> UdpHeader:
        """Read a header; raises ValueError when `data` is too short or the length field is
        impossible.
        """
        if len(data) < UDP_HDR_LEN:
            raise ValueError(f"{len(data)} bytes are no UDP header")
        source, dest, length, check = UDP_HDR.unpack_from(data)
        if length < UDP_HDR_LEN:
            raise ValueError(f"UDP length {length}")
        return cls(source=source, dest=dest, len=length, check=check)

    def emit(self) -> bytes:
        """The header's bytes, with `check` as it is."""
        return UDP_HDR.pack(self.source, self.dest, self.len, self.check)
