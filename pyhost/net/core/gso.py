"""Cutting a super-packet into frames in software, for devices that cannot.

Linux: net/core/gso.c skb_gso_segment, net/core/skbuff.c skb_segment, net/ipv4/tcp_offload.c
tcp_gso_segment, net/ipv4/af_inet.c inet_gso_segment.

    mac │ ip │ tcp │ payload .................................... one skb
    mac │ ip │ tcp │ p1    mac │ ip │ tcp │ p2    mac │ ip │ tcp │ p3   gso_size bytes each

Every frame gets its own copy of the headers. The payload stays where it is when the device gathers
(NETIF_F_SG), else it is copied. Checksums are left as CHECKSUM_PARTIAL with the pseudo-header sum
in place; `validate_xmit_skb` completes them for a device that does not.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from pyhost.net.core import drop_reason
from pyhost.net.core.checksum import csum_tcpudp_nofold, ip_compute_csum
from pyhost.net.core.netdevice import NETIF_F_SG
from pyhost.net.core.skbuff import CHECKSUM_PARTIAL, SkbFrag, alloc_skb, kfree_skb_reason
from pyhost.uapi.errno import EINVAL, ENOMEM, EPROTONOSUPPORT
from pyhost.uapi.ethernet import ETH_P_IP

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = [
    "SKB_GSO_TCPV4", "SKB_GSO_TCP_ECN", "SKB_GSO_TCP_FIXEDID", "qdisc_pkt_len", "skb_gso_segment",
    "skb_is_gso", "skb_tcp_all_headers",
]  # fmt: skip

SKB_GSO_TCPV4 = 1
SKB_GSO_TCP_ECN = 4
SKB_GSO_TCP_FIXEDID = 8

_IPPROTO_TCP = 6
_BE16 = Struct("!H")
_BE32 = Struct("!I")
_IP_ADDRS = Struct("!II")
_TCP_FIN_PSH = 0x09
_TCP_CWR = 0x80


def skb_is_gso(skb: SkBuff) -> bool:
    """Whether the packet is to be cut further down. Linux: skb_is_gso."""
    return skb.shinfo.gso_size != 0


def skb_tcp_all_headers(skb: SkBuff) -> int:
    """Bytes from `data` to the end of the TCP header. Linux: skb_tcp_all_headers."""
    th = skb.transport_header
    return th - skb.data + (skb.buf[th + 12] >> 4) * 4


def qdisc_pkt_len(skb: SkBuff) -> int:
    """Bytes that the packet takes on the wire: headers once a frame. Linux: qdisc_pkt_len_init."""
    shinfo = skb.shinfo
    if not shinfo.gso_size or shinfo.gso_segs <= 1:
        return skb.len
    return skb.len + (shinfo.gso_segs - 1) * skb_tcp_all_headers(skb)


def skb_gso_segment(skb: SkBuff, features: int) -> list[SkBuff] | int:
    """The frames of a TCP/IPv4 super-packet whose `data` is at the MAC header, or a negative errno.

    The frames carry the owner's charge on; `skb` itself is left to the caller, without an owner.
    Linux: skb_gso_segment.

    -EINVAL: headers do not fit together; -EPROTONOSUPPORT: not TCP over IPv4; -ENOMEM.
    """
    buf = skb.buf
    ip = skb.network_header
    if skb.protocol != ETH_P_IP or buf[ip + 9] != _IPPROTO_TCP:
        return -EPROTONOSUPPORT
    doff = (buf[skb.transport_header + 12] >> 4) * 4
    hdr_len = skb.transport_header - skb.data + doff
    if doff < 20 or ip + (buf[ip] & 15) * 4 != skb.transport_header or not skb.may_pull(hdr_len):
        return -EINVAL
    segments = _skb_segment(skb, hdr_len, features)
    if isinstance(segments, int):
        return segments
    _fix_headers(skb, segments)
    _spread_owner(skb, segments)
    return segments


def _skb_segment(skb: SkBuff, hdr_len: int, features: int) -> list[SkBuff] | int:
    """Copies of the headers, each with `gso_size` bytes of payload. Linux: skb_segment."""
    mss = skb.shinfo.gso_size
    gather = bool(features & NETIF_F_SG)
    segments: list[SkBuff] = []
    for offset in range(hdr_len, skb.len, mss):
        size = min(mss, skb.len - offset)
        segment = _new_segment(skb, hdr_len, offset, size, gather)
        if segment is None:
            for done in segments:
                kfree_skb_reason(done, drop_reason.SKB_GSO_SEG)
            return -ENOMEM
        segments.append(segment)
    return segments


def _new_segment(skb: SkBuff, hdr_len: int, offset: int, size: int, gather: bool) -> SkBuff | None:
    frags = _frag_range(skb, offset, size) if gather else None
    headroom = skb.headroom
    linear = hdr_len if frags is not None else hdr_len + size
    segment = alloc_skb(skb.pool, headroom + linear, skb.key)
    if segment is None:
        return None
    segment.reserve(headroom)
    segment.put_data(skb.buf[skb.data : skb.data + hdr_len])
    if frags is None:
        segment.put_data(skb.copy_bits(offset, size))
    else:
        for frag in frags:
            frag.page.get()
            segment.shinfo.frags.append(frag)
        segment.len += size
        segment.data_len = size
        segment.truesize += size
        segment.shinfo.flags = skb.shinfo.flags
    segment.shinfo.tx_flags = skb.shinfo.tx_flags
    _copy_header(segment, skb)
    return segment


def _frag_range(skb: SkBuff, offset: int, size: int) -> list[SkbFrag] | None:
    """The page pieces that hold a range, None when part of it lies elsewhere."""
    offset -= skb.headlen
    if offset < 0:
        return None
    pieces: list[SkbFrag] = []
    for frag in skb.shinfo.frags:
        if offset >= frag.size:
            offset -= frag.size
            continue
        taken = min(size, frag.size - offset)
        pieces.append(SkbFrag(frag.page, frag.offset + offset, taken))
        size -= taken
        offset = 0
        if not size:
            return pieces
    return None


def _copy_header(segment: SkBuff, skb: SkBuff) -> None:
    segment.dev = skb.dev
    segment.dst = skb.dst
    segment.protocol = skb.protocol
    segment.pkt_type = skb.pkt_type
    segment.priority = skb.priority
    segment.mark = skb.mark
    segment.hash = skb.hash
    segment.queue_mapping = skb.queue_mapping
    segment.tstamp = skb.tstamp
    segment.vlan_tci = skb.vlan_tci
    shift = segment.data - skb.data
    segment.mac_header = skb.mac_header + shift
    segment.network_header = skb.network_header + shift
    segment.transport_header = skb.transport_header + shift


def _fix_headers(skb: SkBuff, segments: list[SkBuff]) -> None:
    """Lengths, identification, sequence numbers, flags and checksums of each frame.

    Linux: inet_gso_segment, tcp_gso_segment.
    """
    buf = skb.buf
    shinfo = skb.shinfo
    ihl = skb.transport_header - skb.network_header
    ip_id = _BE16.unpack_from(buf, skb.network_header + 4)[0]
    seq = _BE32.unpack_from(buf, skb.transport_header + 4)[0]
    flags = buf[skb.transport_header + 13]
    saddr, daddr = _IP_ADDRS.unpack_from(buf, skb.network_header + 12)
    id_step = 0 if shinfo.gso_type & SKB_GSO_TCP_FIXEDID else 1
    last = len(segments) - 1
    for index, segment in enumerate(segments):
        ip, th = segment.network_header, segment.transport_header
        tot_len = segment.len - (ip - segment.data)
        _BE16.pack_into(buf, ip + 2, tot_len)
        _BE16.pack_into(buf, ip + 4, ip_id + index * id_step & 0xFFFF)
        _BE16.pack_into(buf, ip + 10, 0)
        _BE16.pack_into(buf, ip + 10, ip_compute_csum(buf[ip : ip + ihl]))
        _BE32.pack_into(buf, th + 4, seq + index * shinfo.gso_size & 0xFFFFFFFF)
        keep = flags if index == last else flags & ~_TCP_FIN_PSH
        buf[th + 13] = keep if index == 0 else keep & ~_TCP_CWR
        _BE16.pack_into(buf, th + 16, csum_tcpudp_nofold(saddr, daddr, tot_len - ihl, _IPPROTO_TCP))
        segment.ip_summed = CHECKSUM_PARTIAL
        segment.csum_start = th
        segment.csum_offset = 16


def _spread_owner(skb: SkBuff, segments: list[SkBuff]) -> None:
    """Let each frame give its part of the charge back. Linux: tcp_gso_segment, copy_destructor."""
    sk, destructor = skb.sk, skb.destructor
    if sk is None or destructor is None:
        return
    for segment in segments:
        segment.sk = sk
        segment.destructor = destructor
    sk.sk_wmem_alloc += sum(segment.truesize for segment in segments) - skb.truesize
    skb.sk = None
    skb.destructor = None
