"""A segment comes in for an established connection: header prediction and the slow path. RFC 9293
section 3.10.7.4. Linux: net/ipv4/tcp_input.c.

The parts have files of their own: whether the segment may be processed (tcp_validate.py), what the
ACK does (tcp_ack.py), what the data does (tcp_data.py), urgent data (tcp_urgent.py); and the other
states: SYN_SENT (tcp_synsent.py), LISTEN (tcp_conn_request.py), the rest (tcp_rcv_state.py).
Functions that end with a segment the peer must be told off for return True: the caller sends the
reset.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from pyhost.net.core import drop_reason
from pyhost.net.core.skbuff import consume_skb
from pyhost.net.ipv4.tcp.ack.tcp_ack import tcp_ack, tcp_replace_ts_recent
from pyhost.net.ipv4.tcp.ack.tcp_ack_flags import FLAG_DATA, FLAG_SLOWPATH, FLAG_UPDATE_TS_RECENT
from pyhost.net.ipv4.tcp.input.tcp_data import tcp_data_queue, tcp_data_ready, tcp_queue_rcv
from pyhost.net.ipv4.tcp.input.tcp_delack import tcp_ack_snd_check, tcp_event_data_recv
from pyhost.net.ipv4.tcp.input.tcp_rcv_rtt import tcp_rcv_rtt_measure_ts
from pyhost.net.ipv4.tcp.input.tcp_urgent import tcp_urg
from pyhost.net.ipv4.tcp.input.tcp_validate import drop_segment, tcp_validate_incoming
from pyhost.net.ipv4.tcp.output.tcp_xmit import tcp_push_pending_frames
from pyhost.net.ipv4.tcp.tcp_mem import tcp_check_space
from pyhost.net.ipv4.tcp.tcp_sock import ICSK_ACK_SCHED, TcpSkbCb, TcpSock
from pyhost.uapi.tcp import (
    TCP_ACK,
    TCP_HDR_LEN,
    TCP_PSH,
    TCP_RST,
    TCP_SYN,
    TCP_URG,
    TS_OPTION_WORD,
)

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["tcp_data_snd_check", "tcp_rcv_established"]

_TS_OPTION = Struct(">III").unpack_from


def tcp_data_snd_check(sk: TcpSock) -> None:
    """The ACK may have made room: send on, wake writers. Linux: tcp_data_snd_check."""
    if sk.sk_write_queue:
        tcp_push_pending_frames(sk)
    if sk.sock_nospace:
        tcp_check_space(sk)


def _predicted(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb) -> bool:
    """Whether the segment is the expected next one, with nothing unusual in it, timestamp read.

    Linux: header prediction.
    """
    off_flags = cb.off_flags & ~TCP_PSH
    if (
        off_flags != sk.pred_off_flags
        or cb.window != sk.pred_window
        or cb.seq != sk.rcv_nxt
        or (sk.snd_nxt - cb.ack_seq) & 0x80000000
    ):
        return False
    sk.saw_tstamp = False
    sk.rx_sack = ()
    if sk.tstamp_ok:
        word, tsval, tsecr = _TS_OPTION(skb.buf, skb.transport_header + TCP_HDR_LEN)
        if word != TS_OPTION_WORD or (tsval - sk.ts_recent) & 0x80000000:
            return False
        sk.saw_tstamp = True
        sk.rcv_tsval = tsval
        sk.rcv_tsecr = tsecr - sk.tsoffset & 0xFFFFFFFF if tsecr else 0
    return True


def tcp_rcv_established(sk: TcpSock, skb: SkBuff) -> bool:
    """A segment in ESTABLISHED. Owns the skb. True: answer with a reset first (the caller frees).

    Linux: tcp_rcv_established.
    """
    cb: TcpSkbCb = skb.cb
    sk.tcp_mstamp = sk.net.kernel.clock.now
    size = cb.off_flags >> 12 << 2
    if _predicted(sk, skb, cb):
        if skb.len == size:
            if sk.saw_tstamp and sk.rcv_nxt == sk.rcv_wup:
                tcp_replace_ts_recent(sk, cb.seq)
            tcp_ack(sk, cb, 0, cb.window)
            consume_skb(skb)
            tcp_data_snd_check(sk)
            sk.rcv_rtt_last_tsecr = sk.rcv_tsecr
            return False
        if skb.truesize <= sk.sk_forward_alloc:
            _predicted_data(sk, skb, cb, size)
            return False
        return _step5(sk, skb, cb)
    return _established_slow(sk, skb, cb)


def _predicted_data(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb, size: int) -> None:
    """In-order data on the fast path."""
    if sk.saw_tstamp:
        if sk.rcv_nxt == sk.rcv_wup:
            tcp_replace_ts_recent(sk, cb.seq)
        tcp_rcv_rtt_measure_ts(sk, skb.len - size)
    skb.pull(size)
    skb.dst = None
    merged = tcp_queue_rcv(sk, skb)
    tcp_event_data_recv(sk, skb)
    if cb.ack_seq != sk.snd_una:
        tcp_ack(sk, cb, FLAG_DATA, cb.window)
        tcp_data_snd_check(sk)
    else:
        sk.snd_wl1 = cb.seq
    if sk.icsk_ack_pending & ICSK_ACK_SCHED:
        tcp_ack_snd_check(sk, False)
    if merged:
        consume_skb(skb)
    tcp_data_ready(sk)


def _established_slow(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb) -> bool:
    """Linux: tcp_rcv_established, label slow_path."""
    if not cb.flags & (TCP_ACK | TCP_RST | TCP_SYN):
        return drop_segment(skb, drop_reason.TCP_FLAGS)
    if not tcp_validate_incoming(sk, skb, cb):
        return False
    if not cb.flags & TCP_ACK:
        return drop_segment(skb, drop_reason.TCP_FLAGS)
    return _step5(sk, skb, cb)


def _step5(sk: TcpSock, skb: SkBuff, cb: TcpSkbCb) -> bool:
    """The ACK, then the text. Linux: tcp_rcv_established, label step5."""
    if tcp_ack(sk, cb, FLAG_SLOWPATH | FLAG_UPDATE_TS_RECENT, cb.window) < 0:
        return drop_segment(skb, drop_reason.TCP_ACK_UNSENT_DATA)
    if sk.saw_tstamp:
        tcp_rcv_rtt_measure_ts(sk, skb.len - (cb.off_flags >> 12 << 2))
    if cb.flags & TCP_URG:
        tcp_urg(sk, skb, cb)
    tcp_data_queue(sk, skb)
    tcp_data_snd_check(sk)
    tcp_ack_snd_check(sk)
    return False
