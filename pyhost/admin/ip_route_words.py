"""The names that `ip route` has for types, scopes, tables, protocols and metrics."""

from __future__ import annotations

from pyhost.admin.errors import CommandError
from pyhost.admin.ip_words import Words, number
from pyhost.uapi.rtnetlink import (
    RT_SCOPE_HOST,
    RT_SCOPE_LINK,
    RT_SCOPE_NOWHERE,
    RT_SCOPE_UNIVERSE,
    RT_TABLE_DEFAULT,
    RT_TABLE_LOCAL,
    RT_TABLE_MAIN,
    RTAX_ADVMSS,
    RTAX_CC_ALGO,
    RTAX_CWND,
    RTAX_FASTOPEN_NO_COOKIE,
    RTAX_FEATURE_ECN,
    RTAX_FEATURES,
    RTAX_HOPLIMIT,
    RTAX_INITCWND,
    RTAX_INITRWND,
    RTAX_LOCK,
    RTAX_MTU,
    RTAX_QUICKACK,
    RTAX_REORDERING,
    RTAX_RTO_MIN,
    RTAX_RTT,
    RTAX_RTTVAR,
    RTAX_SSTHRESH,
    RTAX_WINDOW,
    RTN_BLACKHOLE,
    RTN_BROADCAST,
    RTN_LOCAL,
    RTN_MULTICAST,
    RTN_PROHIBIT,
    RTN_THROW,
    RTN_UNICAST,
    RTN_UNREACHABLE,
    RTPROT_BOOT,
    RTPROT_KERNEL,
    RTPROT_REDIRECT,
    RTPROT_STATIC,
)

__all__ = [
    "METRICS", "PROTOCOLS", "SCOPES", "TABLES", "TIME_UNITS", "TYPES", "lookup_name", "name_of",
    "parse_metric", "print_type",
]  # fmt: skip

TYPES = {
    "unicast": RTN_UNICAST, "local": RTN_LOCAL, "broadcast": RTN_BROADCAST,
    "multicast": RTN_MULTICAST, "blackhole": RTN_BLACKHOLE, "unreachable": RTN_UNREACHABLE,
    "prohibit": RTN_PROHIBIT, "throw": RTN_THROW,
}  # fmt: skip
SCOPES = {
    "global": RT_SCOPE_UNIVERSE, "link": RT_SCOPE_LINK, "host": RT_SCOPE_HOST,
    "nowhere": RT_SCOPE_NOWHERE,
}  # fmt: skip
TABLES = {"default": RT_TABLE_DEFAULT, "main": RT_TABLE_MAIN, "local": RT_TABLE_LOCAL}
PROTOCOLS = {
    "redirect": RTPROT_REDIRECT, "kernel": RTPROT_KERNEL, "boot": RTPROT_BOOT,
    "static": RTPROT_STATIC,
}  # fmt: skip

METRICS = {
    "mtu": RTAX_MTU, "window": RTAX_WINDOW, "rtt": RTAX_RTT, "rttvar": RTAX_RTTVAR,
    "ssthresh": RTAX_SSTHRESH, "cwnd": RTAX_CWND, "advmss": RTAX_ADVMSS,
    "reordering": RTAX_REORDERING, "hoplimit": RTAX_HOPLIMIT, "initcwnd": RTAX_INITCWND,
    "features": RTAX_FEATURES, "rto_min": RTAX_RTO_MIN, "initrwnd": RTAX_INITRWND,
    "quickack": RTAX_QUICKACK, "congctl": RTAX_CC_ALGO,
    "fastopen_no_cookie": RTAX_FASTOPEN_NO_COOKIE,
}  # fmt: skip
"""In the order in which they are shown."""

TIME_UNITS = {RTAX_RTT: 8, RTAX_RTTVAR: 4, RTAX_RTO_MIN: 1}
"""How many of the metric's units are a millisecond."""

LOCKABLE = ("mtu", "window", "rtt", "rttvar", "ssthresh", "cwnd", "advmss", "reordering",
            "hoplimit", "congctl")  # fmt: skip
COMPLAINTS = {"advmss": "mss"}
MAXIMA = {"hoplimit": 255, "quickack": 1, "fastopen_no_cookie": 1}


def lookup_name(word: str, names: dict[str, int], complaint: str, maximum: int) -> int:
    """A name of the table, or a number."""
    if word in names:
        return names[word]
    if word.isdigit() and int(word) <= maximum:
        return int(word)
    raise CommandError(f'Error: argument "{word}" is wrong: {complaint}')


def name_of(value: int, names: dict[str, int]) -> str:
    """The name of a number, or the number itself."""
    return next((name for name, each in names.items() if each == value), str(value))


def print_type(kind: int) -> list[str]:
    """The type's word before a prefix; none for an ordinary route."""
    return [] if kind == RTN_UNICAST else [name_of(kind, TYPES)]


def parse_metric(metrics: dict[int, int | str], word: str, words: Words) -> bool:
    """Take `mtu [lock] 1400` and the like; False when `word` is no metric."""
    which = METRICS.get(word)
    if which is None:
        return False
    locks = metrics.get(RTAX_LOCK, 0)
    assert isinstance(locks, int)
    if (word in LOCKABLE and words.take("lock")) or which == RTAX_RTO_MIN:
        metrics[RTAX_LOCK] = locks | 1 << which
    if which == RTAX_CC_ALGO:
        metrics[which] = words.next()
    elif which == RTAX_FEATURES:
        metrics[which] = _features(words)
    elif which in TIME_UNITS:
        metrics[which] = _time(words, word, TIME_UNITS[which])
    else:
        metrics[which] = number(words, COMPLAINTS.get(word, word), MAXIMA.get(word, 0xFFFFFFFF))
    return True


def _features(words: Words) -> int:
    word = words.next()
    if word != "ecn":
        raise CommandError(f'Error: argument "{word}" is wrong: "features" value not valid')
    return RTAX_FEATURE_ECN


def _time(words: Words, name: str, per_ms: int) -> int:
    """`300ms` or `2s` in the metric's own unit; a bare number is in that unit already."""
    word = words.next()
    for suffix, scale in (("msecs", 1), ("msec", 1), ("ms", 1), ("secs", 1000), ("sec", 1000),
                          ("s", 1000)):  # fmt: skip
        if word.endswith(suffix):
            try:
                return round(float(word.removesuffix(suffix)) * scale) * per_ms
            except ValueError:
                break
    return number(Words([word]), name)
