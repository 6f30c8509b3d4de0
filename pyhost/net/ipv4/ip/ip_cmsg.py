"""Control messages of level SOL_IP, with which one datagram is sent or received.

Linux: net/ipv4/ip_sockglue.c ip_cmsg_send, ip_cmsg_recv_offset.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.net.core.dev import dev_get_by_index
from pyhost.net.core.scm import SockcmCookie, cmsgs, put_cmsg, sock_cmsg_send
from pyhost.net.ipv4.fib.route import RTN_LOCAL, inet_addr_type
from pyhost.uapi.errno import EINVAL, ENODEV
from pyhost.uapi.ip import (
    IN_PKTINFO,
    IP_PKTINFO,
    IP_RECVOPTS,
    IP_RECVORIGDSTADDR,
    IP_RECVTOS,
    IP_RECVTTL,
    IP_TOS,
    IP_TTL,
    MAXTTL,
    IpView,
)
from pyhost.uapi.socket import INT, SOL_IP, pack_sockaddr_in

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.core.sock import InetSock, MsgHdr

__all__ = ["CMSG_FLAGS", "IpcmCookie", "ip_cmsg_recv", "ip_cmsg_send"]


class IpcmCookie:
    """What is special about one datagram. Linux: struct ipcm_cookie.

    `tos` and `ttl` are -1 where the socket's own are meant; `oif` and `addr` (source address) 0
    where the route decides; `gso_size` 0 for one datagram.
    """

    __slots__ = ("addr", "gso_size", "oif", "sockc", "tos", "ttl")

    def __init__(self, sk: InetSock) -> None:
        self.sockc = SockcmCookie(sk)
        self.addr = sk.inet_saddr
        self.oif = sk.sk_bindtodevice
        self.tos = self.ttl = -1
        self.gso_size = 0


def ip_cmsg_send(sk: InetSock, control: bytes, ipc: IpcmCookie) -> int:
    """Take over what the messages of levels SOL_SOCKET and SOL_IP say: 0, -EINVAL, or -ENODEV for
    an interface that is not there.

    Linux: ip_cmsg_send.
    """
    err = sock_cmsg_send(sk, control, ipc.sockc)
    if err:
        return err
    messages = cmsgs(control)
    if isinstance(messages, int):
        return messages
    for level, kind, data in messages:
        if level == SOL_IP:
            err = _take(sk, kind, data, ipc)
            if err:
                return err
    return 0


def _take(sk: InetSock, kind: int, data: bytes, ipc: IpcmCookie) -> int:
    if kind == IP_TTL and len(data) == INT.size:
        ipc.ttl = INT.unpack(data)[0]
        return 0 if 1 <= ipc.ttl <= MAXTTL else -EINVAL
    if kind == IP_TOS and len(data) in (1, INT.size):
        ipc.tos = data[0] if len(data) == 1 else INT.unpack(data)[0]
        return 0 if 0 <= ipc.tos <= 255 else -EINVAL
    if kind == IP_PKTINFO and len(data) == IN_PKTINFO.size:
        ifindex, spec_dst, _ = IN_PKTINFO.unpack(data)
        if ifindex:
            if dev_get_by_index(sk.net, ifindex) is None:
                return -ENODEV
            ipc.oif = ifindex
        ipc.addr = int.from_bytes(spec_dst, "big") or ipc.addr
        return 0
    return -EINVAL


# -- receiving -------------------------------------------------------------------------------------


def _pktinfo(skb: SkBuff) -> bytes:
    """Where the datagram came in, and to which of our addresses. Linux: ipv4_pktinfo_prepare."""
    dev = skb.dev
    assert dev is not None
    daddr = IpView(skb.buf, skb.network_header).daddr
    local = daddr if inet_addr_type(dev.net, daddr) == RTN_LOCAL else dev.in_addr
    return IN_PKTINFO.pack(dev.ifindex, local.to_bytes(4, "big"), daddr.to_bytes(4, "big"))


def _origdstaddr(skb: SkBuff) -> bytes:
    where = skb.transport_header + 2
    port = int.from_bytes(skb.buf[where : where + 2], "big")
    return pack_sockaddr_in(IpView(skb.buf, skb.network_header).daddr, port)


def _options(skb: SkBuff) -> bytes:
    where = skb.network_header
    return bytes(skb.buf[where + 20 : where + IpView(skb.buf, where).header_len])


def _ttl(skb: SkBuff) -> bytes:
    return INT.pack(IpView(skb.buf, skb.network_header).ttl)


def _tos(skb: SkBuff) -> bytes:
    return bytes([IpView(skb.buf, skb.network_header).tos])


Answer = Callable[["SkBuff"], bytes]

CMSG_FLAGS: dict[int, tuple[int, int, Answer]] = {
    IP_PKTINFO: (1 << 0, IP_PKTINFO, _pktinfo),
    IP_RECVTTL: (1 << 1, IP_TTL, _ttl),
    IP_RECVTOS: (1 << 2, IP_TOS, _tos),
    IP_RECVOPTS: (1 << 3, IP_RECVOPTS, _options),
    IP_RECVORIGDSTADDR: (1 << 6, IP_RECVORIGDSTADDR, _origdstaddr),
}
"""By socket option: the bit in `cmsg_flags`, the type of the message, what is in it."""


def ip_cmsg_recv(msg: MsgHdr, sk: InetSock, skb: SkBuff) -> None:
    """The control messages that the socket wants with a datagram. Linux: ip_cmsg_recv_offset."""
    flags = sk.cmsg_flags
    for option, (bit, kind, answer) in CMSG_FLAGS.items():
        if flags & bit:
            data = answer(skb)
            if data or option != IP_RECVOPTS:
                put_cmsg(msg, SOL_IP, kind, data)
