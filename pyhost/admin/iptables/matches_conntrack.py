"""The syntax of the matches that ask for the connection.

iptables: extensions/libxt_conntrack, libxt_state, libxt_connmark.
"""

from __future__ import annotations

from pyhost.admin.iptables.syntax import Option, Syntax, Values, show_inverted, words
from pyhost.admin.iptables.words import (
    bad,
    format_cidr,
    format_port_range,
    masked,
    parse_cidr,
    parse_masked,
    parse_port_range,
    parse_protocol,
    parse_range,
)
from pyhost.net.netfilter.xt_conntrack import (
    CT_STATES,
    CT_STATUSES,
    ConnmarkMatch,
    ConntrackMatch,
    StateMatch,
)

__all__ = ["SYNTAXES"]

OLD_STATES = CT_STATES[:5]
ADDRS = ("ctorigsrc", "ctorigdst", "ctreplsrc", "ctrepldst")
PORTS = ("ctorigsrcport", "ctorigdstport")


def _parse_set(text: str, known: tuple[str, ...], what: str) -> frozenset[str]:
    names = text.upper().split(",")
    for name in names:
        if name not in known:
            raise bad(f'{what}: Bad state "{name}"')
    return frozenset(names)


def _states_text(states: frozenset[str]) -> str:
    return ",".join(name for name in CT_STATES if name in states)


def _build_state(values: Values) -> StateMatch:
    values.need("state")
    return StateMatch(states=values.get("state"), inverted=values.inverted("state"))


def _parse_status(text: str) -> int:
    status = 0
    for name in text.upper().split(","):
        if name == "NONE":
            continue
        if name not in CT_STATUSES:
            raise bad(f'conntrack: Bad status "{name}"')
        status |= CT_STATUSES[name]
    return status


def _status_text(status: int) -> str:
    return ",".join(name for name, bit in CT_STATUSES.items() if status & bit) or "NONE"


def _parse_dir(text: str) -> str:
    if text.upper() not in ("ORIGINAL", "REPLY"):
        raise bad(f'conntrack: bad direction "{text}"')
    return text.upper()


OPTIONS = (
    Option("ctstate", 1, lambda text: _parse_set(text, CT_STATES, "conntrack"), True),
    Option("ctproto", 1, parse_protocol, True),
    *(Option(name, 1, parse_cidr, True) for name in ADDRS),
    *(Option(name, 1, parse_port_range, True) for name in PORTS),
    Option("ctstatus", 1, _parse_status, True),
    Option("ctexpire", 1, lambda text: parse_range(text, "ctexpire", 0xFFFFFFFF), True),
    Option("ctdir", 1, _parse_dir),
)


def _build_conntrack(values: Values) -> ConntrackMatch:
    if not values.given:
        raise bad("conntrack: At least one option is required")
    fields = {name: given.value for name, given in values.given.items()}
    inverted = frozenset(name for name, given in values.given.items() if given.inverted)
    return ConntrackMatch(**fields, inv=inverted)


def _conntrack_fields(match: ConntrackMatch) -> list[tuple[str, str]]:
    """(option, its text) for everything that the match asks."""
    fields: list[tuple[str, str]] = []
    if match.ctstate is not None:
        fields.append(("ctstate", _states_text(match.ctstate)))
    if match.ctproto is not None:
        fields.append(("ctproto", str(match.ctproto)))
    for name in ADDRS:
        if getattr(match, name) is not None:
            fields.append((name, format_cidr(getattr(match, name))))
    for name in PORTS:
        if getattr(match, name) is not None:
            fields.append((name, format_port_range(getattr(match, name))))
    if match.ctstatus is not None:
        fields.append(("ctstatus", _status_text(match.ctstatus)))
    if match.ctexpire is not None:
        fields.append(("ctexpire", format_port_range(match.ctexpire)))
    if match.ctdir is not None:
        fields.append(("ctdir", match.ctdir))
    return fields


def _save_conntrack(match: ConntrackMatch) -> list[str]:
    found: list[str] = []
    for name, text in _conntrack_fields(match):
        found += words(name, text, inverted=name in match.inv)
    return found


def _show_conntrack(match: ConntrackMatch, numeric: bool) -> str:
    parts = (
        f"{'! ' if name in match.inv else ''}{name} {text}"
        for name, text in _conntrack_fields(match)
    )
    return " ".join(parts)


def _build_connmark(values: Values) -> ConnmarkMatch:
    values.need("mark")
    mark, mask = values.get("mark")
    return ConnmarkMatch(mark=mark, mask=mask, inverted=values.inverted("mark"))


SYNTAXES = (
    Syntax("conntrack", OPTIONS, _build_conntrack, _save_conntrack, _show_conntrack),
    Syntax(
        "state",
        (Option("state", 1, lambda text: _parse_set(text, OLD_STATES, "state"), True),),
        _build_state,
        lambda m: words("state", _states_text(m.states), inverted=m.inverted),
        lambda m, _: f"{'! ' if m.inverted else ''}state {_states_text(m.states)}",
    ),
    Syntax(
        "connmark",
        (Option("mark", 1, lambda text: parse_masked(text, "connmark"), True),),
        _build_connmark,
        lambda m: words("mark", masked(m.mark, m.mask), inverted=m.inverted),
        lambda m, _: f"connmark match {show_inverted(m.inverted)}{masked(m.mark, m.mask)}",
    ),
)
