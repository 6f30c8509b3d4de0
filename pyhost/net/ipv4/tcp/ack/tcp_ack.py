"""Acknowledgements that come in. RFC 9293 section 3.10.7.4, RFC 5681, RFC 2018. Linux:
net/ipv4/tcp_input.c tcp_ack.

An ACK moves the window, takes what is acknowledged off the retransmit queue, gives samples of RTT
and delivery rate, and lets the congestion control decide how much more may leave. What it says is
collected in FLAG_* bits and in `sk.ack_sample` on the way.
"""

from __future__ import annotations

from pyhost.net.core.neighbour import neigh_confirm
from pyhost.net.core.sock import TCP_SYN_SENT
from pyhost.net.ipv4.tcp.ack.tcp_ack_flags import (
    FLAG_CA_ALERT,
    FLAG_DATA,
    FLAG_DATA_ACKED,
    FLAG_DSACKING_ACK,
    FLAG_ECE,
    FLAG_FORWARD_PROGRESS,
    FLAG_NO_CHALLENGE_ACK,
    FLAG_NOT_DUP,
    FLAG_SET_XMIT_TIMER,
    FLAG_SLOWPATH,
    FLAG_SND_UNA_ADVANCED,
    FLAG_UPDATE_TS_RECENT,
    FLAG_WIN_UPDATE,
    REXMIT_NEW,
    REXMIT_NONE,
)
from pyhost.net.ipv4.tcp.ack.tcp_clean_rtx import tcp_clean_rtx_queue
from pyhost.net.ipv4.tcp.ack.tcp_rate import tcp_rate_gen
from pyhost.net.ipv4.tcp.ack.tcp_sacktag import tcp_sacktag_write_queue
from pyhost.net.ipv4.tcp.congestion.tcp_ecn import tcp_ecn_accept_cwr, tcp_ecn_rcv_ecn_echo
from pyhost.net.ipv4.tcp.input.tcp_oow import tcp_send_challenge_ack
from pyhost.net.ipv4.tcp.output.tcp_pacing import tcp_reset_xmit_timer, tcp_update_pacing_rate
from pyhost.net.ipv4.tcp.output.tcp_probe import tcp_clamp_probe0_to_user_timeout, tcp_probe0_when
from pyhost.net.ipv4.tcp.output.tcp_xmit import (
    tcp_push_pending_frames,
    tcp_slow_start_after_idle_check,
)
from pyhost.net.ipv4.tcp.recovery.tcp_prr import tcp_cwnd_reduction
from pyhost.net.ipv4.tcp.recovery.tcp_rack import tcp_rack_update_reo_wnd
from pyhost.net.ipv4.tcp.recovery.tcp_recovery import tcp_fastretrans_alert
from pyhost.net.ipv4.tcp.recovery.tcp_reordering import tcp_highest_sack_seq
from pyhost.net.ipv4.tcp.recovery.tcp_retransmit import tcp_xmit_retransmit_queue
from pyhost.net.ipv4.tcp.recovery.tcp_tlp import tcp_process_tlp_ack
from pyhost.net.ipv4.tcp.recovery.tcp_xmit_timer import tcp_set_xmit_timer
from pyhost.net.ipv4.tcp.tcp_sock import (
    ICSK_TIME_PROBE0,
    TCP_CA_CWR,
    TCP_CA_OPEN,
    TCP_CA_RECOVERY,
    TCP_NAGLE_OFF,
    TcpSkbCb,
    TcpSock,
    after,
    before,
)
from pyhost.net.ipv4.tcp.tcp_window import tcp_current_mss, tcp_sync_mss
from pyhost.uapi.tcp import TCP_CWR, TCP_ECE, TCP_SYN

__all__ = ["tcp_ack", "tcp_replace_ts_recent"]


def tcp_replace_ts_recent(sk: TcpSock, seq: int) -> None:
    """Remember the peer's timestamp, to echo it (RFC 7323 section 4.3).

    Linux: tcp_replace_ts_recent.
    """
    if (
        sk.saw_tstamp
        and not (sk.rcv_wup - seq) & 0x80000000
        and not (sk.rcv_tsval - sk.ts_recent) & 0x80000000
    ):
        sk.ts_recent = sk.rcv_tsval
        sk.ts_recent_stamp = sk.net.kernel.clock.now or 1


