"""Words of a rule: addresses, ports, protocols, marks; from text and to text.

Every reader raises CommandError with one line in the words of iptables.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from ipaddress import AddressValueError, IPv4Address
from types import MappingProxyType

from pyhost.admin.errors import CommandError
from pyhost.uapi.ip import IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP

__all__ = [
    "Cidr", "bad", "format_cidr", "format_port_range", "format_ports", "masked", "parse_address",
    "parse_cidr", "parse_masked", "parse_number", "parse_port", "parse_port_list",
    "parse_port_range", "parse_protocol", "parse_range", "protocol_name", "quoted", "service_name",
]  # fmt: skip

Cidr = tuple[int, int]
"""(address, mask)"""

MASK32 = 0xFFFFFFFF

PROTOCOLS: Mapping[str, int] = MappingProxyType(
    {"all": 0, "icmp": IPPROTO_ICMP, "tcp": IPPROTO_TCP, "udp": IPPROTO_UDP, "ipip": 4, "gre": 47,
     "esp": 50, "ah": 51, "sctp": 132, "udplite": 136}
)  # fmt: skip
PROTOCOL_NAMES = MappingProxyType({number: name for name, number in PROTOCOLS.items()})

SERVICES: Mapping[str, int] = MappingProxyType(
    {"echo": 7, "discard": 9, "daytime": 13, "chargen": 19, "ftp-data": 20, "ftp": 21, "ssh": 22,
     "telnet": 23, "smtp": 25, "time": 37, "domain": 53, "tftp": 69, "http": 80, "pop3": 110,
     "ntp": 123, "imap2": 143, "snmp": 161, "bgp": 179, "https": 443, "submission": 587,
     "ldap": 389, "imaps": 993, "pop3s": 995, "http-alt": 8080}
)  # fmt: skip
"""The part of /etc/services that rules are written with."""
SERVICE_NAMES = MappingProxyType({port: name for name, port in SERVICES.items()})


def bad(text: str) -> CommandError:
    """A complaint as iptables would make it."""
    return CommandError(f"iptables: {text}")


def parse_number(text: str, what: str, low: int, high: int) -> int:
    """A number in one of C's notations."""
    try:
        value = int(text, 0) if not text.isdigit() else int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise bad(f'{what}: bad value "{text}", not between {low} and {high}')
    return value


def parse_range(text: str, what: str, high: int) -> tuple[int, int]:
    """`N`, `N:M`, `N:` or `:M`."""
    first, colon, last = text.partition(":")
    low = parse_number(first, what, 0, high) if first else 0
    top = (parse_number(last, what, 0, high) if last else high) if colon else low
    if top < low or not text:
        raise bad(f'{what}: bad range "{text}"')
    return low, top


def parse_address(text: str) -> int:
    """One dotted address; there is no resolver."""
    if text == "localhost":
        return 0x7F000001
    try:
        return int(IPv4Address(text))
    except AddressValueError:
        raise bad(f"host/network `{text}' not found") from None


def parse_cidr(text: str) -> Cidr:
    """An address with `/24`, `/255.255.255.0` or without a mask; bits behind the mask go."""
    addr, slash, mask_text = text.partition("/")
    if not slash:
        mask = MASK32
    elif "." in mask_text:
        mask = _parse_mask(mask_text)
    elif mask_text.isdigit() and int(mask_text) <= 32:
        mask = MASK32 << 32 - int(mask_text) & MASK32
    else:
        raise bad(f"invalid mask `{mask_text}' specified")
    return parse_address(addr) & mask, mask


def _parse_mask(text: str) -> int:
    try:
        return int(IPv4Address(text))
    except AddressValueError:
        raise bad(f"invalid mask `{text}' specified") from None


def format_cidr(cidr: Cidr) -> str:
    """`10.0.0.0/8`; a mask with holes is written out."""
    addr, mask = cidr
    bits = mask.bit_count()
    whole = mask == MASK32 << 32 - bits & MASK32
    return f"{IPv4Address(addr)}/{bits if whole else IPv4Address(mask)}"


def parse_protocol(text: str) -> int:
    """A name or a number; 0 is all."""
    if text.lower() in PROTOCOLS:
        return PROTOCOLS[text.lower()]
    if text.isdigit() and int(text) <= 255:
        return int(text)
    raise bad(f'unknown protocol "{text}" specified')


def protocol_name(number: int) -> str:
    """The name, or the number in digits."""
    return PROTOCOL_NAMES.get(number, str(number))


def parse_port(text: str) -> int:
    """A number or a service."""
    if text.isdigit() and int(text) <= 0xFFFF:
        return int(text)
    if text in SERVICES:
        return SERVICES[text]
    raise bad(f"invalid port/service `{text}' specified")


def parse_port_range(text: str) -> tuple[int, int]:
    """`25`, `smtp`, `1000:2000`, `1000:`, `:1000`."""
    first, colon, last = text.partition(":")
    if not colon:
        port = parse_port(text)
        return port, port
    low = parse_port(first) if first else 0
    high = parse_port(last) if last else 0xFFFF
    if high < low:
        raise bad("invalid portrange (min > max)")
    return low, high


def parse_port_list(text: str) -> tuple[tuple[int, int], ...]:
    """Ports and ranges between commas; a range takes two of the fifteen places."""
    ports = tuple(parse_port_range(word) for word in text.split(","))
    if sum(1 + (low != high) for low, high in ports) > 15:
        raise bad("too many ports specified")
    return ports


def format_port_range(ports: tuple[int, int]) -> str:
    """As `parse_port_range` reads it."""
    low, high = ports
    return str(low) if low == high else f"{low}:{high}"


def format_ports(ports: tuple[tuple[int, int], ...]) -> str:
    """As `parse_port_list` reads it."""
    return ",".join(map(format_port_range, ports))


def service_name(port: int, *, numeric: bool) -> str:
    """The service of a port, if names are wanted."""
    return str(port) if numeric else SERVICE_NAMES.get(port, str(port))


def parse_masked(text: str, what: str) -> tuple[int, int]:
    """`VALUE` or `VALUE/MASK`, 32 bits; (value, mask)."""
    value, slash, mask = text.partition("/")
    return (
        parse_number(value, what, 0, MASK32),
        parse_number(mask, what, 0, MASK32) if slash else MASK32,
    )


def masked(value: int, mask: int, full: int = MASK32) -> str:
    """As `parse_masked` reads it; a full mask is left out."""
    return f"{value:#x}" if mask == full else f"{value:#x}/{mask:#x}"


def quoted(text: str) -> str:
    """A word as it must stand in a rules file."""
    if text and shlex.quote(text) == text:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
