"""Cutting the payload of a super-packet into pieces behind copies of its headers.

Linux: net/core/skbuff.c skb_segment. What the headers of each piece must say is the protocols'
affair (pyhost/net/ipv4/tcp/tcp_offload.py, udp_offload.py).

    headers │ payload ..............................        one skb
    headers │ p1     headers │ p2     headers │ p3          gso_size bytes each

For a device that gathers (NETIF_F_SG) the payload stays in its pages: a piece has what was linear
behind its headers, and refers to the rest, be it in frags or in the frags of a frag_list. Else, and
when that would take too many frags, the bytes are copied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core import drop_reason
from pyhost.net.core.netdevice import NETIF_F_SG
from pyhost.net.core.skb_shared_info import MAX_SKB_FRAGS, SKBFL_SHARED_FRAG, SkbFrag
from pyhost.net.core.skbuff import alloc_skb, kfree_skb_reason
from pyhost.uapi.errno import ENOMEM

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["skb_segment", "skb_segment_spread_owner"]


def skb_segment(skb: SkBuff, hdr_len: int, features: int) -> list[SkBuff] | int:
    """The pieces, each with a copy of the first `hdr_len` bytes from `data` on, or -ENOMEM. `skb`
    is left as it is. Linux: skb_segment.
    """
    mss = skb.shinfo.gso_size
    gather = bool(features & NETIF_F_SG)
    segments: list[SkBuff] = []
    for offset in range(hdr_len, skb.len, mss):
        segment = _new_segment(skb, hdr_len, offset, min(mss, skb.len - offset), gather)
        if segment is None:
            for done in segments:
                kfree_skb_reason(done, drop_reason.SKB_GSO_SEG)
            return -ENOMEM
        segments.append(segment)
    return segments


def _new_segment(skb: SkBuff, hdr_len: int, offset: int, size: int, gather: bool) -> SkBuff | None:
    copied = min(size, max(0, skb.headlen - offset))
    frags = _frag_range(skb, offset + copied, size - copied) if gather else None
    if frags is None:
        copied = size
    headroom = skb.headroom
    segment = alloc_skb(skb.pool, headroom + hdr_len + copied, skb.key)
    if segment is None:
        return None
    segment.reserve(headroom)
    segment.put_data(skb.buf[skb.data : skb.data + hdr_len])
    if copied:
        segment.put_data(skb.copy_bits(offset, copied))
    if frags:
        _refer(segment, skb, frags, size - copied)
    _copy_header(segment, skb)
    return segment


def _frag_range(skb: SkBuff, offset: int, size: int) -> list[SkbFrag] | None:
    """The page pieces that hold a range behind the linear part; None when part of it lies in no
    page, or in too many.
    """
    if not size:
        return []
    offset -= skb.headlen
    pieces: list[SkbFrag] = []
    for frag in _all_frags(skb):
        if frag is None:
            return None
        if offset >= frag.size:
            offset -= frag.size
            continue
        taken = min(size, frag.size - offset)
        pieces.append(SkbFrag(frag.page, frag.offset + offset, taken))
        size -= taken
        offset = 0
        if not size:
            return pieces if len(pieces) <= MAX_SKB_FRAGS else None
    return None


def _all_frags(skb: SkBuff) -> list[SkbFrag | None]:
    """The frags of a packet and of the parts on its frag_list; None for linear bytes there."""
    frags: list[SkbFrag | None] = list(skb.shinfo.frags)
    for part in skb.shinfo.frag_list or ():
        if part.headlen or part.shinfo.frag_list:
            frags.append(None)
        frags += part.shinfo.frags
    return frags


def _refer(segment: SkBuff, skb: SkBuff, frags: list[SkbFrag], size: int) -> None:
    """Take references to the pages, and to whoever waits for their release. Linux: skb_segment,
    skb_zerocopy_clone.
    """
    shinfo, old = segment.shinfo, skb.shinfo
    for frag in frags:
        frag.page.get()
    shinfo.frags += frags
    segment.len += size
    segment.data_len = size
    segment.truesize += size
    if old.uarg is not None:
        old.uarg.get()
        shinfo.uarg = old.uarg
        shinfo.flags = old.flags
    else:
        shinfo.flags = old.flags & SKBFL_SHARED_FRAG


def _copy_header(segment: SkBuff, skb: SkBuff) -> None:
    """Linux: __copy_skb_header."""
    segment.dev = skb.dev
    segment.dst = skb.dst
    segment.protocol = skb.protocol
    segment.pkt_type = skb.pkt_type
    segment.priority = skb.priority
    segment.mark = skb.mark
    segment.hash = skb.hash
    segment.nfct = skb.nfct
    segment.queue_mapping = skb.queue_mapping
    segment.tstamp = skb.tstamp
    segment.vlan_proto = skb.vlan_proto
    segment.vlan_tci = skb.vlan_tci
    shift = segment.data - skb.data
    segment.mac_header = skb.mac_header + shift
    segment.network_header = skb.network_header + shift
    segment.transport_header = skb.transport_header + shift


def skb_segment_spread_owner(skb: SkBuff, segments: list[SkBuff]) -> None:
    """Let each piece give its part of the owner's charge back, not the super-packet.

    Linux: the tails of tcp_gso_segment and __udp_gso_segment (copy_destructor).
    """
    sk, destructor = skb.sk, skb.destructor
    if sk is None or destructor is None:
        return
    for segment in segments:
        segment.sk = sk
        segment.destructor = destructor
    sk.sk_wmem_alloc += sum(segment.truesize for segment in segments) - skb.truesize
    skb.sk = None
    skb.destructor = None
