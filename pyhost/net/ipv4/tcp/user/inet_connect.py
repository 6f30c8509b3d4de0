"""connect() of stream sockets: begin a connection and wait for it. Linux: net/ipv4/af_inet.c
__inet_stream_connect.
"""

from __future__ import annotations

from pyhost.net.core.sock import (
    TCP_CLOSE,
    TCP_SYN_RECV,
    TCP_SYN_SENT,
    InetSock,
    sk_wait_event,
    sock_intr_errno,
)
from pyhost.net.ipv4.tcp.tcp_sock import TcpSock
from pyhost.net.socket import (
    SS_CONNECTED,
    SS_CONNECTING,
    SS_DISCONNECTING,
    SS_UNCONNECTED,
    Socket,
)
from pyhost.uapi.errno import EALREADY, ECONNABORTED, EINPROGRESS, EINVAL, EISCONN
from pyhost.uapi.fcntl import O_NONBLOCK
from pyhost.uapi.socket import AF_UNSPEC, SOCKADDR_FAMILY

__all__ = ["inet_stream_connect", "inet_stream_connect_locked"]

CONNECTING = 1 << TCP_SYN_SENT | 1 << TCP_SYN_RECV


def inet_stream_connect(sock: Socket, addr: bytes, flags: int) -> int:
    """connect() on TCP. Linux: inet_stream_connect."""
    sk = sock.sk
    sk.lock_sock()
    try:
        return inet_stream_connect_locked(sock, addr, flags, False)
    finally:
        sk.release_sock()


def inet_stream_connect_locked(
    sock: Socket, addr: bytes | None, flags: int, is_sendmsg: bool
) -> int:
    """Begin a connection, or go on waiting for one; the sock is locked.

    AF_UNSPEC ends the connection. EISCONN, EALREADY, EINPROGRESS, ECONNABORTED, the socket's error,
    what the protocol says. `is_sendmsg`: for a send with MSG_FASTOPEN; then the address may be None
    when connect() had it. Linux: __inet_stream_connect.
    """
    sk: InetSock = sock.sk
    if addr is not None:
        if len(addr) < SOCKADDR_FAMILY.size:
            return -EINVAL
        if SOCKADDR_FAMILY.unpack_from(addr)[0] == AF_UNSPEC:
            err = sk.sk_prot.disconnect(sk, flags)
            sock.state = SS_DISCONNECTING if err else SS_UNCONNECTED
            return err
    err = _begin(sock, sk, addr or b"", is_sendmsg)
    if sock.state != SS_CONNECTING or (not err and _deferred(sk)):
        return err
    timeo = sk.sndtimeo(bool(flags & O_NONBLOCK))
    if 1 << sk.sk_state & CONNECTING:
        if timeo == 0 or not _wait_for_connect(sk, timeo):
            return err
        if _killed(sk):
            return sock_intr_errno(timeo)
    if sk.sk_state == TCP_CLOSE:
        err = sk.sock_error() or -ECONNABORTED
        sock.state = SS_UNCONNECTED
        if sk.sk_prot.disconnect(sk, flags):
            sock.state = SS_DISCONNECTING
        return err
    sock.state = SS_CONNECTED
    return 0


def _deferred(sk: InetSock) -> bool:
    """Whether the SYN waits for the first write (TCP_FASTOPEN_CONNECT)."""
    return isinstance(sk, TcpSock) and sk.defer_connect


def _killed(sk: InetSock) -> bool:
    task = sk.net.kernel.sched.current
    return task is not None and task.killed


def _begin(sock: Socket, sk: InetSock, addr: bytes, is_sendmsg: bool) -> int:
    """What the socket's state allows: -EINPROGRESS when the handshake is under way now, -EALREADY
    when it was before. The state is SS_CONNECTING afterwards unless it failed.
    """
    if sock.state == SS_CONNECTING:
        if _deferred(sk):
            return -EINPROGRESS if is_sendmsg else -EISCONN
        return -EALREADY
    if sock.state == SS_CONNECTED:
        return -EISCONN
    if sock.state != SS_UNCONNECTED:
        return -EINVAL
    if sk.sk_state != TCP_CLOSE:
        return -EISCONN
    err = sk.sk_prot.connect(sk, addr)
    if err < 0:
        return err
    sock.state = SS_CONNECTING
    return 0 if _deferred(sk) else -EINPROGRESS


def _wait_for_connect(sk: InetSock, timeo: int | None) -> bool:
    """Sleep until the handshake has ended, one way or the other; False when the time ran out.

    While the rest of a Fast Open message waits, the ACK of the SYN-ACK waits for it too
    (`sk_write_pending`). Linux: inet_wait_for_connect.
    """
    pending = isinstance(sk, TcpSock) and _unsent(sk)
    if isinstance(sk, TcpSock):
        sk.sk_write_pending += pending
    sk_wait_event(sk, timeo, lambda: not 1 << sk.sk_state & CONNECTING)
    if isinstance(sk, TcpSock):
        sk.sk_write_pending -= pending
    return not 1 << sk.sk_state & CONNECTING


def _unsent(sk: TcpSock) -> bool:
    """Whether a Fast Open message did not fit into the SYN."""
    return sk.fastopen_req is not None and sk.fastopen_req.msg is not None
