"""Cutting a queued segment in two. Linux: net/ipv4/tcp_output.c tcp_fragment, net/core/skbuff.c
skb_split.

TCP's payload lies in page fragments alone, so no byte is copied: the second segment takes over the
fragments behind the cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core.skbuff import CHECKSUM_PARTIAL, MAX_TCP_HEADER, SkbFrag, alloc_skb
from pyhost.net.ipv4.tcp_mem import sk_forced_mem_schedule, sk_mem_uncharge
from pyhost.net.ipv4.tcp_sock import (
    TCPCB_LOST,
    TCPCB_SACKED_ACKED,
    TCPCB_SACKED_RETRANS,
    TcpSkbCb,
    before,
)
from pyhost.uapi.tcp import TCP_FIN, TCP_PSH

if TYPE_CHECKING:
    from collections.abc import MutableSequence

    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.ipv4.tcp_sock import TcpSock

__all__ = ["tcp_adjust_pcount", "tcp_fragment", "tcp_skb_pcount_for", "tcp_trim_head"]


def tcp_skb_pcount_for(length: int, mss: int) -> int:
    """How many wire segments `length` bytes make; a FIN alone makes one."""
    return max(-(-length // mss), 1)


def _set_segs(skb: SkBuff, mss: int) -> None:
    cb: TcpSkbCb = skb.cb
    cb.pcount = tcp_skb_pcount_for(skb.len, mss)
    cb.gso_size = mss if cb.pcount > 1 else 0


def tcp_adjust_pcount(sk: TcpSock, skb: SkBuff, decrease: int) -> None:
    """A sent segment now makes `decrease` wire segments fewer: keep all the counters true.

    Linux: tcp_adjust_pcount.
    """
    sacked = skb.cb.sacked
    sk.packets_out -= decrease
    if sacked & TCPCB_SACKED_ACKED:
        sk.sacked_out -= decrease
    if sacked & TCPCB_SACKED_RETRANS:
        sk.retrans_out -= decrease
    if sacked & TCPCB_LOST:
        sk.lost_out -= decrease
    if sk.is_reno and decrease > 0:
        sk.sacked_out = max(sk.sacked_out - decrease, 0)


def _split_frags(skb: SkBuff, rest: SkBuff, length: int) -> None:
    """Move everything behind `length` bytes from one skb's frags to the other's.

    Linux: skb_split_no_header.
    """
    if skb.is_cloned():
        skb.expand_head(0, 0)
    frags = skb.shinfo.frags
    at = index = 0
    while at + frags[index].size <= length:
        at += frags[index].size
        index += 1
    moved = frags[index:]
    del frags[index:]
    keep = length - at
    if keep:
        first = moved[0]
        first.page.get()
        frags.append(SkbFrag(first.page, first.offset, keep))
        moved[0] = SkbFrag(first.page, first.offset + keep, first.size - keep)
    rest.shinfo.frags = moved
    size = skb.len - length
    rest.len = rest.data_len = size
    skb.len = skb.data_len = length
    skb.truesize -= size
    rest.truesize += size
    rest.shinfo.flags |= skb.shinfo.flags


def tcp_fragment(sk: TcpSock, skb: SkBuff, length: int, mss: int) -> bool:
    """Cut a segment of the write or retransmit queue after `length` bytes; False when memory is
    short. Linux: tcp_fragment.
    """
    rest = alloc_skb(sk.net.skbs, MAX_TCP_HEADER)
    if rest is None:
        return False
    base = rest.truesize
    sk_forced_mem_schedule(sk, base)
    sk.sk_wmem_queued += base
    sk.sk_forward_alloc -= base
    rest.reserve(MAX_TCP_HEADER)
    rest.ip_summed = CHECKSUM_PARTIAL
    rest.nohdr = True
    cb: TcpSkbCb = skb.cb
    old_pcount = cb.pcount
    flags = cb.flags
    seq = cb.seq + length & 0xFFFFFFFF
    rest_cb = rest.cb = TcpSkbCb(seq, cb.end_seq, flags)
    cb.flags = flags & ~(TCP_FIN | TCP_PSH)
    cb.end_seq = seq
    rest_cb.sacked = cb.sacked
    rest_cb.eor, cb.eor = cb.eor, False
    rest_cb.tstamp = cb.tstamp
    _split_frags(skb, rest, length)
    _set_segs(skb, mss)
    _set_segs(rest, mss)
    queue: MutableSequence[SkBuff] = sk.sk_write_queue
    if before(rest_cb.seq, sk.snd_nxt):
        tcp_adjust_pcount(sk, skb, old_pcount - cb.pcount - rest_cb.pcount)
        queue = sk.tcp_rtx_queue
    queue.insert(queue.index(skb) + 1, rest)
    return True


def tcp_trim_head(sk: TcpSock, skb: SkBuff, length: int, mss: int) -> None:
    """The first `length` bytes of a sent segment are acknowledged. Linux: tcp_trim_head."""
    if skb.is_cloned():
        skb.expand_head(0, 0)
    frags = skb.shinfo.frags
    left = length
    while left:
        first = frags[0]
        taken = min(left, first.size)
        first.offset += taken
        first.size -= taken
        left -= taken
        if not first.size:
            first.page.put()
            del frags[0]
    skb.len -= length
    skb.data_len -= length
    skb.truesize -= length
    sk.sk_wmem_queued -= length
    sk_mem_uncharge(sk, length)
    skb.cb.seq = skb.cb.seq + length & 0xFFFFFFFF
    if skb.cb.pcount > 1:
        _set_segs(skb, mss)
