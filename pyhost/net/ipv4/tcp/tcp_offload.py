"""TCP super-packets. Linux: net/ipv4/tcp_offload.c."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from pyhost.net.core.checksum import csum_tcpudp_nofold
from pyhost.net.core.gso import SKB_GSO_TCPV4
from pyhost.net.core.skb_segment import skb_segment, skb_segment_spread_owner
from pyhost.net.core.skb_shared_info import SKBTX_SW_TSTAMP
from pyhost.net.core.skbuff import CHECKSUM_PARTIAL
from pyhost.uapi.errno import EINVAL
from pyhost.uapi.ip import IPPROTO_TCP
from pyhost.uapi.tcp import TCP_CWR, TCP_FIN, TCP_PSH

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["tcp4_gso_segment"]

_BE16 = Struct("!H")
_BE32 = Struct("!I")
_IP_ADDRS = Struct("!II")
_U32 = 0xFFFFFFFF
_CHECK = 16


def tcp4_gso_segment(skb: SkBuff, features: int) -> list[SkBuff] | int:
    """The segments of a TCP super-packet, -EINVAL for one that is none, or -ENOMEM.

    FIN and PSH are on the last, CWR on the first. Linux: tcp4_gso_segment, tcp_gso_segment.
    """
    th = skb.transport_header - skb.data
    if not skb.shinfo.gso_type & SKB_GSO_TCPV4 or not skb.may_pull(th + 20):
        return -EINVAL
    doff = (skb.buf[skb.transport_header + 12] >> 4) * 4
    if doff < 20 or not skb.may_pull(th + doff) or skb.len <= th + doff:
        return -EINVAL
    segments = skb_segment(skb, th + doff, features)
    if isinstance(segments, int):
        return segments
    _fix_tcp(skb, segments)
    _move_tstamp(skb, segments)
    skb_segment_spread_owner(skb, segments)
    return segments


def _fix_tcp(skb: SkBuff, segments: list[SkBuff]) -> None:
    """Sequence numbers, flags, and the pseudo-header sum where the checksum goes."""
    buf = skb.buf
    mss = skb.shinfo.gso_size
    (seq,) = _BE32.unpack_from(buf, skb.transport_header + 4)
    flags = buf[skb.transport_header + 13]
    saddr, daddr = _IP_ADDRS.unpack_from(buf, skb.network_header + 12)
    last = len(segments) - 1
    for index, segment in enumerate(segments):
        th = segment.transport_header
        _BE32.pack_into(buf, th + 4, seq + index * mss & _U32)
        keep = flags if index == last else flags & ~(TCP_FIN | TCP_PSH)
        buf[th + 13] = keep if index == 0 else keep & ~TCP_CWR
        length = segment.len - (th - segment.data)
        _BE16.pack_into(buf, th + _CHECK, csum_tcpudp_nofold(saddr, daddr, length, IPPROTO_TCP))
        segment.ip_summed = CHECKSUM_PARTIAL
        segment.csum_start = th
        segment.csum_offset = _CHECK


def _move_tstamp(skb: SkBuff, segments: list[SkBuff]) -> None:
    """A timestamp that was asked for is taken of the segment with the byte `tskey`. Linux:
    tcp_gso_tstamp.
    """
    shinfo = skb.shinfo
    if not shinfo.tx_flags & SKBTX_SW_TSTAMP:
        return
    (seq,) = _BE32.unpack_from(skb.buf, skb.transport_header + 4)
    index = (shinfo.tskey - seq & _U32) // shinfo.gso_size
    if index < len(segments):
        target = segments[index].shinfo
        target.tx_flags |= SKBTX_SW_TSTAMP
        target.tskey = shinfo.tskey
