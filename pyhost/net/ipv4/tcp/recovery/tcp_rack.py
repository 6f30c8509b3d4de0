"""RACK: loss is told by time. RFC 8985. Linux: net/ipv4/tcp_recovery.c.

Of all segments that were delivered, RACK remembers the one that left last. Whatever left before it
and is still missing after one RTT and a little more (`reo_wnd`, the time that reordering may take)
is lost. As each copy of a segment has its own time, a lost retransmission is found too, and a
lost tail as soon as anything sent later is acknowledged. What is not yet late is looked at again
when the reordering timer fires.

`reo_wnd` is 0 until reordering was seen (once duplicates reach `reordering`, or in recovery), then
a quarter of the smallest RTT. Each round in which the peer reports duplicates (DSACK) adds another
quarter, up to the smoothed RTT; 16 recoveries without such a report make it small again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_USEC
from pyhost.net.ipv4.tcp.handshake.inet_connection_sock import inet_csk_reset_xmit_timer
from pyhost.net.ipv4.tcp.output.tcp_fragment import tcp_fragment
from pyhost.net.ipv4.tcp.tcp_sock import (
    ICSK_TIME_REO_TIMEOUT,
    TCP_CA_RECOVERY,
    TCPCB_EVER_RETRANS,
    TCPCB_LOST,
    TCPCB_SACKED_ACKED,
    TCPCB_SACKED_RETRANS,
    TcpSkbCb,
    TcpSock,
)

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = [
    "TCP_RACK_LOSS_DETECTION", "TCP_RACK_NO_DUPTHRESH", "TCP_RACK_RECOVERY_THRESH",
    "TCP_RACK_STATIC_REO_WND", "TCP_TIMEOUT_MIN_US", "tcp_mark_skb_lost", "tcp_newreno_mark_lost",
    "tcp_rack_advance", "tcp_rack_detect_loss", "tcp_rack_mark_lost", "tcp_rack_skb_timeout",
    "tcp_rack_update_reo_wnd",
]  # fmt: skip

# Bits of sysctl tcp_recovery.
TCP_RACK_LOSS_DETECTION = 1
TCP_RACK_STATIC_REO_WND = 2
TCP_RACK_NO_DUPTHRESH = 4

TCP_RACK_RECOVERY_THRESH = 16
TCP_TIMEOUT_MIN_US = 2000
REO_WND_STEPS_MAX = 255


def tcp_mark_skb_lost(sk: TcpSock, skb: SkBuff) -> None:
    """Tag a segment as lost; one that was retransmitted must go once more.

    Linux: tcp_mark_skb_lost, tcp_notify_skb_loss_event.
    """
    cb: TcpSkbCb = skb.cb
    sacked = cb.sacked
    if sacked & TCPCB_SACKED_ACKED:
        return
    pcount = cb.pcount
    if not sacked & TCPCB_LOST:
        cb.sacked = sacked | TCPCB_LOST
        sk.lost_out += pcount
        sk.lost += pcount
    elif sacked & TCPCB_SACKED_RETRANS:
        cb.sacked = sacked & ~TCPCB_SACKED_RETRANS
        sk.retrans_out -= pcount
        sk.lost += pcount
        sk.net.count("TCPLostRetransmit", pcount)


def tcp_rack_advance(sk: TcpSock, sacked: int, end_seq: int, sent: int) -> None:
    """A segment that left at `sent` (ns) was delivered. Linux: tcp_rack_advance.

    If it had been retransmitted and the answer came faster than any RTT, the answer was to the
    original: that says nothing about the copy.
    """
    rtt_us = (sk.tcp_mstamp - sent) // NSEC_PER_USEC
    if sacked & TCPCB_EVER_RETRANS and rtt_us < sk.min_rtt_us:
        return
    rack = sk.rack
    rack.advanced = True
    rack.rtt_us = rtt_us
    if sent > rack.tstamp or (sent == rack.tstamp and (rack.end_seq - end_seq) & 0x80000000):
        rack.tstamp = sent
        rack.end_seq = end_seq


def _reo_wnd(sk: TcpSock) -> int:
    """How much later than its successors a segment may come, in µs. Linux: tcp_rack_reo_wnd."""
    if not sk.reord_seen:
        if sk.icsk_ca_state >= TCP_CA_RECOVERY:
            return 0
        if sk.sacked_out >= sk.reordering and not sk.net.tcp.recovery & TCP_RACK_NO_DUPTHRESH:
            return 0
    return min((sk.min_rtt_us >> 2) * sk.rack.reo_wnd_steps, sk.srtt_us >> 3)


def tcp_rack_skb_timeout(sk: TcpSock, cb: TcpSkbCb, reo_wnd: int) -> int:
    """µs until the segment counts as lost. Linux: tcp_rack_skb_timeout."""
    return sk.rack.rtt_us + reo_wnd - (sk.tcp_mstamp - cb.tstamp) // NSEC_PER_USEC


def tcp_rack_detect_loss(sk: TcpSock) -> int:
    """Tag what is lost by now; µs until the last of the others would be, 0: there are none.

    Linux: tcp_rack_detect_loss. It walks a list in the order of sending, so that it can stop at the
    first segment that left later; here the queue is walked in order of sequence numbers.
    """
    rack = sk.rack
    newest, newest_end = rack.tstamp, rack.end_seq
    reo_wnd = _reo_wnd(sk)
    longest = 0
    for skb in sk.tcp_rtx_queue:
        cb: TcpSkbCb = skb.cb
        sacked = cb.sacked
        if sacked & TCPCB_SACKED_ACKED:
            continue
        if sacked & (TCPCB_LOST | TCPCB_SACKED_RETRANS) == TCPCB_LOST:
            continue
        sent = cb.tstamp
        if sent > newest or (sent == newest and not (cb.end_seq - newest_end) & 0x80000000):
            continue
        remaining = tcp_rack_skb_timeout(sk, cb, reo_wnd)
        if remaining <= 0:
            tcp_mark_skb_lost(sk, skb)
        elif remaining > longest:
            longest = remaining
    return longest


def tcp_rack_mark_lost(sk: TcpSock) -> bool:
    """Look for losses if this ACK brought news; True: the reordering timer runs for the others.

    Linux: tcp_rack_mark_lost.
    """
    if not sk.rack.advanced:
        return False
    sk.rack.advanced = False
    timeout = tcp_rack_detect_loss(sk)
    if timeout:
        delay = (timeout + TCP_TIMEOUT_MIN_US) * NSEC_PER_USEC
        inet_csk_reset_xmit_timer(sk, ICSK_TIME_REO_TIMEOUT, delay, sk.icsk_rto)
    return timeout != 0


def tcp_rack_update_reo_wnd(sk: TcpSock) -> None:
    """Widen the reordering window, at most once a round trip, when duplicates were reported.

    Linux: tcp_rack_update_reo_wnd.
    """
    sample = sk.ack_sample
    if sk.net.tcp.recovery & TCP_RACK_STATIC_REO_WND or not sample.prior_delivered:
        return
    rack = sk.rack
    if sample.prior_delivered < rack.last_delivered:
        rack.dsack_seen = False
    if rack.dsack_seen:
        rack.reo_wnd_steps = min(REO_WND_STEPS_MAX, rack.reo_wnd_steps + 1)
        rack.dsack_seen = False
        rack.last_delivered = sk.delivered
        rack.reo_wnd_persist = TCP_RACK_RECOVERY_THRESH
    elif not rack.reo_wnd_persist:
        rack.reo_wnd_steps = 1


def tcp_newreno_mark_lost(sk: TcpSock, snd_una_advanced: bool) -> None:
    """Without SACK: the head is lost when enough duplicate ACKs came, and when an ACK in recovery
    acknowledges only a part (RFC 6582). Linux: tcp_newreno_mark_lost.
    """
    state = sk.icsk_ca_state
    dupacks = state < TCP_CA_RECOVERY and sk.sacked_out >= sk.reordering
    partial = state == TCP_CA_RECOVERY and snd_una_advanced
    if not (dupacks or partial) or not sk.tcp_rtx_queue:
        return
    skb = sk.tcp_rtx_queue[0]
    cb: TcpSkbCb = skb.cb
    if cb.sacked & TCPCB_LOST:
        return
    mss = cb.gso_size
    if cb.pcount > 1 and skb.len > mss:
        tcp_fragment(sk, skb, mss, mss)
    tcp_mark_skb_lost(sk, skb)
