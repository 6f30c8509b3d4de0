"""Spreading segments over the round trip. Linux: net/ipv4/tcp_input.c (tcp_update_pacing_rate),
net/ipv4/tcp_output.c (tcp_pacing_check, tcp_pace_kick, tcp_update_skb_after_send).

`sk_pacing_rate` follows cwnd / srtt. Whoever paces uses it: the fq qdisc, which reads each packet's
earliest departure time (`skb.tstamp`), or TCP itself by a timer, when SO_MAX_PACING_RATE or the
congestion control asks for pacing and no fq is below. `tcp_wstamp_ns` is when the next segment may
leave. Whether paced or not, the rate also bounds the size of super-segments and what small queues
let through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.net.core.sock import SK_PACING_NEEDED, SK_PACING_UNLIMITED
from pyhost.net.ipv4.tcp.handshake.inet_connection_sock import (
    inet_csk_clear_xmit_timers,
    inet_csk_reset_xmit_timer,
)
from pyhost.net.ipv4.tcp.tcp_sock import TCP_RTO_MAX

if TYPE_CHECKING:
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSock

__all__ = [
    "tcp_advance_wstamp", "tcp_clear_xmit_timers", "tcp_pacing_check", "tcp_pacing_delay",
    "tcp_reset_xmit_timer", "tcp_update_pacing_rate",
]  # fmt: skip

UNPACED_SEGS = 10
"""As many data segments of a connection leave before pacing begins (fq does the same)."""

RATE_SCALE = (1_000_000 // 100) << 3
"""For a rate in bytes a second from 8 × srtt in µs and a ratio in percent."""


def tcp_update_pacing_rate(sk: TcpSock) -> None:
    """The rate at which segments shall leave: more than cwnd / srtt, so that pacing does not hold
    the window back; twice as much while slow start may double it.

    Linux: tcp_update_pacing_rate.
    """
    tcp = sk.net.tcp
    cwnd = sk.snd_cwnd
    ratio = tcp.pacing_ss_ratio if cwnd < sk.snd_ssthresh >> 1 else tcp.pacing_ca_ratio
    out = sk.packets_out
    rate = sk.mss_cache * RATE_SCALE * ratio * (cwnd if cwnd > out else out)
    if sk.srtt_us:
        rate //= sk.srtt_us
    limit = sk.sk_max_pacing_rate
    sk.sk_pacing_rate = rate if rate < limit else limit


def tcp_advance_wstamp(sk: TcpSock, size: int, prior_wstamp: int) -> None:
    """`size` bytes have left: how long the next must wait. A departure that came late is made good
    by up to half of the gap. Linux: tcp_update_skb_after_send.
    """
    rate = sk.sk_pacing_rate
    if rate and rate != SK_PACING_UNLIMITED and sk.data_segs_out >= UNPACED_SEGS:
        gap = size * NSEC_PER_SEC // rate
        sk.tcp_wstamp_ns += gap - min(gap // 2, sk.tcp_wstamp_ns - prior_wstamp)


def tcp_pacing_check(sk: TcpSock) -> bool:
    """Whether the next segment must wait for its time; the timer is set then.

    Linux: tcp_pacing_check.
    """
    if sk.sk_pacing_status != SK_PACING_NEEDED or sk.tcp_wstamp_ns <= sk.tcp_mstamp:
        return False
    timer = sk.pacing_timer
    if not timer.pending:
        timer.mod(sk.tcp_wstamp_ns)
        sk.hold()
    return True


def tcp_pacing_delay(sk: TcpSock) -> int:
    """ns until the last segment that was handed down really leaves. Linux: tcp_pacing_delay."""
    delay = sk.tcp_wstamp_ns - sk.tcp_mstamp
    return delay if delay > 0 else 0


def tcp_reset_xmit_timer(sk: TcpSock, what: int, delay: int) -> None:
    """Arm the retransmission timer `delay` ns after the last segment leaves.

    Linux: tcp_reset_xmit_timer.
    """
    inet_csk_reset_xmit_timer(sk, what, delay + tcp_pacing_delay(sk), TCP_RTO_MAX)


def tcp_clear_xmit_timers(sk: TcpSock) -> None:
    """Stop all timers of a connection; the pacing timer gives its reference back.

    Linux: tcp_clear_xmit_timers.
    """
    if sk.pacing_timer.delete():
        sk.put()
    sk.compressed_ack_timer.delete()
    inet_csk_clear_xmit_timers(sk)
