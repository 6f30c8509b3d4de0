"""The syntax of the targets.

iptables: extensions/libipt_REJECT, libxt_LOG, libxt_MARK, libxt_CONNMARK, libxt_TOS, libxt_DSCP,
libipt_TTL, libxt_CT, libxt_TCPMSS, libxt_NAT.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from types import MappingProxyType

from pyhost.admin.iptables.matches import parse_dscp, parse_dscp_class, parse_tos
from pyhost.admin.iptables.syntax import Option, Syntax, Values, words
from pyhost.admin.iptables.words import (
    bad,
    format_port_range,
    parse_address,
    parse_masked,
    parse_number,
    parse_port,
)
from pyhost.net.netfilter.ipt_reject import REJECT_WITH, TCP_RESET, RejectTarget
from pyhost.net.netfilter.nf_log import (
    NF_LOG_IPOPT,
    NF_LOG_TCPOPT,
    NF_LOG_TCPSEQ,
    NF_LOG_UID,
    LogTarget,
)
from pyhost.net.netfilter.nf_nat_core import NfNatRange
from pyhost.net.netfilter.x_tables import XtTarget
from pyhost.net.netfilter.xt_nat import (
    DnatTarget,
    MasqueradeTarget,
    RedirectTarget,
    SnatTarget,
)
from pyhost.net.netfilter.xt_target import (
    ConnmarkTarget,
    DscpTarget,
    MarkTarget,
    NotrackTarget,
    TosTarget,
    TtlTarget,
)
from pyhost.net.netfilter.xt_tcpmss import TcpmssTarget
from pyhost.uapi.ip import IPPROTO_TCP, IPPROTO_UDP

__all__ = ["SYNTAXES", "protocols_of"]

MASK32 = 0xFFFFFFFF


# -- REJECT, LOG -----------------------------------------------------------------------------------

REJECT_SHORT = MappingProxyType(
    {
        "net-unreach": "icmp-net-unreachable",
        "host-unreach": "icmp-host-unreachable",
        "proto-unreach": "icmp-proto-unreachable",
        "port-unreach": "icmp-port-unreachable",
        "net-prohib": "icmp-net-prohibited",
        "host-prohib": "icmp-host-prohibited",
        "admin-prohib": "icmp-admin-prohibited",
        "tcp-rst": TCP_RESET,
    }
)


def _parse_reject(text: str) -> str:
    known = (*REJECT_WITH, TCP_RESET)
    if text in REJECT_SHORT:
        return REJECT_SHORT[text]
    found = [name for name in known if text and name.startswith(text)]
    if text not in known and len(found) != 1:
        raise bad(f'unknown reject type "{text}"')
    return text if text in known else found[0]


LOG_LEVELS = (
    "emerg", "alert", "crit", "error", "warning", "notice", "info", "debug",
)  # fmt: skip
LOG_ALIASES = MappingProxyType({"panic": 0, "err": 3, "warn": 4})
LOG_FLAGS = MappingProxyType(
    {
        "log-tcp-sequence": NF_LOG_TCPSEQ,
        "log-tcp-options": NF_LOG_TCPOPT,
        "log-ip-options": NF_LOG_IPOPT,
        "log-uid": NF_LOG_UID,
    }
)
LOG_PREFIX_MAX = 29


def _parse_level(text: str) -> int:
    name = text.lower()
    if name in LOG_LEVELS:
        return LOG_LEVELS.index(name)
    if name in LOG_ALIASES:
        return LOG_ALIASES[name]
    if text.isdigit() and int(text) < len(LOG_LEVELS):
        return int(text)
    raise bad(f'log-level: unknown level "{text}"')


def _parse_prefix(text: str) -> str:
    if len(text) > LOG_PREFIX_MAX:
        raise bad(f"Maximum prefix length {LOG_PREFIX_MAX} for --log-prefix")
    if "\n" in text:
        raise bad("Newlines not allowed in --log-prefix")
    return text


def _build_log(values: Values) -> LogTarget:
    flags = sum(bit for name, bit in LOG_FLAGS.items() if values.get(name))
    return LogTarget(
        level=values.get("log-level", 4), prefix=values.get("log-prefix", ""), flags=flags
    )


def _save_log(target: LogTarget) -> list[str]:
    found = words("log-prefix", target.prefix) if target.prefix else []
    if target.level != 4:
        found += words("log-level", target.level)
    return found + [f"--{name}" for name, bit in LOG_FLAGS.items() if target.flags & bit]


def _show_log(target: LogTarget, numeric: bool) -> str:
    if numeric:
        text = f"LOG flags {target.flags} level {target.level}"
    else:
        text = f"LOG level {LOG_LEVELS[target.level]}"
        names = {"log-tcp-sequence": "tcp-sequence", "log-tcp-options": "tcp-options",
                 "log-ip-options": "ip-options", "log-uid": "uid"}  # fmt: skip
        text += "".join(f" {names[name]}" for name, bit in LOG_FLAGS.items() if target.flags & bit)
    return text + (f' prefix "{target.prefix}"' if target.prefix else "")


# -- MARK, CONNMARK --------------------------------------------------------------------------------


def _parse_mark(text: str) -> tuple[int, int]:
    return parse_masked(text, "mark")


def _parse_bits(text: str) -> int:
    return parse_number(text, "mark", 0, MASK32)


MARK_OPTIONS = (
    Option("set-xmark", 1, _parse_mark),
    Option("set-mark", 1, _parse_mark),
    Option("and-mark", 1, _parse_bits),
    Option("or-mark", 1, _parse_bits),
    Option("xor-mark", 1, _parse_bits),
)
MARK_NAMES = tuple(option.name for option in MARK_OPTIONS)


def _mark_and_mask(values: Values, name: str) -> tuple[int, int]:
    """All ways to say it, as "clear these bits, then XOR those"."""
    value = values.get(name)
    if name == "set-xmark":
        mark, mask = value
        return mark, mask
    if name == "set-mark":
        mark, mask = value
        return mark, mark | mask
    return {
        "and-mark": (0, ~value & MASK32),
        "or-mark": (value, value),
        "xor-mark": (value, 0),
    }[name]


def _build_mark(values: Values) -> MarkTarget:
    mark, mask = _mark_and_mask(values, values.need(*MARK_NAMES))
    return MarkTarget(mark=mark, mask=mask)


def _mark_words(mark: int, mask: int) -> str:
    return f"{mark:#x}/{mask:#x}"


def _show_change(mark: int, mask: int) -> str:
    if mark == 0:
        return f"and {~mask & MASK32:#x}"
    if mark == mask:
        return f"or {mark:#x}"
    if mask == 0:
        return f"xor {mark:#x}"
    if mask == MASK32:
        return f"set {mark:#x}"
    return f"xset {_mark_words(mark, mask)}"


def _build_connmark(values: Values) -> ConnmarkTarget:
    name = values.need(*MARK_NAMES, "save-mark", "restore-mark")
    if name in MARK_NAMES:
        mark, mask = _mark_and_mask(values, name)
        return ConnmarkTarget(mode="set", mark=mark, ctmask=mask)
    both = values.get("mask", MASK32)
    ctmask, nfmask = values.get("ctmask", both), values.get("nfmask", both)
    return ConnmarkTarget(mode=name.removesuffix("-mark"), ctmask=ctmask, nfmask=nfmask)


def _save_connmark(target: ConnmarkTarget) -> list[str]:
    if target.mode == "set":
        return words("set-xmark", _mark_words(target.mark, target.ctmask))
    masks = [*words("nfmask", f"{target.nfmask:#x}"), *words("ctmask", f"{target.ctmask:#x}")]
    return [f"--{target.mode}-mark", *masks]


def _show_connmark(target: ConnmarkTarget, numeric: bool) -> str:
    if target.mode == "set":
        return f"CONNMARK {_show_change(target.mark, target.ctmask)}"
    if target.ctmask == target.nfmask == MASK32:
        return f"CONNMARK {target.mode}"
    masks = (target.nfmask, target.ctmask)
    first, second = masks if target.mode == "save" else reversed(masks)
    return f"CONNMARK {target.mode} mask {first:#x}/{second:#x}"


# -- TOS, DSCP, TTL, CT, TCPMSS --------------------------------------------------------------------


def _build_tos(values: Values) -> TosTarget:
    name = values.need("set-tos", "and-tos", "or-tos", "xor-tos")
    value = values.get(name)
    if name == "set-tos":
        tos, mask = value
        return TosTarget(value=tos, mask=mask)
    change = {
        "and-tos": (0, ~value & 0xFF), "or-tos": (value, value), "xor-tos": (value, 0)
    }  # fmt: skip
    tos, mask = change[name]
    return TosTarget(value=tos, mask=mask)


def _parse_byte(text: str) -> int:
    return parse_number(text, "tos", 0, 255)


def _build_dscp(values: Values) -> DscpTarget:
    return DscpTarget(value=values.get(values.need("set-dscp", "set-dscp-class")))


def _parse_ttl(text: str) -> int:
    return parse_number(text, "ttl", 0, 255)


def _build_ttl(values: Values) -> TtlTarget:
    name = values.need("ttl-set", "ttl-inc", "ttl-dec")
    if name != "ttl-set" and not values.get(name):
        raise bad("TTL: increment/decrement value must be nonzero")
    return TtlTarget(mode=name.removeprefix("ttl-"), value=values.get(name))


def _show_ttl(target: TtlTarget, numeric: bool) -> str:
    verb = {"set": "set to", "inc": "increment by", "dec": "decrement by"}[target.mode]
    return f"TTL {verb} {target.value}"


def _build_ct(values: Values) -> NotrackTarget:
    values.need("notrack")
    return NotrackTarget()


def _build_tcpmss(values: Values) -> TcpmssTarget:
    name = values.need("set-mss", "clamp-mss-to-pmtu")
    return TcpmssTarget(mss=values.get("set-mss") if name == "set-mss" else None)


def _save_tcpmss(target: TcpmssTarget) -> list[str]:
    return ["--clamp-mss-to-pmtu"] if target.mss is None else words("set-mss", target.mss)


def _show_tcpmss(target: TcpmssTarget, numeric: bool) -> str:
    return "TCPMSS clamp to PMTU" if target.mss is None else f"TCPMSS set {target.mss}"


# -- nat -------------------------------------------------------------------------------------------


def _parse_ports(text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    low = parse_port(first)
    high = parse_port(last) if dash else low
    if not 0 < low <= high:
        raise bad(f"Port range `{text}' invalid")
    return low, high


def _parse_target_range(text: str) -> NfNatRange:
    """`ADDR[-ADDR][:PORT[-PORT]]`."""
    addrs, colon, ports = text.partition(":")
    first, dash, last = addrs.partition("-")
    span = None
    if addrs:
        low = parse_address(first)
        high = parse_address(last) if dash else low
        if high < low:
            raise bad(f"Bad IP range `{addrs}'")
        span = (low, high)
    return NfNatRange(addrs=span, ports=_parse_ports(ports) if colon else None)


NAT_FLAGS = (
    Option("random", 0),
    Option("random-fully", 0),
    Option("persistent", 0),
)


def _with_flags(values: Values, allowed: NfNatRange) -> NfNatRange:
    return allowed._replace(
        random=values.get("random", False),
        random_fully=values.get("random-fully", False),
        persistent=values.get("persistent", False),
    )


def _to_range(values: Values, option: str) -> NfNatRange:
    values.need(option)
    return _with_flags(values, values.get(option))


def _to_ports(values: Values) -> NfNatRange:
    return _with_flags(values, NfNatRange(ports=values.get("to-ports")))


def _flag_words(allowed: NfNatRange) -> list[str]:
    flags = (
        ("random", allowed.random),
        ("random-fully", allowed.random_fully),
        ("persistent", allowed.persistent),
    )
    return [f"--{name}" for name, given in flags if given]


def _ports_text(ports: tuple[int, int]) -> str:
    return format_port_range(ports).replace(":", "-")


def _range_text(allowed: NfNatRange) -> str:
    text = ""
    if allowed.addrs is not None:
        text = "-".join(str(IPv4Address(addr)) for addr in dict.fromkeys(allowed.addrs))
    return text + (f":{_ports_text(allowed.ports)}" if allowed.ports is not None else "")


def _shown_flags(allowed: NfNatRange) -> str:
    return "".join(f" {word[2:]}" for word in _flag_words(allowed))


def _save_to_ports(target: MasqueradeTarget | RedirectTarget) -> list[str]:
    ports = target.range.ports
    found = words("to-ports", _ports_text(ports)) if ports is not None else []
    return found + _flag_words(target.range)


def _show_masquerade(target: MasqueradeTarget, numeric: bool) -> str:
    ports = target.range.ports
    text = f"masq ports: {_ports_text(ports)}" if ports is not None else ""
    return (text + _shown_flags(target.range)).strip()


def _show_redirect(target: RedirectTarget, numeric: bool) -> str:
    ports = target.range.ports
    text = f"redir ports {_ports_text(ports)}" if ports is not None else ""
    return (text + _shown_flags(target.range)).strip()


TO_PORTS = Option("to-ports", 1, _parse_ports)

SYNTAXES = (
    Syntax(
        "REJECT",
        (Option("reject-with", 1, _parse_reject),),
        lambda values: RejectTarget(how=values.get("reject-with", "icmp-port-unreachable")),
        lambda t: words("reject-with", t.how),
        lambda t, _: f"reject-with {t.how}",
    ),
    Syntax(
        "LOG",
        (
            Option("log-level", 1, _parse_level),
            Option("log-prefix", 1, _parse_prefix),
            *(Option(name, 0) for name in LOG_FLAGS),
        ),
        _build_log,
        _save_log,
        _show_log,
    ),
    Syntax(
        "MARK",
        MARK_OPTIONS,
        _build_mark,
        lambda t: words("set-xmark", _mark_words(t.mark, t.mask)),
        lambda t, _: f"MARK {_show_change(t.mark, t.mask)}",
    ),
    Syntax(
        "CONNMARK",
        (
            *MARK_OPTIONS,
            Option("save-mark", 0),
            Option("restore-mark", 0),
            *(Option(name, 1, _parse_bits) for name in ("mask", "ctmask", "nfmask")),
        ),
        _build_connmark,
        _save_connmark,
        _show_connmark,
    ),
    Syntax(
        "TOS",
        (
            Option("set-tos", 1, parse_tos),
            *(Option(name, 1, _parse_byte) for name in ("and-tos", "or-tos", "xor-tos")),
        ),
        _build_tos,
        lambda t: words("set-tos", f"0x{t.value:02x}/0x{t.mask:02x}"),
        lambda t, _: f"TOS set 0x{t.value:02x}/0x{t.mask:02x}",
    ),
    Syntax(
        "DSCP",
        (Option("set-dscp", 1, parse_dscp), Option("set-dscp-class", 1, parse_dscp_class)),
        _build_dscp,
        lambda t: words("set-dscp", f"0x{t.value:02x}"),
        lambda t, _: f"DSCP set 0x{t.value:02x}",
    ),
    Syntax(
        "TTL",
        tuple(Option(name, 1, _parse_ttl) for name in ("ttl-set", "ttl-inc", "ttl-dec")),
        _build_ttl,
        lambda t: words(f"ttl-{t.mode}", t.value),
        _show_ttl,
    ),
    Syntax(
        "CT",
        (Option("notrack", 0),),
        _build_ct,
        lambda _: ["--notrack"],
        lambda _t, _n: "CT notrack",
    ),
    Syntax("NOTRACK", (), lambda _: NotrackTarget(), lambda _: [], lambda _t, _n: "CT notrack"),
    Syntax(
        "TCPMSS",
        (
            Option("set-mss", 1, lambda text: parse_number(text, "set-mss", 0, 0xFFFF - 40)),
            Option("clamp-mss-to-pmtu", 0),
        ),
        _build_tcpmss,
        _save_tcpmss,
        _show_tcpmss,
        (IPPROTO_TCP,),
    ),
    Syntax(
        "SNAT",
        (Option("to-source", 1, _parse_target_range), *NAT_FLAGS),
        lambda values: SnatTarget(range=_to_range(values, "to-source")),
        lambda t: [*words("to-source", _range_text(t.range)), *_flag_words(t.range)],
        lambda t, _: f"to:{_range_text(t.range)}{_shown_flags(t.range)}",
    ),
    Syntax(
        "DNAT",
        (Option("to-destination", 1, _parse_target_range), *NAT_FLAGS),
        lambda values: DnatTarget(range=_to_range(values, "to-destination")),
        lambda t: [*words("to-destination", _range_text(t.range)), *_flag_words(t.range)],
        lambda t, _: f"to:{_range_text(t.range)}{_shown_flags(t.range)}",
    ),
    Syntax(
        "MASQUERADE",
        (TO_PORTS, *NAT_FLAGS[:2]),
        lambda values: MasqueradeTarget(range=_to_ports(values)),
        _save_to_ports,
        _show_masquerade,
    ),
    Syntax(
        "REDIRECT",
        (TO_PORTS, NAT_FLAGS[0]),
        lambda values: RedirectTarget(range=_to_ports(values)),
        _save_to_ports,
        _show_redirect,
    ),
)


def protocols_of(target: XtTarget) -> tuple[int, ...]:
    """What `-p` must be for a target as it is written: ports need a protocol that has them, a RST
    needs TCP.
    """
    allowed = getattr(target, "range", None)
    if isinstance(allowed, NfNatRange) and allowed.ports is not None:
        return (IPPROTO_TCP, IPPROTO_UDP)
    if isinstance(target, RejectTarget) and target.how == TCP_RESET:
        return (IPPROTO_TCP,)
    return ()