def _update_window(sk: TcpSock, cb: TcpSkbCb, ack: int, window: int) -> int:
    """Take the peer's window when the segment is newer than the last that gave one.

    Linux: tcp_ack_update_window, tcp_may_update_window.
    """
    if not cb.flags & TCP_SYN:
        window <<= sk.snd_wscale
    flag = 0
    newer = after(ack, sk.snd_una) or after(cb.seq, sk.snd_wl1)
    if newer or (cb.seq == sk.snd_wl1 and (window > sk.snd_wnd or not window)):
        flag = FLAG_WIN_UPDATE
        sk.snd_wl1 = cb.seq
        if sk.snd_wnd != window:
            sk.snd_wnd = window
            sk.pred_window = window >> sk.snd_wscale
            if sk.sk_write_queue:
                tcp_slow_start_after_idle_check(sk)
            if window > sk.max_window:
                sk.max_window = window
                tcp_sync_mss(sk, sk.icsk_pmtu_cookie)
    sk.bytes_acked += ack - sk.snd_una & 0xFFFFFFFF
    sk.snd_una = ack
    return flag


def _ack_probe(sk: TcpSock) -> None:
    """An ACK while nothing is out: the window may have opened. Linux: tcp_ack_probe."""
    if not sk.sk_write_queue:
        return
    head_end = sk.sk_write_queue[0].cb.end_seq
    if not after(head_end, sk.snd_una + sk.snd_wnd & 0xFFFFFFFF):
        sk.icsk_backoff = 0
        sk.icsk_probes_tstamp = 0
        sk.icsk_pending = 0
    else:
        when = tcp_clamp_probe0_to_user_timeout(sk, tcp_probe0_when(sk))
        tcp_reset_xmit_timer(sk, ICSK_TIME_PROBE0, when)


def _cong_control(sk: TcpSock, ack: int, flag: int) -> None:
    """How much may be on the way now. Linux: tcp_cong_control, tcp_may_raise_cwnd."""
    sample = sk.ack_sample
    state = sk.icsk_ca_state
    if state in (TCP_CA_RECOVERY, TCP_CA_CWR):
        tcp_cwnd_reduction(sk, sample.acked_sacked, sample.losses, flag)
    elif flag & (
        FLAG_FORWARD_PROGRESS if sk.reordering > sk.net.tcp.reordering else FLAG_DATA_ACKED
    ):
        sk.icsk_ca_ops.cong_avoid(sk, ack, sample.acked_sacked)
        sk.snd_cwnd_stamp = sk.tcp_mstamp
    tcp_update_pacing_rate(sk)


def _xmit_recovery(sk: TcpSock, rexmit: int) -> None:
    """Send what the state calls for: new data first (F-RTO) or what is lost.

    Linux: tcp_xmit_recovery.
    """
    if rexmit == REXMIT_NONE or sk.sk_state == TCP_SYN_SENT:
        return
    if rexmit == REXMIT_NEW:
        tcp_push_pending_frames(sk, tcp_current_mss(sk), TCP_NAGLE_OFF)
        if after(sk.snd_nxt, sk.high_seq):
            return
        sk.frto = False
    tcp_xmit_retransmit_queue(sk)


def _newly_delivered(sk: TcpSock, prior: int, flag: int) -> int:
    """How many segments this ACK delivered. Linux: tcp_newly_delivered."""
    delivered = sk.delivered - prior
    if delivered:
        sk.net.count("TCPDelivered", delivered)
        if flag & FLAG_ECE:
            sk.net.count("TCPDeliveredCE", delivered)
            sk.delivered_ce += delivered
    return delivered


def _sacktag(sk: TcpSock, ack: int, prior_una: int) -> int:
    """Take the SACK option, if there is one."""
    if not sk.rx_sack:
        return 0
    flag = tcp_sacktag_write_queue(sk, ack, prior_una)
    sk.delivered += sk.ack_sample.sack_delivered
    return flag


def _unacceptable(sk: TcpSock, flag: int) -> int:
    """An ACK from before what the peer may still repeat, or for what was never sent, is answered
    with where we stand (RFC 5961 5.2).
    """
    if not flag & FLAG_NO_CHALLENGE_ACK:
        tcp_send_challenge_ack(sk)
    return -1


def _old_ack(sk: TcpSock, ack: int, flag: int) -> int:
    """An ACK for less than is acknowledged: only its SACK blocks may be news.

    Linux: tcp_ack, label old_ack.
    """
    window = min(sk.max_window, sk.bytes_acked)
    if before(ack, sk.snd_una - window & 0xFFFFFFFF):
        return _unacceptable(sk, flag)
    if sk.rx_sack:
        prior_delivered = sk.delivered
        sk.ack_sample.reset()
        una = sk.snd_una
        flag |= _sacktag(sk, ack, una)
        flag, rexmit = tcp_fastretrans_alert(sk, una, 0, flag)
        _newly_delivered(sk, prior_delivered, flag)
        _xmit_recovery(sk, rexmit)
    return 0


