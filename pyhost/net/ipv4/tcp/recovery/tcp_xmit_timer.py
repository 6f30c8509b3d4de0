"""When the retransmission timer is to fire, and for what: RTO, or before it a loss probe. RFC 6298,
RFC 8985 section 7. Linux: net/ipv4/tcp_output.c tcp_schedule_loss_probe, net/ipv4/tcp_input.c
tcp_rearm_rto.
"""

from __future__ import annotations

from pyhost.kernel.clock import NSEC_PER_MSEC, NSEC_PER_USEC
from pyhost.net.ipv4.tcp.ack.tcp_rtt import tcp_rto_min
from pyhost.net.ipv4.tcp.output.tcp_pacing import tcp_reset_xmit_timer
from pyhost.net.ipv4.tcp.recovery.tcp_rack import TCP_TIMEOUT_MIN_US
from pyhost.net.ipv4.tcp.tcp_sock import (
    ICSK_TIME_LOSS_PROBE,
    ICSK_TIME_REO_TIMEOUT,
    ICSK_TIME_RETRANS,
    TCP_CA_CWR,
    TCP_CA_OPEN,
    TCP_TIMEOUT_INIT,
    TcpSock,
)

__all__ = ["tcp_rearm_rto", "tcp_schedule_loss_probe", "tcp_set_xmit_timer"]

TLP_EARLY_RETRANS = (3, 4)
"""Values of sysctl tcp_early_retrans that allow loss probes."""


def _rto_delta(sk: TcpSock) -> int:
    """ns until the oldest segment has been out for an RTO. Linux: tcp_rto_delta_us."""
    queue = sk.tcp_rtx_queue
    if not queue:
        return sk.icsk_rto
    sent: int = queue[0].cb.tstamp
    return sent + sk.icsk_rto - sk.tcp_mstamp


def tcp_rearm_rto(sk: TcpSock) -> None:
    """The retransmission timer starts anew, or stops when nothing is out. The time for which a
    probe or the reordering timer stood in is counted. Linux: tcp_rearm_rto.
    """
    if not sk.packets_out:
        sk.icsk_pending = 0
        return
    delay = sk.icsk_rto
    pending = sk.icsk_pending
    if pending in (ICSK_TIME_LOSS_PROBE, ICSK_TIME_REO_TIMEOUT):
        delay = max(_rto_delta(sk), NSEC_PER_MSEC)
    tcp_reset_xmit_timer(sk, ICSK_TIME_RETRANS, delay)


def tcp_schedule_loss_probe(sk: TcpSock, advancing_rto: bool) -> bool:
    """Arm the timer for a loss probe after two RTTs, if that comes before the RTO and may help;
    whether it was armed.

    A lone segment may be answered late by a delayed ACK, so it gets the minimal RTO in addition.
    `advancing_rto`: the RTO is about to start anew. Linux: tcp_schedule_loss_probe.
    """
    state = sk.icsk_ca_state
    if (
        sk.net.tcp.early_retrans not in TLP_EARLY_RETRANS
        or not sk.packets_out
        or not sk.sack_ok
        or (state != TCP_CA_OPEN and state != TCP_CA_CWR)
    ):
        return False
    if sk.srtt_us:
        timeout = (sk.srtt_us >> 2) * NSEC_PER_USEC
        if sk.packets_out == 1:
            timeout += tcp_rto_min(sk)
        else:
            timeout += TCP_TIMEOUT_MIN_US * NSEC_PER_USEC
    else:
        timeout = TCP_TIMEOUT_INIT
    rto = sk.icsk_rto if advancing_rto else _rto_delta(sk)
    if 0 < rto < timeout:
        timeout = rto
    tcp_reset_xmit_timer(sk, ICSK_TIME_LOSS_PROBE, timeout)
    return True


def tcp_set_xmit_timer(sk: TcpSock) -> None:
    """The ACK brought progress: a probe if one may help, else the RTO.

    Linux: tcp_set_xmit_timer.
    """
    if not tcp_schedule_loss_probe(sk, True):
        tcp_rearm_rto(sk)
