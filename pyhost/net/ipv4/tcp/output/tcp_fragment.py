"""Cutting a queued segment in two, trimming it, and filling it from the next one. Linux:
net/ipv4/tcp_output.c (tcp_fragment, tso_fragment, tcp_trim_head, tcp_grow_skb), net/core/skbuff.c
skb_split.

TCP's payload lies in page fragments alone, so no byte is copied: fragments change hands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core.skb_coalesce import skb_split
from pyhost.net.core.skbuff import CHECKSUM_PARTIAL, MAX_TCP_HEADER, alloc_skb
from pyhost.net.core.ubuf import skb_zcopy_pure
from pyhost.net.ipv4.tcp.ack.tcp_skb_shift import tcp_skb_can_collapse, tcp_skb_shift
from pyhost.net.ipv4.tcp.tcp_mem import sk_forced_mem_schedule, sk_mem_uncharge, tcp_wmem_free_skb
from pyhost.net.ipv4.tcp.tcp_sock import (
    TCPCB_LOST,
    TCPCB_SACKED_ACKED,
    TCPCB_SACKED_RETRANS,
    TcpSkbCb,
    before,
)
from pyhost.net.ipv4.tcp.user.tcp_tstamp import tcp_fragment_tstamp, tcp_skb_collapse_tstamp
from pyhost.uapi.tcp import TCP_FIN, TCP_PSH

if TYPE_CHECKING:
    from collections.abc import MutableSequence

    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSock

__all__ = [
    "tcp_adjust_pcount", "tcp_fragment", "tcp_grow_skb", "tcp_set_skb_tso_segs", "tcp_trim_head",
    "tcp_trim_unsent", "tso_fragment",
]  # fmt: skip

GSO_TRUESIZE = 65536 + 576
"""SKB_TRUESIZE(GSO_LEGACY_MAX_SIZE): memory of the biggest super-segment."""


def tcp_set_skb_tso_segs(skb: SkBuff, mss: int) -> int:
    """Note, and return, how many wire segments the skb makes; a FIN alone makes one.

    Linux: tcp_set_skb_tso_segs.
    """
    cb: TcpSkbCb = skb.cb
    size = skb.len
    if size <= mss:
        cb.pcount = 1
        cb.gso_size = 0
        return 1
    cb.gso_size = mss
    pcount: int = -(-size // mss)
    cb.pcount = pcount
    return pcount


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


def _cut_off(sk: TcpSock, skb: SkBuff, length: int, mss: int) -> SkBuff | None:
    """What lies behind `length` bytes as a new segment, charged but in no queue; None when memory
    is short.
    """
    rest = alloc_skb(sk.net.skbs, MAX_TCP_HEADER)
    if rest is None:
        return None
    base = rest.truesize
    sk_forced_mem_schedule(sk, base)
    sk.sk_wmem_queued += base
    sk.sk_forward_alloc -= base
    rest.reserve(MAX_TCP_HEADER)
    rest.ip_summed = CHECKSUM_PARTIAL
    rest.header_release()
    cb: TcpSkbCb = skb.cb
    flags = cb.flags
    seq = cb.seq + length & 0xFFFFFFFF
    rest_cb = rest.cb = TcpSkbCb(seq, cb.end_seq, flags)
    cb.flags = flags & ~(TCP_FIN | TCP_PSH)
    cb.end_seq = seq
    rest_cb.eor, cb.eor = cb.eor, False
    skb_split(skb, rest, length)
    tcp_fragment_tstamp(skb, rest)
    tcp_set_skb_tso_segs(skb, mss)
    tcp_set_skb_tso_segs(rest, mss)
    return rest


def tso_fragment(sk: TcpSock, skb: SkBuff, length: int, mss: int) -> bool:
    """Cut the head of the write queue, which was never sent, after `length` bytes; False when
    memory is short. Linux: tso_fragment.
    """
    rest = _cut_off(sk, skb, length, mss)
    if rest is None:
        return False
    sk.sk_write_queue.insert(1, rest)
    return True


def tcp_fragment(sk: TcpSock, skb: SkBuff, length: int, mss: int) -> bool:
    """Cut a segment of the write or retransmit queue after `length` bytes; False when memory is
    short, or when so much is queued that somebody must be playing with tiny SACK blocks.

    Linux: tcp_fragment.
    """
    cb: TcpSkbCb = skb.cb
    sent = before(cb.seq, sk.snd_nxt)
    queue: MutableSequence[SkBuff] = sk.tcp_rtx_queue if sent else sk.sk_write_queue
    if (
        sk.sk_wmem_queued >> 1 > sk.sk_sndbuf + 2 * GSO_TRUESIZE
        and sent
        and skb is not queue[0]
        and skb is not queue[-1]
    ):
        sk.net.count("TCPWqueueTooBig")
        return False
    old_pcount = cb.pcount
    rest = _cut_off(sk, skb, length, mss)
    if rest is None:
        return False
    rest_cb: TcpSkbCb = rest.cb
    rest_cb.sacked = cb.sacked
    rest_cb.tstamp = cb.tstamp
    if sent:
        if cb.tx_delivered_mstamp:
            rest_cb.copy_tx(cb)
        tcp_adjust_pcount(sk, skb, old_pcount - cb.pcount - rest_cb.pcount)
    queue.insert(queue.index(skb) + 1, rest)
    return True


def _pskb_trim_head(skb: SkBuff, length: int) -> None:
    """Drop the first `length` bytes. Linux: __pskb_trim_head."""
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
    skb.cb.seq = skb.cb.seq + length & 0xFFFFFFFF


def tcp_trim_head(sk: TcpSock, skb: SkBuff, length: int, mss: int) -> None:
    """The first `length` bytes of a sent segment are acknowledged. Linux: tcp_trim_head."""
    tcp_trim_unsent(sk, skb, length)
    if skb.cb.pcount > 1:
        tcp_set_skb_tso_segs(skb, mss)


def tcp_trim_unsent(sk: TcpSock, skb: SkBuff, length: int) -> None:
    """The first `length` bytes of a queued segment have gone into another one, or away."""
    _pskb_trim_head(skb, length)
    sk.sk_wmem_queued -= length
    if not skb_zcopy_pure(skb):
        sk_mem_uncharge(sk, length)


def tcp_grow_skb(sk: TcpSock, skb: SkBuff, amount: int) -> None:
    """Fill the head of the write queue with up to `amount` bytes of the segment behind it.

    Linux: tcp_grow_skb.
    """
    following = sk.sk_write_queue[1]
    size = min(amount, following.len)
    if not size or not tcp_skb_can_collapse(skb, following):
        return
    if not tcp_skb_shift(skb, following, 0, size):
        return
    cb: TcpSkbCb = skb.cb
    rest: TcpSkbCb = following.cb
    cb.end_seq = cb.end_seq + size & 0xFFFFFFFF
    rest.seq = rest.seq + size & 0xFFFFFFFF
    if not following.len:
        cb.end_seq = rest.end_seq
        cb.eor = rest.eor
        cb.flags |= rest.flags
        tcp_skb_collapse_tstamp(skb, following)
        del sk.sk_write_queue[1]
        tcp_wmem_free_skb(sk, following)
