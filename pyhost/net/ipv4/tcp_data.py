"""Data that comes in: receive queue, out-of-order queue, and when to acknowledge. Linux:
net/ipv4/tcp_input.c.

`sk_receive_queue` holds segments in order from `copied_seq` (what the program has read) to
`rcv_nxt`; `ofo_queue` those behind a hole, sorted. The first segment of the receive queue may
overlap what was read, so readers count from sequence numbers, not from lengths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core import drop_reason
from pyhost.net.core.skbuff import consume_skb, kfree_skb_reason
from pyhost.net.core.sock import RCV_SHUTDOWN, TCP_CLOSE_WAIT, TCP_CLOSING, TCP_TIME_WAIT
from pyhost.net.ipv4.inet_connection_sock import inet_csk_in_pingpong_mode
from pyhost.net.ipv4.tcp_ctl import tcp_send_ack, tcp_send_delayed_ack
from pyhost.net.ipv4.tcp_done import tcp_set_state
from pyhost.net.ipv4.tcp_mem import sk_forced_mem_schedule, sk_rmem_schedule, tcp_set_owner_r
from pyhost.net.ipv4.tcp_minisocks import tcp_time_wait
from pyhost.net.ipv4.tcp_output import TCP_ATO_MIN
from pyhost.net.ipv4.tcp_sack import tcp_dsack_set, tcp_sack_new_ofo_skb, tcp_sack_remove
from pyhost.net.ipv4.tcp_sock import (
    ICSK_ACK_NOW,
    ICSK_ACK_PUSHED,
    ICSK_ACK_PUSHED2,
    ICSK_ACK_SCHED,
    TcpSkbCb,
    TcpSock,
    after,
    before,
)
from pyhost.net.ipv4.tcp_states import ON_FIN
from pyhost.net.ipv4.tcp_window import (
    tcp_receive_window,
    tcp_space,
    tcp_win_from_space,
    tcp_window_candidate,
)
from pyhost.uapi.tcp import TCP_FIN, TCP_PSH, TCP_SYN, TCP_URG

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = [
    "tcp_ack_snd_check", "tcp_data_queue", "tcp_enter_quickack_mode", "tcp_event_data_recv",
    "tcp_fast_path_check", "tcp_fast_path_on", "tcp_ofo_purge", "tcp_queue_rcv",
    "tcp_try_rmem_schedule",
]  # fmt: skip

TCP_MAX_QUICKACKS = 16
TCP_MSS_DEFAULT = 536
TCP_MIN_MSS = 88
TCP_HEADER = 20
MAX_TCP_OPTION_SPACE = 40
TCP_REMNANT = TCP_FIN | TCP_URG | TCP_SYN | TCP_PSH
GROW_WINDOW_MIN = 128


# -- header prediction -----------------------------------------------------------------------------


def tcp_fast_path_on(sk: TcpSock) -> None:
    """Note what the header of the next plain segment looks like. Linux: tcp_fast_path_on."""
    sk.pred_off_flags = sk.tcp_header_len << 10 | 0x10
    sk.pred_window = sk.snd_wnd >> sk.snd_wscale


def tcp_fast_path_check(sk: TcpSock) -> None:
    """Linux: tcp_fast_path_check."""
    if not sk.ofo_queue and sk.rcv_wnd and sk.sk_rmem_alloc < sk.sk_rcvbuf:
        tcp_fast_path_on(sk)


# -- delayed ACKs ----------------------------------------------------------------------------------


def _incr_quickack(sk: TcpSock, most: int) -> None:
    """Linux: tcp_incr_quickack."""
    quick = sk.rcv_wnd // (2 * sk.icsk_ack_rcv_mss) or 2
    sk.icsk_ack_quick = max(sk.icsk_ack_quick, min(quick, most))


def tcp_enter_quickack_mode(sk: TcpSock, most: int = TCP_MAX_QUICKACKS) -> None:
    """Acknowledge the next segments at once. Linux: tcp_enter_quickack_mode."""
    _incr_quickack(sk, most)
    sk.icsk_ack_pingpong = 0
    sk.icsk_ack_ato = TCP_ATO_MIN


def _measure_rcv_mss(sk: TcpSock, skb: SkBuff) -> None:
    """Guess the size of the peer's segments, for the delayed ACK. Linux: tcp_measure_rcv_mss."""
    length = skb.shinfo.gso_size or skb.len
    last = sk.icsk_ack_last_seg_size
    sk.icsk_ack_last_seg_size = 0
    if length >= sk.icsk_ack_rcv_mss:
        if length != sk.icsk_ack_rcv_mss:
            sk.rcv_mss_ratio = max((skb.len << 8) // skb.truesize, 1)
        if length > sk.icsk_ack_rcv_mss + MAX_TCP_OPTION_SPACE:
            sk.icsk_ack_pending |= ICSK_ACK_PUSHED
        sk.icsk_ack_rcv_mss = min(length, sk.advmss)
        return
    header = skb.cb.off_flags >> 12 << 2
    length += header
    plain = not skb.cb.flags & TCP_REMNANT
    if length >= TCP_MSS_DEFAULT + TCP_HEADER or (length >= TCP_MIN_MSS + TCP_HEADER and plain):
        length -= sk.tcp_header_len
        sk.icsk_ack_last_seg_size = length
        if length == last:
            sk.icsk_ack_rcv_mss = length
            return
    if sk.icsk_ack_pending & ICSK_ACK_PUSHED:
        sk.icsk_ack_pending |= ICSK_ACK_PUSHED2
    sk.icsk_ack_pending |= ICSK_ACK_PUSHED


def _grow_window(sk: TcpSock, skb: SkBuff) -> None:
    """Offer more, as long as the buffer is used well. Linux: tcp_grow_window, __tcp_grow_window."""
    room = min(sk.window_clamp, tcp_space(sk)) - sk.rcv_ssthresh
    if room <= 0 or sk.net.tcp.memory_pressure:
        return
    truesize = tcp_win_from_space(sk, skb.truesize)
    if truesize <= skb.len:
        incr = 2 * sk.advmss
    else:
        incr = 0
        truesize >>= 1
        window = tcp_win_from_space(sk, sk.net.tcp.rmem[2]) >> 1
        while sk.rcv_ssthresh <= window:
            if truesize <= skb.len:
                incr = 2 * sk.icsk_ack_rcv_mss
                break
            truesize >>= 1
            window >>= 1
    if incr:
        sk.rcv_ssthresh += min(room, max(incr, 2 * skb.len))
        sk.icsk_ack_quick |= 1


def tcp_event_data_recv(sk: TcpSock, skb: SkBuff) -> None:
    """Data came in order: adapt the delayed ACK and the window. Linux: tcp_event_data_recv."""
    sk.icsk_ack_pending |= ICSK_ACK_SCHED
    _measure_rcv_mss(sk, skb)
    now = sk.tcp_mstamp
    ato = sk.icsk_ack_ato
    if not ato:
        _incr_quickack(sk, TCP_MAX_QUICKACKS)
        sk.icsk_ack_ato = TCP_ATO_MIN
    else:
        gap = now - sk.icsk_ack_lrcvtime
        if gap <= TCP_ATO_MIN >> 1:
            sk.icsk_ack_ato = (ato >> 1) + (TCP_ATO_MIN >> 1)
        elif gap < ato:
            sk.icsk_ack_ato = min((ato >> 1) + gap, sk.icsk_rto)
        elif gap > sk.icsk_rto:
            _incr_quickack(sk, TCP_MAX_QUICKACKS)
    sk.icsk_ack_lrcvtime = now
    if skb.len >= GROW_WINDOW_MIN and sk.rcv_ssthresh < sk.window_clamp:
        _grow_window(sk, skb)


def tcp_ack_snd_check(sk: TcpSock, ofo_possible: bool = True) -> None:
    """Send the ACK that is due, or let it wait. Linux: tcp_ack_snd_check, __tcp_ack_snd_check."""
    pending = sk.icsk_ack_pending
    if not pending & ICSK_ACK_SCHED:
        return
    unacked = sk.rcv_nxt - sk.rcv_wup & 0xFFFFFFFF
    if (
        pending & ICSK_ACK_NOW
        or (sk.icsk_ack_quick and not inet_csk_in_pingpong_mode(sk))
        or (ofo_possible and sk.ofo_queue)
    ) or (
        unacked > sk.icsk_ack_rcv_mss
        and (
            (sk.rcv_nxt - sk.copied_seq & 0xFFFFFFFF) < sk.sk_rcvlowat
            or tcp_window_candidate(sk) >= sk.rcv_wnd
        )
    ):
        tcp_send_ack(sk)
    else:
        tcp_send_delayed_ack(sk)


# -- buffer ----------------------------------------------------------------------------------------


def tcp_try_rmem_schedule(sk: TcpSock, size: int) -> bool:
    """Make room for a segment of `size` bytes, at the cost of the out-of-order queue if need be.

    Linux: tcp_try_rmem_schedule.
    """
    if sk.sk_rmem_alloc <= sk.sk_rcvbuf and sk_rmem_schedule(sk, size):
        return True
    sk.net.count("PruneCalled")
    while sk.ofo_queue and sk.sk_rmem_alloc > sk.sk_rcvbuf:
        sk.net.count("OfoPruned")
        kfree_skb_reason(sk.ofo_queue.pop(), drop_reason.TCP_OFO_QUEUE_PRUNE)
        sk.selective_acks.clear()
    if sk.sk_rmem_alloc <= sk.sk_rcvbuf and sk_rmem_schedule(sk, size):
        return True
    sk.pred_off_flags = 0
    return False


def _try_coalesce(sk: TcpSock, skb: SkBuff) -> bool:
    """Copy a small segment into the space behind the last one.

    Linux: tcp_try_coalesce, skb_try_coalesce.
    """
    queue = sk.sk_receive_queue
    if not queue:
        return False
    tail = queue[-1]
    if tail.data_len or skb.data_len or skb.len > tail.end - tail.tail or tail.is_cloned():
        return False
    cb: TcpSkbCb = tail.cb
    if cb.end_seq != skb.cb.seq or cb.flags & TCP_FIN:
        return False
    tail.put_data(skb.buf[skb.data : skb.tail])
    cb.end_seq = skb.cb.end_seq
    cb.flags |= skb.cb.flags
    sk.net.count("TCPRcvCoalesce")
    return True


def tcp_queue_rcv(sk: TcpSock, skb: SkBuff) -> bool:
    """Put a segment, its header taken off, behind what is queued; True when it went into the one
    before. Linux: tcp_queue_rcv.
    """
    sk.rcv_nxt = skb.cb.end_seq
    if _try_coalesce(sk, skb):
        return True
    tcp_set_owner_r(sk, skb)
    sk.sk_receive_queue.append(skb)
    return False


# -- FIN -------------------------------------------------------------------------------------------


def tcp_ofo_purge(sk: TcpSock) -> None:
    """Linux: part of tcp_fin, tcp_disconnect."""
    for skb in sk.ofo_queue:
        kfree_skb_reason(skb, drop_reason.QUEUE_PURGE)
    sk.ofo_queue.clear()
    sk.selective_acks.clear()


def tcp_fin(sk: TcpSock) -> None:
    """The peer's stream has ended, and everything before has come. Linux: tcp_fin."""
    sk.icsk_ack_pending |= ICSK_ACK_SCHED
    sk.sk_shutdown |= RCV_SHUTDOWN
    state = ON_FIN.get(sk.sk_state)
    if state is None:
        return
    if state == TCP_CLOSE_WAIT:
        tcp_set_state(sk, state)
        sk.icsk_ack_pingpong = sk.net.tcp.pingpong_thresh
    elif state == TCP_CLOSING:
        tcp_send_ack(sk)
        tcp_set_state(sk, state)
    else:
        tcp_send_ack(sk)
        tcp_time_wait(sk, TCP_TIME_WAIT, 0)
    tcp_ofo_purge(sk)
    if not sk.sock_dead:
        sk.sk_state_change(sk)


# -- out of order ----------------------------------------------------------------------------------


def _ofo_queue(sk: TcpSock) -> None:
    """Move what is in order now to the receive queue. Linux: tcp_ofo_queue."""
    queue = sk.ofo_queue
    while queue and not after(queue[0].cb.seq, sk.rcv_nxt):
        skb = queue.pop(0)
        cb: TcpSkbCb = skb.cb
        if before(cb.seq, sk.rcv_nxt):
            tcp_dsack_set(sk, cb.seq, cb.end_seq if before(cb.end_seq, sk.rcv_nxt) else sk.rcv_nxt)
        if not after(cb.end_seq, sk.rcv_nxt):
            kfree_skb_reason(skb, drop_reason.TCP_OFOMERGE)
            continue
        fin = cb.flags & TCP_FIN
        skb.destructor = None
        sk.sk_rmem_alloc -= skb.truesize
        sk.sk_forward_alloc += skb.truesize
        if tcp_queue_rcv(sk, skb):
            consume_skb(skb)
        if fin:
            tcp_fin(sk)
            return


def _data_queue_ofo(sk: TcpSock, skb: SkBuff) -> None:
    """Keep a segment that lies behind a hole. Linux: tcp_data_queue_ofo."""
    cb: TcpSkbCb = skb.cb
    if not tcp_try_rmem_schedule(sk, skb.truesize):
        sk.net.count("TCPOFODrop")
        kfree_skb_reason(skb, drop_reason.PROTO_MEM)
        return
    sk.pred_off_flags = 0
    sk.icsk_ack_pending |= ICSK_ACK_SCHED
    sk.net.count("TCPOFOQueue")
    queue = sk.ofo_queue
    index = len(queue)
    while index and before(cb.seq, queue[index - 1].cb.seq):
        index -= 1
    if index and not after(cb.end_seq, queue[index - 1].cb.end_seq):
        sk.net.count("TCPOFOMerge")
        tcp_dsack_set(sk, cb.seq, cb.end_seq)
        tcp_sack_new_ofo_skb(sk, cb.seq, cb.end_seq)
        kfree_skb_reason(skb, drop_reason.TCP_OFOMERGE)
        return
    while index < len(queue) and not after(queue[index].cb.end_seq, cb.end_seq):
        covered = queue.pop(index)
        sk.net.count("TCPOFOMerge")
        tcp_dsack_set(sk, covered.cb.seq, covered.cb.end_seq)
        kfree_skb_reason(covered, drop_reason.TCP_OFOMERGE)
    queue.insert(index, skb)
    tcp_set_owner_r(sk, skb)
    tcp_sack_new_ofo_skb(sk, cb.seq, cb.end_seq)


# -- every segment with data -----------------------------------------------------------------------


def _out_of_window(sk: TcpSock, skb: SkBuff, reason: str) -> None:
    """Answer at once to a segment that cannot be taken, and drop it.

    Linux: tcp_data_queue, label out_of_window.
    """
    tcp_enter_quickack_mode(sk)
    sk.icsk_ack_pending |= ICSK_ACK_SCHED
    kfree_skb_reason(skb, reason)


def tcp_data_queue(sk: TcpSock, skb: SkBuff) -> None:
    """Take a segment that may have data or a FIN, its header still on. Owns the skb.

    Linux: tcp_data_queue.
    """
    cb: TcpSkbCb = skb.cb
    if cb.seq == cb.end_seq:
        consume_skb(skb)
        return
    skb.pull(cb.off_flags >> 12 << 2)
    skb.dst = None
    if not after(cb.end_seq, sk.rcv_nxt):
        sk.net.count("DelayedACKLost")
        tcp_dsack_set(sk, cb.seq, cb.end_seq)
        _out_of_window(sk, skb, drop_reason.TCP_OLD_DATA)
        return
    window = tcp_receive_window(sk)
    if not before(cb.seq, sk.rcv_nxt + window & 0xFFFFFFFF):
        zero = cb.seq == sk.rcv_nxt
        if zero:
            sk.net.count("TCPZeroWindowDrop")
        _out_of_window(sk, skb, drop_reason.TCP_ZEROWINDOW if zero else drop_reason.TCP_OVERWINDOW)
        return
    if after(cb.seq, sk.rcv_nxt):
        _data_queue_ofo(sk, skb)
        return
    if before(cb.seq, sk.rcv_nxt):
        tcp_dsack_set(sk, cb.seq, sk.rcv_nxt)
        if not window:
            _out_of_window(sk, skb, drop_reason.TCP_ZEROWINDOW)
            return
    _queue_in_order(sk, skb)


def _queue_in_order(sk: TcpSock, skb: SkBuff) -> None:
    """Linux: tcp_data_queue, label queue_and_out."""
    cb: TcpSkbCb = skb.cb
    if not tcp_try_rmem_schedule(sk, skb.truesize):
        if sk.sk_receive_queue:
            sk.net.count("TCPRcvQDrop")
            sk.icsk_ack_pending |= ICSK_ACK_NOW | ICSK_ACK_SCHED
            kfree_skb_reason(skb, drop_reason.PROTO_MEM)
            return
        sk_forced_mem_schedule(sk, skb.truesize)
    merged = tcp_queue_rcv(sk, skb)
    if skb.len:
        tcp_event_data_recv(sk, skb)
    if cb.flags & TCP_FIN:
        tcp_fin(sk)
    if sk.ofo_queue:
        _ofo_queue(sk)
        if not sk.ofo_queue:
            sk.icsk_ack_pending |= ICSK_ACK_NOW
    if sk.selective_acks:
        tcp_sack_remove(sk)
    tcp_fast_path_check(sk)
    if merged:
        consume_skb(skb)
    if not sk.sock_dead:
        sk.sk_data_ready(sk)
