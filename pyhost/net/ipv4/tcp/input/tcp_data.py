"""Data that comes in: the receive queue. Linux: net/ipv4/tcp_input.c.

`sk_receive_queue` holds segments in order from `copied_seq` (what the program has read) to
`rcv_nxt`; `ofo_queue` those behind a hole (tcp_ofo.py). The first segment of the receive queue may
overlap what was read, so readers count from sequence numbers, not from lengths. When to
acknowledge is decided in tcp_delack.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core import drop_reason
from pyhost.net.core.skbuff import consume_skb, kfree_skb_reason
from pyhost.net.core.sock import RCV_SHUTDOWN, TCP_CLOSE_WAIT, TCP_CLOSING, TCP_TIME_WAIT
from pyhost.net.ipv4.tcp.handshake.tcp_done import tcp_set_state
from pyhost.net.ipv4.tcp.handshake.tcp_minisocks import tcp_time_wait
from pyhost.net.ipv4.tcp.input.tcp_delack import (
    tcp_enter_quickack_mode,
    tcp_event_data_recv,
    tcp_fast_path_check,
)
from pyhost.net.ipv4.tcp.input.tcp_ofo import tcp_data_queue_ofo, tcp_ofo_purge, tcp_try_coalesce
from pyhost.net.ipv4.tcp.input.tcp_prune import tcp_try_rmem_schedule
from pyhost.net.ipv4.tcp.input.tcp_sack import tcp_dsack_set, tcp_sack_remove
from pyhost.net.ipv4.tcp.output.tcp_ctl import tcp_send_ack
from pyhost.net.ipv4.tcp.tcp_mem import sk_forced_mem_schedule, tcp_set_owner_r
from pyhost.net.ipv4.tcp.tcp_sock import (
    ICSK_ACK_NOW,
    ICSK_ACK_SCHED,
    TcpSkbCb,
    TcpSock,
    after,
    before,
)
from pyhost.net.ipv4.tcp.tcp_states import ON_FIN
from pyhost.net.ipv4.tcp.tcp_window import tcp_receive_window
from pyhost.uapi.tcp import TCP_FIN

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["tcp_data_queue", "tcp_data_ready", "tcp_fin", "tcp_queue_rcv"]


def tcp_queue_rcv(sk: TcpSock, skb: SkBuff) -> bool:
    """Put a segment, its header taken off, behind what is queued; True when it went into the one
    before. Linux: tcp_queue_rcv.
    """
    end = skb.cb.end_seq
    sk.bytes_received += end - sk.rcv_nxt & 0xFFFFFFFF
    sk.rcv_nxt = end
    queue = sk.sk_receive_queue
    if queue and tcp_try_coalesce(sk, queue[-1], skb):
        return True
    tcp_set_owner_r(sk, skb)
    queue.append(skb)
    return False


def tcp_data_ready(sk: TcpSock) -> None:
    """Wake the reader when there is as much as it asked for (SO_RCVLOWAT), or no room for more.

    Linux: tcp_data_ready, tcp_epollin_ready.
    """
    available = sk.rcv_nxt - sk.copied_seq & 0xFFFFFFFF
    if (
        available >= sk.sk_rcvlowat
        or sk.sock_done
        or sk.sk_rmem_alloc > sk.sk_rcvbuf
        or tcp_receive_window(sk) <= sk.icsk_ack_rcv_mss
    ):
        sk.sk_data_ready(sk)


# -- FIN -------------------------------------------------------------------------------------------


def tcp_fin(sk: TcpSock) -> None:
    """The peer's stream has ended, and everything before has come. Linux: tcp_fin."""
    sk.icsk_ack_pending |= ICSK_ACK_SCHED
    sk.sk_shutdown |= RCV_SHUTDOWN
    sk.sock_done = True
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


# -- a hole is filled ------------------------------------------------------------------------------


def _ofo_queue(sk: TcpSock) -> None:
    """Move what is in order now to the receive queue. Linux: tcp_ofo_queue."""
    queue = sk.ofo_queue
    while queue and not after(queue[0].cb.seq, sk.rcv_nxt):
        skb = queue.pop(0)
        cb: TcpSkbCb = skb.cb
        if before(cb.seq, sk.rcv_nxt):
            tcp_dsack_set(sk, cb.seq, cb.end_seq if before(cb.end_seq, sk.rcv_nxt) else sk.rcv_nxt)
        if not after(cb.end_seq, sk.rcv_nxt):
            kfree_skb_reason(skb, drop_reason.TCP_OFO_DROP)
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


# -- every segment with data -----------------------------------------------------------------------


def _out_of_window(sk: TcpSock, skb: SkBuff, reason: str) -> None:
    """Answer at once to a segment that cannot be taken, and drop it.

    Linux: tcp_data_queue, label out_of_window.
    """
    tcp_enter_quickack_mode(sk)
    sk.icsk_ack_pending |= ICSK_ACK_SCHED
    kfree_skb_reason(skb, reason)


def _zero_window(sk: TcpSock, skb: SkBuff) -> None:
    sk.net.count("TCPZeroWindowDrop")
    _out_of_window(sk, skb, drop_reason.TCP_ZEROWINDOW)


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
    sk.dsack = None
    window = tcp_receive_window(sk)
    if cb.seq == sk.rcv_nxt:
        # Some stacks send a FIN alone into a closed window.
        if not window and (skb.len or not cb.flags & TCP_FIN):
            _zero_window(sk, skb)
        else:
            _queue_in_order(sk, skb)
    elif not after(cb.end_seq, sk.rcv_nxt):
        sk.net.count("DelayedACKLost")
        tcp_dsack_set(sk, cb.seq, cb.end_seq)
        _out_of_window(sk, skb, drop_reason.TCP_OLD_DATA)
    elif not before(cb.seq, sk.rcv_nxt + window & 0xFFFFFFFF):
        _out_of_window(sk, skb, drop_reason.TCP_OVERWINDOW)
    elif after(cb.seq, sk.rcv_nxt):
        tcp_data_queue_ofo(sk, skb)
    else:
        tcp_dsack_set(sk, cb.seq, sk.rcv_nxt)
        if window:
            _queue_in_order(sk, skb)
        else:
            _zero_window(sk, skb)


def _queue_in_order(sk: TcpSock, skb: SkBuff) -> None:
    """Linux: tcp_data_queue, label queue_and_out."""
    cb: TcpSkbCb = skb.cb
    if not tcp_try_rmem_schedule(sk, skb):
        sk.icsk_ack_pending |= ICSK_ACK_NOW | ICSK_ACK_SCHED
        sk.sk_data_ready(sk)
        if sk.sk_receive_queue and skb.len:
            sk.net.count("TCPRcvQDrop")
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
        tcp_data_ready(sk)
