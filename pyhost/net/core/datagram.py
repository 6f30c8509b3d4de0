"""Receiving whole packets: UDP, AF_PACKET. Linux: net/core/datagram.c."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core.skbuff import SkBuff, consume_skb
from pyhost.net.core.sock import (
    EPOLLERR,
    EPOLLHUP,
    EPOLLIN,
    EPOLLOUT,
    EPOLLPRI,
    EPOLLRDHUP,
    EPOLLRDNORM,
    EPOLLWRBAND,
    EPOLLWRNORM,
    RCV_SHUTDOWN,
    SHUTDOWN_MASK,
    Sock,
)
from pyhost.net.socket import Socket, sock_poll_wait
from pyhost.uapi.errno import EAGAIN, EFAULT, ENOTTY
from pyhost.uapi.fcntl import SIOCINQ, SIOCOUTQ
from pyhost.uapi.socket import MSG_DONTWAIT, MSG_PEEK

if TYPE_CHECKING:
    from pyhost.fs.poll import PollTable
    from pyhost.mm.iov_iter import IovIter

__all__ = [
    "datagram_ioctl", "datagram_poll", "skb_copy_datagram_iter", "skb_free_datagram",
    "skb_recv_datagram", "sock_writeable",
]  # fmt: skip


def skb_recv_datagram(sk: Sock, flags: int) -> SkBuff | int:
    """The next packet of the receive queue, which it leaves unless MSG_PEEK is set.

    Linux: skb_recv_datagram.

    Sleeps unless MSG_DONTWAIT. Instead of a packet: the socket's error, -EAGAIN, or 0 after
    shutdown(SHUT_RD). The caller owns the reference.
    """
    timeo = sk.rcvtimeo(bool(flags & MSG_DONTWAIT))
    queue = sk.sk_receive_queue
    while True:
        if sk.sk_err:
            return sk.sock_error()
        if queue:
            return queue[0].get() if flags & MSG_PEEK else queue.popleft()
        if sk.sk_shutdown & RCV_SHUTDOWN:
            return 0
        if timeo == 0:
            return -EAGAIN
        left = sk.sk_wq.wait_event_timeout(
            lambda: bool(queue or sk.sk_err or sk.sk_shutdown & RCV_SHUTDOWN), timeo, exclusive=True
        )
        timeo = None if timeo is None else left


def skb_free_datagram(skb: SkBuff) -> None:
    """The packet was read. Linux: skb_free_datagram."""
    consume_skb(skb)


def skb_copy_datagram_iter(skb: SkBuff, offset: int, to: IovIter, length: int) -> int:
    """Copy `length` bytes from `offset` on to the program:

    0, or -EFAULT with the iterator where it was. Linux: skb_copy_datagram_iter.
    """
    copied = 0
    for addr, size in skb.runs(offset, length):
        done = to.copy_to_iter(addr, size)
        copied += done
        if done < size:
            to.revert(copied)
            return -EFAULT
    return 0


def sock_writeable(sk: Sock) -> bool:
    """Whether more than half of the send buffer is free. Linux: sock_writeable."""
    return sk.sk_wmem_alloc < sk.sk_sndbuf >> 1


def datagram_ioctl(sock: Socket, cmd: int) -> int:
    """SIOCINQ: bytes of the next packet, 0 without one; SIOCOUTQ: what has not left the host yet.

    -ENOTTY for anything else. Linux: udp_ioctl, raw_ioctl, packet_ioctl.
    """
    sk: Sock = sock.sk
    if cmd == SIOCINQ:
        return sk.sk_receive_queue[0].len if sk.sk_receive_queue else 0
    return sk.sk_wmem_alloc - 1 if cmd == SIOCOUTQ else -ENOTTY


def datagram_poll(sock: Socket, pt: PollTable | None) -> int:
    """Linux: datagram_poll."""
    sk: Sock = sock.sk
    sock_poll_wait(sock, pt)
    mask = 0
    if sk.sk_err or sk.sk_error_queue:
        mask |= EPOLLERR | EPOLLPRI if sk.sk_select_err_queue else EPOLLERR
    if sk.sk_shutdown & RCV_SHUTDOWN:
        mask |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM
    if sk.sk_shutdown == SHUTDOWN_MASK:
        mask |= EPOLLHUP
    if sk.sk_receive_queue:
        mask |= EPOLLIN | EPOLLRDNORM
    if sock_writeable(sk):
        mask |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND
    else:
        sk.sock_nospace = True
    return mask
