"""Pairs of AF_UNIX stream sockets. Linux: net/unix/af_unix.c.

Only what socketpair() makes: two sockets joined to each other, without names, without descriptors
in messages. What one writes goes as packets into the receive queue of the other, charged to the
writer until it is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.process import SIGPIPE
from pyhost.net.core.datagram import skb_copy_datagram_iter, sock_writeable
from pyhost.net.core.skbuff import SkBuff, alloc_skb, consume_skb
from pyhost.net.core.sock import (
    EPOLLHUP,
    EPOLLIN,
    EPOLLOUT,
    EPOLLRDHUP,
    EPOLLRDNORM,
    EPOLLWRBAND,
    EPOLLWRNORM,
    RCV_SHUTDOWN,
    SEND_SHUTDOWN,
    SHUTDOWN_MASK,
    TCP_ESTABLISHED,
    MsgHdr,
    Proto,
    Sock,
    sock_wait_for_wmem,
)
from pyhost.net.socket import (
    SS_CONNECTED,
    ProtoOps,
    Socket,
    sock_init_data,
    sock_no_accept,
    sock_no_bind,
    sock_no_connect,
    sock_no_listen,
    sock_poll_wait,
)
from pyhost.uapi.errno import (
    EAGAIN,
    EFAULT,
    EINVAL,
    EISCONN,
    ENOBUFS,
    ENOPROTOOPT,
    ENOTCONN,
    EOPNOTSUPP,
    EPIPE,
    EPROTONOSUPPORT,
    ESOCKTNOSUPPORT,
)
from pyhost.uapi.socket import (
    AF_UNIX,
    MSG_DONTWAIT,
    MSG_NOSIGNAL,
    MSG_OOB,
    MSG_PEEK,
    MSG_WAITALL,
    SOCK_STREAM,
    SOCKADDR_FAMILY,
)

if TYPE_CHECKING:
    from pyhost.fs.poll import PollTable
    from pyhost.net.net_namespace import Net

__all__ = ["UnixSock", "unix_init", "unix_stream_ops"]

SKB_MAX = 8192 - 320
"""The largest piece one packet takes, so that its head is one kmalloc object.

Linux uses up to 32 KiB and page fragments.
"""


class UnixSock(Sock):
    """Linux:

    Struct unix_sock. `peer` is the other end, None before socketpair() and after it was released.
    """

    __slots__ = ("peer",)

    def __init__(self, net: Net) -> None:
        super().__init__(net, AF_UNIX, SOCK_STREAM, 0, unix_stream_proto)
        self.peer: UnixSock | None = None
        self.sk_write_space = unix_write_space


def unix_init(net: Net) -> None:
    """Make the family known. Linux: af_unix_init."""
    net.families[AF_UNIX] = unix_create


def unix_create(net: Net, sock: Socket, protocol: int) -> int:
    """Linux: unix_create."""
    if protocol not in (0, AF_UNIX):
        return -EPROTONOSUPPORT
    if sock.type != SOCK_STREAM:
        return -ESOCKTNOSUPPORT
    sock.ops = unix_stream_ops
    sock_init_data(sock, UnixSock(net))
    return 0


def unix_socketpair(sock1: Socket, sock2: Socket) -> int:
    """Join two new sockets. Linux: unix_socketpair."""
    ends: tuple[UnixSock, UnixSock] = (sock1.sk, sock2.sk)
    for sk, peer, sock in zip(ends, reversed(ends), (sock1, sock2), strict=True):
        sk.peer = peer
        sk.sk_state = TCP_ESTABLISHED
        sock.state = SS_CONNECTED
    return 0


def unix_release(sock: Socket) -> int:
    """The peer reads to the end and can no longer write. Linux: unix_release, unix_release_sock."""
    sk: UnixSock = sock.sk
    sock.sk = None
    sk.sk_shutdown = SHUTDOWN_MASK
    peer, sk.peer = sk.peer, None
    if peer is not None:
        peer.sk_shutdown = SHUTDOWN_MASK
        peer.peer = None
        _tell_all(peer)
    sk.sock_dead = True
    while sk.sk_receive_queue:
        consume_skb(sk.sk_receive_queue.popleft())
    sk.put()
    return 0


def _tell_all(sk: UnixSock) -> None:
    """Wake readers and writers: nothing more will come or go."""
    sk.sk_wq.wake_up_all(EPOLLIN | EPOLLRDNORM | EPOLLRDHUP | EPOLLHUP | EPOLLOUT)


def unix_shutdown(sock: Socket, how: int) -> int:
    """Linux: unix_shutdown."""
    how += 1
    if how & ~SHUTDOWN_MASK or not how:
        return -EINVAL
    sk: UnixSock = sock.sk
    sk.sk_shutdown |= how
    _tell_all(sk)
    if sk.peer is not None:
        if how & RCV_SHUTDOWN:
            sk.peer.sk_shutdown |= SEND_SHUTDOWN
        if how & SEND_SHUTDOWN:
            sk.peer.sk_shutdown |= RCV_SHUTDOWN
        _tell_all(sk.peer)
    return 0


def unix_getname(sock: Socket, peer: int) -> bytes | int:
    """All sockets are without a name: the family alone. Linux: unix_getname."""
    sk: UnixSock = sock.sk
    return -ENOTCONN if peer and sk.peer is None else SOCKADDR_FAMILY.pack(AF_UNIX)


# -- data ------------------------------------------------------------------------------------------


def unix_stream_sendmsg(sock: Socket, msg: MsgHdr, size: int) -> int:
    """Queue the bytes at the peer, sleeping while too much waits there unread.

    Linux: unix_stream_sendmsg.
    """
    sk: UnixSock = sock.sk
    if msg.flags & MSG_OOB:
        return -EOPNOTSUPP
    if msg.name:
        return -EISCONN if sk.peer is not None else -EOPNOTSUPP
    if sk.peer is None and not sk.sk_shutdown:
        return -ENOTCONN
    sent = 0
    err = -EPIPE if sk.sk_shutdown & SEND_SHUTDOWN else 0
    while sent < size and not err:
        err = _send_piece(sk, msg, min(size - sent, SKB_MAX))
        if err > 0:
            sent += err
            err = 0
    if err == -EPIPE and not sent and not msg.flags & MSG_NOSIGNAL:
        task = sk.net.kernel.sched.current
        if task is not None and task.process is not None:
            task.process.send_sig(SIGPIPE)
    return sent or err


def _send_piece(sk: UnixSock, msg: MsgHdr, size: int) -> int:
    """Put one packet into the peer's queue: the bytes in it, or a negative errno."""
    err = sock_wait_for_wmem(sk, sk.sndtimeo(bool(msg.flags & MSG_DONTWAIT)))
    if err:
        return err
    skb = alloc_skb(sk.net.skbs, size)
    if skb is None:
        return -ENOBUFS
    if not msg.iter.copy_from_iter_full(skb.put(size), size):
        consume_skb(skb)
        return -EFAULT
    peer = sk.peer
    if peer is None or peer.sk_shutdown & RCV_SHUTDOWN:
        consume_skb(skb)
        return -EPIPE
    sk.set_owner_w(skb)
    peer.sk_receive_queue.append(skb)
    peer.sk_data_ready(peer)
    return size


