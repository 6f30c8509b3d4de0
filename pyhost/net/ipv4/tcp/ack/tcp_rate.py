"""Delivery rate samples: how fast the path takes what is sent. Linux: net/ipv4/tcp_rate.c.

When a segment leaves it notes how much had been delivered so far, and when. When it is
acknowledged, what was delivered since then, over the time since then, is a sample of the path's
rate. The time is the longer of two: the one in which the data was sent, and the one in which its
ACKs came, because ACKs may be bunched up but data cannot arrive faster than it was sent.

The sample of the ACK at hand is `sk.ack_sample`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_USEC
from pyhost.net.ipv4.tcp.output.tcp_tsq import IDLE_WMEM
from pyhost.net.ipv4.tcp.tcp_sock import TCPCB_SACKED_ACKED

if TYPE_CHECKING:
    from pyhost.net.ipv4.tcp.ack.tcp_ack_state import AckSample
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSkbCb, TcpSock

__all__ = [
    "tcp_rate_check_app_limited", "tcp_rate_gen", "tcp_rate_skb_delivered",
    "tcp_rate_skb_sent",
]  # fmt: skip


def tcp_rate_skb_sent(sk: TcpSock, cb: TcpSkbCb) -> None:
    """A segment leaves: note where delivery stands. Linux: tcp_rate_skb_sent."""
    if not sk.packets_out:
        sk.first_tx_mstamp = sk.delivered_mstamp = cb.tstamp
    cb.tx_first_mstamp = sk.first_tx_mstamp
    cb.tx_delivered_mstamp = sk.delivered_mstamp
    cb.tx_delivered = sk.delivered
    cb.tx_app_limited = sk.app_limited != 0


def tcp_rate_skb_delivered(sk: TcpSock, cb: TcpSkbCb, rs: AckSample) -> None:
    """A segment is (S)ACKed: the newest one makes the sample. Linux: tcp_rate_skb_delivered."""
    if not cb.tx_delivered_mstamp:
        return
    sent = cb.tstamp
    if not rs.prior_mstamp or (
        sent > sk.first_tx_mstamp
        or (sent == sk.first_tx_mstamp and (rs.last_end_seq - cb.end_seq) & 0x80000000)
    ):
        rs.prior_mstamp = cb.tx_delivered_mstamp
        rs.prior_delivered = cb.tx_delivered
        rs.is_app_limited = cb.tx_app_limited
        rs.last_end_seq = cb.end_seq
        sk.first_tx_mstamp = sent
        rs.interval_us = (sent - cb.tx_first_mstamp) // NSEC_PER_USEC
    if cb.sacked & TCPCB_SACKED_ACKED:
        cb.tx_delivered_mstamp = 0


def tcp_rate_gen(sk: TcpSock, delivered: int, lost: int, is_sack_reneg: bool) -> None:
    """Finish the sample of an ACK that delivered `delivered` segments and showed `lost` as lost.

    Linux: tcp_rate_gen.
    """
    rs = sk.ack_sample
    if sk.app_limited and sk.delivered > sk.app_limited:
        sk.app_limited = 0
    now = sk.tcp_mstamp
    if delivered:
        sk.delivered_mstamp = now
    rs.acked_sacked = delivered
    rs.losses = lost
    if not rs.prior_mstamp or is_sack_reneg:
        rs.delivered = rs.interval_us = -1
        return
    rs.delivered = sk.delivered - rs.prior_delivered
    rs.interval_us = interval = max(rs.interval_us, (now - rs.prior_mstamp) // NSEC_PER_USEC)
    if interval < sk.min_rtt_us:
        rs.interval_us = -1
        return
    best = rs.delivered * sk.rate_interval_us >= sk.rate_delivered * interval
    if best or not rs.is_app_limited:
        sk.rate_delivered = rs.delivered
        sk.rate_interval_us = interval
        sk.rate_app_limited = rs.is_app_limited


def tcp_rate_check_app_limited(sk: TcpSock) -> None:
    """Before new data is queued: if the sender has run dry, samples say little about the path until
    what is out now has been delivered. Linux: tcp_rate_check_app_limited.
    """
    if (
        sk.write_seq - sk.snd_nxt & 0xFFFFFFFF < sk.mss_cache
        and sk.sk_wmem_alloc < IDLE_WMEM
        and sk.packets_in_flight < sk.snd_cwnd
        and sk.lost_out <= sk.retrans_out
    ):
        sk.app_limited = sk.delivered + sk.packets_in_flight or 1
