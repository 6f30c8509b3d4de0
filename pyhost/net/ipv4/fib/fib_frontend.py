"""The routing tables of a machine and how they follow its addresses and devices.

Linux: net/ipv4/fib_frontend.c, fib_rules.c.

Tables are asked in this order: `local` (the host's own addresses and the broadcast addresses),
`main`, `default`. In a table the longest prefix wins, then TOS, then the smallest metric.

Difference: there are no policy rules, so that no other table is ever asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core.dev import NETDEV_DOWN, NETDEV_UNREGISTER, NETDEV_UP
from pyhost.net.core.extack import NetlinkExtAck
from pyhost.net.core.netdevice import IFF_LOOPBACK, IFF_UP
from pyhost.net.ipv4.fib.fib_semantics import FibConfig, FibInfo, fib_create_info, fib_match
from pyhost.net.ipv4.fib.fib_trie import NLM_F_CREATE, NLM_F_EXCL, FibTrie, RouteMatch
from pyhost.uapi.errno import ESRCH
from pyhost.uapi.ip import (
    INADDR_BROADCAST,
    ipv4_is_lbcast,
    ipv4_is_multicast,
    ipv4_is_zeronet,
)
from pyhost.uapi.rtnetlink import (
    RT_SCOPE_HOST,
    RT_SCOPE_LINK,
    RT_TABLE_DEFAULT,
    RT_TABLE_LOCAL,
    RT_TABLE_MAIN,
    RTAX_LOCK,
    RTAX_MTU,
    RTN_BROADCAST,
    RTN_LOCAL,
    RTN_MULTICAST,
    RTN_UNICAST,
    RTPROT_BOOT,
    RTPROT_KERNEL,
)

if TYPE_CHECKING:
    from pyhost.net.core.netdevice import NetDevice
    from pyhost.net.ipv4.fib.devinet import InIfaddr
    from pyhost.net.net_namespace import Net

__all__ = ["FibTables", "inet_addr_type", "ip_route_add", "ip_route_del"]


class FibTables:
    """All routes of a machine. Linux: struct netns_ipv4's fib part."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.local = FibTrie()
        self.main = FibTrie()
        self.tables = {RT_TABLE_LOCAL: self.local, RT_TABLE_MAIN: self.main}

    def table(self, number: int) -> FibTrie:
        """The table of that number, made when there is none. Linux: fib_new_table."""
        return self.tables.setdefault(number, FibTrie())

    def lookup(self, daddr: int, oif: int = 0, tos: int = 0, scope: int = 0) -> FibInfo | None:
        """The best route of the first table that has one. Linux: fib_lookup."""
        found = self.local.lookup(daddr, oif, tos, scope) or self.main.lookup(
            daddr, oif, tos, scope
        )
        if found is None and RT_TABLE_DEFAULT in self.tables:
            return self.tables[RT_TABLE_DEFAULT].lookup(daddr, oif, tos, scope)
        return found

    def addr_type(self, addr: int) -> int:
        """RTN_LOCAL, RTN_BROADCAST, RTN_MULTICAST or RTN_UNICAST. Linux: inet_addr_type."""
        if ipv4_is_zeronet(addr) or ipv4_is_lbcast(addr):
            return RTN_BROADCAST
        if ipv4_is_multicast(addr):
            return RTN_MULTICAST
        route = self.local.lookup(addr)
        return RTN_UNICAST if route is None else route.type

    def flush_cache(self) -> None:
        """Make every dst entry obsolete. Linux: rt_cache_flush."""
        self.net.rt_genid += 1

    # -- administration ----------------------------------------------------------------------------

    def insert(
        self,
        cfg: FibConfig,
        flags: int = NLM_F_CREATE | NLM_F_EXCL,
        extack: NetlinkExtAck | None = None,
    ) -> int:
        """Add or replace a route: 0 or what `fib_create_info` and `FibTrie.insert` say.

        Linux: inet_rtm_newroute, fib_table_insert.
        """
        route = fib_create_info(self, cfg, extack or NetlinkExtAck())
        if isinstance(route, int):
            return route
        err = self.table(cfg.table).insert(route, flags)
        if not err:
            self.flush_cache()
        return err

    def delete(self, cfg: FibConfig) -> int:
        """Remove the first route that agrees: 0 or -ESRCH. Linux: inet_rtm_delroute."""
        table = self.tables.get(cfg.table)
        err = -ESRCH if table is None else table.delete_first(lambda route: fib_match(route, cfg))
        if not err:
            self.flush_cache()
        return err

    def flush(self, match: RouteMatch) -> int:
        """Remove all routes that match; how many they were. Linux: fib_flush."""
        removed = sum(table.delete(match) for table in self.tables.values())
        if removed:
            self.flush_cache()
        return removed

    # -- what addresses and devices bring ----------------------------------------------------------

    def add_ifaddr(self, dev: NetDevice, ifa: InIfaddr) -> None:
        """The routes of a new address: to itself and, once the device is up, to its network and
        that one's broadcast address.

        Linux: fib_add_ifaddr.
        """
        self._magic(dev, ifa, RTN_LOCAL, ifa.local, 32)
        if dev.flags & IFF_UP:
            if ifa.broadcast and not ipv4_is_lbcast(ifa.broadcast):
                self._magic(dev, ifa, RTN_BROADCAST, ifa.broadcast, 32)
            prefix = ifa.peer & ifa.mask
            if not ifa.secondary and (prefix != ifa.local or ifa.prefixlen < 32):
                kind = RTN_LOCAL if dev.flags & IFF_LOOPBACK else RTN_UNICAST
                self._magic(dev, ifa, kind, prefix, ifa.prefixlen)
                if ifa.prefixlen < 31:
                    self._magic(dev, ifa, RTN_BROADCAST, prefix | ~ifa.mask & INADDR_BROADCAST, 32)
        self.flush_cache()

    def _magic(self, dev: NetDevice, ifa: InIfaddr, kind: int, prefix: int, length: int) -> None:
        """A route that follows from an address; one that is there already stays.

        Linux: fib_magic.
        """
        number = RT_TABLE_MAIN if kind == RTN_UNICAST else RT_TABLE_LOCAL
        scope = RT_SCOPE_HOST if kind == RTN_LOCAL else RT_SCOPE_LINK
        cfg = FibConfig(
            prefix=prefix, prefixlen=length, table=number, type=kind, protocol=RTPROT_KERNEL,
            prefsrc=ifa.local, dev=dev,
        )  # fmt: skip
        self.table(number).insert(FibInfo(cfg, dev, scope))

    def del_ifaddr(self, dev: NetDevice, ifa: InIfaddr) -> None:
        """Remove what an address brought, and whatever has it as source.

        Linux: fib_del_ifaddr, fib_sync_down_addr.
        """
        if not dev.ifa_list:
            self.flush(lambda route: route.dev is dev)
        else:
            self.flush(lambda route: route.dev is dev and route.prefsrc == ifa.local)
        self.flush_cache()

    def device_event(self, dev: NetDevice, event: int) -> None:
        """A device that is down leads nowhere; one that comes up has the routes of its addresses.

        Linux: fib_netdev_event, fib_sync_down_dev.
        """
        if event == NETDEV_UP:
            for ifa in dev.ifa_list:
                self.add_ifaddr(dev, ifa)
        elif event == NETDEV_DOWN:
            self.flush(lambda route: route.dev is dev and route.type != RTN_LOCAL)
        elif event == NETDEV_UNREGISTER:
            self.flush(lambda route: route.dev is dev)


