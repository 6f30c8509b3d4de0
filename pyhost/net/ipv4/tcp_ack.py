"""Acknowledgements that come in. RFC 9293 section 3.10.7.4, RFC 5681, RFC 2018. Linux:
net/ipv4/tcp_input.c tcp_ack.

An ACK moves the window, takes what is acknowledged off the retransmit queue, gives an RTT sample,
and lets the congestion control decide how much more may leave. What it says is collected in FLAG_*
bits on the way.
"""

from __future__ import annotations

from pyhost.net.ipv4.inet_connection_sock import inet_csk_reset_xmit_timer
from pyhost.net.ipv4.tcp_ctl import tcp_probe0_when, tcp_send_ack
from pyhost.net.ipv4.tcp_fragment import tcp_adjust_pcount, tcp_trim_head
from pyhost.net.ipv4.tcp_mem import tcp_wmem_free_skb
from pyhost.net.ipv4.tcp_output import tcp_rearm_rto_now
from pyhost.net.ipv4.tcp_recovery import (
    FLAG_ACKED,
    FLAG_CA_ALERT,
    FLAG_DATA,
    FLAG_DATA_ACKED,
    FLAG_DSACKING_ACK,
    FLAG_FORWARD_PROGRESS,
    FLAG_NOT_DUP,
    FLAG_RETRANS_DATA_ACKED,
    FLAG_SET_XMIT_TIMER,
    FLAG_SLOWPATH,
    FLAG_SND_UNA_ADVANCED,
    FLAG_SYN_ACKED,
    FLAG_UPDATE_TS_RECENT,
    FLAG_WIN_UPDATE,
    tcp_cwnd_reduction,
    tcp_fastretrans_alert,
    tcp_remove_reno_sacks,
)
from pyhost.net.ipv4.tcp_retransmit import tcp_xmit_retransmit_queue
from pyhost.net.ipv4.tcp_rtt import tcp_ack_update_rtt
from pyhost.net.ipv4.tcp_sack import tcp_sacktag_write_queue
from pyhost.net.ipv4.tcp_sock import (
    ICSK_TIME_PROBE0,
    TCP_CA_CWR,
    TCP_CA_OPEN,
    TCP_CA_RECOVERY,
    TCP_RTO_MAX,
    TCPCB_EVER_RETRANS,
    TCPCB_LOST,
    TCPCB_SACKED_ACKED,
    TCPCB_SACKED_RETRANS,
    TcpSkbCb,
    TcpSock,
    after,
    before,
)
from pyhost.net.ipv4.tcp_window import tcp_sync_mss
from pyhost.uapi.tcp import TCP_SYN

__all__ = ["tcp_ack", "tcp_replace_ts_recent", "tcp_send_challenge_ack"]

OOW_ACK_INTERVAL = 500_000_000


def tcp_send_challenge_ack(sk: TcpSock) -> None:
    """Ask a peer that sends something strange where it stands, at most twice a second (RFC 5961
    section 7). Linux: tcp_send_challenge_ack.
    """
    now = sk.net.kernel.clock.now
    if sk.last_oow_ack_time and now - sk.last_oow_ack_time < OOW_ACK_INTERVAL:
        sk.net.count("TCPACKSkippedChallenge")
        return
    sk.last_oow_ack_time = now or 1
    sk.net.count("TCPChallengeACK")
    sk.tcp_mstamp = now
    tcp_send_ack(sk)


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
            if window > sk.max_window:
                sk.max_window = window
                tcp_sync_mss(sk, sk.icsk_pmtu_cookie)
    sk.snd_una = ack
    return flag


def _tso_acked(sk: TcpSock, cb: TcpSkbCb) -> int:
    """Segments of the head super-segment that are acknowledged, while others are not.

    Linux: tcp_tso_acked.
    """
    skb = sk.tcp_rtx_queue[0]
    before_trim = cb.pcount
    tcp_trim_head(sk, skb, sk.snd_una - cb.seq & 0xFFFFFFFF, sk.mss_cache)
    return before_trim - cb.pcount


def _clean_rtx_queue(sk: TcpSock, now: int) -> int:
    """Take what is acknowledged off the retransmit queue. Linux: tcp_clean_rtx_queue."""
    queue = sk.tcp_rtx_queue
    una = sk.snd_una
    flag = 0
    first_sent = last_sent = 0
    acked = 0
    while queue:
        skb = queue[0]
        cb: TcpSkbCb = skb.cb
        pcount = cb.pcount
        fully = not (una - cb.end_seq) & 0x80000000
        if not fully:
            if pcount == 1 or not (cb.seq - una) & 0x80000000:
                break
            pcount = _tso_acked(sk, cb)
            if not pcount:
                break
            tcp_adjust_pcount(sk, skb, pcount)
        sacked = cb.sacked
        if sacked & TCPCB_EVER_RETRANS:
            if sacked & TCPCB_SACKED_RETRANS and fully:
                sk.retrans_out -= pcount
            flag |= FLAG_RETRANS_DATA_ACKED
        elif not sacked & TCPCB_SACKED_ACKED:
            last_sent = cb.tstamp
            if not acked:
                first_sent = last_sent
        if not sacked & TCPCB_SACKED_ACKED and sk.sack_ok:
            sk.delivered += pcount
        acked += pcount
        flag |= FLAG_SYN_ACKED if cb.flags & TCP_SYN else FLAG_DATA_ACKED
        if not fully:
            break
        if sacked & TCPCB_SACKED_ACKED:
            sk.sacked_out -= pcount
        elif sacked & TCPCB_LOST:
            sk.lost_out -= pcount
        sk.packets_out -= pcount
        queue.popleft()
        tcp_wmem_free_skb(sk, skb)
    return _account_acked(sk, flag, acked, now - first_sent if first_sent else -1, now - last_sent)