def _nothing_out(sk: TcpSock, ack: int, prior_una: int, prior_delivered: int, flag: int) -> int:
    """The rest of an ACK that came while nothing was out. Linux: tcp_ack, label no_queue."""
    if flag & FLAG_DSACKING_ACK:
        flag, _ = tcp_fastretrans_alert(sk, prior_una, 0, flag)
        _newly_delivered(sk, prior_delivered, flag)
    _ack_probe(sk)
    if sk.tlp_high_seq is not None:
        tcp_process_tlp_ack(sk, ack, flag)
    return 1


def _take_window_and_sack(sk: TcpSock, cb: TcpSkbCb, window: int, flag: int) -> int:
    """First part of an ACK: `snd_una`, the peer's window, SACK, ECN."""
    ack = cb.ack_seq
    prior_una = sk.snd_una
    if flag & (FLAG_SLOWPATH | FLAG_SND_UNA_ADVANCED) == FLAG_SND_UNA_ADVANCED:
        sk.snd_wl1 = cb.seq
        sk.snd_una = ack
        sk.bytes_acked += ack - prior_una & 0xFFFFFFFF
        flag |= FLAG_WIN_UPDATE
        sk.net.count("TCPHPAcks")
    else:
        if cb.seq != cb.end_seq:
            flag |= FLAG_DATA
        else:
            sk.net.count("TCPPureAcks")
        flag |= _update_window(sk, cb, ack, window) | _sacktag(sk, ack, prior_una)
    if cb.flags & (TCP_ECE | TCP_CWR):
        if tcp_ecn_rcv_ecn_echo(sk, cb.flags):
            flag |= FLAG_ECE
        tcp_ecn_accept_cwr(sk, cb)
    sk.sk_err_soft = 0
    sk.icsk_probes_out = 0
    sk.rcv_tstamp = sk.tcp_mstamp
    return flag


def _dst_confirm(sk: TcpSock) -> None:
    """What we sent has arrived, so the next hop is alive. Linux: sk_dst_confirm."""
    dst = sk.sk_dst_cache
    if dst is not None:
        neigh_confirm(sk.net, dst.dev, dst.gateway or sk.inet_daddr)


def _alert(sk: TcpSock, prior_una: int, flag: int) -> tuple[int, int]:
    """The ACK is not plain progress. Linux: the part of tcp_ack for tcp_ack_is_dubious."""
    duplicate = not flag & (FLAG_SND_UNA_ADVANCED | FLAG_NOT_DUP | FLAG_DSACKING_ACK)
    return tcp_fastretrans_alert(sk, prior_una, int(duplicate), flag)


def tcp_ack(sk: TcpSock, cb: TcpSkbCb, flag: int, window: int) -> int:
    """Process the acknowledgement of a segment: 1 new or duplicate, 0 old, -1 not acceptable (drop
    the segment). Linux: tcp_ack.
    """
    prior_una = sk.snd_una
    ack = cb.ack_seq
    if (ack - prior_una) & 0x80000000:
        return _old_ack(sk, ack, flag)
    if (sk.snd_nxt - ack) & 0x80000000:
        return _unacceptable(sk, flag)
    if ack != prior_una:
        flag |= FLAG_SND_UNA_ADVANCED
        sk.icsk_retransmits = 0
    trace = sk.net.kernel.trace
    if trace.on:
        trace.hit("tcp_ack", 0, ack=ack, acked=ack - prior_una & 0xFFFFFFFF)
    prior_fack = tcp_highest_sack_seq(sk)
    prior_packets = sk.packets_out
    prior_delivered = sk.delivered
    prior_lost = sk.lost
    reneged = sk.is_sack_reneg
    sk.ack_sample.reset()
    if flag & FLAG_UPDATE_TS_RECENT:
        tcp_replace_ts_recent(sk, cb.seq)
    flag = _take_window_and_sack(sk, cb, window, flag)
    if not prior_packets:
        return _nothing_out(sk, ack, prior_una, prior_delivered, flag)
    flag = tcp_clean_rtx_queue(sk, prior_fack, prior_una, flag)
    tcp_rack_update_reo_wnd(sk)
    if sk.tlp_high_seq is not None:
        tcp_process_tlp_ack(sk, ack, flag)
    rexmit = REXMIT_NONE
    if not flag & FLAG_NOT_DUP or flag & FLAG_CA_ALERT or sk.icsk_ca_state != TCP_CA_OPEN:
        flag, rexmit = _alert(sk, prior_una, flag)
    if flag & FLAG_SET_XMIT_TIMER:
        tcp_set_xmit_timer(sk)
    if flag & FLAG_FORWARD_PROGRESS or not flag & FLAG_NOT_DUP:
        _dst_confirm(sk)
    tcp_rate_gen(sk, _newly_delivered(sk, prior_delivered, flag), sk.lost - prior_lost, reneged)
    _cong_control(sk, ack, flag)
    if rexmit:
        _xmit_recovery(sk, rexmit)
    return 1
