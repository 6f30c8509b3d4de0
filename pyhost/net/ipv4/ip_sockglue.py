"""Socket options of level SOL_IP, and the error queue. Linux: net/ipv4/ip_sockglue.c."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from pyhost.net.core.skbuff import SkBuff, alloc_skb, consume_skb
from pyhost.uapi.errno import EAGAIN, EFAULT, EINVAL, ENOPROTOOPT, ENOTCONN
from pyhost.uapi.ip import (
    IP_FREEBIND,
    IP_MTU,
    IP_MTU_DISCOVER,
    IP_PMTUDISC_DONT,
    IP_PMTUDISC_OMIT,
    IP_RECVERR,
    IP_TOS,
    IP_TRANSPARENT,
    IP_TTL,
    MAXTTL,
    IpView,
)
from pyhost.uapi.socket import INT, MSG_ERRQUEUE, MSG_TRUNC, SOCK_STREAM, SOL_IP, pack_sockaddr_in

if TYPE_CHECKING:
    from pyhost.net.core.sock import InetSock, MsgHdr

__all__ = [
    "SO_EE_ORIGIN_ICMP", "SO_EE_ORIGIN_LOCAL", "SockExerr", "ip_cmsg_send", "ip_getsockopt",
    "ip_icmp_error", "ip_local_error", "ip_recv_error", "ip_setsockopt", "rt_tos2priority",
]  # fmt: skip

SO_EE_ORIGIN_LOCAL = 1
SO_EE_ORIGIN_ICMP = 2

SOCK_EXTENDED_ERR = Struct("<IBBBBII")
"""struct sock_extended_err: errno, origin, type, code, pad, info, data."""

CMSGHDR = Struct("<QII")
"""struct cmsghdr: length with this header, level, type; the data follows, padded to 8 bytes."""

INET_ECN_MASK = 3

IP_TOS2PRIO = (0, 0, 0, 0, 2, 2, 2, 2, 6, 6, 6, 6, 4, 4, 4, 4)
"""Priority by (tos & 0x1e) >> 1: best effort, bulk, interactive, interactive bulk.