# -- for programs of this project ------------------------------------------------------------------


def ip_route_add(
    net: Net,
    prefix: int,
    prefixlen: int,
    dev: NetDevice | None = None,
    gateway: int = 0,
    metric: int = 0,
    route_type: int = RTN_UNICAST,
    *,
    prefsrc: int = 0,
    mtu: int = 0,
    mtu_locked: bool = False,
) -> int:
    """Add a route to the main table, as `ip route add` does: 0 or a negative errno."""
    metrics: dict[int, int | str] = {RTAX_MTU: mtu} if mtu else {}
    if mtu_locked:
        metrics[RTAX_LOCK] = 1 << RTAX_MTU
    cfg = FibConfig(
        prefix=prefix, prefixlen=prefixlen, type=route_type, protocol=RTPROT_BOOT, dev=dev,
        gateway=gateway, priority=metric, prefsrc=prefsrc, metrics=metrics,
    )  # fmt: skip
    return net.fib.insert(cfg)


def ip_route_del(net: Net, prefix: int, prefixlen: int, metric: int = 0) -> int:
    """Remove a route to exactly this prefix (of one metric, if given): 0 or -ESRCH."""
    return net.fib.delete(FibConfig(prefix=prefix, prefixlen=prefixlen, priority=metric))


def inet_addr_type(net: Net, addr: int) -> int:
    """What kind of address `addr` is to this host, RTN_*. Linux: inet_addr_type."""
    return net.fib.addr_type(addr)
