"""The error queue of IPv4 sockets: filling it with errors, and recvmsg(MSG_ERRQUEUE).

Linux: net/ipv4/ip_sockglue.c ip_icmp_error, ip_local_error, ip_recv_error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core import drop_reason
from pyhost.net.core.datagram import skb_copy_datagram_iter
from pyhost.net.core.errqueue import SockExterr, sock_dequeue_err_skb, sock_queue_err_skb
from pyhost.net.core.scm import put_cmsg
from pyhost.net.core.skbuff import alloc_skb, consume_skb, kfree_skb_reason
from pyhost.net.core.timestamping import sock_recv_timestamp
from pyhost.uapi.errno import EAGAIN
from pyhost.uapi.errqueue import SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_LOCAL
from pyhost.uapi.ip import IP_RECVERR, IpView
from pyhost.uapi.socket import MSG_ERRQUEUE, MSG_TRUNC, SOL_IP, pack_sockaddr_in

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.core.sock import InetSock, MsgHdr

__all__ = ["ip_icmp_error", "ip_local_error", "ip_recv_error"]

_NO_OFFENDER = bytes(16)


def ip_icmp_error(sk: InetSock, skb: SkBuff, errno: int, port: int, info: int) -> None:
    """Keep an ICMP error for recvmsg(MSG_ERRQUEUE); `skb` is as an ICMP error handler gets it, its
    payload is what followed the quoted transport header. Linux: ip_icmp_error.
    """
    buf = skb.buf
    icmp_type, code = buf[skb.transport_header], buf[skb.transport_header + 1]
    quoted = IpView(buf, skb.data)
    note = SockExterr(errno, SO_EE_ORIGIN_ICMP, icmp_type=icmp_type, code=code, info=info)
    note.addr, note.port = quoted.daddr, port
    note.offender = IpView(buf, skb.network_header).saddr
    payload_at = min(quoted.header_len + 8, skb.len)
    _queue(sk, note, skb.copy_bits(payload_at, skb.len - payload_at))


def ip_local_error(sk: InetSock, errno: int, daddr: int, port: int, info: int) -> None:
    """Keep an error of this host's own, when the socket asked for them with IP_RECVERR.

    Linux: ip_local_error.
    """
    if sk.recverr:
        note = SockExterr(errno, SO_EE_ORIGIN_LOCAL, info=info)
        note.addr, note.port = daddr, port
        _queue(sk, note, b"")


def _queue(sk: InetSock, note: SockExterr, payload: bytes) -> None:
    skb = alloc_skb(sk.net.skbs, len(payload))
    if skb is None:
        return
    skb.put_data(payload)
    skb.cb = note
    if sock_queue_err_skb(sk, skb):
        kfree_skb_reason(skb, drop_reason.SOCKET_RCVBUFF)


def ip_recv_error(sk: InetSock, msg: MsgHdr, length: int) -> int:
    """recvmsg(MSG_ERRQUEUE): the oldest news, with the bytes of the packet that it is about as
    data, and for an error the packet's destination as name.

    The bytes copied, never waits: -EAGAIN when there is none. -EFAULT. Linux: ip_recv_error.
    """
    msg.flags = 0
    skb = sock_dequeue_err_skb(sk)
    if skb is None:
        return -EAGAIN
    note: SockExterr = skb.cb
    copied = min(length, skb.len)
    if copied < skb.len:
        msg.flags |= MSG_TRUNC
    err = skb_copy_datagram_iter(skb, 0, msg.iter, copied)
    if err:
        kfree_skb_reason(skb, drop_reason.COPY_FAULT)
        return err
    sock_recv_timestamp(msg, sk, skb)
    if note.origin in (SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_LOCAL):
        msg.name = pack_sockaddr_in(note.addr, note.port)
    from_icmp = note.origin == SO_EE_ORIGIN_ICMP
    offender = pack_sockaddr_in(note.offender, 0) if from_icmp else _NO_OFFENDER
    put_cmsg(msg, SOL_IP, IP_RECVERR, note.pack() + offender)
    msg.flags |= MSG_ERRQUEUE
    consume_skb(skb)
    return copied
