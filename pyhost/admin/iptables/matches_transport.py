"""The syntax of the matches tcp, udp, icmp and multiport.

iptables: extensions/libxt_tcp, libxt_udp, libipt_icmp, libxt_multiport.
"""

from __future__ import annotations

from types import MappingProxyType

from pyhost.admin.iptables.syntax import Option, Syntax, Values, show_inverted, words
from pyhost.admin.iptables.words import (
    bad,
    format_port_range,
    format_ports,
    parse_number,
    parse_port_list,
    parse_port_range,
    service_name,
)
from pyhost.net.netfilter.xt_tcpudp import (
    ANY_PORT,
    IcmpMatch,
    MultiportMatch,
    PortRange,
    TcpMatch,
    UdpMatch,
)
from pyhost.uapi.ip import IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP

__all__ = ["SYNTAXES"]

TCP_FLAGS = MappingProxyType(
    {"FIN": 0x01, "SYN": 0x02, "RST": 0x04, "PSH": 0x08, "ACK": 0x10, "URG": 0x20, "ECE": 0x40,
     "CWR": 0x80, "ALL": 0x3F, "NONE": 0}
)  # fmt: skip
SYN_MASK, SYN_ONLY = 0x17, 0x02

ICMP_TYPES: MappingProxyType[str, tuple[int, int | None]] = MappingProxyType(
    {
        "any": (255, None),
        "echo-reply": (0, None), "pong": (0, None),
        "destination-unreachable": (3, None),
        "network-unreachable": (3, 0), "host-unreachable": (3, 1),
        "protocol-unreachable": (3, 2), "port-unreachable": (3, 3),
        "fragmentation-needed": (3, 4), "source-route-failed": (3, 5),
        "network-unknown": (3, 6), "host-unknown": (3, 7), "network-prohibited": (3, 9),
        "host-prohibited": (3, 10), "TOS-network-unreachable": (3, 11),
        "TOS-host-unreachable": (3, 12), "communication-prohibited": (3, 13),
        "host-precedence-violation": (3, 14), "precedence-cutoff": (3, 15),
        "source-quench": (4, None),
        "redirect": (5, None), "network-redirect": (5, 0), "host-redirect": (5, 1),
        "TOS-network-redirect": (5, 2), "TOS-host-redirect": (5, 3),
        "echo-request": (8, None), "ping": (8, None),
        "router-advertisement": (9, None), "router-solicitation": (10, None),
        "time-exceeded": (11, None), "ttl-exceeded": (11, None),
        "ttl-zero-during-transit": (11, 0), "ttl-zero-during-reassembly": (11, 1),
        "parameter-problem": (12, None), "ip-header-bad": (12, 0),
        "required-option-missing": (12, 1),
        "timestamp-request": (13, None), "timestamp-reply": (14, None),
        "address-mask-request": (17, None), "address-mask-reply": (18, None),
    }
)  # fmt: skip
ICMP_NAMES = MappingProxyType(
    {
        value: name
        for name, value in reversed(tuple(ICMP_TYPES.items()))
        if name not in ("pong", "ping")
    }
)

SPORT = Option("sport", 1, parse_port_range, True, ("source-port",))
DPORT = Option("dport", 1, parse_port_range, True, ("destination-port",))


def _save_ports(match: TcpMatch | UdpMatch) -> list[str]:
    found: list[str] = []
    for name, ports in (("sport", match.sport), ("dport", match.dport)):
        if ports != ANY_PORT or name in match.inv:
            found += words(name, format_port_range(ports), inverted=name in match.inv)
    return found


def _show_ports(match: TcpMatch | UdpMatch, numeric: bool) -> str:
    text = match.name
    for short, name, ports in (("spt", "sport", match.sport), ("dpt", "dport", match.dport)):
        if ports != ANY_PORT or name in match.inv:
            text += f" {_show_range(short, ports, name in match.inv, numeric)}"
    return text


def _show_range(short: str, ports: PortRange, inverted: bool, numeric: bool) -> str:
    low, high = (service_name(port, numeric=numeric) for port in ports)
    span = f":{show_inverted(inverted)}{low}"
    return short + span if low == high else f"{short}s{span}:{high}"


# -- tcp, udp --------------------------------------------------------------------------------------


def _parse_flags(mask: str, comp: str) -> tuple[int, int]:
    return _flag_set(mask), _flag_set(comp)


def _flag_set(text: str) -> int:
    value = 0
    for name in text.split(","):
        if name.upper() not in TCP_FLAGS:
            raise bad(f"Unknown TCP flag `{name}'")
        value |= TCP_FLAGS[name.upper()]
    return value


def _flag_names(value: int) -> str:
    if not value:
        return "NONE"
    singles = [name for name in TCP_FLAGS if name not in ("ALL", "NONE")]
    return ",".join(name for name in singles if value & TCP_FLAGS[name])


