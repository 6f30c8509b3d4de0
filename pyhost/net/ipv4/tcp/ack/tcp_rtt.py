"""Round-trip time and retransmission timeout. RFC 6298 as Linux does it. Linux:
net/ipv4/tcp_input.c (tcp_rtt_estimator, tcp_set_rto).

Where Linux differs from the RFC: the floor of 200 ms is put under the variance, not under the
whole timeout, so RTO >= SRTT + 200 ms; the deviation moves slowly when the RTT falls; the variance
is the biggest deviation of the last window and decays by a quarter a window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_MSEC, NSEC_PER_SEC
from pyhost.net.ipv4.tcp.ack.tcp_ack_flags import FLAG_ACK_MAYBE_DELAYED, FLAG_ACKED
from pyhost.net.ipv4.tcp.tcp_clock import tcp_ns_to_ts
from pyhost.net.ipv4.tcp.tcp_sock import TCP_RTO_MAX, after
from pyhost.uapi.rtnetlink import RTAX_RTO_MIN

if TYPE_CHECKING:
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSock

__all__ = ["tcp_ack_update_rtt", "tcp_rto_min", "tcp_rtt_estimator", "tcp_set_rto"]

USEC_PER_TICK = 1000
"""What an RTT of 0 counts as: a tick of a kernel with HZ=1000."""
TSOPT_DELTA_MAX = 0x7FFFFFFF // 1000


def tcp_rto_min(sk: TcpSock) -> int:
    """The floor under the variance (ns): the route's, if it has one, else the socket's.

    Linux: tcp_rto_min.
    """
    dst = sk.sk_dst_cache
    if dst is not None and dst.metrics and dst.metric_locked(RTAX_RTO_MIN):
        return dst.metric(RTAX_RTO_MIN) * NSEC_PER_MSEC
    return sk.icsk_rto_min


def tcp_rtt_estimator(sk: TcpSock, rtt_us: int) -> None:
    """One RTT sample in µs. Linux: tcp_rtt_estimator."""
    floor = tcp_rto_min(sk) // 1000
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


def _update_rtt_min(sk: TcpSock, rtt_us: int, flag: int) -> None:
    """The smallest RTT of the last tcp_min_rtt_wlen seconds. A sample that may have been delayed by
    the receiver counts only when it is the smallest. Linux: tcp_update_rtt_min.
    """
    if flag & FLAG_ACK_MAYBE_DELAYED and rtt_us > sk.min_rtt_us:
        return
    window = sk.net.tcp.min_rtt_wlen * NSEC_PER_SEC
    sk.min_rtt_us = sk.rtt_min.running_min(window, sk.tcp_mstamp, rtt_us or USEC_PER_TICK)


def _rtt_from_timestamp(sk: TcpSock) -> int:
    """RTT in µs by the timestamp that the ACK echoes, -1 when it makes no sense. The clock has
    ms: less than one counts as one. Linux: tcp_rtt_tsopt_us.
    """
    delta = (tcp_ns_to_ts(sk.tcp_mstamp) - sk.rcv_tsecr) & 0xFFFFFFFF
    if delta >= TSOPT_DELTA_MAX:
        return -1
    return (delta or 1) * 1000


def tcp_ack_update_rtt(
    sk: TcpSock, flag: int, seq_rtt_us: int, sack_rtt_us: int, ca_rtt_us: int
) -> bool:
    """Take the best sample this ACK gives (µs, -1: none); whether there was one. Linux:
    tcp_ack_update_rtt.

    `seq_rtt_us` and `sack_rtt_us` are of the first segment that was (S)ACKed, `ca_rtt_us` of the
    last: the first feeds the estimator, the last, which no delayed ACK spoils, congestion control.
    Karn's rule: a segment that was sent twice gives no sample. The echoed timestamp may, as it
    names the copy that arrived (RFC 7323).
    """
    if seq_rtt_us < 0:
        seq_rtt_us = sack_rtt_us
    if seq_rtt_us < 0 and sk.saw_tstamp and sk.rcv_tsecr and flag & FLAG_ACKED:
        seq_rtt_us = ca_rtt_us = _rtt_from_timestamp(sk)
    sk.ack_sample.rtt_us = ca_rtt_us
    if seq_rtt_us < 0:
        return False
    _update_rtt_min(sk, ca_rtt_us, flag)
    tcp_rtt_estimator(sk, seq_rtt_us)
    tcp_set_rto(sk)
    sk.icsk_backoff = 0
    return True