def _account_acked(sk: TcpSock, flag: int, acked: int, first_rtt: int, last_rtt: int) -> int:
    """The RTT sample (ns; -1 none) and the timer, after the queue was cleaned.

    Linux: the second half of tcp_clean_rtx_queue.
    """
    clean = first_rtt >= 0 and not flag & FLAG_RETRANS_DATA_ACKED
    seq_rtt_us = first_rtt // 1000 if clean else -1
    if tcp_ack_update_rtt(sk, flag, seq_rtt_us, -1) or flag & FLAG_ACKED:
        flag |= FLAG_SET_XMIT_TIMER
    if flag & FLAG_ACKED and not sk.sack_ok:
        tcp_remove_reno_sacks(sk, acked)
    if acked and sk.icsk_ca_ops.pkts_acked is not None:
        sk.icsk_ca_ops.pkts_acked(sk, acked, last_rtt // 1000 if clean else -1)
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
        inet_csk_reset_xmit_timer(sk, ICSK_TIME_PROBE0, tcp_probe0_when(sk), TCP_RTO_MAX)


def _cong_control(sk: TcpSock, ack: int, delivered: int, lost: int, flag: int) -> None:
    """Linux: tcp_cong_control, tcp_may_raise_cwnd."""
    state = sk.icsk_ca_state
    if state in (TCP_CA_CWR, TCP_CA_RECOVERY):
        tcp_cwnd_reduction(sk, delivered, lost, flag)
    elif flag & (
        FLAG_FORWARD_PROGRESS if sk.reordering > sk.net.tcp.reordering else FLAG_DATA_ACKED
    ):
        sk.icsk_ca_ops.cong_avoid(sk, ack, delivered)
        sk.snd_cwnd_stamp = sk.tcp_mstamp


def _old_ack(sk: TcpSock, ack: int, flag: int) -> int:
    """An ACK for less than is acknowledged: only its SACK blocks may be news.

    Linux: tcp_ack, label old_ack.
    """
    window = min(sk.max_window, 0x3FFFFFFF)
    if before(ack, sk.snd_una - window & 0xFFFFFFFF):
        tcp_send_challenge_ack(sk)
        return -1
    if sk.rx_sack and sk.packets_out:
        flag |= tcp_sacktag_write_queue(sk, ack, sk.snd_una)
        if tcp_fastretrans_alert(sk, 0, flag):
            tcp_xmit_retransmit_queue(sk)
    return 0


def tcp_ack(sk: TcpSock, cb: TcpSkbCb, flag: int, window: int) -> int:
    """Process the acknowledgement of a segment: 1 new or duplicate, 0 old, -1 not acceptable (drop
    the segment). Linux: tcp_ack.
    """
    prior_una = sk.snd_una
    ack = cb.ack_seq
    prior_packets = sk.packets_out
    if (ack - prior_una) & 0x80000000:
        return _old_ack(sk, ack, flag)
    if (sk.snd_nxt - ack) & 0x80000000:
        return -1
    if ack != prior_una:
        flag |= FLAG_SND_UNA_ADVANCED
        sk.icsk_retransmits = 0
    trace = sk.net.kernel.trace
    if trace.on:
        trace.hit("tcp_ack", 0, ack=ack, acked=ack - prior_una & 0xFFFFFFFF)
    now = sk.tcp_mstamp
    prior_delivered = sk.delivered
    prior_lost = sk.lost_out
    if flag & FLAG_UPDATE_TS_RECENT:
        tcp_replace_ts_recent(sk, cb.seq)
    if flag & (FLAG_SLOWPATH | FLAG_SND_UNA_ADVANCED) == FLAG_SND_UNA_ADVANCED:
        sk.snd_wl1 = cb.seq
        sk.snd_una = ack
        flag |= FLAG_WIN_UPDATE
    else:
        if cb.seq != cb.end_seq:
            flag |= FLAG_DATA
        flag |= _update_window(sk, cb, ack, window)
        if sk.rx_sack:
            flag |= tcp_sacktag_write_queue(sk, ack, prior_una)
    sk.sk_err_soft = 0
    sk.icsk_probes_out = 0
    sk.rcv_tstamp = now
    if not prior_packets:
        _ack_probe(sk)
        return 1
    flag |= _clean_rtx_queue(sk, now)
    if flag & FLAG_SET_XMIT_TIMER:
        tcp_rearm_rto_now(sk)
    retransmit = False
    if not flag & FLAG_NOT_DUP or flag & FLAG_CA_ALERT or sk.icsk_ca_state != TCP_CA_OPEN:
        duplicate = not flag & (FLAG_SND_UNA_ADVANCED | FLAG_NOT_DUP | FLAG_DSACKING_ACK)
        retransmit = tcp_fastretrans_alert(sk, int(duplicate), flag)
    _cong_control(sk, ack, sk.delivered - prior_delivered, max(sk.lost_out - prior_lost, 0), flag)
    if retransmit:
        tcp_xmit_retransmit_queue(sk)
    return 1
