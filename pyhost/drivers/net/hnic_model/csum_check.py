"""The checksums of a received frame: IPv4 header, TCP and UDP.

Hardware: hdl/rx/hnic_rx_csum.v. RFC 1071: over data with a good checksum the sum is 0xffff.
"""

from __future__ import annotations

from pyhost.drivers.net.hnic_model.rx_parse import RxHeaders
from pyhost.net.core.checksum import csum_bytes
from pyhost.uapi.ethernet import ETH_HLEN
from pyhost.uapi.ip import IPPROTO_UDP

__all__ = ["CSUM_BAD", "CSUM_GOOD", "CSUM_UNKNOWN", "ipv4_header_ok", "l4_csum"]

CSUM_UNKNOWN = 0
CSUM_GOOD = 1
CSUM_BAD = 2
"""What `l4_csum` says of a frame."""

_ALL_ONES = 0xFFFF
_UDP_LENGTH = 4
_UDP_CSUM = 6
_ADDRESSES = {4: (12, 8), 6: (8, 32)}
"""Where an IP header has its two addresses, and how many bytes they are."""


def ipv4_header_ok(frame: bytes, headers: RxHeaders) -> bool:
    """Whether this is IPv4 and its header checksum is right."""
    return headers.version == 4 and csum_bytes(frame[headers.l3 : headers.l4]) == _ALL_ONES


def l4_csum(frame: bytes, headers: RxHeaders, raw: int) -> int:
    """CSUM_GOOD or CSUM_BAD for whole TCP, and UDP with a checksum and the right length, else
    CSUM_UNKNOWN. `raw` is the sum over all behind the Ethernet header.
    """
    l3, l4, end, proto = headers.l3, headers.l4, headers.end, headers.proto
    size = end - l4
    if not proto or (proto == IPPROTO_UDP and not _udp_counts(frame, l4, size)):
        return CSUM_UNKNOWN
    if end == len(frame):
        total = raw - csum_bytes(frame[ETH_HLEN:l4])
    else:
        total = csum_bytes(memoryview(frame)[l4:end])
    place, length = _ADDRESSES[headers.version]
    total += csum_bytes(frame[l3 + place : l3 + place + length]) + proto + size
    return CSUM_BAD if total % _ALL_ONES else CSUM_GOOD


def _udp_counts(frame: bytes, l4: int, size: int) -> bool:
    """Whether the UDP header at `l4` has a checksum, and a length field that says `size`."""
    length = frame[l4 + _UDP_LENGTH] << 8 | frame[l4 + _UDP_LENGTH + 1]
    return length == size and frame[l4 + _UDP_CSUM : l4 + _UDP_CSUM + 2] != b"\0\0"
