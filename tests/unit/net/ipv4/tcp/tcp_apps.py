"""What a program does with a TCP socket, in kernel tasks: for tests that need no system calls.

pair = two_hosts()
server = listener(pair.b, 7)
pair.b.spawn(lambda: sink.read_all(accept(server)))
pair.a.spawn(lambda: write(connect(pair.a, B_ADDR, 7), data))
pair.run()
"""

from __future__ import annotations

from typing import Any

from pyhost.kernel.kernel import Kernel
from pyhost.mm.iov_iter import ITER_DEST, ITER_SOURCE, IovIter
from pyhost.net.core.sock import EPOLLIN, TCP_SYN_SENT, MsgHdr, sk_wait_event
from pyhost.net.ipv4.tcp.handshake.inet_connection_sock import inet_csk_listen_start
from pyhost.net.ipv4.tcp.tcp import tcp_prot
from pyhost.net.ipv4.tcp.tcp_sock import TcpSock
from pyhost.uapi.ip import IPPROTO_TCP
from pyhost.uapi.socket import (
    AF_INET,
    INT,
    MSG_DONTWAIT,
    SOCK_NONBLOCK,
    SOCK_STREAM,
    SOL_TCP,
    pack_sockaddr_in,
)

__all__ = [
    "EPOLLIN",
    "accept",
    "close",
    "connect",
    "listener",
    "new_socket",
    "read_all",
    "recv",
    "send",
    "set_option",
    "write",
]


def new_socket(host: Any) -> TcpSock:
    sk = TcpSock(host.net, AF_INET, SOCK_STREAM, IPPROTO_TCP, tcp_prot)
    assert tcp_prot.init(sk) == 0
    return sk


def set_option(sk: TcpSock, name: int, value: int) -> None:
    assert tcp_prot.setsockopt(sk, SOL_TCP, name, INT.pack(value)) == 0


def listener(host: Any, port: int, backlog: int = 8, rcvbuf: int = 0) -> TcpSock:
    """A listening socket; may be made outside a task."""
    sk = new_socket(host)
    if rcvbuf:
        sk.sk_rcvbuf = rcvbuf
        sk.sk_rcvbuf_lock = True
    assert tcp_prot.get_port(sk, port) == 0
    sk.sk_max_ack_backlog = backlog
    assert inet_csk_listen_start(sk) == 0
    return sk


def connect(host: Any, addr: int, port: int, sk: TcpSock | None = None, wait: bool = True) -> Any:
    """A connected socket, or the error as a negative number."""
    sk = sk or new_socket(host)
    sk.lock_sock()
    err = tcp_prot.connect(sk, pack_sockaddr_in(addr, port))
    if not err and wait:
        sk_wait_event(sk, None, lambda: sk.sk_state != TCP_SYN_SENT)
        err = sk.sock_error()
    sk.release_sock()
    return err or sk


def accept(sk: TcpSock, nonblock: bool = False) -> Any:
    assert tcp_prot.accept is not None
    return tcp_prot.accept(sk, SOCK_NONBLOCK if nonblock else 0)


def send(sk: TcpSock, data: bytes, flags: int = 0) -> int:
    """One sendmsg from kernel memory."""
    kernel = sk.net.kernel
    addr = _put(kernel, data)
    try:
        it = IovIter.kvec(ITER_SOURCE, kernel.mem, [(addr, len(data))])
        return tcp_prot.sendmsg(sk, MsgHdr(it, flags), len(data))
    finally:
        kernel.mem.kfree(addr)


def write(sk: TcpSock, data: bytes, chunk: int = 1 << 16) -> None:
    """Send everything, in pieces."""
    at = 0
    while at < len(data):
        sent = send(sk, data[at : at + chunk])
        assert sent > 0, sent
        at += sent


def recv(sk: TcpSock, size: int, flags: int = 0) -> Any:
    """One recvmsg: bytes, or a negative number."""
    kernel = sk.net.kernel
    addr = kernel.mem.kmalloc(max(size, 1))
    try:
        it = IovIter.kvec(ITER_DEST, kernel.mem, [(addr, size)])
        got = tcp_prot.recvmsg(sk, MsgHdr(it), size, flags)
        return bytes(kernel.mem.buf[addr : addr + got]) if got >= 0 else got
    finally:
        kernel.mem.kfree(addr)


def read_all(sk: TcpSock, chunk: int = 1 << 16) -> bytes:
    """Read until the peer's end of stream."""
    out = bytearray()
    while piece := recv(sk, chunk):
        assert isinstance(piece, bytes), piece
        out += piece
    return bytes(out)


def close(sk: TcpSock, linger: int | None = 0) -> None:
    tcp_prot.close(sk, linger)


def _put(kernel: Kernel, data: bytes) -> int:
    addr = kernel.mem.kmalloc(max(len(data), 1))
    kernel.mem.buf[addr : addr + len(data)] = data
    return addr


NONBLOCK = MSG_DONTWAIT
