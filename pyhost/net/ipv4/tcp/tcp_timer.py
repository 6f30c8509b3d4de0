"""What happens when time passes: retransmission, window probes, delayed ACKs, keepalive. RFC 6298,
RFC 1122. Linux: net/ipv4/tcp_timer.c.

The handlers run in softirq. While a task owns the socket they only note that they are due, and
`release_sock` runs them.
"""

from __future__ import annotations

from functools import partial

from pyhost.kernel.clock import NSEC_PER_MSEC, NSEC_PER_SEC
from pyhost.kernel.timer import Timer
from pyhost.net.core.sock import TCP_CLOSE, TCP_FIN_WAIT2, TCP_LISTEN, TCP_SYN_SENT
from pyhost.net.ipv4.tcp.handshake.inet_connection_sock import (
    inet_csk_in_pingpong_mode,
)
from pyhost.net.ipv4.tcp.handshake.tcp_done import tcp_done, tcp_write_err
from pyhost.net.ipv4.tcp.handshake.tcp_minisocks import TCP_TIMEWAIT_LEN, tcp_time_wait
from pyhost.net.ipv4.tcp.input.tcp_delack import TCP_ACK_DEFERRED, tcp_compressed_ack_kick
from pyhost.net.ipv4.tcp.input.tcp_mtu_reduced import TCP_MTU_REDUCED_DEFERRED, tcp_v4_mtu_reduced
from pyhost.net.ipv4.tcp.output.tcp_ctl import (
    tcp_send_ack,
    tcp_send_active_reset,
)
from pyhost.net.ipv4.tcp.output.tcp_output import TCP_ATO_MIN
from pyhost.net.ipv4.tcp.output.tcp_probe import (
    TCP_RESOURCE_PROBE_INTERVAL,
    tcp_send_probe0,
    tcp_write_wakeup,
)
from pyhost.net.ipv4.tcp.output.tcp_tasklet import tcp_pace_kick, tcp_tsq_write
from pyhost.net.ipv4.tcp.output.tcp_tsq import TCP_TSQ_DEFERRED
from pyhost.net.ipv4.tcp.recovery.tcp_rto import (
    tcp_orphan_retries,
    tcp_rack_reo_timeout,
    tcp_retransmit_timer,
)
from pyhost.net.ipv4.tcp.recovery.tcp_tlp import tcp_send_loss_probe
from pyhost.net.ipv4.tcp.tcp_oom import tcp_out_of_resources
from pyhost.net.ipv4.tcp.tcp_sock import (
    ICSK_ACK_SCHED,
    ICSK_ACK_TIMER,
    ICSK_TIME_LOSS_PROBE,
    ICSK_TIME_PROBE0,
    ICSK_TIME_REO_TIMEOUT,
    ICSK_TIME_RETRANS,
    TCP_RTO_MAX,
    TcpSock,
)

__all__ = ["tcp_fin_time", "tcp_init_xmit_timers", "tcp_release_cb"]

TCP_WRITE_TIMER_DEFERRED = 1 << 1
TCP_DELACK_TIMER_DEFERRED = 1 << 2
KEEPALIVE_OWNED = 50 * NSEC_PER_MSEC
"""How soon to look again when a task has the socket."""


def tcp_init_xmit_timers(sk: TcpSock) -> None:
    """Make the three timers of a socket. Linux: tcp_init_xmit_timers."""
    kernel = sk.net.kernel
    sk.icsk_retransmit_timer = Timer(kernel, partial(_tcp_write_timer, sk))
    sk.icsk_delack_timer = Timer(kernel, partial(_tcp_delack_timer, sk))
    sk.sk_timer = Timer(kernel, partial(_tcp_keepalive_timer, sk))
    sk.pacing_timer = Timer(kernel, partial(tcp_pace_kick, sk))
    sk.compressed_ack_timer = Timer(kernel, partial(_compressed_ack_timer, sk))


