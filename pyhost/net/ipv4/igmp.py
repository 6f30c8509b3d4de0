"""Which multicast groups a host listens to. Linux: net/ipv4/igmp.c.

Difference: no IGMP: a switch or router is not told, and there are no source filters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core.dev import dev_get_by_index
from pyhost.net.core.dev_addr import dev_mc_add, dev_mc_del
from pyhost.net.ipv4.fib.devinet import all_addresses
from pyhost.net.ipv4.fib.route import ip_route_output
from pyhost.uapi.errno import EADDRINUSE, EADDRNOTAVAIL, EINVAL, ENOBUFS, ENODEV
from pyhost.uapi.ip import ip_eth_mc_map, ipv4_is_multicast

if TYPE_CHECKING:
    from pyhost.net.core.netdevice import NetDevice
    from pyhost.net.core.sock import InetSock
    from pyhost.net.net_namespace import Net

__all__ = [
    "ip_mc_drop_socket", "ip_mc_find_dev", "ip_mc_join_group", "ip_mc_leave_group",
    "ip_mc_sf_allow",
]  # fmt: skip

IGMP_MAX_MEMBERSHIPS = 20
"""Linux: net.ipv4.igmp_max_memberships."""


def ip_mc_find_dev(net: Net, group: int, addr: int, ifindex: int) -> NetDevice | None:
    """The interface that a membership names: by number, by address, or by the route to the group.

    Linux: ip_mc_find_dev.
    """
    if ifindex:
        return dev_get_by_index(net, ifindex)
    if addr:
        return next((dev for dev, ifa in all_addresses(net) if ifa.local == addr), None)
    dst = ip_route_output(net, group)
    return None if isinstance(dst, int) else dst.dev


def ip_mc_join_group(sk: InetSock, group: int, addr: int, ifindex: int) -> int:
    """IP_ADD_MEMBERSHIP: 0, -EINVAL (no multicast address), -ENODEV, -EADDRINUSE (a member
    already), -ENOBUFS (too many groups).

    Linux: ip_mc_join_group.
    """
    if not ipv4_is_multicast(group):
        return -EINVAL
    dev = ip_mc_find_dev(sk.net, group, addr, ifindex)
    if dev is None:
        return -ENODEV
    membership = (group, dev.ifindex)
    if membership in sk.mc_list:
        return -EADDRINUSE
    if len(sk.mc_list) >= IGMP_MAX_MEMBERSHIPS:
        return -ENOBUFS
    sk.mc_list.append(membership)
    if group not in dev.mc_list:
        dev_mc_add(dev, ip_eth_mc_map(group))
    dev.mc_list[group] = dev.mc_list.get(group, 0) + 1
    sk.net.fib.flush_cache()
    return 0


def ip_mc_leave_group(sk: InetSock, group: int, addr: int, ifindex: int) -> int:
    """IP_DROP_MEMBERSHIP: 0, -ENODEV, -EADDRNOTAVAIL. Linux: ip_mc_leave_group."""
    dev = ip_mc_find_dev(sk.net, group, addr, ifindex)
    if dev is None:
        return -ENODEV
    if (group, dev.ifindex) not in sk.mc_list:
        return -EADDRNOTAVAIL
    sk.mc_list.remove((group, dev.ifindex))
    _dec_group(dev, group)
    return 0


def _dec_group(dev: NetDevice, group: int) -> None:
    """Linux: __ip_mc_dec_group."""
    dev.mc_list[group] -= 1
    if not dev.mc_list[group]:
        del dev.mc_list[group]
        dev_mc_del(dev, ip_eth_mc_map(group))
        dev.net.fib.flush_cache()


def ip_mc_drop_socket(sk: InetSock) -> None:
    """The socket is closed: it leaves its groups. Linux: ip_mc_drop_socket."""
    while sk.mc_list:
        group, ifindex = sk.mc_list.pop()
        dev = dev_get_by_index(sk.net, ifindex)
        if dev is not None:
            _dec_group(dev, group)


def ip_mc_sf_allow(sk: InetSock, group: int, ifindex: int) -> bool:
    """Whether a socket gets what is sent to a group: as a member, or with IP_MULTICAST_ALL because
    the host is one.

    Linux: ip_mc_sf_allow.
    """
    return not ipv4_is_multicast(group) or (group, ifindex) in sk.mc_list or sk.mc_all
