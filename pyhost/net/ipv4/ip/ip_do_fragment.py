"""Cutting a packet into fragments.

Linux: net/ipv4/ip_output.c ip_fragment, ip_do_fragment, ip_frag_next.

A datagram that UDP built for this path is already a list of pieces, each with room for its header:
they leave as they are (fast path). Anything else is copied into fresh buffers (slow path).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.net.core import drop_reason
from pyhost.net.core.checksum import ip_compute_csum
from pyhost.net.core.skbuff import (
    CHECKSUM_NONE,
    CHECKSUM_PARTIAL,
    SkBuff,
    alloc_skb,
    consume_skb,
    kfree_skb_reason,
)
from pyhost.net.core.sock import sock_wfree
from pyhost.uapi.errno import EMSGSIZE, ENOMEM
from pyhost.uapi.icmp import ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED
from pyhost.uapi.ip import IP_DF, IP_HDR_LEN, IP_MF, IP_OFFSET, IpView

if TYPE_CHECKING:
    from pyhost.net.core.sock import Sock
    from pyhost.net.net_namespace import Net

__all__ = ["ip_do_fragment", "ip_fragment"]

Output = Callable[["Net", "Sock | None", SkBuff], int]

IPOPT_END = 0
IPOPT_NOOP = 1
IPOPT_COPY = 0x80


def ip_fragment(net: Net, sk: Sock | None, skb: SkBuff, mtu: int, output: Output) -> int:
    """Send a packet in pieces of at most `mtu` bytes, or refuse because of DF. Linux: ip_fragment.

    -EMSGSIZE and an ICMP "fragmentation needed" to the sender, who is this host, when DF forbids
    it.
    """
    if IpView(skb.buf, skb.network_header).frag_off & IP_DF and not skb.ignore_df:
        net.count("IpFragFails")
        net.icmp.send(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu)
        kfree_skb_reason(skb, drop_reason.PKT_TOO_BIG)
        return -EMSGSIZE
    return ip_do_fragment(net, sk, skb, mtu, output)


def ip_do_fragment(net: Net, sk: Sock | None, skb: SkBuff, mtu: int, output: Output) -> int:
    """Cut and send; the first error ends it and what is left is thrown away.

    Linux: ip_do_fragment.
    """
    if skb.ip_summed == CHECKSUM_PARTIAL:
        skb.checksum_help()
    header_len = IpView(skb.buf, skb.network_header).header_len
    if mtu < header_len + 8:
        net.count("IpFragFails")
        kfree_skb_reason(skb, drop_reason.PKT_TOO_BIG)
        return -EMSGSIZE
    pieces = _take_pieces(skb, header_len, mtu)
    error = 0
    if pieces is None:
        pieces = _cut(skb, header_len, mtu)
        if pieces is None:
            net.count("IpFragFails")
            kfree_skb_reason(skb, drop_reason.NOMEM)
            return -ENOMEM
    trace = net.kernel.trace
    key = skb.key
    for index, piece in enumerate(pieces):
        if trace.on:
            trace.hit("ip_fragment", key, fragment=piece.key, len=piece.len)
        error = output(net, sk, piece)
        if error:
            for rest in pieces[index + 1 :]:
                kfree_skb_reason(rest, drop_reason.FRAG_SEND_FAILED)
            net.count("IpFragFails")
            return error
        net.count("IpFragCreates")
    net.count("IpFragOKs")
    return error


def _take_pieces(skb: SkBuff, header_len: int, mtu: int) -> list[SkBuff] | None:
    """The packet's frag_list as fragments, when each piece fits and has room for a header.

    Linux: ip_do_fragment, fast path.
    """
    parts = skb.shinfo.frag_list
    if not parts or skb.is_cloned() or skb.users != 1:
        return None
    first_len = skb.len - sum(part.len for part in parts)
    if first_len > mtu or (first_len - header_len) & 7:
        return None
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        too_long = part.len > mtu - header_len or (not last and part.len & 7)
        if too_long or part.headroom < header_len or part.is_cloned() or part.users != 1:
            return None
    skb.shinfo.frag_list = None
    header = bytes(skb.buf[skb.network_header : skb.network_header + header_len])
    start = IpView(header).frag_off
    for part in parts:
        skb.truesize -= part.truesize
        skb.len -= part.len
        skb.data_len -= part.len
        if skb.sk is not None:
            part.sk, part.destructor = skb.sk, sock_wfree
        _copy_metadata(part, skb)
        where = part.push(header_len)
        part.network_header = where
        part.transport_header = where + header_len
        part.buf[where : where + header_len] = header
    _set_offsets([skb, *parts], header_len, start)
    return [skb, *parts]


def _cut(skb: SkBuff, header_len: int, mtu: int) -> list[SkBuff] | None:
    """Copies of the packet's parts, None without memory; on success the packet itself is consumed.

    Linux: ip_frag_next.
    """
    assert skb.dst is not None
    dev = skb.dst.dev
    room = ((dev.hard_header_len + dev.needed_headroom) & ~15) + 16
    header = bytes(skb.buf[skb.network_header : skb.network_header + header_len])
    step = mtu - header_len & ~7
    pieces: list[SkBuff] = []
    offset = header_len
    while offset < skb.len:
        left = skb.len - offset
        size = left if left <= mtu - header_len else step
        piece = alloc_skb(skb.pool, room + header_len + size)
        if piece is None:
            for made in pieces:
                kfree_skb_reason(made, drop_reason.NOMEM)
            return None
        piece.reserve(room)
        piece.network_header = piece.data
        piece.transport_header = piece.data + header_len
        piece.put_data(header if not pieces else _continued(header))
        piece.put_data(skb.copy_bits(offset, size))
        _copy_metadata(piece, skb)
        if skb.sk is not None:
            skb.sk.set_owner_w(piece)
        pieces.append(piece)
        offset += size
    _set_offsets(pieces, header_len, IpView(header).frag_off)
    consume_skb(skb)
    return pieces


def _continued(header: bytes) -> bytes:
    """The header of a second or later fragment: options that are not to be copied become NOOPs.

    Linux: ip_options_fragment.
    """
    if len(header) == IP_HDR_LEN:
        return header
    options = bytearray(header[IP_HDR_LEN:])
    at = 0
    while at < len(options) and options[at] != IPOPT_END:
        length = 1 if options[at] == IPOPT_NOOP else options[at + 1] if at + 1 < len(options) else 0
        if not 0 < length <= len(options) - at:
            break
        if not options[at] & IPOPT_COPY:
            options[at : at + length] = bytes([IPOPT_NOOP]) * length
        at += length
    return header[:IP_HDR_LEN] + bytes(options)


def _set_offsets(pieces: list[SkBuff], header_len: int, frag_off: int) -> None:
    """Length, offset, MF and checksum of each fragment's header; a fragment of a fragment goes on
    from its offset.
    """
    offset = (frag_off & IP_OFFSET) << 3
    flags = frag_off & ~(IP_OFFSET | IP_MF)
    for index, piece in enumerate(pieces):
        more = IP_MF if index < len(pieces) - 1 else frag_off & IP_MF
        buf, where = piece.buf, piece.network_header
        buf[where + 2 : where + 4] = piece.len.to_bytes(2, "big")
        buf[where + 6 : where + 8] = (flags | more | offset >> 3).to_bytes(2, "big")
        buf[where + 10 : where + 12] = b"\0\0"
        check = ip_compute_csum(buf[where : where + header_len])
        buf[where + 10 : where + 12] = check.to_bytes(2, "big")
        offset += piece.len - header_len


def _copy_metadata(piece: SkBuff, skb: SkBuff) -> None:
    """What a fragment takes over from the packet. Linux: ip_copy_metadata."""
    piece.pkt_type = skb.pkt_type
    piece.priority = skb.priority
    piece.protocol = skb.protocol
    piece.dst = skb.dst
    piece.dev = skb.dev
    piece.mark = skb.mark
    piece.nfct = skb.nfct
    piece.ip_summed = CHECKSUM_NONE
