"""Waiting on a stream socket: for the connection, for send buffer, for the end.

Linux: net/core/stream.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_MSEC
from pyhost.kernel.process import SIGPIPE
from pyhost.net.core.sock import (
    EPOLLOUT,
    EPOLLWRBAND,
    EPOLLWRNORM,
    SEND_SHUTDOWN,
    TCP_CLOSE_WAIT,
    TCP_CLOSING,
    TCP_ESTABLISHED,
    TCP_FIN_WAIT1,
    TCP_LAST_ACK,
    TCP_SYN_RECV,
    TCP_SYN_SENT,
    sk_wait_event,
)
from pyhost.uapi.errno import EAGAIN, EPIPE
from pyhost.uapi.socket import MSG_NOSIGNAL

if TYPE_CHECKING:
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSock

__all__ = [
    "sk_stream_error", "sk_stream_memory_free", "sk_stream_moderate_sndbuf",
    "sk_stream_wait_close", "sk_stream_wait_connect", "sk_stream_wait_memory",
    "sk_stream_write_space",
]  # fmt: skip

SOCK_MIN_SNDBUF = 4608
VM_WAIT_MIN_NS = 2 * NSEC_PER_MSEC
VM_WAIT_MAX_NS = 200 * NSEC_PER_MSEC

CONNECTING = 1 << TCP_SYN_SENT | 1 << TCP_SYN_RECV
CONNECTED = 1 << TCP_ESTABLISHED | 1 << TCP_CLOSE_WAIT
STILL_CLOSING = 1 << TCP_FIN_WAIT1 | 1 << TCP_CLOSING | 1 << TCP_LAST_ACK


def sk_stream_memory_free(sk: TcpSock, wake: int = 0) -> bool:
    """Whether a new segment may be started: send buffer and unsent bytes below their limits.

    Linux: __sk_stream_memory_free.
    """
    if sk.sk_wmem_queued >= sk.sk_sndbuf:
        return False
    lowat = sk.notsent_lowat or sk.net.tcp.notsent_lowat
    return (sk.write_seq - sk.snd_nxt & 0xFFFFFFFF) << wake < lowat


def sk_stream_write_space(sk: TcpSock) -> None:
    """Wake writers once a third of the send buffer is free. Linux: sk_stream_write_space."""
    if sk.sk_sndbuf - sk.sk_wmem_queued >= sk.sk_wmem_queued >> 1 and sk_stream_memory_free(sk, 1):
        sk.sock_nospace = False
        sk.sk_wq.wake_up(1, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND)


def sk_stream_moderate_sndbuf(sk: TcpSock) -> None:
    """Memory is short: let the send buffer shrink towards what is in use.

    Linux: sk_stream_moderate_sndbuf.
    """
    if not sk.sk_sndbuf_lock:
        sk.sk_sndbuf = max(min(sk.sk_sndbuf, sk.sk_wmem_queued >> 1), SOCK_MIN_SNDBUF)


def sk_stream_wait_connect(sk: TcpSock, timeo: int | None) -> int:
    """Wait until the handshake is over: 0, or -EAGAIN, -EPIPE, the socket's error.

    Linux: sk_stream_wait_connect.
    """
    while not 1 << sk.sk_state & CONNECTED:
        if sk.sk_err:
            return sk.sock_error()
        if not 1 << sk.sk_state & CONNECTING:
            return -EPIPE
        if timeo == 0:
            return -EAGAIN
        timeo = sk_wait_event(
            sk, timeo, lambda: bool(sk.sk_err or not 1 << sk.sk_state & CONNECTING)
        )
    return 0


def sk_stream_wait_memory(sk: TcpSock, timeo: int | None) -> tuple[int, int | None]:
    """Wait for send buffer: (0 or -EAGAIN or -EPIPE, what is left of `timeo`). Linux:
    sk_stream_wait_memory.

    When the send buffer has room it was the machine's memory that was short: then a while passes
    before the next attempt.
    """
    if timeo != 0 and sk_stream_memory_free(sk):
        pause = sk.net.kernel.random.randrange(VM_WAIT_MIN_NS, VM_WAIT_MAX_NS)
        sk_wait_event(sk, pause, lambda: bool(sk.sk_err or sk.sk_shutdown & SEND_SHUTDOWN))
    while True:
        if sk.sk_err or sk.sk_shutdown & SEND_SHUTDOWN:
            return -EPIPE, timeo
        if timeo == 0:
            sk.sock_nospace = True
            return -EAGAIN, timeo
        if sk_stream_memory_free(sk):
            return 0, timeo
        sk.sock_nospace = True
        timeo = sk_wait_event(
            sk,
            timeo,
            lambda: bool(sk.sk_err or sk.sk_shutdown & SEND_SHUTDOWN or sk_stream_memory_free(sk)),
        )


def sk_stream_wait_close(sk: TcpSock, timeo: int | None) -> None:
    """SO_LINGER: wait until the FIN is acknowledged, or for `timeo` ns.

    Linux: sk_stream_wait_close.
    """
    if timeo != 0 and 1 << sk.sk_state & STILL_CLOSING:
        sk_wait_event(sk, timeo, lambda: not 1 << sk.sk_state & STILL_CLOSING)


def sk_stream_error(sk: TcpSock, flags: int, err: int) -> int:
    """What a send that came to -EPIPE reports: the pending error if there is one, else -EPIPE with
    SIGPIPE. Linux: sk_stream_error.
    """
    if err == -EPIPE:
        err = sk.sock_error() or -EPIPE
    if err == -EPIPE and not flags & MSG_NOSIGNAL:
        task = sk.net.kernel.sched.current
        if task is not None and task.process is not None:
            task.process.send_sig(SIGPIPE)
    return err
