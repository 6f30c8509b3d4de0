"""A socket's error queue: what happened to packets that have left, for recvmsg(MSG_ERRQUEUE).

Linux: net/core/skbuff.c sock_queue_err_skb, sock_dequeue_err_skb, include/linux/errqueue.h.

Three kinds of news go through it: errors (ICMP, or this host's own), timestamps of sends, and the
end of zero-copy sends. Only an ICMP error also becomes the socket's pending error (`sk_err`); the
others set EPOLLERR and leave reads and writes alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core.skbuff import consume_skb
from pyhost.uapi.errno import ENOMEM
from pyhost.uapi.errqueue import (
    SO_EE_ORIGIN_ICMP,
    SO_EE_ORIGIN_TIMESTAMPING,
    SO_EE_ORIGIN_ZEROCOPY,
    SOCK_EXTENDED_ERR,
)

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.core.sock import Sock

__all__ = ["SockExterr", "skb_errqueue_purge", "sock_dequeue_err_skb", "sock_queue_err_skb"]


class SockExterr:
    """`skb.cb` of an entry: the fields of struct sock_extended_err, the destination of the packet
    and who sent the error. Linux: struct sock_exterr_skb.

    `opt_stats`: the skb's data are TCP statistics in netlink attributes.
    """

    __slots__ = (
        "addr", "code", "data", "errno", "info", "offender", "opt_stats", "origin", "port", "type",
    )  # fmt: skip

    def __init__(
        self,
        errno: int,
        origin: int,
        *,
        icmp_type: int = 0,
        code: int = 0,
        info: int = 0,
        data: int = 0,
    ) -> None:
        self.errno = errno
        self.origin = origin
        self.type = icmp_type
        self.code = code
        self.info = info
        self.data = data
        self.addr = 0
        self.port = 0
        self.offender = 0
        self.opt_stats = False

    def pack(self) -> bytes:
        """The struct sock_extended_err."""
        return SOCK_EXTENDED_ERR.pack(
            self.errno, self.origin, self.type, self.code, 0, self.info, self.data
        )


def sock_queue_err_skb(sk: Sock, skb: SkBuff) -> int:
    """Queue news, charged to the receive buffer, and wake who waits: 0, or -ENOMEM when the buffer
    is full and the caller keeps the skb. Linux: sock_queue_err_skb.
    """
    if sk.sk_rmem_alloc + skb.truesize >= sk.sk_rcvbuf:
        return -ENOMEM
    sk.set_owner_r(skb)
    sk.sk_error_queue.append(skb)
    if not sk.sock_dead:
        sk.error_report()
    return 0


def sock_dequeue_err_skb(sk: Sock) -> SkBuff | None:
    """The oldest entry, None when there is none. Linux: sock_dequeue_err_skb.

    The pending error follows the queue: it is that of the next entry when that is an ICMP error,
    and forgotten when the last of them is taken.
    """
    queue = sk.sk_error_queue
    if not queue:
        return None
    skb = queue.popleft()
    following: SockExterr | None = queue[0].cb if queue else None
    if following is not None and following.origin == SO_EE_ORIGIN_ICMP:
        sk.sk_err = following.errno
    elif skb.cb.origin == SO_EE_ORIGIN_ICMP:
        sk.sk_err = 0
    if following is not None:
        sk.error_report()
    return skb


def skb_errqueue_purge(sk: Sock) -> None:
    """The program no longer wants errors: forget them, but not what it asked for otherwise. Linux:
    skb_errqueue_purge.
    """
    for skb in tuple(sk.sk_error_queue):
        if skb.cb.origin not in (SO_EE_ORIGIN_ZEROCOPY, SO_EE_ORIGIN_TIMESTAMPING):
            sk.sk_error_queue.remove(skb)
            consume_skb(skb)
