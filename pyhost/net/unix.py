"""AF_UNIX stream sockets. Linux: net/unix/af_unix.c.

Two sockets are joined to each other by socketpair(), or by connect() to a name (unix_names.py,
unix_connect.py). What one writes goes as packets into the receive queue of the other, charged to
the writer until it is read. No datagrams, no descriptors in messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.process import SIGPIPE
from pyhost.net.core.datagram import skb_copy_datagram_iter
from pyhost.net.core.skbuff import alloc_skb, consume_skb
from pyhost.net.core.sock import (
    EPOLLERR,
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
    TCP_CLOSE,
    TCP_ESTABLISHED,
    TCP_LISTEN,
    MsgHdr,
    sock_wait_for_wmem,
)
from pyhost.net.socket import (
    SS_CONNECTED,
    ProtoOps,
    Socket,
    sock_init_data,
    sock_poll_wait,
)
from pyhost.net.unix_connect import unix_accept, unix_listen, unix_stream_connect
from pyhost.net.unix_names import unix_bind, unix_remove_name
from pyhost.net.unix_sock import UnixSock, current_cred, unix_writable
from pyhost.uapi.errno import (
    EAGAIN,
    ECONNRESET,
    EFAULT,
    EINVAL,
    EISCONN,
    ENOBUFS,
    ENOTCONN,
    ENOTTY,
    EOPNOTSUPP,
    EPIPE,
    EPROTONOSUPPORT,
    ESOCKTNOSUPPORT,
)
from pyhost.uapi.fcntl import SIOCINQ, SIOCOUTQ
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

__all__ = ["unix_init", "unix_stream_ops"]

SKB_MAX = 8192 - 320
"""The largest piece one packet takes, so that its head is one kmalloc object.

Linux uses up to 32 KiB and page fragments.
"""


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
        sk.sk_peer_cred = current_cred(sk.net)
        sock.state = SS_CONNECTED
    return 0


def unix_release(sock: Socket) -> int:
    """The socket's file is gone. Linux: unix_release."""
    sk: UnixSock = sock.sk
    sock.sk = None
    unix_release_sock(sk)
    return 0


def unix_release_sock(sk: UnixSock) -> None:
    """The peer reads to the end and can no longer write; what it sent and nobody read, or that it
    was not accepted yet, is told to it as ECONNRESET. Linux: unix_release_sock.
    """
    unix_remove_name(sk)
    sk.sk_state = TCP_CLOSE
    sk.sk_shutdown = SHUTDOWN_MASK
    peer, sk.peer = sk.peer, None
    if peer is not None:
        peer.sk_shutdown = SHUTDOWN_MASK
        peer.peer = None
        if sk.sk_receive_queue or sk.sk_socket is None:
            peer.sk_err = ECONNRESET
        _tell_all(peer)
    sk.sock_dead = True
    while sk.accept_queue:
        unix_release_sock(sk.accept_queue.popleft())
    _tell_all(sk)
    while sk.sk_receive_queue:
        consume_skb(sk.sk_receive_queue.popleft())
    sk.put()


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
    """The family, and the name if there is one. Linux: unix_getname."""
    sk: UnixSock | None = sock.sk.peer if peer else sock.sk
    return -ENOTCONN if sk is None else SOCKADDR_FAMILY.pack(AF_UNIX) + sk.addr


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
    if sk.sk_state != TCP_ESTABLISHED:
        return -EINVAL
    if flags & MSG_OOB:
        return -EOPNOTSUPP
    timeo = sk.rcvtimeo(bool(flags & MSG_DONTWAIT))
    target = size if flags & MSG_WAITALL else min(size, 1)
    done = 0
    while True:
        done = _read_queue(sk, msg, size, flags, done)
        if done < 0 or done >= target or (flags & MSG_PEEK and done):
            return done
        if sk.sk_err and not done:
            return sk.sock_error()
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


def unix_poll(sock: Socket, pt: PollTable | None) -> int:
    """Linux: unix_poll."""
    sk: UnixSock = sock.sk
    sock_poll_wait(sock, pt)
    mask = EPOLLERR if sk.sk_err else 0
    if sk.sk_shutdown == SHUTDOWN_MASK or sk.sk_state == TCP_CLOSE:
        mask |= EPOLLHUP
    if sk.sk_shutdown & RCV_SHUTDOWN:
        mask |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM
    if sk.sk_receive_queue or sk.accept_queue:
        mask |= EPOLLIN | EPOLLRDNORM
    if unix_writable(sk):
        mask |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND
    return mask


def unix_ioctl(sock: Socket, cmd: int) -> int:
    """SIOCINQ: bytes that wait to be read; SIOCOUTQ: memory of what the peer has not read.

    Linux: unix_ioctl, unix_inq_len, unix_outq_len.
    """
    sk: UnixSock = sock.sk
    if cmd == SIOCOUTQ:
        return sk.sk_wmem_alloc - 1
    if cmd != SIOCINQ:
        return -ENOTTY
    return -EINVAL if sk.sk_state == TCP_LISTEN else sum(skb.len for skb in sk.sk_receive_queue)


def unix_setsockopt(_sock: Socket, _level: int, _optname: int, _value: bytes) -> int:
    """No level but SOL_SOCKET."""
    return -EOPNOTSUPP


def unix_getsockopt(_sock: Socket, _level: int, _optname: int, _maxlen: int) -> int:
    """No level but SOL_SOCKET."""
    return -EOPNOTSUPP


unix_stream_ops = ProtoOps(
    family=AF_UNIX,
    release=unix_release,
    bind=unix_bind,
    connect=unix_stream_connect,
    socketpair=unix_socketpair,
    accept=unix_accept,
    getname=unix_getname,
    poll=unix_poll,
    listen=unix_listen,
    shutdown=unix_shutdown,
    setsockopt=unix_setsockopt,
    getsockopt=unix_getsockopt,
    sendmsg=unix_stream_sendmsg,
    recvmsg=unix_stream_recvmsg,
    ioctl=unix_ioctl,
)