def _build_tcp(values: Values) -> TcpMatch:
    mask, comp = values.get("tcp-flags", (0, 0))
    inv = values.inv(sport="sport", dport="dport", flags="tcp-flags", option="tcp-option")
    if values.get("syn"):
        mask, comp = SYN_MASK, SYN_ONLY
        inv |= values.inv(flags="syn")
    return TcpMatch(
        sport=values.get("sport", ANY_PORT), dport=values.get("dport", ANY_PORT),
        flag_mask=mask, flag_cmp=comp, option=values.get("tcp-option", 0), inv=inv,
    )  # fmt: skip


def _save_tcp(match: TcpMatch) -> list[str]:
    found = _save_ports(match)
    if match.option:
        found += words("tcp-option", match.option, inverted="option" in match.inv)
    if match.flag_mask or "flags" in match.inv:
        found += words("tcp-flags", _flag_names(match.flag_mask), inverted="flags" in match.inv)
        found.append(_flag_names(match.flag_cmp))
    return found


def _show_tcp(match: TcpMatch, numeric: bool) -> str:
    text = _show_ports(match, numeric)
    if match.option:
        text += f" option={show_inverted('option' in match.inv)}{match.option}"
    if match.flag_mask or "flags" in match.inv:
        mask, comp = match.flag_mask, match.flag_cmp
        flags = (
            f"0x{mask:02X}/0x{comp:02X}" if numeric else f"{_flag_names(mask)}/{_flag_names(comp)}"
        )
        text += f" flags:{show_inverted('flags' in match.inv)}{flags}"
    return text


def _build_udp(values: Values) -> UdpMatch:
    return UdpMatch(
        sport=values.get("sport", ANY_PORT),
        dport=values.get("dport", ANY_PORT),
        inv=values.inv(sport="sport", dport="dport"),
    )


# -- icmp ------------------------------------------------------------------------------------------


def _parse_icmp_type(text: str) -> tuple[int, int | None]:
    """A name (or the beginning of exactly one), a type, or `type/code`."""
    named = ICMP_TYPES.get(text)
    if named is not None:
        return named
    kind, slash, code = text.partition("/")
    if kind.isdigit():
        number = parse_number(kind, "icmp-type", 0, 255)
        return number, parse_number(code, "icmp-type", 0, 255) if slash else None
    found = {value for name, value in ICMP_TYPES.items() if name.startswith(text)}
    if len(found) != 1:
        raise bad(f"{'Ambiguous' if found else 'Unknown'} ICMP type `{text}'")
    return found.pop()


def _build_icmp(values: Values) -> IcmpMatch:
    kind, code = values.get("icmp-type", (255, None))
    codes = (0, 255) if code is None else (code, code)
    return IcmpMatch(type=kind, codes=codes, inverted=values.inverted("icmp-type"))


def _save_icmp(match: IcmpMatch) -> list[str]:
    if match.type == 255:
        text = "any"
    else:
        whole = match.codes == (0, 255)
        text = str(match.type) if whole else f"{match.type}/{match.codes[0]}"
    return words("icmp-type", text, inverted=match.inverted)


def _show_icmp(match: IcmpMatch, numeric: bool) -> str:
    code = None if match.codes == (0, 255) else match.codes[0]
    name = ICMP_NAMES.get((match.type, code))
    mark = show_inverted(match.inverted)
    if match.type == 255:
        return f"{mark}icmp any"
    if name is not None and not numeric:
        return f"{mark}icmp {name}"
    return f"{mark}icmptype {match.type}" + ("" if code is None else f" code {code}")


# -- multiport -------------------------------------------------------------------------------------


def _build_multiport(values: Values) -> MultiportMatch:
    which = values.need("sports", "dports", "ports")
    return MultiportMatch(which=which, ports=values.get(which), inverted=values.inverted(which))


def _save_multiport(match: MultiportMatch) -> list[str]:
    return words(match.which, format_ports(match.ports), inverted=match.inverted)


def _show_multiport(match: MultiportMatch, numeric: bool) -> str:
    shown = ",".join(
        ":".join(service_name(port, numeric=numeric) for port in dict.fromkeys(ports))
        for ports in match.ports
    )
    return f"multiport {match.which} {'! ' if match.inverted else ''}{shown}"


SYNTAXES = (
    Syntax(
        "tcp",
        (
            SPORT,
            DPORT,
            Option("tcp-flags", 2, _parse_flags, True),
            Option("syn", 0, invertible=True),
            Option("tcp-option", 1, lambda text: parse_number(text, "tcp-option", 1, 255), True),
        ),
        _build_tcp,
        _save_tcp,
        _show_tcp,
        (IPPROTO_TCP,),
    ),
    Syntax("udp", (SPORT, DPORT), _build_udp, _save_ports, _show_ports, (IPPROTO_UDP,)),
    Syntax(
        "icmp",
        (Option("icmp-type", 1, _parse_icmp_type, True),),
        _build_icmp,
        _save_icmp,
        _show_icmp,
        (IPPROTO_ICMP,),
    ),
    Syntax(
        "multiport",
        (
            Option("sports", 1, parse_port_list, True, ("source-ports",)),
            Option("dports", 1, parse_port_list, True, ("destination-ports",)),
            Option("ports", 1, parse_port_list, True),
        ),
        _build_multiport,
        _save_multiport,
        _show_multiport,
        (IPPROTO_TCP, IPPROTO_UDP, 132, 136),
    ),
)