def _tcp_write_timer(sk: TcpSock) -> None:
    """Linux: tcp_write_timer."""
    if not sk.icsk_pending:
        return
    if sk.owned_by_user:
        sk.deferred |= TCP_WRITE_TIMER_DEFERRED
    else:
        tcp_write_timer_handler(sk)


def _tcp_delack_timer(sk: TcpSock) -> None:
    """Linux: tcp_delack_timer."""
    if not sk.icsk_ack_pending & ICSK_ACK_TIMER:
        return
    if sk.owned_by_user:
        sk.net.count("DelayedACKLocked")
        sk.deferred |= TCP_DELACK_TIMER_DEFERRED
    else:
        tcp_delack_timer_handler(sk)


def _compressed_ack_timer(sk: TcpSock) -> None:
    """Linux: tcp_compressed_ack_kick."""
    if sk.owned_by_user:
        sk.deferred |= TCP_DELACK_TIMER_DEFERRED
    else:
        tcp_compressed_ack_kick(sk)


def tcp_release_cb(sk: TcpSock) -> None:
    """The task lets go of the socket: do what came due meanwhile. Linux: tcp_release_cb."""
    flags = sk.deferred
    if not flags:
        return
    sk.deferred = 0
    softirq = sk.net.kernel.softirq
    softirq.local_bh_disable()
    if flags & TCP_TSQ_DEFERRED:
        tcp_tsq_write(sk)
    if flags & TCP_WRITE_TIMER_DEFERRED:
        tcp_write_timer_handler(sk)
    if flags & TCP_DELACK_TIMER_DEFERRED:
        tcp_delack_timer_handler(sk)
        tcp_compressed_ack_kick(sk)
    if flags & TCP_MTU_REDUCED_DEFERRED:
        tcp_v4_mtu_reduced(sk)
    if flags & TCP_ACK_DEFERRED and sk.icsk_ack_pending & ICSK_ACK_SCHED:
        tcp_send_ack(sk)
    softirq.local_bh_enable()


# -- delayed ACK -----------------------------------------------------------------------------------


def tcp_delack_timer_handler(sk: TcpSock) -> None:
    """Linux: tcp_delack_timer_handler."""
    if sk.sk_state in (TCP_CLOSE, TCP_LISTEN) or not sk.icsk_ack_pending & ICSK_ACK_TIMER:
        return
    now = sk.net.kernel.clock.now
    if sk.icsk_ack_timeout > now:
        sk.icsk_delack_timer.mod(sk.icsk_ack_timeout)
        return
    sk.icsk_ack_pending &= ~ICSK_ACK_TIMER
    if sk.icsk_ack_pending & ICSK_ACK_SCHED:
        if not inet_csk_in_pingpong_mode(sk):
            sk.icsk_ack_ato = min(sk.icsk_ack_ato << 1, sk.icsk_rto)
        else:
            sk.icsk_ack_pingpong = 0
            sk.icsk_ack_ato = TCP_ATO_MIN
        sk.tcp_mstamp = now
        tcp_send_ack(sk)
        sk.net.count("DelayedACKs")


# -- retransmission --------------------------------------------------------------------------------


def tcp_write_timer_handler(sk: TcpSock) -> None:
    """Linux: tcp_write_timer_handler."""
    pending = sk.icsk_pending
    if sk.sk_state in (TCP_CLOSE, TCP_LISTEN) or not pending:
        return
    now = sk.net.kernel.clock.now
    if sk.icsk_timeout > now:
        sk.icsk_retransmit_timer.mod(sk.icsk_timeout)
        return
    sk.tcp_mstamp = now
    if pending == ICSK_TIME_REO_TIMEOUT:
        tcp_rack_reo_timeout(sk)
        return
    if pending == ICSK_TIME_LOSS_PROBE:
        tcp_send_loss_probe(sk)
        return
    sk.icsk_pending = 0
    if pending == ICSK_TIME_RETRANS:
        tcp_retransmit_timer(sk)
    elif pending == ICSK_TIME_PROBE0:
        tcp_probe_timer(sk)


