"""Routes: what one is made of, and whether it can be. Linux: net/ipv4/fib_semantics.c."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyhost.net.core.dst import DST_DEFAULT_METRICS
from pyhost.net.core.extack import NetlinkExtAck
from pyhost.net.core.netdevice import IFF_UP
from pyhost.uapi.errno import (
    EACCES,
    EHOSTUNREACH,
    EINVAL,
    ENETDOWN,
    ENETUNREACH,
    ENODEV,
)
from pyhost.uapi.ip import INADDR_BROADCAST
from pyhost.uapi.rtnetlink import (
    RT_SCOPE_HOST,
    RT_SCOPE_LINK,
    RT_SCOPE_NOWHERE,
    RT_SCOPE_UNIVERSE,
    RT_TABLE_MAIN,
    RTN_BLACKHOLE,
    RTN_BROADCAST,
    RTN_LOCAL,
    RTN_MULTICAST,
    RTN_PROHIBIT,
    RTN_THROW,
    RTN_UNICAST,
    RTN_UNREACHABLE,
)

if TYPE_CHECKING:
    from pyhost.net.core.netdevice import NetDevice
    from pyhost.net.ipv4.fib.fib_frontend import FibTables
    from pyhost.net.ipv4.fib.fnhe import FibNhException

__all__ = [
    "TYPE_ERRORS", "FibConfig", "FibInfo", "default_scope", "fib_create_info", "fib_match",
    "inet_make_mask",
]  # fmt: skip

TYPE_ERRORS = {RTN_BLACKHOLE: -EINVAL, RTN_UNREACHABLE: -EHOSTUNREACH, RTN_PROHIBIT: -EACCES}
"""What a look-up that ends at such a route returns. Linux: fib_props."""

TO_NOWHERE = (*TYPE_ERRORS, RTN_THROW)

TYPE_SCOPES = {RTN_LOCAL: RT_SCOPE_HOST, RTN_BROADCAST: RT_SCOPE_LINK}
"""The nearest that a route of a type may be called. Linux: fib_props."""

INVALID_GATEWAY = "Nexthop has invalid gateway"


def inet_make_mask(prefixlen: int) -> int:
    """The netmask of a prefix length. Linux: inet_make_mask."""
    return INADDR_BROADCAST << 32 - prefixlen & INADDR_BROADCAST


@dataclass(slots=True, kw_only=True)
class FibConfig:
    """A route as an administrator names it. Linux: struct fib_config.

    What is 0 or None was not named; a deletion takes any route that agrees with the rest.
    """

    prefix: int = 0
    prefixlen: int = 0
    tos: int = 0
    table: int = RT_TABLE_MAIN
    type: int = 0
    scope: int | None = None
    protocol: int = 0
    dev: NetDevice | None = None
    gateway: int = 0
    onlink: bool = False
    priority: int = 0
    prefsrc: int = 0
    metrics: Mapping[int, int | str] = field(default_factory=lambda: DST_DEFAULT_METRICS)


class FibInfo:
    """One route.

    Linux: struct fib_info, fib_alias and their one fib_nh. `gateway` 0: the destinations are on the
    link. `metric` is what Linux calls fib_priority, `metrics` are its RTAX_*. `exceptions` holds
    what was learned about single destinations behind this route.
    """

    __slots__ = (
        "dev", "exceptions", "gateway", "metric", "metrics", "onlink", "prefix", "prefixlen",
        "prefsrc", "protocol", "scope", "table", "tos", "type",
    )  # fmt: skip

    def __init__(self, cfg: FibConfig, dev: NetDevice | None, scope: int) -> None:
        self.prefix = cfg.prefix
        self.prefixlen = cfg.prefixlen
        self.tos = cfg.tos
        self.table = cfg.table
        self.type = cfg.type
        self.scope = scope
        self.protocol = cfg.protocol
        self.dev = dev
        self.gateway = cfg.gateway
        self.onlink = cfg.onlink
        self.metric = cfg.priority
        self.prefsrc = cfg.prefsrc
        self.metrics = cfg.metrics
        self.exceptions: dict[int, FibNhException] = {}

    def same_key(self, other: FibInfo) -> bool:
        """Whether only one of both can be in a table's first place. Linux: fib_find_alias."""
        return (self.tos, self.metric) == (other.tos, other.metric)

    def same_way(self, other: FibInfo) -> bool:
        """Whether both lead the same way. Linux: fib_find_info."""
        return (
            self.type == other.type
            and self.scope == other.scope
            and self.protocol == other.protocol
            and self.dev is other.dev
            and self.gateway == other.gateway
            and self.prefsrc == other.prefsrc
            and self.metrics == other.metrics
        )


