"""What UDP and raw sockets have in common: connecting, and the route of a datagram.

Linux: net/ipv4/datagram.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.mm.page_frag import PageFrag
from pyhost.net.core.sock import TCP_CLOSE, TCP_ESTABLISHED, InetSock, Proto
from pyhost.net.ipv4.fib.route import RTN_BROADCAST, ip_route_output
from pyhost.net.ipv4.ip.ip_cmsg import IpcmCookie
from pyhost.uapi.errno import EACCES, EAFNOSUPPORT, EDESTADDRREQ, EINVAL, ENETUNREACH
from pyhost.uapi.ip import ipv4_is_multicast
from pyhost.uapi.rtnetlink import RT_SCOPE_LINK, RT_SCOPE_UNIVERSE
from pyhost.uapi.socket import (
    AF_INET,
    AF_UNSPEC,
    MSG_DONTROUTE,
    SOCKADDR_IN,
    unpack_sockaddr_in,
)

if TYPE_CHECKING:
    from pyhost.net.core.dst import DstEntry
    from pyhost.net.ipv4.ip.ip_append import InetCork
    from pyhost.net.net_namespace import Net

__all__ = [
    "DatagramSock", "datagram_destination", "datagram_disconnect", "datagram_route",
    "datagram_source", "ip4_datagram_connect",
]  # fmt: skip


class DatagramSock(InetSock):
    """A socket that sends packets, not a stream.

    `cork` is the packet under construction, `frag` where its pages come from; `connect_saddr` says
    that connect() chose the local address, so that a disconnect can take it back.
    """

    __slots__ = ("connect_saddr", "cork", "frag")

    def __init__(self, net: Net, family: int, sock_type: int, protocol: int, prot: Proto) -> None:
        super().__init__(net, family, sock_type, protocol, prot)
        self.cork: InetCork | None = None
        self.frag = PageFrag(net.kernel.mem)
        self.connect_saddr = False


def datagram_destination(
    sk: DatagramSock, name: bytes | None, *, needs_port: bool
) -> tuple[int, int, bool] | int:
    """Address, port, and whether they are the connection's; -EDESTADDRREQ, -EINVAL, -EAFNOSUPPORT.

    Linux: udp_sendmsg, raw_sendmsg.
    """
    if not name:
        if sk.sk_state != TCP_ESTABLISHED:
            return -EDESTADDRREQ
        return sk.inet_daddr, sk.inet_dport, True
    if len(name) < SOCKADDR_IN.size:
        return -EINVAL
    family, daddr, dport = unpack_sockaddr_in(name)
    if family not in (AF_INET, AF_UNSPEC):
        return -EAFNOSUPPORT
    return (daddr, dport, False) if dport or not needs_port else -EINVAL


def datagram_source(sk: DatagramSock, daddr: int, ipc: IpcmCookie) -> None:
    """The interface, source address and TTL that the socket's options give to a datagram."""
    if ipv4_is_multicast(daddr):
        ipc.oif = ipc.oif or sk.mc_index
        ipc.addr = ipc.addr or sk.mc_addr
        if ipc.ttl < 0:
            ipc.ttl = sk.mc_ttl
    elif not ipc.oif:
        ipc.oif = sk.uc_index


def datagram_route(
    sk: DatagramSock, daddr: int, ipc: IpcmCookie, flags: int, connected: bool
) -> DstEntry | int:
    """The socket's own route when it is connected and still good, else a look-up: a route or what
    `ip_route_output` says, -EACCES for a broadcast without SO_BROADCAST.
    """
    if connected and not flags & MSG_DONTROUTE:
        cached = sk.sk_dst_cache
        if cached is not None and cached.check():
            return cached
    tos = sk.tos if ipc.tos < 0 else ipc.tos
    scope = RT_SCOPE_LINK if flags & MSG_DONTROUTE else RT_SCOPE_UNIVERSE
    dst = ip_route_output(sk.net, daddr, ipc.addr, ipc.oif, tos, ipc.sockc.mark, scope)
    if isinstance(dst, int):
        if dst == -ENETUNREACH:
            sk.net.count("IpOutNoRoutes")
        return dst
    if dst.type == RTN_BROADCAST and not sk.sk_broadcast:
        return -EACCES
    if connected:
        sk.sk_dst_cache = dst
    return dst


def ip4_datagram_connect(sk: DatagramSock, addr: bytes) -> int:
    """Fix the peer, and with it the route and the source address. Linux: ip4_datagram_connect.

    EINVAL (short address), EAFNOSUPPORT, EACCES (broadcast without SO_BROADCAST), the route's
    errors.
    """
    if len(addr) < SOCKADDR_IN.size:
        return -EINVAL
    family, daddr, dport = unpack_sockaddr_in(addr)
    if family != AF_INET:
        return -EAFNOSUPPORT
    sk.lock_sock()
    try:
        sk.sk_dst_cache = None
        ipc = IpcmCookie(sk)
        datagram_source(sk, daddr, ipc)
        dst = datagram_route(sk, daddr, ipc, 0, connected=False)
        if isinstance(dst, int):
            return dst
        _become_connected(sk, dst, daddr or dst.saddr, dport)
        return 0
    finally:
        sk.release_sock()


def _become_connected(sk: DatagramSock, dst: DstEntry, daddr: int, dport: int) -> None:
    if not sk.inet_saddr:
        sk.inet_saddr = dst.saddr
    if not sk.inet_rcv_saddr:
        sk.inet_rcv_saddr = dst.saddr
        sk.connect_saddr = True
    sk.inet_daddr, sk.inet_dport = daddr, dport
    sk.sk_state = TCP_ESTABLISHED
    sk.inet_id = sk.net.kernel.random.getrandbits(16)
    sk.sk_dst_cache = dst
    sk.sk_prot.hash(sk)


def datagram_disconnect(sk: DatagramSock) -> None:
    """Forget the peer, and the address that only the connection had chosen.

    Linux: __udp_disconnect.
    """
    sk.sk_state = TCP_CLOSE
    sk.inet_daddr = sk.inet_dport = 0
    sk.sk_dst_cache = None
    if sk.connect_saddr:
        sk.inet_saddr = sk.inet_rcv_saddr = 0
        sk.connect_saddr = False