# -- window probes ---------------------------------------------------------------------------------


def tcp_probe_timer(sk: TcpSock) -> None:
    """The peer's window is closed, or a cork holds data: ask, or send what a cork held too long.

    Linux: tcp_probe_timer.
    """
    if sk.packets_out or not sk.sk_write_queue:
        sk.icsk_probes_out = 0
        sk.icsk_probes_tstamp = 0
        return
    now = sk.tcp_mstamp
    if not sk.icsk_probes_tstamp:
        sk.icsk_probes_tstamp = now or 1
    elif sk.icsk_user_timeout and now - sk.icsk_probes_tstamp >= sk.icsk_user_timeout:
        tcp_write_err(sk)
        return
    limit = sk.net.tcp.retries2
    if sk.sock_dead:
        alive = sk.icsk_rto << sk.icsk_backoff < TCP_RTO_MAX
        limit = tcp_orphan_retries(sk, alive)
        if not alive and sk.icsk_backoff >= limit:
            tcp_write_err(sk)
            return
        if tcp_out_of_resources(sk, True):
            return
    if sk.icsk_probes_out >= limit:
        tcp_write_err(sk)
    else:
        tcp_send_probe0(sk)


# -- keepalive and FIN_WAIT2 -----------------------------------------------------------------------


def tcp_fin_time(sk: TcpSock) -> int:
    """How long an orphan stays in FIN_WAIT2 (ns). Linux: tcp_fin_time."""
    rto = sk.icsk_rto
    wanted = sk.linger2 or sk.net.tcp.fin_timeout * NSEC_PER_SEC
    return max(wanted, (rto << 2) - (rto >> 1))


def _tcp_keepalive_timer(sk: TcpSock) -> None:
    """Linux: tcp_keepalive_timer."""
    now = sk.net.kernel.clock.now
    if sk.owned_by_user:
        sk.sk_timer.mod(now + KEEPALIVE_OWNED)
        return
    if sk.sk_state == TCP_LISTEN:
        return
    sk.tcp_mstamp = now
    if sk.sk_state == TCP_FIN_WAIT2 and sk.sock_dead:
        _fin_wait2_over(sk)
    elif sk.sk_keepopen and sk.sk_state not in (TCP_CLOSE, TCP_SYN_SENT):
        _keepalive(sk, now)


def _fin_wait2_over(sk: TcpSock) -> None:
    """An orphan waited long enough as a socket; a TIME_WAIT waits for the rest."""
    if sk.linger2 >= 0:
        left = tcp_fin_time(sk) - TCP_TIMEWAIT_LEN
        if left > 0:
            tcp_time_wait(sk, TCP_FIN_WAIT2, left)
            return
    tcp_send_active_reset(sk)
    tcp_done(sk)


def _keepalive(sk: TcpSock, now: int) -> None:
    tcp = sk.net.tcp
    idle_limit = sk.keepalive_time or tcp.keepalive_time * NSEC_PER_SEC
    interval = sk.keepalive_intvl or tcp.keepalive_intvl * NSEC_PER_SEC
    if sk.packets_out or sk.sk_write_queue:
        sk.sk_timer.mod(now + idle_limit)
        return
    idle = now - max(sk.icsk_ack_lrcvtime, sk.rcv_tstamp)
    if idle < idle_limit:
        sk.sk_timer.mod(now + idle_limit - idle)
        return
    probes = sk.keepalive_probes or tcp.keepalive_probes
    if sk.icsk_user_timeout:
        expired = idle >= sk.icsk_user_timeout and sk.icsk_probes_out > 0
    else:
        expired = sk.icsk_probes_out >= probes
    if expired:
        tcp_send_active_reset(sk)
        tcp_write_err(sk)
        return
    if tcp_write_wakeup(sk, "TCPKeepAlive") <= 0:
        sk.icsk_probes_out += 1
        sk.sk_timer.mod(now + interval)
    else:
        sk.sk_timer.mod(now + TCP_RESOURCE_PROBE_INTERVAL)
