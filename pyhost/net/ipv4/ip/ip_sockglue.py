"""Socket options of level SOL_IP. Linux: net/ipv4/ip_sockglue.c.

What a datagram's control messages say is in ip_cmsg.py, the error queue in ip_errqueue.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.net.core.dev import dev_get_by_index
from pyhost.net.core.errqueue import skb_errqueue_purge
from pyhost.net.ipv4.igmp import ip_mc_find_dev, ip_mc_join_group, ip_mc_leave_group
from pyhost.net.ipv4.ip.ip_cmsg import CMSG_FLAGS
from pyhost.uapi.errno import (
    EADDRNOTAVAIL,
    EINVAL,
    ENOPROTOOPT,
    ENOTCONN,
    EOPNOTSUPP,
)
from pyhost.uapi.ip import (
    IP_ADD_MEMBERSHIP,
    IP_BIND_ADDRESS_NO_PORT,
    IP_DROP_MEMBERSHIP,
    IP_FREEBIND,
    IP_HDRINCL,
    IP_LOCAL_PORT_RANGE,
    IP_MINTTL,
    IP_MREQN,
    IP_MTU,
    IP_MTU_DISCOVER,
    IP_MULTICAST_ALL,
    IP_MULTICAST_IF,
    IP_MULTICAST_LOOP,
    IP_MULTICAST_TTL,
    IP_PMTUDISC_DONT,
    IP_PMTUDISC_OMIT,
    IP_RECVERR,
    IP_TOS,
    IP_TRANSPARENT,
    IP_TTL,
    IP_UNICAST_IF,
    MAXTTL,
)
from pyhost.uapi.socket import INT, SOCK_RAW, SOCK_STREAM, SOL_IP

if TYPE_CHECKING:
    from pyhost.net.core.sock import InetSock

__all__ = ["ip_getsockopt", "ip_setsockopt", "rt_tos2priority"]

Setter = Callable[["InetSock", bytes], int]

INET_ECN_MASK = 3
IP_MREQ_SIZE = 8

IP_TOS2PRIO = (0, 0, 0, 0, 2, 2, 2, 2, 6, 6, 6, 6, 4, 4, 4, 4)
"""Priority by (tos & 0x1e) >> 1: best effort, bulk, interactive, interactive bulk.

