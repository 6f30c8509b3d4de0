"""Route look-ups: where a packet goes next. Linux: net/ipv4/route.c.

The tables are in fib_frontend.py, what was learned about single destinations in fnhe.py. A look-up
gives a `DstEntry`, which stays good until `net.rt_genid` moves on; what is learned about its path
later is put into the entry that sockets already hold.

Differences: look-ups are cached whole, by their key; SO_MARK decides nothing, as there are no
policy rules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.net.core.dev import (
    NETDEV_CHANGEMTU,
    dev_get_by_index,
    register_netdevice_notifier,
)
from pyhost.net.core.dst import DstEntry
from pyhost.net.core.neigh_states import NUD_VALID
from pyhost.net.core.neighbour import neigh_event_send, neigh_lookup_or_create
from pyhost.net.core.netdevice import IFF_LOOPBACK, IFF_UP
from pyhost.net.ipv4.fib.devinet import inet_add_addr, inet_del_addr, inet_select_addr
from pyhost.net.ipv4.fib.fib_frontend import FibTables, inet_addr_type, ip_route_add, ip_route_del
from pyhost.net.ipv4.fib.fib_semantics import TYPE_ERRORS, FibInfo
from pyhost.net.ipv4.fib.fnhe import find_exception, fnhe_sync_mtu, update_or_create_fnhe
from pyhost.uapi.errno import EHOSTUNREACH, EINVAL, ENETUNREACH, ENODEV, EXDEV
from pyhost.uapi.ip import (
    INADDR_LOOPBACK,
    IPTOS_RT_MASK,
    ipv4_is_lbcast,
    ipv4_is_loopback,
    ipv4_is_multicast,
    ipv4_is_zeronet,
)
from pyhost.uapi.rtnetlink import (
    RT_SCOPE_HOST,
    RT_SCOPE_LINK,
    RT_SCOPE_UNIVERSE,
    RTN_BLACKHOLE,
    RTN_BROADCAST,
    RTN_LOCAL,
    RTN_MULTICAST,
    RTN_PROHIBIT,
    RTN_UNICAST,
    RTN_UNREACHABLE,
)

if TYPE_CHECKING:
    from pyhost.net.core.netdevice import NetDevice
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.core.sock import Sock
    from pyhost.net.net_namespace import Net

__all__ = [
    "RTN_BLACKHOLE", "RTN_BROADCAST", "RTN_LOCAL", "RTN_MULTICAST", "RTN_PROHIBIT", "RTN_UNICAST",
    "RTN_UNREACHABLE", "RT_SCOPE_HOST", "RT_SCOPE_LINK", "RT_SCOPE_UNIVERSE", "FibInfo", "Routing",
    "inet_add_addr", "inet_addr_type", "inet_del_addr", "ip_route_add", "ip_route_del",
    "ip_route_input", "ip_route_output", "ip_rt_init", "ip_rt_redirect", "ip_rt_update_pmtu",
]  # fmt: skip

DST_CACHE_MAX = 4096
"""A cache of look-ups that has grown to this size is thrown away as a whole."""

RPF_STRICT = 1

DstOutput = Callable[["Net", "Sock | None", "SkBuff"], int]
DstInput = Callable[["SkBuff"], int]
OutKey = tuple[int, int, int, int, int]
"""daddr, saddr, oif, tos, scope. Linux: struct flowi4."""


class Routing(FibTables):
    """The tables, the caches in front of them, and the functions that dst entries lead to."""

    def __init__(
        self,
        net: Net,
        output: DstOutput,
        mc_output: DstOutput,
        local_deliver: DstInput,
        forward: DstInput,
    ) -> None:
        super().__init__(net)
        self.output = output
        self.mc_output = mc_output
        self.local_deliver = local_deliver
        self.forward = forward
        self.out_cache: dict[OutKey, DstEntry] = {}
        self.in_cache: dict[tuple[int, int, int], DstEntry] = {}
        self._mtus: dict[NetDevice, int] = {}

    def flush_cache(self) -> None:
        """Make every dst entry obsolete. Linux: rt_cache_flush."""
        super().flush_cache()
        self.out_cache.clear()
        self.in_cache.clear()

    def flush_learned(self) -> None:
        """Forget path MTUs and redirects too: `ip route flush cache`.

        Linux: ipv4_sysctl_rtcache_flush.
        """
        for table in self.tables.values():
            for route in table.routes():
                route.exceptions.clear()
        self.flush_cache()

    def device_event(self, dev: NetDevice, event: int) -> None:
        """Routes follow their devices. Linux: fib_netdev_event."""
        super().device_event(dev, event)
        if event == NETDEV_CHANGEMTU:
            for route in self.main.routes():
                if route.dev is dev:
                    fnhe_sync_mtu(route, self._mtus.get(dev, 0), dev.mtu)
        self._mtus[dev] = dev.mtu
        self.flush_cache()

    def entries_for(self, daddr: int) -> list[DstEntry]:
        """The cached entries to one destination."""
        return [entry for key, entry in self.out_cache.items() if key[0] == daddr]


def ip_rt_init(
    net: Net,
    output: DstOutput,
    mc_output: DstOutput,
    local_deliver: DstInput,
    forward: DstInput,
) -> None:
    """Make the empty tables; the functions are what dst entries lead to.

    Linux: ip_rt_init, ip_fib_init.
    """
    fib = net.fib = Routing(net, output, mc_output, local_deliver, forward)
    register_netdevice_notifier(net, fib.device_event)


# -- output ----------------------------------------------------------------------------------------


def ip_route_output(
    net: Net,
    daddr: int,
    saddr: int = 0,
    oif: int = 0,
    tos: int = 0,
    mark: int = 0,
    scope: int = RT_SCOPE_UNIVERSE,
) -> DstEntry | int:
    """Where a packet of this host to `daddr` goes, and with which source address.

    Linux: ip_route_output_key_hash.

    `scope` RT_SCOPE_LINK wants a destination on a link (SO_DONTROUTE). A negative errno: -EINVAL
    (bad source address, blackhole), -ENODEV (no such `oif`), -ENETUNREACH (no route), -EHOSTUNREACH
    (unreachable route), -EACCES (prohibit).
    """
    fib = net.fib
    key = (daddr, saddr, oif, tos & IPTOS_RT_MASK, scope)
    dst = fib.out_cache.get(key)
    if dst is not None and dst.genid == net.rt_genid:
        return dst
    found = _route_output_slow(fib, key)
    if not isinstance(found, int):
        if net.xfrm.policies["out"]:
            found = net.xfrm.lookup(found, found.saddr, daddr)
        if len(fib.out_cache) >= DST_CACHE_MAX:
            fib.out_cache.clear()
        fib.out_cache[key] = found
    return found


def _route_output_slow(fib: Routing, key: OutKey) -> DstEntry | int:
    """Linux: ip_route_output_key_hash_rcu."""
    daddr, saddr, oif, tos, scope = key
    out = _output_device(fib, daddr, saddr, oif)
    if isinstance(out, int):
        return out
    daddr = daddr or saddr or INADDR_LOOPBACK
    route = fib.lookup(daddr, out.ifindex if out is not None else 0, tos, scope)
    if route is None:
        if out is None:
            return -ENETUNREACH
        # Who names the device knows better than the table: the destination is on that link.
        return _make_output_dst(fib, None, out, daddr, saddr)
    if route.dev is None:
        return TYPE_ERRORS[route.type]
    return _make_output_dst(fib, route, route.dev, daddr, saddr)


def _output_device(fib: Routing, daddr: int, saddr: int, oif: int) -> NetDevice | int | None:
    """The device that the key itself decides on; -EINVAL for a source that cannot be ours.

    With a source address alone, multicasts and broadcasts leave where that address is.
    """
    net = fib.net
    out: NetDevice | None = None
    if saddr:
        if ipv4_is_multicast(saddr) or ipv4_is_lbcast(saddr):
            return -EINVAL
        own = fib.local.lookup(saddr)
        if own is None or own.type != RTN_LOCAL:
            return -EINVAL
        if not oif and (ipv4_is_multicast(daddr) or ipv4_is_lbcast(daddr)):
            out = own.dev
    if oif:
        out = dev_get_by_index(net, oif)
        if out is None:
            return -ENODEV
        if not out.flags & IFF_UP:
            return -ENETUNREACH
    return out


def _make_output_dst(
    fib: Routing, route: FibInfo | None, dev: NetDevice, daddr: int, saddr: int
) -> DstEntry | int:
    """Linux: __mkroute_output."""
    net = fib.net
    kind = _kind_of(route, daddr)
    loopback = dev.flags & IFF_LOOPBACK
    if kind == RTN_LOCAL and route is not None:
        source = saddr or route.prefsrc or daddr
        dst = DstEntry(net, net.devices.get("lo", dev), source, 0, kind, fib.output, route)
        dst.input = fib.local_deliver
        return dst
    if ipv4_is_loopback(saddr) and not loopback:
        return -EINVAL
    source = saddr or _source(fib, route, dev)
    if kind in (RTN_BROADCAST, RTN_MULTICAST):
        here = kind == RTN_BROADCAST or daddr in dev.mc_list
        output = fib.mc_output if here and not loopback else fib.output
        dst = DstEntry(net, dev, source, 0, kind, output, route)
        if here:
            dst.input = fib.local_deliver
        return dst
    dst = DstEntry(net, dev, source, 0 if route is None else route.gateway, kind, fib.output, route)
    if route is not None and route.exceptions:
        learned = find_exception(route, daddr, net.kernel.clock.now)
        if learned is not None:
            learned.bind(dst)
    return dst


def _kind_of(route: FibInfo | None, daddr: int) -> int:
    """The address says more than the route."""
    if ipv4_is_lbcast(daddr):
        return RTN_BROADCAST
    if ipv4_is_multicast(daddr):
        return RTN_MULTICAST
    return RTN_UNICAST if route is None else route.type


def _source(fib: Routing, route: FibInfo | None, dev: NetDevice) -> int:
    """The source address that goes with a route. Linux: fib_result_prefsrc."""
    if route is None:
        return inet_select_addr(fib.net, dev, 0, RT_SCOPE_LINK)
    return route.prefsrc or inet_select_addr(fib.net, dev, route.gateway, route.scope)


def ip_rt_update_pmtu(net: Net, daddr: int, mtu: int, dst: DstEntry | None = None) -> None:
    """A router on the way to `daddr` takes no more than `mtu` bytes: believe it for ten minutes.

    Never below `net.ipv4.route.min_pmtu`; then the MTU is locked and DF is no longer set. `dst` is
    the caller's own entry, which may not be in the cache any more. Linux: __ip_rt_update_pmtu.
    """
    fib = net.fib
    ipv4 = net.ipv4
    found = dst if dst is not None and dst.check() else ip_route_output(net, daddr)
    if isinstance(found, int) or found.route is None or found.mtu_locked or found.mtu() < mtu:
        return
    locked = mtu < ipv4.sysctl_ip_rt_min_pmtu
    if locked:
        mtu = min(found.mtu(), ipv4.sysctl_ip_rt_min_pmtu)
    expires = net.kernel.clock.now + ipv4.sysctl_ip_rt_mtu_expires * NSEC_PER_SEC
    learned = update_or_create_fnhe(
        found.route, daddr, pmtu=mtu, mtu_locked=locked, expires=expires
    )
    for entry in (*fib.entries_for(daddr), found):
        learned.bind(entry)


def ip_rt_redirect(
    net: Net, daddr: int, old_gateway: int, new_gateway: int, dev: NetDevice
) -> None:
    """A router says that `new_gateway` is a better first hop to `daddr` (RFC 1122 section 3.2.2.2).

    Believed from the router in use alone, for a gateway on the link whose hardware address is known
    (asked for now if it is not). Linux: __ip_do_redirect.
    """
    fib = net.fib
    if not net.ipv4.devconf.accept_redirects or new_gateway == old_gateway:
        return
    found = ip_route_output(net, daddr)
    if isinstance(found, int) or found.route is None or found.gateway != old_gateway:
        return
    if found.dev is not dev or fib.addr_type(new_gateway) != RTN_UNICAST:
        return
    neigh = neigh_lookup_or_create(net.arp_tbl, new_gateway, dev)
    if neigh is None:
        return
    if not neigh.nud_state & NUD_VALID:
        neigh_event_send(neigh, None)
        return
    expires = net.kernel.clock.now + net.ipv4.sysctl_ip_rt_gc_timeout * NSEC_PER_SEC
    learned = update_or_create_fnhe(found.route, daddr, gateway=new_gateway, expires=expires)
    for entry in (*fib.entries_for(daddr), found):
        learned.bind(entry)


# -- input -----------------------------------------------------------------------------------------


def ip_route_input(skb: SkBuff, daddr: int, saddr: int) -> int:
    """Decide where a received packet goes and set `skb.dst`. Linux: ip_route_input_noref.

    0: to this host, or through it. -EINVAL: an address that cannot be there (a martian), -EXDEV:
    from the wrong side. -EHOSTUNREACH: for another host, and this one is no router; -ENETUNREACH
    and other errors of routes: a router that does not know the way.
    """
    dev = skb.dev
    assert dev is not None
    net = dev.net
    fib = net.fib
    key = (daddr, saddr, dev.ifindex)
    dst = fib.in_cache.get(key)
    if dst is None or dst.genid != net.rt_genid:
        found = _route_input_slow(fib, dev, daddr, saddr)
        if isinstance(found, int):
            return found
        if len(fib.in_cache) >= DST_CACHE_MAX:
            fib.in_cache.clear()
        dst = fib.in_cache[key] = found
    skb.dst = dst
    return 0


def _route_input_slow(fib: Routing, dev: NetDevice, daddr: int, saddr: int) -> DstEntry | int:
    """Linux: ip_route_input_slow."""
    if _martian(dev, daddr, saddr):
        return -EINVAL
    if ipv4_is_multicast(daddr):
        kind = RTN_MULTICAST if daddr in dev.mc_list else RTN_UNREACHABLE
        route = None
    elif ipv4_is_lbcast(daddr):
        kind, route = RTN_BROADCAST, None
    else:
        route = fib.lookup(daddr)
        kind = RTN_UNREACHABLE if route is None else route.type
    if kind not in (RTN_LOCAL, RTN_BROADCAST, RTN_MULTICAST):
        return _make_forward_dst(fib, dev, route, daddr, saddr)
    err = _validate_source(fib, dev, saddr)
    if err:
        return err
    dst = DstEntry(fib.net, dev, daddr if kind == RTN_LOCAL else dev.in_addr, 0, kind, fib.output)
    dst.input = fib.local_deliver
    return dst


def _martian(dev: NetDevice, daddr: int, saddr: int) -> bool:
    """Addresses that no packet from a wire has (RFC 1122 section 3.2.1.3)."""
    if ipv4_is_multicast(saddr) or ipv4_is_lbcast(saddr):
        return True
    if ipv4_is_lbcast(daddr):
        return False
    if ipv4_is_zeronet(saddr) or ipv4_is_zeronet(daddr):
        return True
    loopback = bool(dev.flags & IFF_LOOPBACK)
    return not loopback and (ipv4_is_loopback(daddr) or ipv4_is_loopback(saddr))


def _validate_source(fib: Routing, dev: NetDevice, saddr: int) -> int:
    """0, -EINVAL for one of our own addresses from the outside, or -EXDEV when `rp_filter` is set
    and answers would not go back through `dev` (1) or nowhere (2).

    Linux: fib_validate_source.
    """
    if dev.flags & IFF_LOOPBACK or not saddr:
        return 0
    conf = fib.net.ipv4.devconf
    if not conf.accept_local and fib.addr_type(saddr) == RTN_LOCAL:
        return -EINVAL
    if not conf.rp_filter:
        return 0
    back = fib.lookup(saddr)
    if back is None or back.type != RTN_UNICAST:
        return -EXDEV
    return -EXDEV if conf.rp_filter == RPF_STRICT and back.dev is not dev else 0


def _make_forward_dst(
    fib: Routing, dev: NetDevice, route: FibInfo | None, daddr: int, saddr: int
) -> DstEntry | int:
    """The way of a packet for somebody else. Linux: ip_mkroute_input, __mkroute_input."""
    if not fib.net.ipv4.devconf.forwarding:
        return -EHOSTUNREACH
    if route is None or ipv4_is_multicast(daddr):
        return -ENETUNREACH
    if route.dev is None:
        return TYPE_ERRORS[route.type]
    err = _validate_source(fib, dev, saddr)
    if err:
        return err
    dst = DstEntry(fib.net, route.dev, 0, route.gateway, RTN_UNICAST, fib.output, route)
    dst.input = fib.forward
    if route.exceptions:
        learned = find_exception(route, daddr, fib.net.kernel.clock.now)
        if learned is not None:
            learned.bind(dst)
    if route.dev is dev and fib.net.ipv4.devconf.send_redirects:
        source = fib.main.lookup(saddr)
        dst.redirect = source is not None and source.dev is dev and not source.gateway
    return dst
