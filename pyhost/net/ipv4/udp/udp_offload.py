"""UDP super-packets: many datagrams of one size in one (UDP_SEGMENT). Linux:
net/ipv4/udp_offload.c.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from pyhost.net.core.checksum import csum_tcpudp_nofold
from pyhost.net.core.gso import SKB_GSO_UDP_L4, UDP_HLEN
from pyhost.net.core.skb_segment import skb_segment, skb_segment_spread_owner
from pyhost.net.core.skb_shared_info import SKBTX_ANY_TSTAMP
from pyhost.net.core.skbuff import CHECKSUM_PARTIAL
from pyhost.uapi.errno import EINVAL
from pyhost.uapi.ip import IPPROTO_UDP

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["udp4_gso_segment"]

_LENGTH_AND_CHECK = Struct("!HH")
_IP_ADDRS = Struct("!II")
_CHECK = 6


def udp4_gso_segment(skb: SkBuff, features: int) -> list[SkBuff] | int:
    """The datagrams of a UDP super-packet, -EINVAL for one that is none or has a single one, or
    -ENOMEM. Linux: udp4_ufo_fragment, __udp_gso_segment.
    """
    headers = skb.transport_header - skb.data + UDP_HLEN
    shinfo = skb.shinfo
    if not shinfo.gso_type & SKB_GSO_UDP_L4 or not skb.may_pull(headers):
        return -EINVAL
    if skb.len <= headers + shinfo.gso_size:
        return -EINVAL
    segments = skb_segment(skb, headers, features)
    if isinstance(segments, int):
        return segments
    _fix_udp(skb, segments)
    segments[0].shinfo.tx_flags |= shinfo.tx_flags & SKBTX_ANY_TSTAMP
    segments[0].shinfo.tskey = shinfo.tskey
    skb_segment_spread_owner(skb, segments)
    return segments


def _fix_udp(skb: SkBuff, segments: list[SkBuff]) -> None:
    """Length, and the pseudo-header sum where the checksum goes."""
    buf = skb.buf
    saddr, daddr = _IP_ADDRS.unpack_from(buf, skb.network_header + 12)
    for segment in segments:
        uh = segment.transport_header
        length = segment.len - (uh - segment.data)
        check = csum_tcpudp_nofold(saddr, daddr, length, IPPROTO_UDP)
        _LENGTH_AND_CHECK.pack_into(buf, uh + 4, length, check)
        segment.ip_summed = CHECKSUM_PARTIAL
        segment.csum_start = uh
        segment.csum_offset = _CHECK