Linux: ip_tos2prio.
"""


def rt_tos2priority(tos: int) -> int:
    """The queueing priority that belongs to a type of service. Linux: rt_tos2priority."""
    return IP_TOS2PRIO[(tos & 0x1E) >> 1]


# -- setting ---------------------------------------------------------------------------------------


def ip_setsockopt(sk: InetSock, level: int, optname: int, value: bytes) -> int:
    """0, -EINVAL (value out of range), -ENOPROTOOPT (no such option, or not for this socket).

    Linux: do_ip_setsockopt.
    """
    if level != SOL_IP:
        return -ENOPROTOOPT
    if optname in CMSG_FLAGS:
        bit = CMSG_FLAGS[optname][0]
        sk.cmsg_flags = sk.cmsg_flags | bit if _number(value) else sk.cmsg_flags & ~bit
        return 0
    attribute = FLAG_OPTIONS.get(optname)
    if attribute is not None:
        if not value:
            return -EINVAL
        setattr(sk, attribute, bool(_number(value)))
        return 0
    setter = SETTERS.get(optname)
    return -ENOPROTOOPT if setter is None else setter(sk, value)


FLAG_OPTIONS = {
    IP_FREEBIND: "inet_freebind",
    IP_TRANSPARENT: "transparent",
    IP_BIND_ADDRESS_NO_PORT: "bind_address_no_port",
    IP_MULTICAST_LOOP: "mc_loop",
}


def _number(value: bytes) -> int:
    """An int or, as Linux allows here, a single byte; 0 when there is nothing."""
    if len(value) >= INT.size:
        return int(INT.unpack_from(value)[0])
    return value[0] if value else 0


def _set_tos(sk: InetSock, value: bytes) -> int:
    """TCP keeps the ECN bits to itself. Linux: __ip_sock_set_tos."""
    tos = _number(value) & 0xFF
    if sk.sk_type == SOCK_STREAM:
        tos = tos & ~INET_ECN_MASK | sk.tos & INET_ECN_MASK
    if sk.tos != tos:
        sk.tos = tos
        sk.sk_priority = rt_tos2priority(tos)
        sk.sk_dst_cache = None
    return 0


def _set_ttl(sk: InetSock, value: bytes) -> int:
    number = _number(value)
    if not value or (number != -1 and not 1 <= number <= MAXTTL):
        return -EINVAL
    sk.uc_ttl = number
    return 0


def _set_minttl(sk: InetSock, value: bytes) -> int:
    if not value or not 0 <= _number(value) <= MAXTTL:
        return -EINVAL
    sk.min_ttl = _number(value)
    return 0


def _set_mtu_discover(sk: InetSock, value: bytes) -> int:
    if not IP_PMTUDISC_DONT <= _number(value) <= IP_PMTUDISC_OMIT:
        return -EINVAL
    sk.pmtudisc = _number(value)
    return 0


def _set_recverr(sk: InetSock, value: bytes) -> int:
    sk.recverr = bool(_number(value))
    if not sk.recverr:
        skb_errqueue_purge(sk)
    return 0


def _set_hdrincl(sk: InetSock, value: bytes) -> int:
    if sk.sk_type != SOCK_RAW:
        return -ENOPROTOOPT
    sk.hdrincl = bool(_number(value))
    return 0


def _set_unicast_if(sk: InetSock, value: bytes) -> int:
    """The interface's number comes in network order. Linux: IP_UNICAST_IF."""
    if len(value) != INT.size:
        return -EINVAL
    ifindex = int.from_bytes(value, "big")
    if ifindex and dev_get_by_index(sk.net, ifindex) is None:
        return -EADDRNOTAVAIL
    sk.uc_index = ifindex
    return 0


def _set_local_port_range(sk: InetSock, value: bytes) -> int:
    """Lowest port in the lower half, highest in the upper; 0 is the system's own."""
    if len(value) != INT.size:
        return -EINVAL
    low, high = int.from_bytes(value[:2], "little"), int.from_bytes(value[2:], "little")
    if low and high and low > high:
        return -EINVAL
    sk.local_port_range = (low, high) if low or high else None
    return 0


# -- multicast -------------------------------------------------------------------------------------


def _set_multicast_ttl(sk: InetSock, value: bytes) -> int:
    number = _number(value)
    if sk.sk_type == SOCK_STREAM or not value or not -1 <= number <= MAXTTL:
        return -EINVAL
    sk.mc_ttl = 1 if number == -1 else number
    return 0


def _set_multicast_all(sk: InetSock, value: bytes) -> int:
    if not value or _number(value) not in (0, 1):
        return -EINVAL
    sk.mc_all = bool(_number(value))
    return 0


def _mreq(value: bytes) -> tuple[int, int, int] | None:
    """(group, address, interface) of an ip_mreqn, ip_mreq or, where that is allowed, an address."""
    if len(value) < IP_MREQ_SIZE:
        return None
    group, addr, ifindex = IP_MREQN.unpack(value[: IP_MREQN.size].ljust(IP_MREQN.size, b"\0"))
    return int.from_bytes(group, "big"), int.from_bytes(addr, "big"), ifindex


def _set_multicast_if(sk: InetSock, value: bytes) -> int:
    """The interface for multicasts; no address and no number takes it back."""
    if sk.sk_type == SOCK_STREAM or len(value) < INT.size:
        return -EINVAL
    named = _mreq(value) or (0, int.from_bytes(value[:4], "big"), 0)
    _, addr, ifindex = named
    if not addr and not ifindex:
        sk.mc_index = sk.mc_addr = 0
        return 0
    dev = ip_mc_find_dev(sk.net, 0, addr, ifindex)
    if dev is None:
        return -EADDRNOTAVAIL
    sk.mc_index, sk.mc_addr = dev.ifindex, addr
    return 0


