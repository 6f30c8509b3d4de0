"""Round-trip time and retransmission timeout. RFC 6298 as Linux does it. Linux:
net/ipv4/tcp_input.c (tcp_rtt_estimator, tcp_set_rto).

Where Linux differs from the RFC: the floor of 200 ms is put under the variance, not under the
whole timeout, so RTO >= SRTT + 200 ms; the deviation moves slowly when the RTT falls; the variance
is the biggest deviation of the last window and decays by a quarter a window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.ipv4.tcp_recovery import FLAG_ACKED
from pyhost.net.ipv4.tcp_sock import TCP_RTO_MAX, after

if TYPE_CHECKING:
    from pyhost.net.ipv4.tcp_sock import TcpSock

__all__ = ["tcp_ack_update_rtt", "tcp_rtt_estimator", "tcp_set_rto"]


def tcp_rtt_estimator(sk: TcpSock, rtt_us: int) -> None:
    """One RTT sample in µs. Linux: tcp_rtt_estimator."""
    floor = sk.icsk_rto_min // 1000
    srtt = sk.srtt_us
    if not srtt:
        sk.srtt_us = max(rtt_us << 3, 1)
        sk.mdev_us = rtt_us << 1
        sk.rttvar_us = sk.mdev_max_us = max(sk.mdev_us, floor)
        sk.rtt_seq = sk.snd_nxt
        return
    delta = rtt_us - (srtt >> 3)
    sk.srtt_us = max(srtt + delta, 1)
    if delta < 0:
        delta = -delta - (sk.mdev_us >> 2)
        if delta > 0:
            delta >>= 3
    else:
        delta -= sk.mdev_us >> 2
    sk.mdev_us += delta
    if sk.mdev_us > sk.mdev_max_us:
        sk.mdev_max_us = sk.mdev_us
        if sk.mdev_max_us > sk.rttvar_us:
            sk.rttvar_us = sk.mdev_max_us
    if after(sk.snd_una, sk.rtt_seq):
        if sk.mdev_max_us < sk.rttvar_us:
            sk.rttvar_us -= (sk.rttvar_us - sk.mdev_max_us) >> 2
        sk.rtt_seq = sk.snd_nxt
        sk.mdev_max_us = floor


def tcp_set_rto(sk: TcpSock) -> None:
    """Linux: tcp_set_rto, __tcp_set_rto."""
    rto = ((sk.srtt_us >> 3) + sk.rttvar_us) * 1000
    sk.icsk_rto = rto if rto < TCP_RTO_MAX else TCP_RTO_MAX


def tcp_ack_update_rtt(sk: TcpSock, flag: int, seq_rtt_us: int, sack_rtt_us: int) -> bool:
    """Take the best sample this ACK gives (µs, -1: none); whether there was one. Linux:
    tcp_ack_update_rtt.

    Karn's rule: a segment that was sent twice gives no sample. The echoed timestamp may, as it
    names the copy that arrived (RFC 7323).
    """
    if seq_rtt_us < 0:
        seq_rtt_us = sack_rtt_us
    if seq_rtt_us < 0 and sk.saw_tstamp and sk.rcv_tsecr and flag & FLAG_ACKED:
        delta = (sk.tcp_mstamp // 1_000_000 - sk.rcv_tsecr) & 0xFFFFFFFF
        if delta < 0x7FFFFFFF // 1000:
            seq_rtt_us = max(delta * 1000, 1000)
    if seq_rtt_us < 0:
        return False
    if seq_rtt_us < sk.min_rtt_us:
        sk.min_rtt_us = max(seq_rtt_us, 1)
    tcp_rtt_estimator(sk, seq_rtt_us)
    tcp_set_rto(sk)
    sk.icsk_backoff = 0
    return True
