"""The end of a connection, however it came.

Linux: net/ipv4/tcp.c (tcp_set_state, tcp_done), net/ipv4/tcp_input.c (tcp_reset).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core.sock import (
    SHUTDOWN_MASK,
    TCP_CLOSE,
    TCP_CLOSE_WAIT,
    TCP_ESTABLISHED,
    TCP_SYN_SENT,
)
from pyhost.net.ipv4.tcp.handshake.inet_connection_sock import inet_csk_destroy_sock
from pyhost.net.ipv4.tcp.handshake.inet_hashtables import inet_put_port
from pyhost.net.ipv4.tcp.handshake.request_sock import reqsk_fastopen_remove
from pyhost.net.ipv4.tcp.output.tcp_chrono import TCP_CHRONO_BUSY, tcp_chrono_stop
from pyhost.net.ipv4.tcp.output.tcp_pacing import tcp_clear_xmit_timers
from pyhost.net.ipv4.tcp.tcp_mem import sk_mem_reclaim, tcp_wmem_free_skb
from pyhost.uapi.errno import ECONNREFUSED, ECONNRESET, EPIPE, ETIMEDOUT

if TYPE_CHECKING:
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSock

__all__ = [
    "tcp_done", "tcp_done_with_error", "tcp_reset", "tcp_set_state", "tcp_write_err",
    "tcp_write_queue_purge",
]  # fmt: skip


def tcp_set_state(sk: TcpSock, state: int) -> None:
    """Change the state; a socket that closes leaves the tables. Linux: tcp_set_state."""
    old = sk.sk_state
    net = sk.net
    if state == TCP_ESTABLISHED:
        if old != TCP_ESTABLISHED:
            net.count("TcpCurrEstab")
    elif old in (TCP_ESTABLISHED, TCP_CLOSE_WAIT) and state not in (TCP_CLOSE_WAIT, old):
        net.count("TcpCurrEstab", -1)
    if state == TCP_CLOSE:
        if old in (TCP_ESTABLISHED, TCP_CLOSE_WAIT):
            net.count("TcpEstabResets")
        sk.sk_prot.unhash(sk)
        if sk.bind_bucket is not None and sk.bind_bucket.shared_by_connect:
            inet_put_port(sk)
    trace = net.kernel.trace
    if trace.on:
        trace.hit("inet_sock_set_state", 0, old=old, new=state)
    sk.sk_state = state


def tcp_write_queue_purge(sk: TcpSock) -> None:
    """Throw away what was not acknowledged. Linux: tcp_write_queue_purge."""
    for queue in (sk.sk_write_queue, sk.tcp_rtx_queue):
        while queue:
            tcp_wmem_free_skb(sk, queue.popleft())
    tcp_chrono_stop(sk, TCP_CHRONO_BUSY)
    sk.packets_out = sk.sacked_out = sk.lost_out = sk.retrans_out = 0
    sk.icsk_backoff = 0
    sk_mem_reclaim(sk)


def tcp_done(sk: TcpSock) -> None:
    """The connection is over. Linux: tcp_done."""
    tcp_set_state(sk, TCP_CLOSE)
    tcp_clear_xmit_timers(sk)
    if sk.fastopen_rsk is not None:
        reqsk_fastopen_remove(sk, sk.fastopen_rsk, False)
    sk.sk_shutdown = SHUTDOWN_MASK
    if sk.sock_dead:
        inet_csk_destroy_sock(sk)
    else:
        sk.sk_state_change(sk)


def tcp_done_with_error(sk: TcpSock, err: int) -> None:
    """Over, and `err` (positive) says why. Linux: tcp_done_with_error."""
    sk.sk_err = err
    tcp_write_queue_purge(sk)
    sk.hold()
    tcp_done(sk)
    if not sk.sock_dead:
        sk.error_report()
    sk.put()


def tcp_reset(sk: TcpSock) -> None:
    """The peer aborted the connection. Linux: tcp_reset."""
    if sk.sk_state == TCP_CLOSE:
        return
    by_state = {TCP_SYN_SENT: ECONNREFUSED, TCP_CLOSE_WAIT: EPIPE}
    tcp_done_with_error(sk, by_state.get(sk.sk_state, ECONNRESET))


def tcp_write_err(sk: TcpSock) -> None:
    """The peer does not answer any more. Linux: tcp_write_err."""
    sk.net.count("TCPAbortOnTimeout")
    tcp_done_with_error(sk, sk.sk_err_soft or ETIMEDOUT)