def default_scope(cfg: FibConfig) -> int:
    """The scope of a route for which none was named. Linux: what iproute2 sends."""
    if cfg.type == RTN_LOCAL:
        return RT_SCOPE_HOST
    if cfg.type in (RTN_BROADCAST, RTN_MULTICAST):
        return RT_SCOPE_LINK
    return RT_SCOPE_LINK if cfg.type == RTN_UNICAST and not cfg.gateway else RT_SCOPE_UNIVERSE


def fib_create_info(tables: FibTables, cfg: FibConfig, extack: NetlinkExtAck) -> FibInfo | int:
    """A route out of its description, or why it cannot be. Linux: fib_create_info.

    -EINVAL: bits behind the prefix, scopes or types that do not go together, a gateway that is none
    or a source that is not ours; -ENODEV: neither device nor gateway; -ENETUNREACH: the gateway is
    not on a link; -ENETDOWN.
    """
    if not 0 <= cfg.prefixlen <= 32 or cfg.prefix & ~inet_make_mask(cfg.prefixlen):
        return extack.error(-EINVAL, "Invalid prefix for given prefix length")
    scope = default_scope(cfg) if cfg.scope is None else cfg.scope
    if scope > RT_SCOPE_HOST or TYPE_SCOPES.get(cfg.type, RT_SCOPE_UNIVERSE) > scope:
        return extack.error(-EINVAL, "Invalid scope")
    dev: NetDevice | int | None
    if cfg.type in TO_NOWHERE:
        if cfg.gateway or cfg.dev is not None:
            text = "Gateway, device and multipath can not be specified for this route type"
            return extack.error(-EINVAL, text)
        dev = None
    else:
        dev = _check_nh(tables, cfg, scope, extack)
        if isinstance(dev, int):
            return dev
    if cfg.prefsrc and not _valid_prefsrc(tables, cfg):
        return extack.error(-EINVAL, "Invalid prefsrc address")
    return FibInfo(cfg, dev, scope)


def _check_nh(
    tables: FibTables, cfg: FibConfig, scope: int, extack: NetlinkExtAck
) -> NetDevice | int:
    """The device of a next hop. Linux: fib_check_nh."""
    if cfg.gateway:
        return _check_gateway(tables, cfg, scope, extack)
    if cfg.dev is None:
        return -ENODEV
    if scope < RT_SCOPE_HOST and not cfg.dev.flags & IFF_UP:
        return extack.error(-ENETDOWN, "Device for nexthop is not up")
    return cfg.dev


def _check_gateway(
    tables: FibTables, cfg: FibConfig, scope: int, extack: NetlinkExtAck
) -> NetDevice | int:
    """The device on whose link a gateway is. Linux: fib_check_nh_gw."""
    if scope == RT_SCOPE_HOST:
        return extack.error(-EINVAL, "Route with host scope can not have a gateway")
    if scope >= RT_SCOPE_LINK:
        return extack.error(-EINVAL, "Nexthop has invalid scope")
    dev = cfg.dev
    if cfg.onlink:
        if dev is None:
            return extack.error(-ENODEV, "Nexthop device required for onlink")
        if tables.addr_type(cfg.gateway) != RTN_UNICAST:
            return extack.error(-EINVAL, INVALID_GATEWAY)
    else:
        hop = tables.lookup(
            cfg.gateway, 0 if dev is None else dev.ifindex, scope=max(scope + 1, RT_SCOPE_LINK)
        )
        if hop is None or hop.type in TO_NOWHERE:
            return extack.error(-ENETUNREACH, INVALID_GATEWAY)
        if hop.type not in (RTN_UNICAST, RTN_LOCAL) or hop.dev is None:
            return extack.error(-EINVAL, INVALID_GATEWAY)
        dev = hop.dev
    if not dev.flags & IFF_UP:
        return extack.error(-ENETDOWN, "Nexthop device is not up")
    return dev


def _valid_prefsrc(tables: FibTables, cfg: FibConfig) -> bool:
    """Whether the source is an address of this host, or about to become one.

    Linux: fib_valid_prefsrc.
    """
    own = cfg.type == RTN_LOCAL and cfg.prefsrc == cfg.prefix
    return own or tables.addr_type(cfg.prefsrc) == RTN_LOCAL


def fib_match(route: FibInfo, cfg: FibConfig) -> bool:
    """Whether `route` is what a deletion names. Linux: fib_table_delete, fib_nh_match."""
    if (route.prefix, route.prefixlen, route.tos) != (cfg.prefix, cfg.prefixlen, cfg.tos):
        return False
    named = (
        (cfg.type, route.type),
        (cfg.priority, route.metric),
        (cfg.prefsrc, route.prefsrc),
        (cfg.gateway, route.gateway),
        (cfg.protocol, route.protocol),
    )
    if any(wanted and wanted != have for wanted, have in named):
        return False
    if cfg.scope not in (None, RT_SCOPE_NOWHERE, route.scope):
        return False
    if cfg.dev is not None and cfg.dev is not route.dev:
        return False
    return all(route.metrics.get(which) == value for which, value in cfg.metrics.items())
