"""Rates, sizes, times and handles as `tc` reads and prints them. iproute2: lib/utils_math.c,
tc/tc_util.c.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from pyhost.admin.errors import CommandError

__all__ = [
    "class_id", "handle", "show_handle", "show_rate", "show_size", "show_time", "whole",
    "word_to_rate", "word_to_size", "word_to_us",
]  # fmt: skip

_NUMBER = re.compile(r"([0-9]*\.?[0-9]+(?:[eE][0-9]+)?)([a-zA-Z]*)\Z")

_BITS_PER_SECOND: Mapping[str, float] = MappingProxyType({
    "": 1, "bit": 1, "kbit": 1e3, "mbit": 1e6, "gbit": 1e9, "tbit": 1e12, "kibit": 1 << 10,
    "mibit": 1 << 20, "gibit": 1 << 30, "tibit": 1 << 40, "bps": 8, "kbps": 8e3, "mbps": 8e6,
    "gbps": 8e9, "tbps": 8e12, "kibps": 8 << 10, "mibps": 8 << 20, "gibps": 8 << 30,
    "tibps": 8 << 40,
})  # fmt: skip
_BYTES: Mapping[str, float] = MappingProxyType({
    "": 1, "b": 1, "k": 1 << 10, "kb": 1 << 10, "m": 1 << 20, "mb": 1 << 20, "g": 1 << 30,
    "gb": 1 << 30, "kbit": (1 << 10) / 8, "mbit": (1 << 20) / 8, "gbit": (1 << 30) / 8,
})  # fmt: skip
_MICROSECONDS: Mapping[str, float] = MappingProxyType({
    "": 1, "s": 1e6, "sec": 1e6, "secs": 1e6, "ms": 1e3, "msec": 1e3, "msecs": 1e3, "us": 1,
    "usec": 1, "usecs": 1, "ns": 1e-3, "nsec": 1e-3, "nsecs": 1e-3,
})  # fmt: skip

_RATE_UNITS = ("", "K", "M", "G", "T")
_MAX_SIZE = (1 << 32) - 1


def _scaled(word: str, units: Mapping[str, float], what: str) -> float:
    match = _NUMBER.match(word)
    unit = units.get(match[2].lower()) if match else None
    if match is None or unit is None:
        raise CommandError(f'Illegal "{what}"')
    return float(match[1]) * unit


def word_to_rate(word: str, what: str) -> int:
    """`1mbit`, `100kbps` in bytes a second; a bare number is bits."""
    return int(_scaled(word, _BITS_PER_SECOND, what)) // 8


def word_to_size(word: str, what: str) -> int:
    """`32kb`, `1m` in bytes."""
    size = int(_scaled(word, _BYTES, what))
    if size > _MAX_SIZE:
        raise CommandError(f'Illegal "{what}"')
    return size


def word_to_us(word: str, what: str) -> int:
    """`50ms`, `1s` in us; a bare number is us."""
    return int(_scaled(word, _MICROSECONDS, what))


def whole(word: str, what: str) -> int:
    """A number of packets, flows, bands."""
    try:
        value = int(word, 0)
    except ValueError:
        value = -1
    if not 0 <= value <= _MAX_SIZE:
        raise CommandError(f'Illegal "{what}"')
    return value


def handle(word: str) -> int:
    """`10:` as major << 16. iproute2: get_qdisc_handle."""
    major, colon, minor = word.partition(":")
    if not minor and (value := _hex16(major)) is not None and (colon or major):
        return value << 16
    raise CommandError(f'Error: argument "{word}" is wrong: invalid qdisc ID')


def class_id(word: str) -> int:
    """`1:2` as major << 16 | minor, hexadecimal both. iproute2: get_tc_classid."""
    major, _, minor = word.partition(":")
    upper, lower = _hex16(major or "0"), _hex16(minor or "0")
    if upper is None or lower is None:
        raise CommandError(f'Error: argument "{word}" is wrong: invalid parent ID')
    return upper << 16 | lower


def _hex16(word: str) -> int | None:
    try:
        value = int(word, 16)
    except ValueError:
        return None
    return value if 0 <= value <= 0xFFFF else None


def show_handle(value: int) -> str:
    """`1:2`, or `1:` for a qdisc. iproute2: print_tc_classid."""
    return f"{value >> 16:x}:{value & 0xFFFF:x}" if value & 0xFFFF else f"{value >> 16:x}:"


def show_rate(rate: int) -> str:
    """Bytes a second in bits. iproute2: tc_print_rate."""
    bits = rate * 8
    prefix = 0
    while bits >= 1000 and (bits % 1000 == 0 or bits >= 1000 * 1000):
        if prefix == len(_RATE_UNITS) - 1:
            break
        bits //= 1000
        prefix += 1
    return f"{bits}{_RATE_UNITS[prefix]}bit"


def show_size(size: int) -> str:
    """iproute2: sprint_size."""
    for unit, name, near in ((1 << 20, "Mb", 1024), (1 << 10, "Kb", 16)):
        count = round(size / unit)
        if size >= unit and abs(count * unit - size) < near:
            return f"{count}{name}"
    return f"{size}b"


def show_time(us: int) -> str:
    """iproute2: sprint_time."""
    if us >= 1_000_000:
        return f"{us / 1e6:.3g}s"
    return f"{us / 1e3:.3g}ms" if us >= 1000 else f"{us}us"
