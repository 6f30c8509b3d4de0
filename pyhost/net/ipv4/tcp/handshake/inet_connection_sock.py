"""What every connection-oriented socket has: timers, accept queue, its end.

Linux: net/ipv4/inet_connection_sock.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core.sock import TCP_CLOSE, TCP_LISTEN, sk_wait_event
from pyhost.net.ipv4.fib.route import ip_route_output
from pyhost.net.ipv4.tcp.handshake.inet_hashtables import inet_put_port
from pyhost.net.ipv4.tcp.tcp_sock import ICSK_ACK_SCHED, ICSK_ACK_TIMER
from pyhost.net.ipv4.tcp.tcp_window import tcp_setup_caps
from pyhost.uapi.errno import EADDRINUSE, EAGAIN, EINVAL
from pyhost.uapi.socket import SOCK_NONBLOCK

if TYPE_CHECKING:
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSock

__all__ = [
    "inet_csk_accept",
    "inet_csk_clear_xmit_timers", "inet_csk_delete_keepalive_timer", "inet_csk_destroy_sock",
    "inet_csk_in_pingpong_mode", "inet_csk_listen_start", "inet_csk_reqsk_queue_is_full",
    "inet_csk_reset_delack_timer", "inet_csk_reset_keepalive_timer", "inet_csk_reset_xmit_timer",
    "inet_csk_schedule_ack", "inet_sk_rebuild_header", "sk_acceptq_is_full",
]  # fmt: skip


# -- timers ----------------------------------------------------------------------------------------


def inet_csk_reset_xmit_timer(sk: TcpSock, what: int, delay: int, max_delay: int) -> None:
    """Arm the retransmission timer for `what` (ICSK_TIME_*) in `delay` ns.

    Linux: inet_csk_reset_xmit_timer.
    """
    timeout = sk.net.kernel.clock.now + (delay if delay < max_delay else max_delay)
    sk.icsk_pending = what
    sk.icsk_timeout = timeout
    sk.icsk_retransmit_timer.mod(timeout)


def inet_csk_reset_delack_timer(sk: TcpSock, timeout: int) -> None:
    """Have a delayed ACK leave at `timeout` (ns, absolute). Linux: part of tcp_send_delayed_ack."""
    sk.icsk_ack_pending |= ICSK_ACK_SCHED | ICSK_ACK_TIMER
    sk.icsk_ack_timeout = timeout
    sk.icsk_delack_timer.mod(timeout)


def inet_csk_reset_keepalive_timer(sk: TcpSock, delay: int) -> None:
    """Linux: inet_csk_reset_keepalive_timer."""
    sk.sk_timer.mod(sk.net.kernel.clock.now + delay)


def inet_csk_delete_keepalive_timer(sk: TcpSock) -> None:
    """Linux: inet_csk_delete_keepalive_timer."""
    sk.sk_timer.delete()


def inet_csk_clear_xmit_timers(sk: TcpSock) -> None:
    """Stop all three timers. Linux: inet_csk_clear_xmit_timers."""
    sk.icsk_pending = sk.icsk_ack_pending = 0
    sk.icsk_retransmit_timer.delete()
    sk.icsk_delack_timer.delete()
    sk.sk_timer.delete()


# -- ACK scheduling --------------------------------------------------------------------------------


def inet_csk_schedule_ack(sk: TcpSock) -> None:
    """An ACK must leave sooner or later. Linux: inet_csk_schedule_ack."""
    sk.icsk_ack_pending |= ICSK_ACK_SCHED


def inet_csk_in_pingpong_mode(sk: TcpSock) -> bool:
    """Whether the two sides talk in turns, so that an ACK may wait for data to ride on.

    Linux: inet_csk_in_pingpong_mode.
    """
    return sk.icsk_ack_pingpong >= sk.net.tcp.pingpong_thresh


# -- listening -------------------------------------------------------------------------------------


def sk_acceptq_is_full(sk: TcpSock) -> bool:
    """Linux: sk_acceptq_is_full."""
    return sk.sk_ack_backlog > sk.sk_max_ack_backlog


def inet_csk_reqsk_queue_is_full(sk: TcpSock) -> bool:
    """Linux: inet_csk_reqsk_queue_is_full."""
    return len(sk.listen_children) >= sk.sk_max_ack_backlog


def inet_csk_listen_start(sk: TcpSock) -> int:
    """Begin to listen on the bound port, or on a free one: 0 or -EADDRINUSE.

    Linux: inet_csk_listen_start.
    """
    sk.sk_ack_backlog = 0
    sk.sk_state = TCP_LISTEN
    if sk.sk_prot.get_port(sk, sk.inet_num) == 0:
        sk.inet_sport = sk.inet_num
        sk.sk_dst_cache = None
        return sk.sk_prot.hash(sk)
    sk.sk_state = TCP_CLOSE
    return -EADDRINUSE


def inet_csk_accept(sk: TcpSock, flags: int) -> TcpSock | int:
    """The next finished connection; sleeps for one unless `flags` has SOCK_NONBLOCK (= O_NONBLOCK).
    Linux: inet_csk_accept.

    Errors: -EINVAL not listening, -EAGAIN, -EINTR.
    """
    sk.lock_sock()
    try:
        timeo = sk.rcvtimeo(bool(flags & SOCK_NONBLOCK))
        while not sk.accept_queue:
            if sk.sk_state != TCP_LISTEN:
                return -EINVAL
            if timeo == 0:
                return -EAGAIN
            timeo = sk_wait_event(
                sk, timeo, lambda: bool(sk.accept_queue or sk.sk_state != TCP_LISTEN)
            )
        if sk.sk_state != TCP_LISTEN:
            return -EINVAL
        sk.sk_ack_backlog -= 1
        return sk.accept_queue.popleft()
    finally:
        sk.release_sock()


# -- route -----------------------------------------------------------------------------------------


def inet_sk_rebuild_header(sk: TcpSock) -> int:
    """Make sure that there is a route: 0 or -EHOSTUNREACH and the like.

    Linux: inet_sk_rebuild_header.
    """
    dst = sk.sk_dst_cache
    if dst is not None and dst.check():
        return 0
    found = ip_route_output(
        sk.net, sk.inet_daddr, sk.inet_saddr, sk.sk_bindtodevice, sk.tos, sk.sk_mark
    )
    if isinstance(found, int):
        sk.sk_dst_cache = None
        return found
    tcp_setup_caps(sk, found)
    return 0


# -- the end ---------------------------------------------------------------------------------------


def inet_csk_destroy_sock(sk: TcpSock) -> None:
    """The connection is closed and no process refers to it: give everything back.

    Linux: inet_csk_destroy_sock.
    """
    assert sk.sk_state == TCP_CLOSE
    assert sk.sock_dead
    sk.net.tcp.orphan_count -= 1
    sk.sk_prot.destroy(sk)
    inet_put_port(sk)
    sk.put()
