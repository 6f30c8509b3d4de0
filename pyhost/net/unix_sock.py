"""struct unix_sock. Linux: include/net/af_unix.h, net/unix/af_unix.c."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from pyhost.net.core.datagram import sock_writeable
from pyhost.net.core.skbuff import SkBuff, consume_skb
from pyhost.net.core.sock import (
    EPOLLOUT,
    EPOLLWRBAND,
    EPOLLWRNORM,
    TCP_LISTEN,
    Proto,
    Sock,
)
from pyhost.uapi.errno import ENOPROTOOPT, EOPNOTSUPP
from pyhost.uapi.socket import AF_UNIX, SOCK_STREAM

if TYPE_CHECKING:
    from pyhost.fs.file import Inode
    from pyhost.net.net_namespace import Net

__all__ = ["UnixSock", "current_cred", "unix_writable"]


class UnixSock(Sock):
    """Linux: struct unix_sock.

    `peer` is the other end, None before there is a connection and after it was released; `addr`
    the name as sun_path has it, with the zero that ends a path; `inode` what that path leads to.
    On a listener `accept_queue` has the far ends of connections that nobody accepted yet.
    """

    __slots__ = ("accept_queue", "addr", "inode", "peer")

    def __init__(self, net: Net) -> None:
        super().__init__(net, AF_UNIX, SOCK_STREAM, 0, unix_stream_proto)
        self.peer: UnixSock | None = None
        self.addr = b""
        self.inode: Inode | None = None
        self.accept_queue: deque[UnixSock] = deque()
        self.sk_write_space = unix_write_space


def current_cred(net: Net) -> tuple[int, int, int]:
    """Process, user and group of who calls; there is one user. Linux: init_peercred."""
    task = net.kernel.sched.current
    process = None if task is None else task.process
    return (0 if process is None else process.pid, 0, 0)


def unix_write_space(sk: Sock) -> None:
    """The peer has read: wake writers. Linux: unix_write_space."""
    if unix_writable(sk):
        sk.sk_wq.wake_up(1, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND)


def unix_writable(sk: Sock) -> bool:
    """Linux: unix_writable."""
    return sk.sk_state != TCP_LISTEN and sock_writeable(sk)


def _unused(_sk: Sock, *_args: object) -> int:
    """AF_UNIX does everything in its ProtoOps.

    Linux leaves these entries of unix_stream_proto empty.
    """
    return -EOPNOTSUPP


def _no_option(_sk: Sock, *_args: object) -> int:
    return -ENOPROTOOPT


def _nothing(_sk: Sock, *_args: object) -> None:
    """A unix_sock keeps nothing that must be given back."""


def _backlog_rcv(_sk: Sock, skb: SkBuff) -> int:
    consume_skb(skb)
    return 0


unix_stream_proto = Proto(
    name="UNIX-STREAM",
    obj_size=1024,
    no_autobind=True,
    init=lambda _sk: 0,
    destroy=_nothing,
    close=_nothing,
    connect=_unused,
    disconnect=_unused,
    sendmsg=_unused,
    recvmsg=_unused,
    setsockopt=_no_option,
    getsockopt=_no_option,
    backlog_rcv=_backlog_rcv,
    hash=_unused,
    unhash=_nothing,
    get_port=_unused,
)
