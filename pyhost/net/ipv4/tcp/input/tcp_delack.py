"""When to acknowledge what came in: quick and delayed ACKs, the guess at the peer's segment size,
and the window that follows. RFC 1122 section 4.2.3.2. Linux: net/ipv4/tcp_input.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_USEC
from pyhost.net.core.sock import TCP_CLOSE, TCP_LISTEN
from pyhost.net.ipv4.tcp.congestion.tcp_ecn import TCP_ECN_OK, tcp_ecn_check_ce
from pyhost.net.ipv4.tcp.handshake.inet_connection_sock import inet_csk_in_pingpong_mode
from pyhost.net.ipv4.tcp.input.tcp_rcv_rtt import tcp_rcv_rtt_measure
from pyhost.net.ipv4.tcp.output.tcp_ctl import tcp_send_ack, tcp_send_delayed_ack
from pyhost.net.ipv4.tcp.output.tcp_output import TCP_ATO_MIN
from pyhost.net.ipv4.tcp.tcp_sock import (
    ICSK_ACK_NOW,
    ICSK_ACK_PUSHED,
    ICSK_ACK_PUSHED2,
    ICSK_ACK_SCHED,
    TcpSock,
)
from pyhost.net.ipv4.tcp.tcp_window import tcp_space, tcp_win_from_space, tcp_window_candidate
from pyhost.uapi.rtnetlink import RTAX_QUICKACK
from pyhost.uapi.tcp import TCP_FIN, TCP_PSH, TCP_SYN, TCP_URG

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = [
    "ECN_QUICKACKS", "TCP_ACK_DEFERRED", "tcp_ack_snd_check", "tcp_compressed_ack_kick",
    "tcp_enter_quickack_mode", "tcp_event_data_recv", "tcp_fast_path_check", "tcp_fast_path_on",
    "tcp_grow_window", "tcp_measure_rcv_mss",
]  # fmt: skip

TCP_MAX_QUICKACKS = 16
TCP_MSS_DEFAULT = 536
TCP_MIN_MSS = 88
TCP_HEADER = 20
MAX_TCP_OPTION_SPACE = 40
TCP_REMNANT = TCP_FIN | TCP_URG | TCP_SYN | TCP_PSH
GROW_WINDOW_MIN = 128
TCP_FASTRETRANS_THRESH = 3
TCP_ACK_DEFERRED = 1 << 3
ECN_QUICKACKS = 2


# -- header prediction -----------------------------------------------------------------------------


def tcp_fast_path_on(sk: TcpSock) -> None:
    """Note what the header of the next plain segment looks like. Linux: tcp_fast_path_on."""
    sk.pred_off_flags = sk.tcp_header_len << 10 | 0x10
    sk.pred_window = sk.snd_wnd >> sk.snd_wscale


def tcp_fast_path_check(sk: TcpSock) -> None:
    """Linux: tcp_fast_path_check."""
    if not sk.ofo_queue and sk.rcv_wnd and sk.sk_rmem_alloc < sk.sk_rcvbuf and not sk.urg_data:
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


def _set_scaling_ratio(sk: TcpSock, ratio: int) -> None:
    """How much of the buffer is payload has changed: the window's clamp follows."""
    ratio = min(ratio, 255)
    if ratio == sk.rcv_mss_ratio:
        return
    sk.rcv_mss_ratio = ratio
    clamp = tcp_win_from_space(sk, sk.sk_rcvbuf)
    sk.window_clamp = clamp
    sk.rcv_ssthresh = min(sk.rcv_ssthresh, clamp)
    sk.rcvq_space = min(sk.rcvq_space, clamp)


