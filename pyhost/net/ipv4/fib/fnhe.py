"""Next hop exceptions: what was learned about a single destination behind a route.

Linux: net/ipv4/route.c update_or_create_fnhe, find_exception, rt_bind_exception.

A router on the way may report a smaller path MTU (RFC 1191) or a better first hop (RFC 792
redirect). Either is kept beside the route, for that destination alone, until it expires or the
route goes. Outsiders can cause exceptions, so their number is limited: the oldest makes room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyhost.net.core.dst import DstEntry
    from pyhost.net.ipv4.fib.fib_semantics import FibInfo

__all__ = ["FNHE_MAX", "FibNhException", "find_exception", "fnhe_sync_mtu", "update_or_create_fnhe"]

FNHE_HASH_SIZE = 2048
FNHE_RECLAIM_DEPTH = 5
FNHE_MAX = FNHE_HASH_SIZE * FNHE_RECLAIM_DEPTH
"""Exceptions that one route may have. Linux: as many, in buckets."""


class FibNhException:
    """Linux: struct fib_nh_exception.

    `pmtu` and `gateway` are 0 where nothing was learned; both are believed until `expires` (ns; 0:
    for ever).
    """

    __slots__ = ("expires", "gateway", "mtu_locked", "pmtu")

    def __init__(self) -> None:
        self.pmtu = 0
        self.mtu_locked = False
        self.gateway = 0
        self.expires = 0

    def bind(self, dst: DstEntry) -> None:
        """Let an entry follow what was learned. Linux: rt_bind_exception."""
        if self.pmtu:
            dst.pmtu, dst.pmtu_expires = self.pmtu, self.expires
            dst.mtu_locked |= self.mtu_locked
        if self.gateway:
            dst.gateway = self.gateway


def find_exception(route: FibInfo, daddr: int, now: int) -> FibNhException | None:
    """What is known about `daddr`, and has not expired. Linux: find_exception."""
    fnhe = route.exceptions.get(daddr)
    if fnhe is not None and fnhe.expires and now >= fnhe.expires:
        del route.exceptions[daddr]
        return None
    return fnhe


def update_or_create_fnhe(
    route: FibInfo,
    daddr: int,
    *,
    gateway: int = 0,
    pmtu: int = 0,
    mtu_locked: bool = False,
    expires: int = 0,
) -> FibNhException:
    """Keep what was just learned about `daddr`. Linux: update_or_create_fnhe."""
    fnhe = route.exceptions.pop(daddr, None)
    if fnhe is None:
        if len(route.exceptions) >= FNHE_MAX:
            del route.exceptions[next(iter(route.exceptions))]
        fnhe = FibNhException()
    route.exceptions[daddr] = fnhe
    if gateway:
        fnhe.gateway = gateway
    if pmtu:
        fnhe.pmtu, fnhe.mtu_locked = pmtu, mtu_locked
    if expires:
        fnhe.expires = expires
    return fnhe


def fnhe_sync_mtu(route: FibInfo, old: int, new: int) -> None:
    """The route's device has another MTU: no path MTU is above it, and one that was the device's
    own follows it.

    Linux: fib_nhc_update_mtu.
    """
    for fnhe in route.exceptions.values():
        if fnhe.mtu_locked:
            if new <= fnhe.pmtu:
                fnhe.pmtu, fnhe.mtu_locked = new, False
        elif fnhe.pmtu and (new < fnhe.pmtu or old == fnhe.pmtu):
            fnhe.pmtu = new
