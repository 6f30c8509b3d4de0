"""The IPv4 addresses of an interface. Linux: net/ipv4/devinet.c.

The first address of a network on an interface is primary, the others are secondary: they are never
chosen as a source, and go when the primary goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from pyhost.net.core.extack import NetlinkExtAck
from pyhost.net.core.netdevice import IFF_LOOPBACK
from pyhost.net.ipv4.fib.fib_semantics import inet_make_mask
from pyhost.uapi.errno import EADDRNOTAVAIL, EEXIST, EINVAL
from pyhost.uapi.ip import ipv4_is_lbcast, ipv4_is_zeronet
from pyhost.uapi.rtnetlink import RT_SCOPE_HOST, RT_SCOPE_LINK, RT_SCOPE_UNIVERSE

if TYPE_CHECKING:
    from pyhost.net.core.netdevice import NetDevice
    from pyhost.net.net_namespace import Net

__all__ = [
    "InIfaddr", "all_addresses", "inet_add_addr", "inet_del_addr", "inet_ifa_match",
    "inet_select_addr",
]  # fmt: skip


class InIfaddr(NamedTuple):
    """One address of an interface. Linux: struct in_ifaddr.

    `peer` is the other end of a point-to-point link, else the address itself; `broadcast` is 0
    where none was named.
    """

    local: int
    prefixlen: int
    peer: int
    broadcast: int
    scope: int
    secondary: bool

    @property
    def mask(self) -> int:
        """The netmask."""
        return inet_make_mask(self.prefixlen)


def inet_ifa_match(addr: int, ifa: InIfaddr) -> bool:
    """Whether `addr` is in the address's network. Linux: inet_ifa_match."""
    return not (addr ^ ifa.peer) & ifa.mask


def all_addresses(net: Net) -> Iterator[tuple[NetDevice, InIfaddr]]:
    """Every address of the machine with its interface."""
    for dev in net.devices.values():
        for ifa in dev.ifa_list:
            yield dev, ifa


def inet_add_addr(
    dev: NetDevice,
    addr: int,
    prefixlen: int,
    *,
    peer: int = 0,
    broadcast: int = 0,
    scope: int | None = None,
    extack: NetlinkExtAck | None = None,
) -> int:
    """Give `dev` one more address and make the routes that follow from it: 0, -EINVAL or -EEXIST.

    Linux: inet_insert_ifa.
    """
    extack = extack or NetlinkExtAck()
    if not 0 <= prefixlen <= 32 or ipv4_is_zeronet(addr) or ipv4_is_lbcast(addr):
        return extack.error(-EINVAL, "ipv4: Invalid address")
    if scope is None:
        scope = RT_SCOPE_HOST if dev.flags & IFF_LOOPBACK else RT_SCOPE_UNIVERSE
    secondary = False
    for other in dev.ifa_list:
        if other.prefixlen == prefixlen and inet_ifa_match(peer or addr, other):
            if other.local == addr:
                return extack.error(-EEXIST, "ipv4: Address already assigned")
            secondary = True
    ifa = InIfaddr(addr, prefixlen, peer or addr, broadcast, scope, secondary)
    _insert(dev, ifa)
    dev.net.fib.add_ifaddr(dev, ifa)
    return 0


def _insert(dev: NetDevice, ifa: InIfaddr) -> None:
    """Primary addresses come before secondary ones."""
    others = dev.ifa_list
    at = sum(not other.secondary for other in others)
    others.insert(len(others) if ifa.secondary else at, ifa)
    _primary_changed(dev)


def _primary_changed(dev: NetDevice) -> None:
    """Keep the interface's first address at hand."""
    first = dev.ifa_list[0] if dev.ifa_list else None
    dev.in_addr, dev.in_prefixlen = (first.local, first.prefixlen) if first is not None else (0, 0)


def inet_del_addr(
    dev: NetDevice, addr: int, prefixlen: int | None = None, extack: NetlinkExtAck | None = None
) -> int:
    """Take an address away with the routes that use it as source; with a primary address go the
    secondary ones of its network, with the last one all routes over the device.

    0 or -EADDRNOTAVAIL. Linux: inet_rtm_deladdr, __inet_del_ifa.
    """
    ifa = next(
        (
            each
            for each in dev.ifa_list
            if each.local == addr and prefixlen in (None, each.prefixlen)
        ),
        None,
    )
    if ifa is None:
        extack = extack or NetlinkExtAck()
        return extack.error(-EADDRNOTAVAIL, "ipv4: Address not found")
    gone = [ifa]
    if not ifa.secondary:
        gone += [
            other
            for other in dev.ifa_list
            if other.secondary
            and other.prefixlen == ifa.prefixlen
            and inet_ifa_match(other.local, ifa)
        ]
    for each in reversed(gone):
        dev.ifa_list.remove(each)
        _primary_changed(dev)
        dev.net.fib.del_ifaddr(dev, each)
    return 0


def inet_select_addr(net: Net, dev: NetDevice | None, dst: int, scope: int) -> int:
    """The source address for a destination over `dev`, 0 when there is none.

    A primary address in the destination's network is best, then the device's first, then one of
    another device that is not only of its link. Linux: inet_select_addr.
    """
    if dev is not None:
        usable = [ifa for ifa in dev.ifa_list if not ifa.secondary and ifa.scope <= scope]
        for ifa in usable:
            if not dst or inet_ifa_match(dst, ifa):
                return ifa.local
        if usable:
            return usable[0].local
    for other, ifa in all_addresses(net):
        elsewhere = other is not dev and not ifa.secondary
        if elsewhere and ifa.scope != RT_SCOPE_LINK and ifa.scope <= scope:
            return ifa.local
    return 0
