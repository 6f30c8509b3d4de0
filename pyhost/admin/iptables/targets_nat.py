"""The syntax of the targets that rewrite addresses and ports: SNAT, DNAT, MASQUERADE, REDIRECT.

iptables: extensions/libxt_NAT.
"""

from __future__ import annotations

from ipaddress import IPv4Address

from pyhost.admin.iptables.syntax import Option, Syntax, Values, words
from pyhost.admin.iptables.words import bad, format_port_range, parse_address, parse_port
from pyhost.net.netfilter.nf_nat_core import NfNatRange
from pyhost.net.netfilter.xt_nat import DnatTarget, MasqueradeTarget, RedirectTarget, SnatTarget

__all__ = ["NAT_SYNTAXES"]


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

NAT_SYNTAXES = (
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