def unix_stream_recvmsg(sock: Socket, msg: MsgHdr, size: int, flags: int) -> int:
    """Read what is there, waiting for the first byte, or with MSG_WAITALL for all.

    Linux: unix_stream_read_generic.
    """
    sk: UnixSock = sock.sk
    if sk.peer is None and not sk.sk_shutdown:
        return -ENOTCONN
    if flags & MSG_OOB:
        return -EOPNOTSUPP
    timeo = sk.rcvtimeo(bool(flags & MSG_DONTWAIT))
    target = size if flags & MSG_WAITALL else min(size, 1)
    done = 0
    while True:
        done = _read_queue(sk, msg, size, flags, done)
        if done < 0 or done >= target or (flags & MSG_PEEK and done):
            return done
        if sk.sk_shutdown & RCV_SHUTDOWN:
            return done
        if timeo == 0:
            return done or -EAGAIN
        left = sk.sk_wq.wait_event_timeout(
            lambda: bool(sk.sk_receive_queue or sk.sk_shutdown & RCV_SHUTDOWN), timeo
        )
        timeo = None if timeo is None else left


def _read_queue(sk: UnixSock, msg: MsgHdr, size: int, flags: int, done: int) -> int:
    """Copy from the receive queue until `size` bytes are done; how many are, or -EFAULT."""
    queue = sk.sk_receive_queue
    for skb in tuple(queue):
        part = min(size - done, skb.len)
        if not part:
            break
        if skb_copy_datagram_iter(skb, 0, msg.iter, part):
            return done or -EFAULT
        done += part
        if flags & MSG_PEEK:
            continue
        skb.pull(part)
        if not skb.len:
            consume_skb(queue.popleft())
    return done


def unix_write_space(sk: Sock) -> None:
    """The peer has read: wake writers. Linux: unix_write_space."""
    if _unix_writable(sk):
        sk.sk_wq.wake_up(1, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND)


def _unix_writable(sk: Sock) -> bool:
    """Linux: unix_writable."""
    return sock_writeable(sk)


def unix_poll(sock: Socket, pt: PollTable | None) -> int:
    """Linux: unix_poll."""
    sk: UnixSock = sock.sk
    sock_poll_wait(sock, pt)
    mask = 0
    if sk.sk_shutdown == SHUTDOWN_MASK or sk.sk_state != TCP_ESTABLISHED:
        mask |= EPOLLHUP
    if sk.sk_shutdown & RCV_SHUTDOWN:
        mask |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM
    if sk.sk_receive_queue:
        mask |= EPOLLIN | EPOLLRDNORM
    if _unix_writable(sk):
        mask |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND
    return mask


def unix_setsockopt(_sock: Socket, _level: int, _optname: int, _value: bytes) -> int:
    """No level but SOL_SOCKET."""
    return -EOPNOTSUPP


def unix_getsockopt(_sock: Socket, _level: int, _optname: int, _maxlen: int) -> int:
    """No level but SOL_SOCKET."""
    return -EOPNOTSUPP


unix_stream_ops = ProtoOps(
    family=AF_UNIX,
    release=unix_release,
    bind=sock_no_bind,
    connect=sock_no_connect,
    socketpair=unix_socketpair,
    accept=sock_no_accept,
    getname=unix_getname,
    poll=unix_poll,
    listen=sock_no_listen,
    shutdown=unix_shutdown,
    setsockopt=unix_setsockopt,
    getsockopt=unix_getsockopt,
    sendmsg=unix_stream_sendmsg,
    recvmsg=unix_stream_recvmsg,
)


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
