"""The syntax of the matches that look at packet, mark, chance and time.

iptables: extensions/libxt_mark, libxt_length, libxt_tos, libxt_dscp, libipt_ttl, libxt_limit,
libxt_comment, libxt_statistic, libxt_owner, libxt_addrtype, libxt_pkttype.
"""

from __future__ import annotations

from types import MappingProxyType

from pyhost.admin.iptables.syntax import Option, Syntax, Values, show_inverted, words
from pyhost.admin.iptables.words import bad, masked, parse_masked, parse_number, parse_range
from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.net.netfilter.xt_match import (
    AddrtypeMatch,
    CommentMatch,
    DscpMatch,
    LengthMatch,
    LimitMatch,
    MarkMatch,
    OwnerMatch,
    PkttypeMatch,
    StatisticMatch,
    TosMatch,
    TtlMatch,
)
from pyhost.uapi.ethernet import PACKET_BROADCAST, PACKET_HOST, PACKET_MULTICAST

__all__ = ["DSCP_CLASSES", "SYNTAXES", "TOS_NAMES", "parse_dscp", "parse_dscp_class", "parse_tos"]

TOS_NAMES = MappingProxyType(
    {
        "Minimize-Delay": 0x10,
        "Maximize-Throughput": 0x08,
        "Maximize-Reliability": 0x04,
        "Minimize-Cost": 0x02,
        "Normal-Service": 0x00,
    }
)
TOS_MASK = 0x3F
"""A name speaks of the TOS bits only, not of the precedence."""

DSCP_CLASSES = MappingProxyType(
    {"BE": 0, "EF": 0x2E}
    | {f"CS{n}": n << 3 for n in range(8)}
    | {f"AF{c}{d}": c << 3 | d << 1 for c in range(1, 5) for d in range(1, 4)}
)

PERIODS = MappingProxyType({"second": 1, "minute": 60, "hour": 3600, "day": 86400})

SHORT = MappingProxyType({"second": "sec", "minute": "min"})

ADDR_TYPES = MappingProxyType(
    {"UNSPEC": 0, "UNICAST": 1, "LOCAL": 2, "BROADCAST": 3, "ANYCAST": 4, "MULTICAST": 5,
     "BLACKHOLE": 6, "UNREACHABLE": 7, "PROHIBIT": 8, "THROW": 9, "NAT": 10}
)  # fmt: skip
PKT_TYPES = MappingProxyType(
    {"unicast": PACKET_HOST, "broadcast": PACKET_BROADCAST, "multicast": PACKET_MULTICAST}
)


def _key_of(table: MappingProxyType[str, int], value: int) -> str:
    return next(name for name, number in table.items() if number == value)


# -- mark, length ----------------------------------------------------------------------------------


def _parse_mark(text: str) -> tuple[int, int]:
    return parse_masked(text, "mark")


def _build_mark(values: Values) -> MarkMatch:
    values.need("mark")
    mark, mask = values.get("mark")
    return MarkMatch(mark=mark, mask=mask, inverted=values.inverted("mark"))


def _show_mark(match: MarkMatch, numeric: bool) -> str:
    return f"mark match {show_inverted(match.inverted)}{masked(match.mark, match.mask)}"


def _build_length(values: Values) -> LengthMatch:
    values.need("length")
    low, high = values.get("length")
    return LengthMatch(low=low, high=high, inverted=values.inverted("length"))


def _length_text(match: LengthMatch) -> str:
    return str(match.low) if match.low == match.high else f"{match.low}:{match.high}"


# -- tos, dscp, ttl --------------------------------------------------------------------------------


def parse_tos(text: str) -> tuple[int, int]:
    """A name, a value, or value/mask."""
    if text in TOS_NAMES:
        return TOS_NAMES[text], TOS_MASK
    value, slash, mask = text.partition("/")
    return (
        parse_number(value, "tos", 0, 255),
        parse_number(mask, "tos", 0, 255) if slash else 0xFF,
    )


