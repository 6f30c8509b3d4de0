"""What a received frame is: IPv4 or IPv6, TCP or UDP, and where the headers are.

Hardware: hdl/rx/hnic_rx_parse.v. IPv4 with options is understood, IPv6 only without extension
headers, either behind one 802.1Q tag at most, whether that was stripped or not. Nothing is claimed
of a frame whose length fields do not fit it.
"""

from __future__ import annotations

from pyhost.uapi.ethernet import ETH_HLEN, ETH_P_8021Q, ETH_P_IP, ETH_P_IPV6, OFF_TYPE, VLAN_HLEN
from pyhost.uapi.ip import IP_MF, IP_OFFSET, IPPROTO_TCP, IPPROTO_UDP

__all__ = ["RxHeaders", "rx_parse"]

_L4_HEADER = {IPPROTO_TCP: 20, IPPROTO_UDP: 8}
"""Which protocols the card knows, and the shortest header of each."""
_IPV4_HEADER = 20
_IPV6_HEADER = 40


class RxHeaders:
    """An IP datagram from `l3` to `end` (exclusive), its payload from `l4`. `version` is 4 or 6;
    `proto` is 0 for a fragment and for what has no whole TCP or UDP header.
    """

    __slots__ = ("end", "l3", "l4", "proto", "version")

    def __init__(self, version: int, l3: int, l4: int, end: int, proto: int) -> None:
        self.version = version
        self.l3 = l3
        self.l4 = l4
        self.end = end
        shortest = _L4_HEADER.get(proto, 0)
        self.proto = proto if shortest and end - l4 >= shortest else 0


def rx_parse(frame: bytes, stripped: bool = False) -> RxHeaders | None:
    """The headers of a frame of at least 18 bytes, out of which a tag may have been `stripped`;
    None when it carries no IP that the card understands.
    """
    l3 = ETH_HLEN
    kind = frame[OFF_TYPE] << 8 | frame[OFF_TYPE + 1]
    if kind == ETH_P_8021Q and not stripped:
        l3 += VLAN_HLEN
        kind = frame[OFF_TYPE + VLAN_HLEN] << 8 | frame[OFF_TYPE + VLAN_HLEN + 1]
    if kind == ETH_P_IP:
        return _parse_ipv4(frame, l3)
    if kind == ETH_P_IPV6:
        return _parse_ipv6(frame, l3)
    return None


def _parse_ipv4(frame: bytes, l3: int) -> RxHeaders | None:
    first = frame[l3]
    l4 = l3 + (first & 15) * 4
    end = l3 + (frame[l3 + 2] << 8 | frame[l3 + 3])
    if first >> 4 != 4 or not l3 + _IPV4_HEADER <= l4 <= end <= len(frame):
        return None
    fragment = (frame[l3 + 6] << 8 | frame[l3 + 7]) & (IP_MF | IP_OFFSET)
    return RxHeaders(4, l3, l4, end, 0 if fragment else frame[l3 + 9])


def _parse_ipv6(frame: bytes, l3: int) -> RxHeaders | None:
    l4 = l3 + _IPV6_HEADER
    end = l4 + (frame[l3 + 4] << 8 | frame[l3 + 5])
    if frame[l3] >> 4 != 6 or end > len(frame):
        return None
    return RxHeaders(6, l3, l4, end, frame[l3 + 6])
