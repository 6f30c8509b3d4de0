"""Routes as `ip route show` prints them."""

from __future__ import annotations

from collections.abc import Mapping

from pyhost.admin.ip_route_words import (
    METRICS,
    PROTOCOLS,
    SCOPES,
    TABLES,
    TIME_UNITS,
    name_of,
    print_type,
)
from pyhost.admin.ip_words import dotted
from pyhost.net.ipv4.fib.fib_semantics import FibInfo
from pyhost.uapi.rtnetlink import (
    RT_SCOPE_UNIVERSE,
    RTAX_FEATURES,
    RTAX_LOCK,
    RTPROT_BOOT,
)

__all__ = ["route_line", "route_metrics"]


def route_line(route: FibInfo, *, with_dev: bool = True, with_table: bool = False) -> str:
    """One route in iproute2's words."""
    if not route.prefixlen:
        where = "default"
    else:
        where = dotted(route.prefix) + (f"/{route.prefixlen}" if route.prefixlen < 32 else "")
    words = [*print_type(route.type), where]
    if route.tos:
        words += ["tos", f"{route.tos:#04x}"]
    if route.gateway:
        words += ["via", dotted(route.gateway)]
    if route.dev is not None and with_dev:
        words += ["dev", route.dev.name]
    if with_table:
        words += ["table", name_of(route.table, TABLES)]
    if route.protocol != RTPROT_BOOT:
        words += ["proto", name_of(route.protocol, PROTOCOLS)]
    if route.scope != RT_SCOPE_UNIVERSE:
        words += ["scope", name_of(route.scope, SCOPES)]
    if route.prefsrc:
        words += ["src", dotted(route.prefsrc)]
    if route.metric:
        words += ["metric", str(route.metric)]
    if route.onlink:
        words.append("onlink")
    if route.dev is not None and not route.dev.carrier and route.scope < SCOPES["host"]:
        words.append("linkdown")
    return " ".join([*words, *route_metrics(route.metrics)]) + " "


def route_metrics(metrics: Mapping[int, int | str]) -> list[str]:
    """The words of a route's metrics."""
    locks = metrics.get(RTAX_LOCK, 0)
    assert isinstance(locks, int)
    words = []
    for name, which in METRICS.items():
        value = metrics.get(which)
        if value is None:
            continue
        words.append(name)
        if locks >> which & 1:
            words.append("lock")
        if which == RTAX_FEATURES:
            words.append("ecn")
        elif which in TIME_UNITS and isinstance(value, int):
            words.append(_time(value, TIME_UNITS[which]))
        else:
            words.append(str(value))
    return words


def _time(value: int, per_ms: int) -> str:
    """Seconds when there is at least one, else milliseconds."""
    ms = value / per_ms
    return f"{ms / 1000:g}s" if ms >= 1000 else f"{ms:g}ms"
