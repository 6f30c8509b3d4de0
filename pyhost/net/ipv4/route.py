"""The routing table and route look-ups.

Linux: net/ipv4/route.c, fib_frontend.c, fib_semantics.c, devinet.c; the tables themselves are in
fib_trie.py.

There are two tables, asked in this order: `local` (the host's own addresses and the broadcast
addresses) and `main`. In a table the longest prefix wins, then the smallest metric. A look-up gives
a `DstEntry`, which stays good until `net.rt_genid` moves on.

Differences: an interface has one address; there is no multicast, no policy routing and no
forwarding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.net.core.dst import DstEntry
from pyhost.net.core.netdevice import IFF_LOOPBACK, IFF_UP
from pyhost.net.ipv4.fib_trie import (
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
    FibInfo,
    FibTrie,
    inet_make_mask,
)
from pyhost.uapi.errno import (
    EACCES,
    EADDRNOTAVAIL,
    EEXIST,
    EHOSTUNREACH,
    EINVAL,
    ENETDOWN,
    ENETUNREACH,
    ENODEV,
    ESRCH,
)
from pyhost.uapi.ip import (
    INADDR_BROADCAST,
    INADDR_LOOPBACK,
    ipv4_is_lbcast,
    ipv4_is_loopback,
    ipv4_is_multicast,
    ipv4_is_zeronet,
)

if TYPE_CHECKING:
    from pyhost.net.core.netdevice import NetDevice
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.core.sock import Sock
    from pyhost.net.net_namespace import Net

__all__ = [
    "RTN_BLACKHOLE", "RTN_BROADCAST", "RTN_LOCAL", "RTN_MULTICAST", "RTN_PROHIBIT", "RTN_UNICAST",
    "RTN_UNREACHABLE", "RT_SCOPE_HOST", "RT_SCOPE_LINK", "RT_SCOPE_UNIVERSE", "FibInfo", "FibTable",
    "inet_add_addr", "inet_addr_type", "inet_del_addr", "ip_route_add", "ip_route_del",
    "ip_route_input", "ip_route_output", "ip_rt_init", "ip_rt_update_pmtu",
]  # fmt: skip

DST_CACHE_MAX = 4096
"""A cache of look-ups that has grown to this size is thrown away as a whole."""

TYPE_ERRORS = {RTN_BLACKHOLE: -EINVAL, RTN_UNREACHABLE: -EHOSTUNREACH, RTN_PROHIBIT: -EACCES}
"""What a look-up that ends at such a route returns. Linux: fib_props."""

DstOutput = Callable[["Net", "Sock | None", "SkBuff"], int]
DstInput = Callable[["SkBuff"], int]


class FibTable:
    """Both tables, the caches in front of them, and what was learned about paths.

    Linux: struct netns_ipv4's fib part.
    """

    def __init__(
        self, net: Net, output: DstOutput, mc_output: DstOutput, local_deliver: DstInput
    ) -> None:
        self.net = net
        self.local = FibTrie()
        self.main = FibTrie()
        self.output = output
        self.mc_output = mc_output
        self.local_deliver = local_deliver
        self.pmtu: dict[int, tuple[int, int, bool]] = {}
        self.out_cache: dict[tuple[int, int, int], DstEntry] = {}
        self.in_cache: dict[tuple[int, int, int], DstEntry] = {}

    def lookup(self, daddr: int, oif: int = 0) -> FibInfo | None:
        """Local table first, then main. Linux: fib_lookup."""
        return self.local.lookup(daddr, oif) or self.main.lookup(daddr, oif)

    def flush_cache(self) -> None:
        """Make every dst entry obsolete. Linux: rt_cache_flush, rt_genid_bump_ipv4."""
        self.net.rt_genid += 1
        self.out_cache.clear()
        self.in_cache.clear()


def ip_rt_init(net: Net, output: DstOutput, mc_output: DstOutput, local_deliver: DstInput) -> None:
    """Make the empty tables; the functions are what dst entries lead to.

    Linux: ip_rt_init, ip_fib_init.
    """
    net.fib = FibTable(net, output, mc_output, local_deliver)


# -- addresses and routes --------------------------------------------------------------------------


def inet_add_addr(dev: NetDevice, addr: int, prefixlen: int) -> int:
    """Give `dev` its address and make the routes that follow from it: 0, -EINVAL or -EEXIST.

    Linux: net/ipv4/devinet.c inet_insert_ifa, fib_frontend.c fib_add_ifaddr.
    """
    if (
        not 0 <= prefixlen <= 32
        or ipv4_is_multicast(addr)
        or ipv4_is_zeronet(addr)
        or ipv4_is_lbcast(addr)
    ):
        return -EINVAL
    if dev.in_addr:
        return -EEXIST
    dev.in_addr, dev.in_prefixlen = addr, prefixlen
    fib = dev.net.fib
    mask = inet_make_mask(prefixlen)
    loopback = bool(dev.flags & IFF_LOOPBACK)

    def add(prefix: int, length: int, route_type: int, scope: int) -> None:
        table = fib.main if route_type == RTN_UNICAST else fib.local
        table.insert(FibInfo(prefix, length, dev, route_type=route_type, prefsrc=addr, scope=scope))

    add(addr, 32, RTN_LOCAL, RT_SCOPE_HOST)
    if prefixlen < 32:
        kind, scope = (RTN_LOCAL, RT_SCOPE_HOST) if loopback else (RTN_UNICAST, RT_SCOPE_LINK)
        add(addr & mask, prefixlen, kind, scope)
    if prefixlen < 31:
        add(addr | ~mask & INADDR_BROADCAST, 32, RTN_BROADCAST, RT_SCOPE_LINK)
    fib.flush_cache()
    return 0


def inet_del_addr(dev: NetDevice, addr: int) -> int:
    """Take the address away, with all routes that use it: 0 or -EADDRNOTAVAIL.

    Linux: inet_del_ifa, fib_del_ifaddr.
    """
    if not addr or dev.in_addr != addr:
        return -EADDRNOTAVAIL
    fib = dev.net.fib
    dev.in_addr = dev.in_prefixlen = 0
    fib.local.delete(lambda route: route.dev is dev and route.prefsrc == addr)
    # A gateway is reached through the connected route, which goes too: so does what leads over it.
    fib.main.delete(lambda route: route.dev is dev)
    fib.flush_cache()
    return 0


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
) -> int:
    """Add a route to the main table. Linux: ip route add; fib_create_info, fib_check_nh.

    0, or -EINVAL (bits behind the prefix, a gateway that is not unicast), -ENODEV (no device and no
    gateway), -ENETDOWN, -ENETUNREACH (gateway not on a link), -EEXIST.
    """
    if not 0 <= prefixlen <= 32 or prefix & ~inet_make_mask(prefixlen):
        return -EINVAL
    if route_type in TYPE_ERRORS:
        dev, gateway = None, 0
    elif gateway:
        hop = net.fib.lookup(gateway, dev.ifindex if dev is not None else 0)
        if hop is None or hop.gateway or hop.dev is None:
            return -ENETUNREACH
        if hop.type != RTN_UNICAST:
            return -EINVAL
        dev = hop.dev
    elif dev is None:
        return -ENODEV
    if dev is not None and not dev.flags & IFF_UP:
        return -ENETDOWN
    scope = RT_SCOPE_UNIVERSE if gateway or dev is None else RT_SCOPE_LINK
    route = FibInfo(
        prefix, prefixlen, dev, route_type=route_type, gateway=gateway, metric=metric,
        prefsrc=prefsrc, scope=scope, mtu=mtu,
    )  # fmt: skip
    err = net.fib.main.insert(route)
    net.fib.flush_cache()
    return err


def ip_route_del(net: Net, prefix: int, prefixlen: int, metric: int | None = None) -> int:
    """Remove routes to exactly this prefix (of one metric, if given): 0 or -ESRCH.

    Linux: ip route del.
    """

    def match(route: FibInfo) -> bool:
        same = route.prefix == prefix and route.prefixlen == prefixlen
        return same and (metric is None or route.metric == metric)

    removed = net.fib.main.delete(match)
    net.fib.flush_cache()
    return 0 if removed else -ESRCH


def inet_addr_type(net: Net, addr: int) -> int:
    """RTN_LOCAL, RTN_BROADCAST, RTN_MULTICAST or RTN_UNICAST.

    Linux: fib_frontend.c inet_addr_type.
    """
    if ipv4_is_zeronet(addr) or ipv4_is_lbcast(addr):
        return RTN_BROADCAST
    if ipv4_is_multicast(addr):
        return RTN_MULTICAST
    route = net.fib.local.lookup(addr, 0)
    return RTN_UNICAST if route is None else route.type


# -- output ----------------------------------------------------------------------------------------


def ip_route_output(
    net: Net, daddr: int, saddr: int = 0, oif: int = 0, tos: int = 0, mark: int = 0
) -> DstEntry | int:
    """Where a packet of this host to `daddr` goes, and with which source address.

    Linux: ip_route_output_key_hash.

    A negative errno: -EINVAL (bad source address, blackhole), -ENODEV (no such `oif`), -ENETUNREACH
    (no route), -EHOSTUNREACH (unreachable route), -EACCES (prohibit). Without policy rules `tos`
    and `mark` decide nothing.
    """
    fib = net.fib
    key = (daddr, saddr, oif)
    dst = fib.out_cache.get(key)
    if dst is not None and dst.genid == net.rt_genid:
        return dst
    return _route_output_slow(fib, key)


def _route_output_slow(fib: FibTable, key: tuple[int, int, int]) -> DstEntry | int:
    """Linux: ip_route_output_key_hash_rcu."""
    daddr, saddr, oif = key
    net = fib.net
    if saddr:
        bad = ipv4_is_multicast(saddr) or ipv4_is_lbcast(saddr)
        if bad or not _is_local(fib, saddr):
            return -EINVAL
    out = None
    if oif:
        out = next((dev for dev in net.devices.values() if dev.ifindex == oif), None)
        if out is None:
            return -ENODEV
        if not out.flags & IFF_UP:
            return -ENETUNREACH
    daddr = daddr or saddr or INADDR_LOOPBACK
    if ipv4_is_multicast(daddr):
        return -ENETUNREACH
    route = fib.lookup(daddr, oif) if not ipv4_is_loopback(daddr) or not oif else fib.lookup(daddr)
    if route is None:
        if out is None:
            return -ENETUNREACH
        # Who names the device knows better than the table: the destination is on that link.
        route = FibInfo(daddr, 32, out, scope=RT_SCOPE_LINK)
    if route.type in TYPE_ERRORS or route.dev is None:
        return TYPE_ERRORS.get(route.type, -EINVAL)
    dst = _make_output_dst(fib, route, daddr, saddr)
    if len(fib.out_cache) >= DST_CACHE_MAX:
        fib.out_cache.clear()
    fib.out_cache[key] = dst
    return dst


def _make_output_dst(fib: FibTable, route: FibInfo, daddr: int, saddr: int) -> DstEntry:
    """Linux: __mkroute_output."""
    net = fib.net
    dev = route.dev
    assert dev is not None
    kind = RTN_BROADCAST if ipv4_is_lbcast(daddr) else route.type
    if kind == RTN_LOCAL:
        source = saddr or route.prefsrc or daddr
        dst = DstEntry(net, _loopback(net, dev), source, 0, kind, fib.output)
        dst.input = fib.local_deliver
        return dst
    source = saddr or route.prefsrc or dev.in_addr or _any_address(net)
    if kind == RTN_BROADCAST:
        loopback = dev.flags & IFF_LOOPBACK
        dst = DstEntry(net, dev, source, 0, kind, fib.output if loopback else fib.mc_output)
        dst.input = fib.local_deliver
        return dst
    dst = DstEntry(net, dev, source, route.gateway, kind, fib.output)
    dst.metric_mtu = route.mtu
    learned = fib.pmtu.get(daddr)
    if learned is not None:
        dst.pmtu, dst.pmtu_expires, dst.mtu_locked = learned
    return dst


def _loopback(net: Net, dev: NetDevice) -> NetDevice:
    """What the host sends to itself leaves through the loopback device.

    Linux: net->loopback_dev.
    """
    return net.devices.get("lo", dev)


def _is_local(fib: FibTable, addr: int) -> bool:
    """Linux: __ip_dev_find."""
    route = fib.local.lookup(addr, 0)
    return route is not None and route.type == RTN_LOCAL


def _any_address(net: Net) -> int:
    """An address for a device that has none of its own. Linux: inet_select_addr."""
    return next(
        (
            dev.in_addr
            for dev in net.devices.values()
            if dev.in_addr and not dev.flags & IFF_LOOPBACK
        ),
        0,
    )


def ip_rt_update_pmtu(net: Net, daddr: int, mtu: int, dst: DstEntry | None = None) -> None:
    """A router on the way to `daddr` takes no more than `mtu` bytes: believe it for ten minutes.

    Never below `net.ipv4.route.min_pmtu`; then the MTU is locked and DF is no longer set. `dst` is
    the caller's own entry, which may not be in the cache any more. Linux: __ip_rt_update_pmtu,
    update_or_create_fnhe.
    """
    fib = net.fib
    ipv4 = net.ipv4
    found = dst if dst is not None and dst.check() else ip_route_output(net, daddr)
    if isinstance(found, int) or found.mtu() < mtu:
        return
    locked = mtu < ipv4.sysctl_ip_rt_min_pmtu
    if locked:
        mtu = min(found.mtu(), ipv4.sysctl_ip_rt_min_pmtu)
    expires = net.kernel.clock.now + ipv4.sysctl_ip_rt_mtu_expires * NSEC_PER_SEC
    fib.pmtu[daddr] = (mtu, expires, locked)
    users = [entry for key, entry in fib.out_cache.items() if key[0] == daddr]
    for entry in [*users, found]:
        entry.pmtu, entry.pmtu_expires, entry.mtu_locked = mtu, expires, locked


# -- input -----------------------------------------------------------------------------------------


def ip_route_input(skb: SkBuff, daddr: int, saddr: int) -> int:
    """Decide where a received packet goes and set `skb.dst`. Linux: ip_route_input_noref.

    0: to this host. -EINVAL: an address that cannot be there (a martian). -EHOSTUNREACH: for
    another host; nothing is forwarded.
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


def _route_input_slow(fib: FibTable, dev: NetDevice, daddr: int, saddr: int) -> DstEntry | int:
    """Linux: ip_route_input_slow."""
    loopback = bool(dev.flags & IFF_LOOPBACK)
    if ipv4_is_multicast(saddr) or ipv4_is_lbcast(saddr):
        return -EINVAL
    if not ipv4_is_lbcast(daddr):
        if ipv4_is_zeronet(saddr) or ipv4_is_zeronet(daddr):
            return -EINVAL
        if not loopback and (ipv4_is_loopback(daddr) or ipv4_is_loopback(saddr)):
            return -EINVAL
        route = fib.lookup(daddr)
        kind = RTN_UNREACHABLE if route is None else route.type
    else:
        kind = RTN_BROADCAST
    if kind not in (RTN_LOCAL, RTN_BROADCAST):
        return -EHOSTUNREACH
    if not loopback and saddr and _is_local(fib, saddr):
        return -EINVAL
    dst = DstEntry(fib.net, dev, daddr if kind == RTN_LOCAL else dev.in_addr, 0, kind, fib.output)
    dst.input = fib.local_deliver
    return dst
