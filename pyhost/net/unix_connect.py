"""Connections between AF_UNIX stream sockets. Linux: net/unix/af_unix.c."""

from __future__ import annotations

from pyhost.net.core.sock import (
    RCV_SHUTDOWN,
    TCP_CLOSE,
    TCP_ESTABLISHED,
    TCP_LISTEN,
)
from pyhost.net.socket import SS_CONNECTED, Socket, sock_graft
from pyhost.net.unix_names import unix_find_other
from pyhost.net.unix_sock import UnixSock, current_cred
from pyhost.uapi.errno import EAGAIN, ECONNREFUSED, EINVAL, EISCONN
from pyhost.uapi.fcntl import O_NONBLOCK

__all__ = ["unix_accept", "unix_listen", "unix_stream_connect"]


def unix_listen(sock: Socket, backlog: int) -> int:
    """Wait for connections to the socket's name; -EINVAL: it has none, or is connected.

    Linux: unix_listen.
    """
    sk: UnixSock = sock.sk
    if not sk.addr or sk.sk_state not in (TCP_CLOSE, TCP_LISTEN):
        return -EINVAL
    if backlog > sk.sk_max_ack_backlog:
        sk.sk_wq.wake_up_all()
    sk.sk_max_ack_backlog = backlog
    sk.sk_state = TCP_LISTEN
    sk.sk_peer_cred = current_cred(sk.net)
    return 0


def _backlog_full(listener: UnixSock) -> bool:
    """Linux: unix_recvq_full."""
    return len(listener.accept_queue) > listener.sk_max_ack_backlog


def unix_stream_connect(sock: Socket, addr: bytes, flags: int) -> int:
    """Join the listener that has a name; sleeps while too many wait there to be accepted.

    ECONNREFUSED, EAGAIN (a full backlog), EISCONN, EINVAL (a listener itself), what the name says.
    Linux: unix_stream_connect.
    """
    sk: UnixSock = sock.sk
    timeo = sk.sndtimeo(bool(flags & O_NONBLOCK))
    while True:
        listener = unix_find_other(sock.net, addr)
        if isinstance(listener, int):
            return listener
        if listener.sk_state != TCP_LISTEN or listener.sk_shutdown & RCV_SHUTDOWN:
            return -ECONNREFUSED
        if not _backlog_full(listener):
            break
        if timeo == 0:
            return -EAGAIN
        left = _wait_for_room(listener, timeo)
        timeo = None if timeo is None else left
    if sk.sk_state != TCP_CLOSE:
        return -EISCONN if sk.sk_state == TCP_ESTABLISHED else -EINVAL
    _join(sock, sk, listener)
    return 0


def _wait_for_room(listener: UnixSock, timeo: int | None) -> int:
    """Linux: unix_wait_for_peer."""

    def changed() -> bool:
        return listener.sock_dead or bool(listener.sk_shutdown) or not _backlog_full(listener)

    return listener.sk_wq.wait_event_timeout(changed, timeo)


def _join(sock: Socket, sk: UnixSock, listener: UnixSock) -> None:
    """Make the far end and leave it at the listener."""
    far = UnixSock(sk.net)
    far.peer, sk.peer = sk, far
    far.addr = listener.addr
    far.sk_state = sk.sk_state = TCP_ESTABLISHED
    far.sk_peer_cred = current_cred(sk.net)
    sk.sk_peer_cred = listener.sk_peer_cred
    sock.state = SS_CONNECTED
    listener.accept_queue.append(far)
    listener.sk_data_ready(listener)


def unix_accept(sock: Socket, newsock: Socket, flags: int) -> int:
    """Take the next connection into `newsock`; -EAGAIN, -EINVAL: not a listener, or shut down.

    Linux: unix_accept.
    """
    sk: UnixSock = sock.sk
    if sk.sk_state != TCP_LISTEN:
        return -EINVAL
    timeo = sk.rcvtimeo(bool(flags & O_NONBLOCK))
    if not sk.accept_queue and timeo != 0:
        sk.sk_wq.wait_event_timeout(
            lambda: bool(sk.accept_queue or sk.sk_shutdown & RCV_SHUTDOWN), timeo, exclusive=True
        )
    if not sk.accept_queue:
        return -EINVAL if sk.sk_shutdown & RCV_SHUTDOWN else -EAGAIN
    sock_graft(sk.accept_queue.popleft(), newsock)
    newsock.state = SS_CONNECTED
    sk.sk_wq.wake_up_all()
    return 0