Linux: ip_tos2prio.
"""


def rt_tos2priority(tos: int) -> int:
    """The queueing priority that belongs to a type of service. Linux: rt_tos2priority."""
    return IP_TOS2PRIO[(tos & 0x1E) >> 1]


# -- options ---------------------------------------------------------------------------------------


def ip_setsockopt(sk: InetSock, level: int, optname: int, value: bytes) -> int:
    """0, -EINVAL (value out of range), -ENOPROTOOPT (no such option). Linux: do_ip_setsockopt."""
    if level != SOL_IP:
        return -ENOPROTOOPT
    number = _number(value)
    if optname == IP_TOS:
        return _set_tos(sk, number & 0xFF)
    if optname == IP_TTL:
        if not value or (number != -1 and not 1 <= number <= MAXTTL):
            return -EINVAL
        sk.uc_ttl = number
    elif optname == IP_MTU_DISCOVER:
        if not IP_PMTUDISC_DONT <= number <= IP_PMTUDISC_OMIT:
            return -EINVAL
        sk.pmtudisc = number
    elif optname == IP_RECVERR:
        sk.recverr = bool(number)
        if not number:
            while sk.sk_error_queue:
                consume_skb(sk.sk_error_queue.popleft())
    elif optname == IP_FREEBIND:
        if not value:
            return -EINVAL
        sk.inet_freebind = bool(number)
    elif optname == IP_TRANSPARENT:
        if not value:
            return -EINVAL
        sk.transparent = bool(number)
    else:
        return -ENOPROTOOPT
    return 0


def _number(value: bytes) -> int:
    """An int or, as Linux allows here, a single byte; 0 when there is nothing."""
    if len(value) >= INT.size:
        return int(INT.unpack_from(value)[0])
    return value[0] if value else 0


def _set_tos(sk: InetSock, tos: int) -> int:
    """TCP keeps the ECN bits to itself. Linux: __ip_sock_set_tos."""
    if sk.sk_type == SOCK_STREAM:
        tos = tos & ~INET_ECN_MASK | sk.tos & INET_ECN_MASK
    if sk.tos != tos:
        sk.tos = tos
        sk.sk_priority = rt_tos2priority(tos)
        sk.sk_dst_cache = None
    return 0


def ip_getsockopt(sk: InetSock, level: int, optname: int, maxlen: int) -> bytes | int:
    """The value, at most `maxlen` bytes; -ENOPROTOOPT, -ENOTCONN (IP_MTU without a route).

    Linux: do_ip_getsockopt.
    """
    if level != SOL_IP:
        return -ENOPROTOOPT
    number = _get_option(sk, optname)
    if number is None:
        return -ENOPROTOOPT
    if optname == IP_MTU and not number:
        return -ENOTCONN
    if 0 < maxlen < INT.size and 0 <= number <= 255:
        return bytes([number])
    return INT.pack(number)[:maxlen]


def _get_option(sk: InetSock, optname: int) -> int | None:
    if optname == IP_TOS:
        return sk.tos
    if optname == IP_TTL:
        return sk.uc_ttl if sk.uc_ttl >= 0 else sk.net.ipv4.sysctl_ip_default_ttl
    if optname == IP_MTU_DISCOVER:
        return sk.pmtudisc
    if optname == IP_RECVERR:
        return int(sk.recverr)
    if optname == IP_MTU:
        dst = sk.sk_dst_cache
        return dst.mtu() if dst is not None and dst.check() else 0
    if optname == IP_FREEBIND:
        return int(sk.inet_freebind)
    if optname == IP_TRANSPARENT:
        return int(sk.transparent)
    return None


# -- control messages ------------------------------------------------------------------------------


def ip_cmsg_send(control: bytes) -> tuple[int, int] | int:
    """(tos, ttl) that control messages give to one datagram, -1 where there is none; -EINVAL.

    Linux: ip_cmsg_send.
    """
    tos = ttl = -1
    at = 0
    while at + CMSGHDR.size <= len(control):
        length, level, kind = CMSGHDR.unpack_from(control, at)
        if length < CMSGHDR.size or at + length > len(control):
            return -EINVAL
        data = control[at + CMSGHDR.size : at + length]
        at += length + 7 & ~7
        if level != SOL_IP:
            continue
        if kind == IP_TTL and len(data) == INT.size:
            ttl = _number(data)
            if not 1 <= ttl <= MAXTTL:
                return -EINVAL
        elif kind == IP_TOS and len(data) in (1, INT.size):
            tos = _number(data)
            if not 0 <= tos <= 255:
                return -EINVAL
        else:
            return -EINVAL
    return tos, ttl


# -- error queue -----------------------------------------------------------------------------------


class SockExerr(NamedTuple):
    """`skb.cb` of an entry in `sk_error_queue`: what happened, to what destination, and who said
    so.

    Linux: struct sock_exterr_skb.
    """

    errno: int
    origin: int
    type: int
    code: int
    info: int
    addr: int
    port: int
    offender: int


def ip_icmp_error(sk: InetSock, skb: SkBuff, errno: int, port: int, info: int) -> None:
    """Keep an ICMP error for recvmsg(MSG_ERRQUEUE); `skb` is as an ICMP error handler gets it, its
    payload is what followed the quoted transport header. Linux: ip_icmp_error.
    """
    buf = skb.buf
    icmp_type, code = buf[skb.transport_header], buf[skb.transport_header + 1]
    quoted = IpView(buf, skb.data)
    offender = IpView(buf, skb.network_header).saddr
    payload_at = min(quoted.header_len + 8, skb.len)
    note = SockExerr(errno, SO_EE_ORIGIN_ICMP, icmp_type, code, info, quoted.daddr, port, offender)
    _queue_err(sk, note, skb.copy_bits(payload_at, skb.len - payload_at))


def ip_local_error(sk: InetSock, errno: int, daddr: int, port: int, info: int) -> None:
    """Keep an error of this host's own, when the socket asked for them with IP_RECVERR.

    Linux: ip_local_error.
    """
    if sk.recverr:
        _queue_err(sk, SockExerr(errno, SO_EE_ORIGIN_LOCAL, 0, 0, info, daddr, port, 0), b"")


def _queue_err(sk: InetSock, note: SockExerr, payload: bytes) -> None:
    """Linux: sock_queue_err_skb."""
    skb = alloc_skb(sk.net.skbs, len(payload))
    if skb is None:
        return
    if sk.sk_rmem_alloc + skb.truesize >= sk.sk_rcvbuf:
        consume_skb(skb)
        return
    skb.put_data(payload)
    skb.cb = note
    sk.set_owner_r(skb)
    sk.sk_error_queue.append(skb)
    if not sk.sock_dead:
        sk.error_report()


def ip_recv_error(sk: InetSock, msg: MsgHdr, length: int) -> int:
    """recvmsg(MSG_ERRQUEUE): the oldest kept error, with the datagram's destination as name and its
    payload as data.

    -EAGAIN when there is none. Linux: ip_recv_error.
    """
    if not sk.sk_error_queue:
        return -EAGAIN
    skb = sk.sk_error_queue.popleft()
    note: SockExerr = skb.cb
    copied = min(length, skb.len)
    if msg.iter.copy_to_iter(skb.data, copied) != copied:
        consume_skb(skb)
        return -EFAULT
    if copied < skb.len:
        msg.flags |= MSG_TRUNC
    msg.name = pack_sockaddr_in(note.addr, note.port)
    error = SOCK_EXTENDED_ERR.pack(note.errno, note.origin, note.type, note.code, 0, note.info, 0)
    offender = pack_sockaddr_in(note.offender, 0) if note.origin == SO_EE_ORIGIN_ICMP else bytes(16)
    data = error + offender
    msg.control += CMSGHDR.pack(CMSGHDR.size + len(data), SOL_IP, IP_RECVERR) + data
    msg.flags |= MSG_ERRQUEUE
    consume_skb(skb)
    following = sk.sk_error_queue[0].cb if sk.sk_error_queue else None
    sk.sk_err = (
        following.errno if following is not None and following.origin == SO_EE_ORIGIN_ICMP else 0
    )
    return copied