def _membership(change: Callable[[InetSock, int, int, int], int]) -> Setter:
    def setter(sk: InetSock, value: bytes) -> int:
        named = _mreq(value)
        return -EINVAL if named is None or sk.sk_type == SOCK_STREAM else change(sk, *named)

    return setter


SETTERS: dict[int, Setter] = {
    IP_TOS: _set_tos,
    IP_TTL: _set_ttl,
    IP_MINTTL: _set_minttl,
    IP_MTU_DISCOVER: _set_mtu_discover,
    IP_RECVERR: _set_recverr,
    IP_HDRINCL: _set_hdrincl,
    IP_UNICAST_IF: _set_unicast_if,
    IP_LOCAL_PORT_RANGE: _set_local_port_range,
    IP_MULTICAST_TTL: _set_multicast_ttl,
    IP_MULTICAST_ALL: _set_multicast_all,
    IP_MULTICAST_IF: _set_multicast_if,
    IP_ADD_MEMBERSHIP: _membership(ip_mc_join_group),
    IP_DROP_MEMBERSHIP: _membership(ip_mc_leave_group),
}


# -- getting ---------------------------------------------------------------------------------------


def ip_getsockopt(sk: InetSock, level: int, optname: int, maxlen: int) -> bytes | int:
    """The value, at most `maxlen` bytes; -ENOPROTOOPT, -ENOTCONN (IP_MTU without a route).

    Linux: do_ip_getsockopt.
    """
    if level != SOL_IP:
        return -EOPNOTSUPP
    if optname == IP_MULTICAST_IF:
        return sk.mc_addr.to_bytes(4, "big")[:maxlen]
    if optname == IP_UNICAST_IF:
        return sk.uc_index.to_bytes(4, "big")[:maxlen]
    number = _get_number(sk, optname)
    if number is None:
        return -ENOPROTOOPT
    if optname == IP_MTU and not number:
        return -ENOTCONN
    if 0 < maxlen < INT.size and 0 <= number <= 255:
        return bytes([number])
    return INT.pack(number)[:maxlen]


def _get_number(sk: InetSock, optname: int) -> int | None:
    if optname in CMSG_FLAGS:
        return int(bool(sk.cmsg_flags & CMSG_FLAGS[optname][0]))
    attribute = ATTRIBUTES.get(optname)
    if attribute is not None:
        return int(getattr(sk, attribute))
    getter = GETTERS.get(optname)
    return None if getter is None else getter(sk)


def _get_ttl(sk: InetSock) -> int:
    return sk.uc_ttl if sk.uc_ttl >= 0 else sk.net.ipv4.sysctl_ip_default_ttl


def _get_mtu(sk: InetSock) -> int:
    dst = sk.sk_dst_cache
    return dst.mtu() if dst is not None and dst.check() else 0


def _get_local_port_range(sk: InetSock) -> int:
    low, high = sk.local_port_range or (0, 0)
    packed = high << 16 | low
    return packed - (1 << 32) if packed >> 31 else packed


ATTRIBUTES = {
    IP_TOS: "tos",
    IP_MINTTL: "min_ttl",
    IP_MTU_DISCOVER: "pmtudisc",
    IP_RECVERR: "recverr",
    IP_HDRINCL: "hdrincl",
    IP_MULTICAST_TTL: "mc_ttl",
    IP_MULTICAST_ALL: "mc_all",
    **FLAG_OPTIONS,
}

GETTERS: dict[int, Callable[[InetSock], int]] = {
    IP_TTL: _get_ttl,
    IP_MTU: _get_mtu,
    IP_LOCAL_PORT_RANGE: _get_local_port_range,
}
