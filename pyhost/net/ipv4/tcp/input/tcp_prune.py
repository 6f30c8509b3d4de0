"""Making room in a full receive buffer. Linux: net/ipv4/tcp_input.c (tcp_prune_queue, tcp_collapse,
tcp_prune_ofo_queue).

Small segments waste memory: each is charged for its struct and its whole buffer. First their
payload is copied together into dense buffers, which costs time only; if that is not enough, what
lies behind holes is thrown away, from the end, and the peer will send it again.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyhost.mm.memory import PAGE_SIZE
from pyhost.net.core import drop_reason
from pyhost.net.core.skb_shared_info import SKB_SHINFO_SIZE
from pyhost.net.core.skbuff import SkBuff, alloc_skb, consume_skb, kfree_skb_reason
from pyhost.net.ipv4.tcp.tcp_mem import sk_rmem_schedule, tcp_set_owner_r
from pyhost.net.ipv4.tcp.tcp_sock import TcpSkbCb, TcpSock, after, before
from pyhost.uapi.tcp import TCP_FIN, TCP_SYN

__all__ = ["tcp_collapse", "tcp_try_rmem_schedule"]

DENSE = PAGE_SIZE - SKB_SHINFO_SIZE
"""Payload of one dense buffer. Linux: SKB_MAX_ORDER(0, 0)."""


def _can_ingest(sk: TcpSock) -> bool:
    """Linux: tcp_can_ingest."""
    return sk.sk_rmem_alloc <= sk.sk_rcvbuf


def tcp_try_rmem_schedule(sk: TcpSock, skb: SkBuff) -> bool:
    """Make room for a segment, at the cost of others if need be. Linux: tcp_try_rmem_schedule."""
    size = skb.truesize
    if _can_ingest(sk) and sk_rmem_schedule(sk, size):
        return True
    if not _prune_queue(sk, skb.cb):
        return False
    while not sk_rmem_schedule(sk, size):
        if not _prune_ofo_queue(sk, skb.cb):
            return False
    return True


def _clamp_window(sk: TcpSock) -> None:
    """The buffer overflowed: let it grow if it may, else offer less. Linux: tcp_clamp_window."""
    tcp = sk.net.tcp
    sk.icsk_ack_quick = 0
    most = tcp.rmem[2]
    if (
        sk.sk_rcvbuf < most
        and not sk.sk_rcvbuf_lock
        and not tcp.memory_pressure
        and tcp.memory_allocated < tcp.mem[0]
    ):
        sk.sk_rcvbuf = min(sk.sk_rmem_alloc, most)
    if sk.sk_rmem_alloc > sk.sk_rcvbuf:
        sk.rcv_ssthresh = min(sk.window_clamp, 2 * sk.advmss)


def _prune_queue(sk: TcpSock, cb: TcpSkbCb) -> bool:
    """Linux: tcp_prune_queue."""
    if not sk.sk_rmem_alloc:
        return False
    sk.net.count("PruneCalled")
    if sk.sk_rmem_alloc >= sk.sk_rcvbuf:
        _clamp_window(sk)
    elif sk.net.tcp.memory_pressure:
        sk.rcv_ssthresh = min(sk.rcv_ssthresh, 4 * sk.advmss)
    if _can_ingest(sk):
        return True
    _collapse_queues(sk)
    if _can_ingest(sk):
        return True
    _prune_ofo_queue(sk, cb)
    if _can_ingest(sk):
        return True
    sk.net.count("RcvPruned")
    sk.pred_off_flags = 0
    return False


def _prune_ofo_queue(sk: TcpSock, cb: TcpSkbCb) -> bool:
    """Throw away segments behind holes, an eighth of the buffer at a time, but none before the
    segment that has come; whether there was one. Linux: tcp_prune_ofo_queue.
    """
    queue = sk.ofo_queue
    pruned = False
    goal = sk.sk_rcvbuf >> 3
    while queue and not after(cb.seq, queue[-1].cb.seq):
        skb = queue.pop()
        pruned = True
        goal -= skb.truesize
        kfree_skb_reason(skb, drop_reason.TCP_OFO_QUEUE_PRUNE)
        if goal <= 0 or not queue:
            if _can_ingest(sk) and not sk.net.tcp.memory_pressure:
                break
            goal = sk.sk_rcvbuf >> 3
    if pruned:
        sk.net.count("OfoPruned")
        sk.selective_acks.clear()
    return pruned


# -- collapsing ------------------------------------------------------------------------------------


def _collapse_queues(sk: TcpSock) -> None:
    """Linux: tcp_collapse_ofo_queue, and the call of tcp_collapse in tcp_prune_queue."""
    ofo: list[SkBuff] = []
    run: list[SkBuff] = []
    for skb in sk.ofo_queue:
        if run and after(skb.cb.seq, run[-1].cb.end_seq):
            ofo += tcp_collapse(sk, run, run[0].cb.seq)
            run = []
        run.append(skb)
    if run:
        ofo += tcp_collapse(sk, run, run[0].cb.seq)
    sk.ofo_queue = ofo
    dense = tcp_collapse(sk, tuple(sk.sk_receive_queue), sk.copied_seq)
    sk.sk_receive_queue.clear()
    sk.sk_receive_queue.extend(dense)


def _is_loose(skb: SkBuff) -> bool:
    """Whether more than half of what the segment is charged is not payload."""
    return 2 * skb.len < skb.truesize


def _keeps_apart(skb: SkBuff) -> bool:
    return bool(skb.cb.flags & (TCP_SYN | TCP_FIN))


def tcp_collapse(sk: TcpSock, queue: Sequence[SkBuff], start: int) -> list[SkBuff]:
    """The same bytes from `start` on, without a hole, in fewer buffers. Segments that fill theirs
    well stay, as do those with SYN or FIN. Linux: tcp_collapse.
    """
    out: list[SkBuff] = []
    run: list[SkBuff] = []
    for skb in queue:
        if not after(skb.cb.end_seq, start):
            sk.net.count("TCPRcvCollapsed")
            consume_skb(skb)
        elif _keeps_apart(skb) or (not run and not _is_loose(skb)):
            out += _dense(sk, run, start)
            run = []
            out.append(skb)
        else:
            run.append(skb)
    return out + _dense(sk, run, start)


def _dense(sk: TcpSock, run: list[SkBuff], start: int) -> list[SkBuff]:
    """Copy neighbours into dense buffers; without memory they stay as they are."""
    if len(run) < 2 and not (run and _is_loose(run[0]) and run[0].len > DENSE):
        return run
    seq = run[0].cb.seq if after(run[0].cb.seq, start) else start
    out: list[SkBuff] = []
    for skb in run:
        while before(seq, skb.cb.end_seq):
            room = DENSE - out[-1].len if out else 0
            if not room:
                fresh = _buffer(sk, seq, run[0].cb)
                if fresh is None:
                    return _give_up(run, out)
                out.append(fresh)
                room = DENSE
            size = min(room, skb.cb.end_seq - seq & 0xFFFFFFFF)
            out[-1].put_data(skb.copy_bits(seq - skb.cb.seq & 0xFFFFFFFF, size))
            out[-1].cb.end_seq = seq = seq + size & 0xFFFFFFFF
    sk.net.count("TCPRcvCollapsed", len(run))
    for skb in run:
        consume_skb(skb)
    for skb in out:
        tcp_set_owner_r(sk, skb)
    return out


def _buffer(sk: TcpSock, seq: int, like: TcpSkbCb) -> SkBuff | None:
    skb = alloc_skb(sk.net.skbs, DENSE)
    if skb is not None:
        cb = skb.cb = TcpSkbCb(seq, seq, like.flags)
        cb.off_flags, cb.window, cb.ack_seq = like.off_flags, like.window, like.ack_seq
    return skb


def _give_up(run: list[SkBuff], made: list[SkBuff]) -> list[SkBuff]:
    for skb in made:
        consume_skb(skb)
    return run