def _build_tos(values: Values) -> TosMatch:
    values.need("tos")
    value, mask = values.get("tos")
    return TosMatch(value=value, mask=mask, inverted=values.inverted("tos"))


def _show_tos(match: TosMatch, numeric: bool) -> str:
    mark = show_inverted(match.inverted)
    names = {value: name for name, value in TOS_NAMES.items()}
    if not numeric and match.mask == TOS_MASK and match.value in names:
        return f"TOS match{mark} {names[match.value]}"
    return f"TOS match{mark} 0x{match.value:02x}/0x{match.mask:02x}"


def parse_dscp(text: str) -> int:
    """Six bits."""
    return parse_number(text, "dscp", 0, 63)


def parse_dscp_class(text: str) -> int:
    """BE, EF, CS0 to CS7, AF11 to AF43."""
    if text.upper() not in DSCP_CLASSES:
        raise bad(f"Invalid DSCP value `{text}'")
    return DSCP_CLASSES[text.upper()]


def _build_dscp(values: Values) -> DscpMatch:
    name = values.need("dscp", "dscp-class")
    return DscpMatch(value=values.get(name), inverted=values.inverted(name))


TTL_MODES = MappingProxyType({"ttl-eq": "eq", "ttl-lt": "lt", "ttl-gt": "gt"})


def _parse_ttl(text: str) -> int:
    return parse_number(text, "ttl", 0, 255)


def _build_ttl(values: Values) -> TtlMatch:
    name = values.need(*TTL_MODES)
    mode = "ne" if values.inverted(name) else TTL_MODES[name]
    return TtlMatch(mode=mode, value=values.get(name))


def _save_ttl(match: TtlMatch) -> list[str]:
    mode = "eq" if match.mode == "ne" else match.mode
    return words(f"ttl-{mode}", match.value, inverted=match.mode == "ne")


def _show_ttl(match: TtlMatch, numeric: bool) -> str:
    sign = {"eq": "==", "ne": "!=", "lt": "<", "gt": ">"}[match.mode]
    return f"TTL match TTL {sign} {match.value}"


# -- limit -----------------------------------------------------------------------------------------


def _parse_rate(text: str) -> int:
    """`5/minute`, `5/m`, `5`: the ns from one packet to the next."""
    count, slash, unit = text.partition("/")
    name = next((name for name in PERIODS if unit and name.startswith(unit)), None)
    if not count.isdigit() or not int(count) or (slash and name is None):
        raise bad(f"limit: bad rate `{text}'")
    return PERIODS[name or "second"] * NSEC_PER_SEC // int(count)


def _rate_text(period: int) -> str:
    """In the shortest unit that gives a whole number."""
    for unit, seconds in PERIODS.items():
        count, rest = divmod(seconds * NSEC_PER_SEC, period)
        if count and (rest < count or unit == "day"):
            return f"{count}/{SHORT.get(unit, unit)}"
    return "1/day"


