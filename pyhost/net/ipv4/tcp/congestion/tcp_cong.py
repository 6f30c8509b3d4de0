"""How much may be on the way: the congestion control interface, and Reno. RFC 5681. Linux:
net/ipv4/tcp_cong.c.

An algorithm is a `CongestionOps`, chosen by its name (sysctl tcp_congestion_control, socket option
TCP_CONGESTION). Windows are counted in segments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyhost.net.core.sock import TCP_CLOSE_WAIT, TCP_ESTABLISHED
from pyhost.net.ipv4.tcp.output.tcp_chrono import TCP_CHRONO_SNDBUF_LIMITED, tcp_chrono_start
from pyhost.net.ipv4.tcp.tcp_sock import TCP_CA_CWR, TCP_CA_OPEN, TCP_CA_RECOVERY, TCP_INIT_CWND
from pyhost.uapi.rtnetlink import RTAX_CC_ALGO, RTAX_INITCWND

if TYPE_CHECKING:
    from pyhost.net.core.dst import DstEntry
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSock

__all__ = [
    "CA_EVENT_COMPLETE_CWR", "CA_EVENT_CWND_RESTART", "CA_EVENT_LOSS", "CA_EVENT_TX_START", "RENO",
    "CongestionOps", "tcp_assign_congestion_control", "tcp_ca_dst_init", "tcp_ca_event",
    "tcp_cong_avoid_ai", "tcp_current_ssthresh", "tcp_cwnd_application_limited",
    "tcp_cwnd_restart", "tcp_cwnd_validate", "tcp_init_cwnd",
    "tcp_is_cwnd_limited", "tcp_reno_ssthresh", "tcp_reno_undo_cwnd",
    "tcp_set_ca_state", "tcp_slow_start",
]  # fmt: skip

CA_EVENT_TX_START = 0
CA_EVENT_CWND_RESTART = 1
CA_EVENT_COMPLETE_CWR = 2
CA_EVENT_LOSS = 3

TCPF_SENDING = 1 << TCP_ESTABLISHED | 1 << TCP_CLOSE_WAIT


@dataclass(frozen=True, slots=True, kw_only=True)
class CongestionOps:
    """Linux: struct tcp_congestion_ops.

    - `ssthresh(sk)`: the new threshold after a loss
    - `cong_avoid(sk, ack, acked)`: `acked` segments were delivered; grow `snd_cwnd`
    - `undo_cwnd(sk)`: the window before the last reduction
    - `pkts_acked(sk, acked, rtt_us)`: RTT sample (-1: none); `set_state(sk, new)`; `cwnd_event(sk,
      event)`
    - `sndbuf_expand`: how many windows the send buffer shall hold
    """

    name: str
    ssthresh: Callable[[TcpSock], int]
    cong_avoid: Callable[[TcpSock, int, int], None]
    undo_cwnd: Callable[[TcpSock], int]
    init: Callable[[TcpSock], None] | None = None
    set_state: Callable[[TcpSock, int], None] | None = None
    cwnd_event: Callable[[TcpSock, int], None] | None = None
    pkts_acked: Callable[[TcpSock, int, int], None] | None = None
    sndbuf_expand: int = 2


def tcp_assign_congestion_control(sk: TcpSock, ops: CongestionOps) -> None:
    """Use `ops` from now on, with a state as new.

    Linux: tcp_assign_congestion_control, tcp_init_congestion_control.
    """
    sk.icsk_ca_ops = ops
    if ops.init is not None:
        ops.init(sk)


def tcp_ca_dst_init(sk: TcpSock, dst: DstEntry) -> None:
    """The route may say which algorithm (`congctl`). Linux: tcp_ca_dst_init."""
    ops = sk.net.tcp.congestion.get(str(dst.metrics.get(RTAX_CC_ALGO, "")))
    if ops is not None:
        tcp_assign_congestion_control(sk, ops)


def tcp_set_ca_state(sk: TcpSock, state: int) -> None:
    """Linux: tcp_set_ca_state."""
    if sk.icsk_ca_ops.set_state is not None:
        sk.icsk_ca_ops.set_state(sk, state)
    sk.icsk_ca_state = state


def tcp_ca_event(sk: TcpSock, event: int) -> None:
    """Linux: tcp_ca_event."""
    if sk.icsk_ca_ops.cwnd_event is not None:
        sk.icsk_ca_ops.cwnd_event(sk, event)


def tcp_is_cwnd_limited(sk: TcpSock) -> bool:
    """Whether it was the congestion window that held the sender back, so that it may grow.

    Linux: tcp_is_cwnd_limited.
    """
    if sk.is_cwnd_limited:
        return True
    return sk.snd_cwnd < sk.snd_ssthresh and sk.snd_cwnd < 2 * sk.max_packets_out


def tcp_slow_start(sk: TcpSock, acked: int) -> int:
    """One segment more for each one acknowledged, up to ssthresh; returns what is left over.

    Linux: tcp_slow_start.
    """
    cwnd = min(sk.snd_cwnd + acked, sk.snd_ssthresh)
    left = acked - (cwnd - sk.snd_cwnd)
    sk.snd_cwnd = cwnd
    return left


def tcp_cong_avoid_ai(sk: TcpSock, window: int, acked: int) -> None:
    """One segment more for each `window` acknowledged. Linux: tcp_cong_avoid_ai."""
    if sk.snd_cwnd_cnt >= window:
        sk.snd_cwnd_cnt = 0
        sk.snd_cwnd += 1
    sk.snd_cwnd_cnt += acked
    if sk.snd_cwnd_cnt >= window:
        delta = sk.snd_cwnd_cnt // window
        sk.snd_cwnd_cnt -= delta * window
        sk.snd_cwnd += delta


def tcp_reno_cong_avoid(sk: TcpSock, _ack: int, acked: int) -> None:
    """Linux: tcp_reno_cong_avoid."""
    if not tcp_is_cwnd_limited(sk):
        return
    if sk.snd_cwnd < sk.snd_ssthresh:
        acked = tcp_slow_start(sk, acked)
        if not acked:
            return
    tcp_cong_avoid_ai(sk, sk.snd_cwnd, acked)


def tcp_reno_ssthresh(sk: TcpSock) -> int:
    """Linux: tcp_reno_ssthresh."""
    return max(sk.snd_cwnd >> 1, 2)


def tcp_reno_undo_cwnd(sk: TcpSock) -> int:
    """Linux: tcp_reno_undo_cwnd."""
    return max(sk.snd_cwnd, sk.prior_cwnd)


RENO = CongestionOps(
    name="reno",
    ssthresh=tcp_reno_ssthresh,
    cong_avoid=tcp_reno_cong_avoid,
    undo_cwnd=tcp_reno_undo_cwnd,
)


# -- the window while the sender idles or is short of data -----------------------------------------


def tcp_init_cwnd(sk: TcpSock) -> int:
    """The initial window: the route's, else RFC 6928's. Linux: tcp_init_cwnd."""
    dst = sk.sk_dst_cache
    initcwnd = 0 if dst is None else dst.metric(RTAX_INITCWND)
    return initcwnd or TCP_INIT_CWND


def tcp_current_ssthresh(sk: TcpSock) -> int:
    """The threshold as it is, or three quarters of a window that outgrew it; while the window is
    being reduced it stands as it is. Linux: tcp_current_ssthresh.
    """
    if sk.icsk_ca_state in (TCP_CA_CWR, TCP_CA_RECOVERY):
        return sk.snd_ssthresh
    return max(sk.snd_ssthresh, (sk.snd_cwnd >> 1) + (sk.snd_cwnd >> 2))


def tcp_cwnd_restart(sk: TcpSock, idle: int) -> None:
    """After `idle` ns of silence halve the window for each RTO that passed.

    Linux: tcp_cwnd_restart (RFC 2861).
    """
    restart = min(tcp_init_cwnd(sk), sk.snd_cwnd)
    tcp_ca_event(sk, CA_EVENT_CWND_RESTART)
    sk.snd_ssthresh = tcp_current_ssthresh(sk)
    cwnd = sk.snd_cwnd
    while (idle := idle - sk.icsk_rto) > 0 and cwnd > restart:
        cwnd >>= 1
    sk.snd_cwnd = max(cwnd, restart)
    sk.snd_cwnd_stamp = sk.net.kernel.clock.now
    sk.snd_cwnd_used = 0


def tcp_cwnd_application_limited(sk: TcpSock) -> None:
    """The sender had too little data to use its window: move the window half way to what was used.

    Linux: tcp_cwnd_application_limited.
    """
    if sk.icsk_ca_state == TCP_CA_OPEN and not sk.sock_nospace:
        used = max(sk.snd_cwnd_used, tcp_init_cwnd(sk))
        if used < sk.snd_cwnd:
            sk.snd_ssthresh = tcp_current_ssthresh(sk)
            sk.snd_cwnd = (sk.snd_cwnd + used) >> 1
        sk.snd_cwnd_used = 0
    sk.snd_cwnd_stamp = sk.net.kernel.clock.now


def tcp_cwnd_validate(sk: TcpSock, is_cwnd_limited: bool) -> None:
    """Note, after a burst, whether the window was used up in this flight.

    Linux: tcp_cwnd_validate.
    """
    now = sk.tcp_mstamp
    out = sk.packets_out
    if (
        is_cwnd_limited
        or not (sk.snd_una - sk.cwnd_usage_seq) & 0x80000000
        or (not sk.is_cwnd_limited and out > sk.max_packets_out)
    ):
        sk.is_cwnd_limited = is_cwnd_limited
        sk.max_packets_out = out
        sk.cwnd_usage_seq = sk.snd_nxt
    if is_cwnd_limited or tcp_is_cwnd_limited(sk):
        sk.snd_cwnd_used = 0
        sk.snd_cwnd_stamp = now
        return
    if out > sk.snd_cwnd_used:
        sk.snd_cwnd_used = out
    if sk.net.tcp.slow_start_after_idle and now - sk.snd_cwnd_stamp >= sk.icsk_rto:
        tcp_cwnd_application_limited(sk)
    if sk.sock_nospace and not sk.sk_write_queue and 1 << sk.sk_state & TCPF_SENDING:
        tcp_chrono_start(sk, TCP_CHRONO_SNDBUF_LIMITED)
