"""`nstat [-a] [-s] [-z] [NAME…]`: the stack's counters, and what was added since the last call."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pyhost.admin.errors import CommandError

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel

__all__ = ["run"]

_TABLES = ("IpExt", "TcpExt", "MPTcpExt", "IcmpMsg", "UdpLite", "Icmp", "Udp", "Tcp", "Ip")
"""Prefixes that nstat's names have: the tables of /proc/net/snmp and /proc/net/netstat."""


def run(kernel: Kernel, argv: list[str]) -> str:
    """Print `Name value rate` of each counter that has changed since the last call; raises
    CommandError.

    `-a`: the values since boot; `-s`: the next call shall not take this one as the last; `-z`: with
    the counters that have not changed. A name may have wildcards.
    """
    flags = {word for word in argv[1:] if word.startswith("-")}
    patterns = [word for word in argv[1:] if not word.startswith("-")]
    letters = set("".join(flags).replace("-", ""))
    if letters - set("asz"):
        raise CommandError(f"nstat: unknown option among {' '.join(sorted(flags))}")
    net = kernel.net
    now = dict(net.mib)
    before = {} if "a" in letters else net.mib_shown
    lines = ["#kernel"]
    for name, value in sorted((_shown_name(key), value) for key, value in now.items()):
        added = value - before.get(name, 0)
        wanted = not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
        if wanted and (added or "z" in letters):
            lines.append(f"{name:<32}{added:<16}0.0")
    if "s" not in letters:
        net.mib_shown = {_shown_name(key): value for key, value in now.items()}
    return "\n".join(lines) + "\n"


def _shown_name(key: str) -> str:
    """The name with its table: those of /proc/net/netstat's TcpExt stand alone in `net.mib`."""
    for table in _TABLES:
        rest = key.removeprefix(table)
        if rest != key and rest[:1].isupper():
            return key
    return f"TcpExt{key}"
