"""The out-of-order queue: segments behind a hole. Linux: net/ipv4/tcp_input.c
(tcp_data_queue_ofo, tcp_ofo_queue).

The queue is a list in order of sequence number whose segments do not cover each other; neighbours
may overlap. Duplicates are reported by D-SACK (RFC 2883), the rest by SACK.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core import drop_reason
from pyhost.net.core.skbuff import consume_skb, kfree_skb_reason
from pyhost.net.ipv4.tcp.congestion.tcp_ecn import TCP_ECN_OK, tcp_ecn_check_ce
from pyhost.net.ipv4.tcp.input.tcp_delack import (
    ECN_QUICKACKS,
    tcp_enter_quickack_mode,
    tcp_grow_window,
    tcp_measure_rcv_mss,
)
from pyhost.net.ipv4.tcp.input.tcp_prune import tcp_try_rmem_schedule
from pyhost.net.ipv4.tcp.input.tcp_sack import tcp_dsack_set, tcp_sack_new_ofo_skb
from pyhost.net.ipv4.tcp.tcp_mem import tcp_set_owner_r
from pyhost.net.ipv4.tcp.tcp_sock import ICSK_ACK_SCHED, TcpSkbCb, TcpSock, after, before
from pyhost.uapi.tcp import TCP_FIN

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["tcp_data_queue_ofo", "tcp_ofo_purge", "tcp_try_coalesce"]


def tcp_ofo_purge(sk: TcpSock) -> None:
    """Throw the queue away. Linux: part of tcp_fin, tcp_disconnect."""
    for skb in sk.ofo_queue:
        kfree_skb_reason(skb, drop_reason.QUEUE_PURGE)
    sk.ofo_queue.clear()
    sk.selective_acks.clear()


def tcp_try_coalesce(sk: TcpSock, to: SkBuff, skb: SkBuff) -> bool:
    """Copy a small segment into the space behind the one in front of it.

    Linux: tcp_try_coalesce, skb_try_coalesce.
    """
    if to.data_len or skb.data_len or skb.len > to.end - to.tail or to.is_cloned():
        return False
    cb: TcpSkbCb = to.cb
    if cb.end_seq != skb.cb.seq or cb.flags & TCP_FIN:
        return False
    to.put_data(skb.buf[skb.data : skb.tail])
    cb.end_seq = skb.cb.end_seq
    cb.flags |= skb.cb.flags
    if skb.tstamp:
        to.tstamp = skb.tstamp
    if skb.shinfo.hwtstamp:
        to.shinfo.hwtstamp = skb.shinfo.hwtstamp
    sk.net.count("TCPRcvCoalesce")
    return True


def _dsack_extend(sk: TcpSock, start: int, end: int) -> None:
    """Linux: tcp_dsack_extend."""
    if sk.dsack is None:
        tcp_dsack_set(sk, start, end)
        return
    first, last = sk.dsack
    if not after(start, last) and not before(end, first):
        sk.dsack = (start if before(start, first) else first, end if after(end, last) else last)


def tcp_data_queue_ofo(sk: TcpSock, skb: SkBuff) -> None:
    """Keep a segment that lies behind a hole. Owns the skb. Linux: tcp_data_queue_ofo."""
    cb: TcpSkbCb = skb.cb
    if sk.ecn_flags & TCP_ECN_OK and tcp_ecn_check_ce(sk, skb):
        tcp_enter_quickack_mode(sk, ECN_QUICKACKS)
    if not tcp_try_rmem_schedule(sk, skb):
        sk.net.count("TCPOFODrop")
        sk.sk_data_ready(sk)
        kfree_skb_reason(skb, drop_reason.PROTO_MEM)
        return
    tcp_measure_rcv_mss(sk, skb)
    sk.pred_off_flags = 0
    sk.icsk_ack_pending |= ICSK_ACK_SCHED
    sk.rcv_ooopack += max(1, skb.shinfo.gso_segs)
    sk.net.count("TCPOFOQueue")
    seq, end_seq = cb.seq, cb.end_seq
    kept, merged = _insert(sk, skb, cb)
    if sk.sack_ok:
        tcp_sack_new_ofo_skb(sk, seq, end_seq)
        if kept or merged:
            tcp_grow_window(sk, skb)
    if kept:
        tcp_set_owner_r(sk, skb)
    elif merged:
        consume_skb(skb)


def _insert(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb) -> tuple[bool, bool]:
    """Put the segment where it belongs: (whether it is in the queue now, whether its bytes went
    into the segment in front of it). If neither, it was known and is gone.
    """
    queue = sk.ofo_queue
    index = len(queue)
    while index and before(cb.seq, queue[index - 1].cb.seq):
        index -= 1
    if index:
        left = queue[index - 1]
        if before(cb.seq, left.cb.end_seq):
            if not after(cb.end_seq, left.cb.end_seq):
                sk.net.count("TCPOFOMerge")
                tcp_dsack_set(sk, cb.seq, cb.end_seq)
                kfree_skb_reason(skb, drop_reason.TCP_OFOMERGE)
                return False, False
            if after(cb.seq, left.cb.seq):
                tcp_dsack_set(sk, cb.seq, left.cb.end_seq)
            else:
                index -= 1
        elif tcp_try_coalesce(sk, left, skb):
            return False, True
    _remove_covered(sk, index, cb)
    queue.insert(index, skb)
    return True, False


def _remove_covered(sk: TcpSock, index: int, cb: TcpSkbCb) -> None:
    """Throw away what a new segment at `index` makes needless."""
    queue = sk.ofo_queue
    while index < len(queue) and after(cb.end_seq, queue[index].cb.seq):
        known: TcpSkbCb = queue[index].cb
        if before(cb.end_seq, known.end_seq):
            _dsack_extend(sk, known.seq, cb.end_seq)
            return
        _dsack_extend(sk, known.seq, known.end_seq)
        sk.net.count("TCPOFOMerge")
        kfree_skb_reason(queue.pop(index), drop_reason.TCP_OFOMERGE)
