"""The retransmission timer. RFC 6298. Linux: net/ipv4/tcp_timer.c (tcp_retransmit_timer,
tcp_write_timeout).

When it fires the oldest segment goes once more, alone, and the next wait is twice as long. How long
this goes on is a time, not a count: what `tcp_retries2` retransmissions from the minimal RTO on
would take, or TCP_USER_TIMEOUT.
"""

from __future__ import annotations

from pyhost.kernel.clock import NSEC_PER_MSEC
from pyhost.net.core.sock import TCP_ESTABLISHED, TCP_SYN_RECV, TCP_SYN_SENT
from pyhost.net.ipv4.tcp.ack.tcp_rtt import tcp_rto_min
from pyhost.net.ipv4.tcp.fastopen.tcp_fastopen_blackhole import tcp_fastopen_active_detect_blackhole
from pyhost.net.ipv4.tcp.handshake.inet_connection_sock import inet_csk_reset_xmit_timer
from pyhost.net.ipv4.tcp.handshake.tcp_done import tcp_write_err
from pyhost.net.ipv4.tcp.handshake.tcp_synack import tcp_fastopen_synack_timer
from pyhost.net.ipv4.tcp.output.tcp_mtu_probe import tcp_mtu_probing
from pyhost.net.ipv4.tcp.output.tcp_probe import TCP_RESOURCE_PROBE_INTERVAL
from pyhost.net.ipv4.tcp.recovery.tcp_loss import tcp_enter_loss
from pyhost.net.ipv4.tcp.recovery.tcp_prr import tcp_cwnd_reduction
from pyhost.net.ipv4.tcp.recovery.tcp_rack import tcp_rack_detect_loss
from pyhost.net.ipv4.tcp.recovery.tcp_recovery import tcp_enter_recovery
from pyhost.net.ipv4.tcp.recovery.tcp_retransmit import (
    tcp_retransmit_skb,
    tcp_xmit_retransmit_queue,
)
from pyhost.net.ipv4.tcp.recovery.tcp_xmit_timer import tcp_rearm_rto
from pyhost.net.ipv4.tcp.tcp_oom import tcp_out_of_resources
from pyhost.net.ipv4.tcp.tcp_sock import (
    ICSK_TIME_RETRANS,
    TCP_CA_DISORDER,
    TCP_CA_LOSS,
    TCP_CA_RECOVERY,
    TCP_INFINITE_SSTHRESH,
    TCP_RTO_MAX,
    TCP_TIMEOUT_INIT,
    TcpSock,
)

__all__ = [
    "retransmits_timed_out", "tcp_orphan_retries", "tcp_rack_reo_timeout", "tcp_retransmit_timer",
]  # fmt: skip

RTO_MIN = 200 * NSEC_PER_MSEC
ORPHAN_RETRIES = 8
TCP_THIN_LINEAR_RETRIES = 6
THIN_STREAM_PACKETS = 4


# -- how long to go on -----------------------------------------------------------------------------


