"""`ip route { add | append | prepend | change | replace | delete | show | get | flush }`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.admin.errors import CommandError
from pyhost.admin.ip_route_print import route_line, route_metrics
from pyhost.admin.ip_route_words import (
    PROTOCOLS,
    SCOPES,
    TABLES,
    TYPES,
    lookup_name,
    parse_metric,
    print_type,
)
from pyhost.admin.ip_words import Command, Words, address, answer, device, dotted, number, pick
from pyhost.admin.ip_words import prefix as parse_prefix
from pyhost.net.core.extack import NetlinkExtAck
from pyhost.net.ipv4.fib.fib_semantics import FibConfig, FibInfo, inet_make_mask
from pyhost.net.ipv4.fib.fib_trie import NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE
from pyhost.net.ipv4.fib.route import ip_route_output
from pyhost.uapi.rtnetlink import (
    RT_TABLE_LOCAL,
    RT_TABLE_MAIN,
    RTAX_LOCK,
    RTN_BROADCAST,
    RTN_LOCAL,
    RTN_MULTICAST,
    RTN_UNICAST,
    RTPROT_BOOT,
)

if TYPE_CHECKING:
    from pyhost.net.net_namespace import Net

__all__ = ["run"]

ALL_TABLES = -1


def run(net: Net, words: Words) -> str:
    """Carry out what follows `ip route`; nothing is `show`."""
    if not words:
        return _show(net, words)
    return pick(words.next(), COMMANDS, "Command", "ip route help")(net, words)


def _parse(net: Net, words: Words) -> FibConfig:
    """The words of a route; what they do not name stays open."""
    cfg = FibConfig()
    metrics: dict[int, int | str] = {}
    named = False
    while words:
        word = words.next()
        if word in TYPES:
            cfg.type = TYPES[word]
            word = words.next()
        if not (_parse_way(net, cfg, word, words) or parse_metric(metrics, word, words)):
            if word == "to":
                word = words.next()
            elif named:
                text = f'Error: either "to" is duplicate, or "{word}" is a garbage.'
                raise CommandError(text)
            cfg.prefix, cfg.prefixlen = parse_prefix(word)
            named = True
    if not named:
        raise CommandError("Usage: ip route { add | del | change | append | replace } ROUTE")
    cfg.metrics = metrics
    if cfg.type in (RTN_LOCAL, RTN_BROADCAST) and cfg.table == RT_TABLE_MAIN:
        cfg.table = RT_TABLE_LOCAL
    return cfg


def _parse_way(net: Net, cfg: FibConfig, word: str, words: Words) -> bool:
    """One of the words that are not metrics; False when it is another."""
    if word == "via":
        words.take("inet")
        cfg.gateway = address(words.next())
    elif word in ("dev", "oif"):
        cfg.dev = device(net, words.next())
    elif word == "src":
        cfg.prefsrc = address(words.next())
    elif word in ("metric", "priority", "preference"):
        cfg.priority = number(words, "metric")
    elif word in ("tos", "dsfield"):
        cfg.tos = number(words, "tos", 255)
    elif word == "scope":
        cfg.scope = lookup_name(words.next(), SCOPES, 'invalid "scope" value', 255)
    elif word in ("proto", "protocol"):
        cfg.protocol = lookup_name(words.next(), PROTOCOLS, '"protocol" value is invalid', 255)
    elif word == "table":
        cfg.table = lookup_name(words.next(), TABLES, '"table" value is invalid', 0xFFFFFFFF)
    elif word == "onlink":
        cfg.onlink = True
    else:
        return False
    return True


def _modify(flags: int) -> Command:
    """A verb that puts a route in, with the NLM_F_* that it stands for."""

    def command(net: Net, words: Words) -> str:
        cfg = _parse(net, words)
        cfg.type = cfg.type or RTN_UNICAST
        cfg.protocol = cfg.protocol or RTPROT_BOOT
        extack = NetlinkExtAck()
        answer(net.fib.insert(cfg, flags, extack), extack)
        return ""

    return command


def _delete(net: Net, words: Words) -> str:
    answer(net.fib.delete(_parse(net, words)))
    return ""


# -- listing ---------------------------------------------------------------------------------------


class _Filter:
    """Which routes `show` and `flush` mean."""

    def __init__(self, net: Net, words: Words) -> None:
        self.table = RT_TABLE_MAIN
        self.cfg = FibConfig()
        self.exact: tuple[int, int] | None = None
        self.root: tuple[int, int] | None = None
        self.cache = False
        while words:
            word = words.next()
            if word == "cache":
                self.cache = True
            elif word == "table" and words.take("all"):
                self.table = ALL_TABLES
            elif word in ("root", "match", "exact"):
                way = parse_prefix(words.next())
                self.root, self.exact = (way, None) if word == "root" else (None, way)
            elif word == "type":
                self.cfg.type = lookup_name(words.next(), TYPES, "node type value is invalid", 15)
            elif word in ("table", "dev", "via", "src", "proto", "scope", "metric", "tos"):
                self._take(net, word, words)
            else:
                self.exact = parse_prefix(words.next() if word == "to" else word)

    def _take(self, net: Net, word: str, words: Words) -> None:
        _parse_way(net, self.cfg, word, words)
        if word == "table":
            self.table = self.cfg.table

    def __call__(self, route: FibInfo) -> bool:
        cfg = self.cfg
        wanted = (
            (cfg.type, route.type),
            (cfg.dev, route.dev),
            (cfg.gateway, route.gateway),
            (cfg.prefsrc, route.prefsrc),
            (cfg.protocol, route.protocol),
            (cfg.priority, route.metric),
            (cfg.tos, route.tos),
        )
        if any(want and want != have for want, have in wanted):
            return False
        if self.table not in (ALL_TABLES, route.table):
            return False
        if cfg.scope not in (None, route.scope):
            return False
        if self.exact not in (None, (route.prefix, route.prefixlen)):
            return False
        return self.root is None or (
            route.prefixlen >= self.root[1]
            and route.prefix & inet_make_mask(self.root[1]) == self.root[0]
        )


def _show(net: Net, words: Words) -> str:
    wanted = _Filter(net, words)
    out = []
    for number_, table in sorted(net.fib.tables.items(), reverse=True, key=lambda each: each[0]):
        if wanted.table in (ALL_TABLES, number_):
            out += [
                route_line(
                    route,
                    with_dev=wanted.cfg.dev is None,
                    with_table=wanted.table == ALL_TABLES and number_ != RT_TABLE_MAIN,
                )
                for route in table.routes()
                if wanted(route)
            ]
    return "".join(f"{line}\n" for line in out)


def _flush(net: Net, words: Words) -> str:
    if not words:
        raise CommandError('"ip route flush" requires arguments.')
    wanted = _Filter(net, words)
    if wanted.cache:
        net.fib.flush_learned()
    else:
        net.fib.flush(wanted)
    return ""


def _get(net: Net, words: Words) -> str:
    """`ip route get ADDRESS [from ADDRESS] [oif DEV] [tos TOS]`."""
    daddr = saddr = oif = tos = 0
    while words:
        word = words.next()
        if word == "from":
            saddr = parse_prefix(words.next())[0]
        elif word in ("oif", "dev"):
            oif = device(net, words.next()).ifindex
        elif word in ("tos", "dsfield"):
            tos = number(words, "tos", 255)
        else:
            daddr = parse_prefix(words.next() if word == "to" else word)[0]
    dst = ip_route_output(net, daddr, saddr, oif, tos)
    if isinstance(dst, int):
        answer(dst)
        return ""
    line = [*print_type(dst.type), dotted(daddr)]
    if saddr:
        line += ["from", dotted(saddr)]
    if dst.gateway:
        line += ["via", dotted(dst.gateway)]
    line += ["dev", dst.dev.name]
    if not saddr:
        line += ["src", dotted(dst.saddr)]
    line += ["uid 0"]
    flags = {RTN_LOCAL: "<local>", RTN_BROADCAST: "<local,brd>", RTN_MULTICAST: "<mc>"}
    cache = ["cache", *filter(None, [flags.get(dst.type)])]
    if dst.pmtu and net.kernel.clock.now < dst.pmtu_expires:
        left = (dst.pmtu_expires - net.kernel.clock.now) // 1_000_000_000
        lock = ["lock"] if dst.mtu_locked else []
        cache += ["expires", f"{left}sec", "mtu", *lock, str(dst.pmtu)]
        rest = {which: value for which, value in dst.metrics.items() if which != RTAX_LOCK}
        cache += route_metrics({k: v for k, v in rest.items() if k != 2})
    else:
        cache += route_metrics(dst.metrics)
    return f"{' '.join(line)} \n    {' '.join(cache)} \n"


COMMANDS: dict[str, Command] = {
    "add": _modify(NLM_F_CREATE | NLM_F_EXCL),
    "append": _modify(NLM_F_CREATE | NLM_F_APPEND),
    "change": _modify(NLM_F_REPLACE),
    "chg": _modify(NLM_F_REPLACE),
    "delete": _delete,
    "flush": _flush,
    "get": _get,
    "list": _show,
    "ls": _show,
    "prepend": _modify(NLM_F_CREATE),
    "replace": _modify(NLM_F_CREATE | NLM_F_REPLACE),
    "show": _show,
}
