"""Routes, and the tables that find the best one for an address. Linux: net/ipv4/fib_trie.c.

Difference: one dictionary a prefix length, asked from the longest to the shortest, instead of a
trie.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.net.core.netdevice import IFF_UP
from pyhost.uapi.errno import EEXIST
from pyhost.uapi.ip import INADDR_BROADCAST

if TYPE_CHECKING:
    from pyhost.net.core.netdevice import NetDevice

__all__ = [
    "RTN_BLACKHOLE", "RTN_BROADCAST", "RTN_LOCAL", "RTN_MULTICAST", "RTN_PROHIBIT", "RTN_UNICAST",
    "RTN_UNREACHABLE", "RT_SCOPE_HOST", "RT_SCOPE_LINK", "RT_SCOPE_UNIVERSE", "FibInfo", "FibTrie",
    "inet_make_mask",
]  # fmt: skip

RTN_UNICAST = 1
RTN_LOCAL = 2
RTN_BROADCAST = 3
RTN_MULTICAST = 5
RTN_BLACKHOLE = 6
RTN_UNREACHABLE = 7
RTN_PROHIBIT = 8

RT_SCOPE_UNIVERSE = 0
RT_SCOPE_LINK = 253
RT_SCOPE_HOST = 254


def inet_make_mask(prefixlen: int) -> int:
    """The netmask of a prefix length. Linux: inet_make_mask."""
    return INADDR_BROADCAST << 32 - prefixlen & INADDR_BROADCAST


class FibInfo:
    """One route.

    Linux: struct fib_info and fib_alias; `gateway` 0: the destinations are on the link.
    """

    __slots__ = (
        "dev", "gateway", "metric", "mtu", "prefix", "prefixlen", "prefsrc", "scope", "type",
    )  # fmt: skip

    def __init__(
        self,
        prefix: int,
        prefixlen: int,
        dev: NetDevice | None,
        *,
        route_type: int = RTN_UNICAST,
        gateway: int = 0,
        metric: int = 0,
        prefsrc: int = 0,
        scope: int = RT_SCOPE_UNIVERSE,
        mtu: int = 0,
    ) -> None:
        self.prefix = prefix
        self.prefixlen = prefixlen
        self.dev = dev
        self.type = route_type
        self.gateway = gateway
        self.metric = metric
        self.prefsrc = prefsrc
        self.scope = scope
        self.mtu = mtu

    def usable(self) -> bool:
        """Whether the route's device is up; a route to nowhere needs none."""
        return self.dev is None or self.type == RTN_LOCAL or bool(self.dev.flags & IFF_UP)


class FibTrie:
    """One routing table. Linux: struct fib_table, fib_trie.c."""

    __slots__ = ("_by_len", "_masks")

    def __init__(self) -> None:
        self._by_len: dict[int, dict[int, list[FibInfo]]] = {}
        self._masks: list[tuple[int, dict[int, list[FibInfo]]]] = []

    def insert(self, route: FibInfo) -> int:
        """0, or -EEXIST when prefix and metric are taken. Linux: fib_table_insert."""
        routes = self._by_len.setdefault(route.prefixlen, {}).setdefault(route.prefix, [])
        if any(other.metric == route.metric for other in routes):
            return -EEXIST
        routes.append(route)
        routes.sort(key=lambda each: each.metric)
        self._rebuild()
        return 0

    def delete(self, match: Callable[[FibInfo], bool]) -> int:
        """Remove all routes that `match`; how many they were. Linux: fib_table_delete."""
        removed = 0
        for prefixes in self._by_len.values():
            for prefix, routes in tuple(prefixes.items()):
                kept = [route for route in routes if not match(route)]
                removed += len(routes) - len(kept)
                if kept:
                    prefixes[prefix] = kept
                else:
                    del prefixes[prefix]
        self._rebuild()
        return removed

    def _rebuild(self) -> None:
        lengths = sorted(
            (length for length, prefixes in self._by_len.items() if prefixes), reverse=True
        )
        self._masks = [(inet_make_mask(length), self._by_len[length]) for length in lengths]

    def lookup(self, daddr: int, oif: int) -> FibInfo | None:
        """The best route for `daddr`, through device `oif` when it is not 0.

        Linux: fib_table_lookup.
        """
        for mask, prefixes in self._masks:
            for route in prefixes.get(daddr & mask, ()):
                if route.usable() and (not oif or route.dev is None or route.dev.ifindex == oif):
                    return route
        return None

    def routes(self) -> list[FibInfo]:
        """All routes, longest prefixes first."""
        return [
            route
            for _, prefixes in self._masks
            for prefix in sorted(prefixes)
            for route in prefixes[prefix]
        ]