def tcp_measure_rcv_mss(sk: TcpSock, skb: SkBuff) -> None:
    """Guess the size of the peer's segments, for the delayed ACK. Linux: tcp_measure_rcv_mss."""
    length = skb.shinfo.gso_size or skb.len
    last = sk.icsk_ack_last_seg_size
    sk.icsk_ack_last_seg_size = 0
    if length >= sk.icsk_ack_rcv_mss:
        if length != sk.icsk_ack_rcv_mss:
            _set_scaling_ratio(sk, max((skb.len << 8) // skb.truesize, 1))
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


def tcp_grow_window(sk: TcpSock, skb: SkBuff) -> None:
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
    tcp_measure_rcv_mss(sk, skb)
    tcp_rcv_rtt_measure(sk)
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
    if sk.ecn_flags & TCP_ECN_OK and tcp_ecn_check_ce(sk, skb):
        tcp_enter_quickack_mode(sk, ECN_QUICKACKS)
    if skb.len >= GROW_WINDOW_MIN and sk.rcv_ssthresh < sk.window_clamp:
        tcp_grow_window(sk, skb)


def _route_wants_quickack(sk: TcpSock) -> bool:
    """Whether the route forbids delayed ACKs. Linux: tcp_in_quickack_mode."""
    dst = sk.sk_dst_cache
    return dst is not None and bool(dst.metrics) and bool(dst.metric(RTAX_QUICKACK))


def _ack_is_due(sk: TcpSock, pending: int) -> bool:
    """Whether the ACK must leave now. Linux: the first test of __tcp_ack_snd_check."""
    if sk.rcv_nxt - sk.rcv_wup & 0xFFFFFFFF > sk.icsk_ack_rcv_mss:
        unread = sk.rcv_nxt - sk.copied_seq & 0xFFFFFFFF
        if unread < sk.sk_rcvlowat or tcp_window_candidate(sk) >= sk.rcv_wnd:
            return True
    return bool(
        pending & ICSK_ACK_NOW
        or (sk.icsk_ack_quick and not inet_csk_in_pingpong_mode(sk))
        or _route_wants_quickack(sk)
    )


def tcp_ack_snd_check(sk: TcpSock, ofo_possible: bool = True) -> None:
    """Send the ACK that is due, or let it wait. Linux: tcp_ack_snd_check, __tcp_ack_snd_check.

    What a task processes from its own backlog is acknowledged once, at the end.
    """
    pending = sk.icsk_ack_pending
    if not pending & ICSK_ACK_SCHED:
        return
    if _ack_is_due(sk, pending):
        if sk.owner is not None and sk.net.tcp.backlog_ack_defer:
            sk.deferred |= TCP_ACK_DEFERRED
        else:
            tcp_send_ack(sk)
    elif ofo_possible and sk.ofo_queue:
        _ofo_ack(sk)
    else:
        tcp_send_delayed_ack(sk)


def _ofo_ack(sk: TcpSock) -> None:
    """There is a hole: the sender needs duplicate ACKs, but not hundreds of them. After three,
    SACKs are gathered for 5 % of a round trip, 1 ms at most.
    """
    tcp = sk.net.tcp
    if not sk.sack_ok or sk.compressed_ack >= tcp.comp_sack_nr:
        tcp_send_ack(sk)
        return
    if sk.compressed_ack_rcv_nxt != sk.rcv_nxt:
        sk.compressed_ack_rcv_nxt = sk.rcv_nxt
        sk.dup_ack_counter = 0
    if sk.dup_ack_counter < TCP_FASTRETRANS_THRESH:
        sk.dup_ack_counter += 1
        tcp_send_ack(sk)
        return
    sk.compressed_ack += 1
    if sk.compressed_ack_timer.pending:
        return
    rtt = min(sk.rcv_rtt_us, sk.srtt_us) if sk.srtt_us else sk.rcv_rtt_us
    delay = min(tcp.comp_sack_delay_ns, (rtt * NSEC_PER_USEC >> 3) // 20)
    sk.compressed_ack_timer.mod(sk.net.kernel.clock.now + delay)


def tcp_compressed_ack_kick(sk: TcpSock) -> None:
    """Send the SACK that was held back. Linux: tcp_compressed_ack_kick."""
    if sk.compressed_ack and sk.sk_state not in (TCP_CLOSE, TCP_LISTEN):
        sk.compressed_ack -= 1
        sk.tcp_mstamp = sk.net.kernel.clock.now
        tcp_send_ack(sk)