def _model_timeout(boundary: int, base: int) -> int:
    """How long `boundary` retransmissions take when the first waits `base` ns and each next twice
    as long. Linux: tcp_model_timeout.
    """
    thresh = max((TCP_RTO_MAX // base).bit_length() - 1, 0)
    if boundary <= thresh:
        return ((2 << boundary) - 1) * base
    return ((2 << thresh) - 1) * base + (boundary - thresh) * TCP_RTO_MAX


def retransmits_timed_out(sk: TcpSock, boundary: int, timeout: int) -> bool:
    """Whether the first retransmission is so long ago that `boundary` of them, or `timeout` ns, are
    over. Linux: retransmits_timed_out.
    """
    if not sk.icsk_retransmits:
        return False
    if not timeout:
        syn = sk.sk_state in (TCP_SYN_SENT, TCP_SYN_RECV)
        timeout = _model_timeout(boundary, TCP_TIMEOUT_INIT if syn else RTO_MIN)
    return (sk.tcp_mstamp - sk.retrans_stamp) // NSEC_PER_MSEC >= timeout // NSEC_PER_MSEC


def tcp_orphan_retries(sk: TcpSock, alive: bool) -> int:
    """How often an orphan tries: not at all when an ICMP error has come and the RTO is at its
    limit. Linux: tcp_orphan_retries.
    """
    retries = sk.net.tcp.orphan_retries
    if sk.sk_err_soft and not alive:
        return 0
    return retries or (ORPHAN_RETRIES if alive else 0)


def _write_timeout(sk: TcpSock) -> bool:
    """Give up if it has been tried for long enough. Linux: tcp_write_timeout."""
    tcp = sk.net.tcp
    expired = False
    if sk.sk_state in (TCP_SYN_SENT, TCP_SYN_RECV):
        limit = sk.icsk_syn_retries or tcp.syn_retries
        linear = tcp.syn_linear_timeouts if sk.sk_state == TCP_SYN_SENT else 0
        expired = sk.icsk_retransmits >= limit + linear
    else:
        if retransmits_timed_out(sk, tcp.retries1, 0):
            tcp_mtu_probing(sk)
            sk.sk_dst_cache = None
        limit = tcp.retries2
        if sk.sock_dead:
            alive = sk.icsk_rto < TCP_RTO_MAX
            limit = tcp_orphan_retries(sk, alive)
            if tcp_out_of_resources(sk, alive or not retransmits_timed_out(sk, limit, 0)):
                return True
    if not expired:
        expired = retransmits_timed_out(sk, limit, sk.icsk_user_timeout)
    tcp_fastopen_active_detect_blackhole(sk, expired)
    if expired:
        tcp_write_err(sk)
    return expired


def _probe0_timed_out(sk: TcpSock) -> bool:
    """The peer took its window back and answers no more: has it been silent for long enough?

    Linux: tcp_rtx_probe0_timed_out.
    """
    since = sk.tcp_mstamp - (sk.retrans_stamp or sk.tcp_rtx_queue[0].cb.tstamp)
    timeout = 2 * TCP_RTO_MAX
    if sk.icsk_user_timeout:
        if since > sk.icsk_user_timeout:
            return True
        timeout = min(timeout, sk.icsk_user_timeout)
    if sk.icsk_timeout - sk.rcv_tstamp <= timeout:
        return False
    return since > timeout


# -- the timer -------------------------------------------------------------------------------------


def _count_kind(sk: TcpSock) -> None:
    """Count in which state the first timeout struck."""
    state = sk.icsk_ca_state
    kind = "Sack" if sk.sack_ok else "Reno"
    if state == TCP_CA_RECOVERY:
        sk.net.count(f"TCP{kind}RecoveryFail")
    elif state == TCP_CA_LOSS:
        sk.net.count("TCPLossFailures")
    elif state == TCP_CA_DISORDER or sk.sacked_out:
        sk.net.count(f"TCP{kind}Failures")


def _update_rto_stats(sk: TcpSock) -> None:
    """Linux: tcp_update_rto_stats."""
    if not sk.icsk_retransmits:
        sk.total_rto_recoveries += 1
        sk.rto_stamp = sk.tcp_mstamp
    sk.icsk_retransmits += 1
    sk.total_rto += 1


def tcp_retransmit_timer(sk: TcpSock) -> None:
    """The oldest segment was not acknowledged in time. Linux: tcp_retransmit_timer."""
    if sk.fastopen_rsk is not None:
        # Before the last ACK of the handshake nothing but the SYN-ACK is sent again.
        tcp_fastopen_synack_timer(sk, sk.fastopen_rsk)
        return
    if not sk.packets_out or not sk.tcp_rtx_queue:
        return
    if not sk.snd_wnd and not sk.sock_dead and sk.sk_state not in (TCP_SYN_SENT, TCP_SYN_RECV):
        # A window that was taken back is no loss: keep asking.
        if _probe0_timed_out(sk):
            tcp_write_err(sk)
            return
        tcp_enter_loss(sk)
        tcp_retransmit_skb(sk, sk.tcp_rtx_queue[0])
        sk.sk_dst_cache = None
        _back_off(sk)
        return
    sk.net.count("TCPTimeouts")
    if _write_timeout(sk):
        return
    if not sk.icsk_retransmits:
        _count_kind(sk)
    tcp_enter_loss(sk)
    _update_rto_stats(sk)
    if tcp_retransmit_skb(sk, sk.tcp_rtx_queue[0]) > 0:
        # A queue in this host is full; that is no reason to wait long.
        inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, TCP_RESOURCE_PROBE_INTERVAL, TCP_RTO_MAX)
    else:
        _back_off(sk)


def _stream_is_thin(sk: TcpSock) -> bool:
    """Little is on the way, and not because the connection is young. Linux: tcp_stream_is_thin."""
    return sk.packets_out < THIN_STREAM_PACKETS and sk.snd_ssthresh < TCP_INFINITE_SSTHRESH


def _clamp_to_user_timeout(sk: TcpSock) -> int:
    """The next wait ends with TCP_USER_TIMEOUT at the latest (ns).

    Linux: tcp_clamp_rto_to_user_timeout.
    """
    if not sk.icsk_user_timeout:
        return sk.icsk_rto
    elapsed = (sk.tcp_mstamp - sk.retrans_stamp) // NSEC_PER_MSEC * NSEC_PER_MSEC
    remaining = sk.icsk_user_timeout - elapsed
    return NSEC_PER_MSEC if remaining <= 0 else min(sk.icsk_rto, remaining)


def _back_off(sk: TcpSock) -> None:
    """Exponential backoff (RFC 6298 section 5.5). The first SYNs are sent at an even pace, and so
    are, on request, the first retransmissions of a stream with little on the way. Linux:
    tcp_retransmit_timer, label out_reset_timer.
    """
    tcp = sk.net.tcp
    state = sk.sk_state
    if (
        state == TCP_ESTABLISHED
        and (sk.thin_lto or tcp.thin_linear_timeouts)
        and _stream_is_thin(sk)
        and sk.icsk_retransmits <= TCP_THIN_LINEAR_RETRIES
    ):
        sk.icsk_backoff = 0
        rto = ((sk.srtt_us >> 3) + sk.rttvar_us) * 1000
        sk.icsk_rto = min(max(rto, tcp_rto_min(sk)), TCP_RTO_MAX)
    elif state != TCP_SYN_SENT or sk.total_rto > tcp.syn_linear_timeouts:
        sk.icsk_backoff += 1
        sk.icsk_rto = min(sk.icsk_rto << 1, TCP_RTO_MAX)
    inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, _clamp_to_user_timeout(sk), TCP_RTO_MAX)
    if retransmits_timed_out(sk, tcp.retries1 + 1, 0):
        sk.sk_dst_cache = None


def tcp_rack_reo_timeout(sk: TcpSock) -> None:
    """The reordering timer fired: what is missing still is lost. Linux: tcp_rack_reo_timeout."""
    in_flight = sk.packets_in_flight
    prior_lost = sk.lost
    tcp_rack_detect_loss(sk)
    if in_flight != sk.packets_in_flight:
        if sk.icsk_ca_state != TCP_CA_RECOVERY:
            tcp_enter_recovery(sk, False)
            tcp_cwnd_reduction(sk, 1, sk.lost - prior_lost, 0)
        tcp_xmit_retransmit_queue(sk)
    if sk.icsk_pending != ICSK_TIME_RETRANS:
        tcp_rearm_rto(sk)