def _build_limit(values: Values) -> LimitMatch:
    period = values.get("limit", PERIODS["hour"] * NSEC_PER_SEC // 3)
    return LimitMatch(period=period, burst=values.get("limit-burst", 5))


def _save_limit(match: LimitMatch) -> list[str]:
    found = words("limit", _rate_text(match.period))
    return found if match.burst == 5 else [*found, *words("limit-burst", match.burst)]


def _show_limit(match: LimitMatch, numeric: bool) -> str:
    return f"limit: avg {_rate_text(match.period)} burst {match.burst}"


# -- comment, statistic ----------------------------------------------------------------------------


def _build_comment(values: Values) -> CommentMatch:
    values.need("comment")
    if len(values.get("comment")) > 255:
        raise bad('comment: option "--comment" is longer than 255 characters')
    return CommentMatch(text=values.get("comment"))


PROBABILITY_ONE = 1 << 31


def _parse_probability(text: str) -> int:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise bad(f'statistic: bad value "{text}" for --probability, not between 0 and 1')
    return round(value * PROBABILITY_ONE)


def _build_statistic(values: Values) -> StatisticMatch:
    values.need("mode")
    mode = values.get("mode")
    if mode == "random":
        values.need("probability")
        return StatisticMatch(
            probability=values.get("probability"), inverted=values.inverted("probability")
        )
    if mode != "nth":
        raise bad(f'statistic: bad mode "{mode}"')
    values.need("every")
    every, packet = values.get("every"), values.get("packet", 0)
    if packet >= every:
        raise bad("statistic: the --packet p must be 0 <= p <= n-1")
    return StatisticMatch(every=every, packet=packet, inverted=values.inverted("every"))


def _probability_text(value: int) -> str:
    return f"{value / PROBABILITY_ONE:.11f}"


def _save_statistic(match: StatisticMatch) -> list[str]:
    if match.probability is not None:
        text = _probability_text(match.probability)
        return ["--mode", "random", *words("probability", text, inverted=match.inverted)]
    every = words("every", match.every, inverted=match.inverted)
    return ["--mode", "nth", *every, *words("packet", match.packet)]


def _show_statistic(match: StatisticMatch, numeric: bool) -> str:
    mark = show_inverted(match.inverted)
    if match.probability is not None:
        return f"statistic mode random{mark} probability {_probability_text(match.probability)}"
    packet = f" packet {match.packet}" if match.packet else ""
    return f"statistic mode nth{mark} every {match.every}{packet}"


# -- owner, addrtype, pkttype ----------------------------------------------------------------------


def _parse_owner(text: str) -> tuple[int, int]:
    return parse_range("0" if text == "root" else text.replace("-", ":"), "owner", (1 << 32) - 2)


def _owner_text(ids: tuple[int, int]) -> str:
    return str(ids[0]) if ids[0] == ids[1] else f"{ids[0]}-{ids[1]}"


def _build_owner(values: Values) -> OwnerMatch:
    if not values.given:
        raise bad(
            'owner: at least one of "--uid-owner", "--gid-owner", "--socket-exists" is needed'
        )
    return OwnerMatch(
        uid=values.get("uid-owner"), gid=values.get("gid-owner"),
        socket=values.get("socket-exists", False),
        inv=values.inv(uid="uid-owner", gid="gid-owner", socket="socket-exists"),
    )  # fmt: skip


def _save_owner(match: OwnerMatch) -> list[str]:
    found = words("socket-exists", None, inverted="socket" in match.inv) if match.socket else []
    for field, ids in (("uid", match.uid), ("gid", match.gid)):
        if ids is not None:
            found += words(f"{field}-owner", _owner_text(ids), inverted=field in match.inv)
    return found


def _show_owner(match: OwnerMatch, numeric: bool) -> str:
    text = f"owner {show_inverted('socket' in match.inv)}socket exists" if match.socket else ""
    for field, ids in (("uid", match.uid), ("gid", match.gid)):
        if ids is not None:
            mark = show_inverted(field in match.inv)
            text += f"{' ' if text else ''}owner {mark} {field.upper()} match {_owner_text(ids)}"
    return text.replace("  ", " ")


def _parse_types(text: str) -> frozenset[int]:
    names = text.upper().split(",")
    unknown = [name for name in names if name not in ADDR_TYPES]
    if unknown:
        raise bad(f'addrtype: bad type "{unknown[0]}"')
    return frozenset(ADDR_TYPES[name] for name in names)


def _types_text(types: frozenset[int]) -> str:
    return ",".join(_key_of(ADDR_TYPES, value) for value in sorted(types))


def _build_addrtype(values: Values) -> AddrtypeMatch:
    if not values.given:
        raise bad('addrtype: you must specify at least one of "--src-type" and "--dst-type"')
    return AddrtypeMatch(
        src=values.get("src-type"), dst=values.get("dst-type"),
        inv=values.inv(src="src-type", dst="dst-type"),
    )  # fmt: skip


def _save_addrtype(match: AddrtypeMatch) -> list[str]:
    found: list[str] = []
    for field, types in (("src", match.src), ("dst", match.dst)):
        if types is not None:
            found += words(f"{field}-type", _types_text(types), inverted=field in match.inv)
    return found


def _show_addrtype(match: AddrtypeMatch, numeric: bool) -> str:
    text = "ADDRTYPE match"
    for field, types in (("src", match.src), ("dst", match.dst)):
        if types is not None:
            text += f" {field}-type {show_inverted(field in match.inv)}{_types_text(types)}"
    return text


def _parse_pkttype(text: str) -> int:
    if text not in PKT_TYPES:
        raise bad(f'Bad packet type "{text}"')
    return PKT_TYPES[text]


def _build_pkttype(values: Values) -> PkttypeMatch:
    values.need("pkt-type")
    return PkttypeMatch(pkttype=values.get("pkt-type"), inverted=values.inverted("pkt-type"))


def _pkttype_text(match: PkttypeMatch) -> str:
    return _key_of(PKT_TYPES, match.pkttype)


SYNTAXES = (
    Syntax(
        "mark",
        (Option("mark", 1, _parse_mark, True),),
        _build_mark,
        lambda m: words("mark", masked(m.mark, m.mask), inverted=m.inverted),
        _show_mark,
    ),
    Syntax(
        "length",
        (Option("length", 1, lambda text: parse_range(text, "length", 0xFFFF), True),),
        _build_length,
        lambda m: words("length", _length_text(m), inverted=m.inverted),
        lambda m, _: f"length {show_inverted(m.inverted)}{_length_text(m)}",
    ),
    Syntax(
        "tos",
        (Option("tos", 1, parse_tos, True),),
        _build_tos,
        lambda m: words("tos", f"0x{m.value:02x}/0x{m.mask:02x}", inverted=m.inverted),
        _show_tos,
    ),
    Syntax(
        "dscp",
        (Option("dscp", 1, parse_dscp, True), Option("dscp-class", 1, parse_dscp_class, True)),
        _build_dscp,
        lambda m: words("dscp", f"0x{m.value:02x}", inverted=m.inverted),
        lambda m, _: f"DSCP match {show_inverted(m.inverted)}0x{m.value:02x}",
    ),
    Syntax(
        "ttl",
        (
            Option("ttl-eq", 1, _parse_ttl, True, ("ttl",)),
            Option("ttl-lt", 1, _parse_ttl),
            Option("ttl-gt", 1, _parse_ttl),
        ),
        _build_ttl,
        _save_ttl,
        _show_ttl,
    ),
    Syntax(
        "limit",
        (
            Option("limit", 1, _parse_rate),
            Option("limit-burst", 1, lambda text: parse_number(text, "limit-burst", 1, 10000)),
        ),
        _build_limit,
        _save_limit,
        _show_limit,
    ),
    Syntax(
        "comment",
        (Option("comment"),),
        _build_comment,
        lambda m: words("comment", m.text),
        lambda m, _: f"/* {m.text} */",
    ),
    Syntax(
        "statistic",
        (
            Option("mode"),
            Option("probability", 1, _parse_probability, True),
            Option("every", 1, lambda text: parse_number(text, "every", 1, 0xFFFFFFFF), True),
            Option("packet", 1, lambda text: parse_number(text, "packet", 0, 0xFFFFFFFE)),
        ),
        _build_statistic,
        _save_statistic,
        _show_statistic,
    ),
    Syntax(
        "owner",
        (
            Option("uid-owner", 1, _parse_owner, True),
            Option("gid-owner", 1, _parse_owner, True),
            Option("socket-exists", 0, invertible=True),
        ),
        _build_owner,
        _save_owner,
        _show_owner,
    ),
    Syntax(
        "addrtype",
        (Option("src-type", 1, _parse_types, True), Option("dst-type", 1, _parse_types, True)),
        _build_addrtype,
        _save_addrtype,
        _show_addrtype,
    ),
    Syntax(
        "pkttype",
        (Option("pkt-type", 1, _parse_pkttype, True),),
        _build_pkttype,
        lambda m: words("pkt-type", _pkttype_text(m), inverted=m.inverted),
        lambda m, _: f"PKTTYPE {'!= ' if m.inverted else '= '}{_pkttype_text(m)}",
    ),
)
