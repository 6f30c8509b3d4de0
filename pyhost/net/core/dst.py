"""dst_entry: where a packet goes next, found by a route look-up and kept on socket and packet.

Linux: include/net/dst.h.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from pyhost.uapi.rtnetlink import RTAX_ADVMSS, RTAX_LOCK, RTAX_MTU

if TYPE_CHECKING:
    from pyhost.net.core.netdevice import NetDevice
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.core.sock import Sock
    from pyhost.net.ipv4.fib.fib_semantics import FibInfo
    from pyhost.net.net_namespace import Net

__all__ = ["DST_DEFAULT_METRICS", "DstEntry"]

DstOutput = Callable[["Net", "Sock | None", "SkBuff"], int]

DST_DEFAULT_METRICS: Mapping[int, int | str] = MappingProxyType({})
"""The metrics of a route that has none. Linux: dst_default_metrics."""

IP_MAX_MTU = 0xFFFF
IP_TCP_HEADERS = 40
MIN_GATEWAY_MTU = 576


class DstEntry:
    """Linux: struct dst_entry and struct rtable.

    `gateway` is the next hop (host order), 0 when the destination is on the link. `genid` is the
    state of the routing table in which the entry was made: an entry of an older state is obsolete.
    `pmtu` is a learned path MTU (0: none) that is valid until `pmtu_expires` (ns); `mtu_locked`
    tells that the path's MTU is not to be learned, so that DF is not set. `metrics` are the route's
    RTAX_*, shared with `route`; `metric_mtu` repeats the one that every packet needs. `redirect`
    marks the way of a packet that leaves through the device it came from.
    """

    __slots__ = (
        "dev", "gateway", "genid", "input", "metric_mtu", "metrics", "mtu_locked", "net", "output",
        "pmtu", "pmtu_expires", "redirect", "route", "saddr", "type",
    )  # fmt: skip

    def __init__(
        self,
        net: Net,
        dev: NetDevice,
        saddr: int,
        gateway: int,
        route_type: int,
        output: DstOutput,
        route: FibInfo | None = None,
    ) -> None:
        self.net = net
        self.dev = dev
        self.saddr = saddr
        self.gateway = gateway
        self.type = route_type
        self.output = output
        self.route = route
        self.input: Callable[[SkBuff], int] | None = None
        self.genid = net.rt_genid
        self.metrics = DST_DEFAULT_METRICS if route is None else route.metrics
        self.metric_mtu = self.metric(RTAX_MTU)
        self.mtu_locked = self.metric_locked(RTAX_MTU)
        self.redirect = False
        self.pmtu = 0
        self.pmtu_expires = 0

    def check(self) -> bool:
        """Whether the entry may still be used. Linux: dst_check, ipv4_dst_check."""
        return self.genid == self.net.rt_genid

    def mtu(self) -> int:
        """The path MTU in bytes. Linux: dst_mtu, ipv4_mtu."""
        if self.pmtu and self.net.kernel.clock.now < self.pmtu_expires:
            return self.pmtu
        if self.metric_mtu:
            return min(self.metric_mtu, IP_MAX_MTU)
        mtu = min(self.dev.mtu, IP_MAX_MTU)
        return min(mtu, MIN_GATEWAY_MTU) if self.mtu_locked and self.gateway else mtu

    def metric(self, which: int) -> int:
        """The route's RTAX_* number, 0 where it has none. Linux: dst_metric_raw."""
        value = self.metrics.get(which, 0)
        return value if isinstance(value, int) else 0

    def metric_locked(self, which: int) -> bool:
        """Whether the administrator has fixed this RTAX_*. Linux: dst_metric_locked."""
        return bool(self.metric(RTAX_LOCK) >> which & 1)

    def advmss(self) -> int:
        """The MSS to announce: the route's, or what its MTU has room for, at least
        `net.ipv4.route.min_adv_mss`.

        Linux: dst_metric_advmss, ipv4_default_advmss.
        """
        mss = self.metric(RTAX_ADVMSS)
        if mss:
            return mss
        floor = self.net.ipv4.sysctl_ip_rt_min_advmss
        return min(max(self.mtu() - IP_TCP_HEADERS, floor), IP_MAX_MTU - IP_TCP_HEADERS)
