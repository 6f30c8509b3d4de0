"""Bringing the congestion window down: proportional rate reduction. RFC 6937 and its revision.
Linux: net/ipv4/tcp_input.c.

From the moment the reduction begins, each ACK lets go as many segments as keeps the ratio
ssthresh / prior_cwnd between what is sent and what is delivered. Once less is on the way than
ssthresh (because more was lost), the window grows again: by what was delivered at least
(conservative, CRB), and by one segment more while the ACK makes progress and shows no new loss
(slow start, SSRB).
"""

from __future__ import annotations

from pyhost.net.ipv4.tcp.ack.tcp_ack_flags import FLAG_SND_UNA_ADVANCED
from pyhost.net.ipv4.tcp.congestion.tcp_cong import (
    CA_EVENT_COMPLETE_CWR,
    tcp_ca_event,
    tcp_set_ca_state,
)
from pyhost.net.ipv4.tcp.congestion.tcp_ecn import tcp_ecn_queue_cwr
from pyhost.net.ipv4.tcp.tcp_sock import (
    TCP_CA_CWR,
    TCP_CA_RECOVERY,
    TCP_INFINITE_SSTHRESH,
    TcpSock,
)

__all__ = [
    "tcp_cwnd_reduction", "tcp_end_cwnd_reduction", "tcp_enter_cwr", "tcp_in_cwnd_reduction",
    "tcp_init_cwnd_reduction",
]  # fmt: skip


def tcp_in_cwnd_reduction(sk: TcpSock) -> bool:
    """Whether the window is on its way down. Linux: tcp_in_cwnd_reduction."""
    return sk.icsk_ca_state == TCP_CA_CWR or sk.icsk_ca_state == TCP_CA_RECOVERY


def tcp_init_cwnd_reduction(sk: TcpSock) -> None:
    """A reduction begins; ssthresh is where it ends. Linux: tcp_init_cwnd_reduction."""
    sk.high_seq = sk.snd_nxt
    sk.tlp_high_seq = None
    sk.snd_cwnd_cnt = 0
    sk.prior_cwnd = sk.snd_cwnd
    sk.prr_delivered = sk.prr_out = 0
    sk.snd_ssthresh = sk.icsk_ca_ops.ssthresh(sk)
    tcp_ecn_queue_cwr(sk)


def tcp_cwnd_reduction(sk: TcpSock, newly_acked_sacked: int, newly_lost: int, flag: int) -> None:
    """An ACK came while the window is reduced: how much may be on the way now.

    Linux: tcp_cwnd_reduction.
    """
    if newly_acked_sacked <= 0 or not sk.prior_cwnd:
        return
    in_flight = sk.packets_in_flight
    delta = sk.snd_ssthresh - in_flight
    sk.prr_delivered += newly_acked_sacked
    if delta < 0:
        sndcnt = -(-sk.snd_ssthresh * sk.prr_delivered // sk.prior_cwnd) - sk.prr_out
    else:
        sndcnt = max(sk.prr_delivered - sk.prr_out, newly_acked_sacked)
        if flag & FLAG_SND_UNA_ADVANCED and not newly_lost:
            sndcnt += 1
        sndcnt = min(delta, sndcnt)
    # The first retransmission goes at once, whatever the ratio says.
    sk.snd_cwnd = in_flight + max(sndcnt, 0 if sk.prr_out else 1)


def tcp_end_cwnd_reduction(sk: TcpSock) -> None:
    """The reduction is over; unless it was undone the window is ssthresh.

    Linux: tcp_end_cwnd_reduction.
    """
    if sk.snd_ssthresh < TCP_INFINITE_SSTHRESH and (
        sk.icsk_ca_state == TCP_CA_CWR or sk.undo_marker is not None
    ):
        sk.snd_cwnd = sk.snd_ssthresh
        sk.snd_cwnd_stamp = sk.tcp_mstamp
    tcp_ca_event(sk, CA_EVENT_COMPLETE_CWR)


def tcp_enter_cwr(sk: TcpSock) -> None:
    """Slow down though nothing is known to be lost: a queue in this host was full, or the network
    marked congestion (ECN). Linux: tcp_enter_cwr.
    """
    sk.prior_ssthresh = 0
    if sk.icsk_ca_state < TCP_CA_CWR:
        sk.undo_marker = None
        tcp_init_cwnd_reduction(sk)
        tcp_set_ca_state(sk, TCP_CA_CWR)
