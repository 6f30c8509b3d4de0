"""The tables that find the best route for an address. Linux: net/ipv4/fib_trie.c.

Difference: one dictionary a prefix length, asked from the longest to the shortest, instead of a
trie.
"""

from __future__ import annotations

from collections.abc import Callable

from pyhost.net.ipv4.fib.fib_semantics import FibInfo, inet_make_mask
from pyhost.uapi.errno import EEXIST, ENOENT, ESRCH
from pyhost.uapi.rtnetlink import RTN_THROW

__all__ = [
    "NLM_F_APPEND", "NLM_F_CREATE", "NLM_F_EXCL", "NLM_F_REPLACE", "FibTrie", "RouteMatch",
]  # fmt: skip

NLM_F_REPLACE = 0x100
NLM_F_EXCL = 0x200
NLM_F_CREATE = 0x400
NLM_F_APPEND = 0x800

RouteMatch = Callable[[FibInfo], bool]


class FibTrie:
    """One routing table. Linux: struct fib_table."""

    __slots__ = ("_by_len", "_masks")

    def __init__(self) -> None:
        self._by_len: dict[int, dict[int, list[FibInfo]]] = {}
        self._masks: list[tuple[int, dict[int, list[FibInfo]]]] = []

    def insert(self, route: FibInfo, flags: int = NLM_F_CREATE | NLM_F_EXCL) -> int:
        """Add a route, or put it in the place of one with the same prefix, TOS and metric.

        -EEXIST when NLM_F_EXCL is set and there is one, or when the very same route is there;
        -ENOENT when there is none and NLM_F_CREATE is not set. Linux: fib_table_insert.
        """
        routes = self._by_len.get(route.prefixlen, {}).get(route.prefix, [])
        same = [each for each in routes if each.same_key(route)]
        twin = next((each for each in same if each.same_way(route)), None)
        if same and flags & NLM_F_EXCL:
            return -EEXIST
        if same and flags & NLM_F_REPLACE:
            if twin is not None:
                return 0 if twin is same[0] else -EEXIST
            routes[routes.index(same[0])] = route
            return 0
        if twin is not None:
            return -EEXIST
        if not flags & NLM_F_CREATE:
            return -ENOENT
        self._place(route, after=bool(flags & NLM_F_APPEND))
        return 0

    def _place(self, route: FibInfo, after: bool) -> None:
        """Keep the routes of a prefix in the order in which they are tried: TOS, then metric."""
        routes = self._by_len.setdefault(route.prefixlen, {}).setdefault(route.prefix, [])
        routes.insert(len(routes) if after else 0, route)
        routes.sort(key=lambda each: (-each.tos, each.metric))
        self._rebuild()

    def delete_first(self, match: RouteMatch) -> int:
        """Remove the first route that matches: 0 or -ESRCH. Linux: fib_table_delete."""
        found = next(filter(match, self.routes()), None)
        if found is None:
            return -ESRCH
        self.delete(lambda route: route is found)
        return 0

    def delete(self, match: RouteMatch) -> int:
        """Remove all routes that `match`; how many they were. Linux: fib_table_flush."""
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

    def lookup(self, daddr: int, oif: int = 0, tos: int = 0, scope: int = 0) -> FibInfo | None:
        """The best route for `daddr`: through device `oif` when it is not 0, for `tos`, and not
        farther away than `scope`; None also when it says to look elsewhere (throw).

        Linux: fib_table_lookup.
        """
        for mask, prefixes in self._masks:
            for route in prefixes.get(daddr & mask, ()):
                if (route.tos and route.tos != tos) or route.scope < scope:
                    continue
                if route.type == RTN_THROW:
                    return None
                if not oif or route.dev is None or route.dev.ifindex == oif:
                    return route
        return None

    def routes(self) -> list[FibInfo]:
        """All routes, by prefix, as a listing shows them."""
        every = [
            route for _, prefixes in self._masks for routes in prefixes.values() for route in routes
        ]
        return sorted(every, key=lambda route: (route.prefix, -route.prefixlen))
