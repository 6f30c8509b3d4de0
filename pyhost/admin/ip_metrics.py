"""`ip tcp_metrics { show | delete | flush }`: what TCP remembers of its peers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.admin.ip_words import Command, Words, answer, dotted, pick
from pyhost.admin.ip_words import prefix as parse_prefix
from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.uapi.errno import ESRCH

if TYPE_CHECKING:
    from pyhost.net.ipv4.tcp.handshake.tcp_metrics import TcpMetrics
    from pyhost.net.net_namespace import Net

__all__ = ["run"]

RTT_UNITS = 8
RTTVAR_UNITS = 4
"""Units of TCP's estimator in a microsecond."""


def run(net: Net, words: Words) -> str:
    """Carry out what follows `ip tcp_metrics`; nothing is `show`."""
    if not words:
        return _show(net, words)
    return pick(words.next(), COMMANDS, "Command", "ip tcp_metrics help")(net, words)


def _peer(words: Words) -> int | None:
    """The peer that is named; None for all."""
    word = words.next() if words else "all"
    if word == "address":
        word = words.next()
    return parse_prefix(word)[0] or None


def _show(net: Net, words: Words) -> str:
    wanted = _peer(words)
    now = net.kernel.clock.now
    return "".join(
        f"{_line(peer, entry, now)}\n"
        for peer, entry in net.tcp.metrics.show()
        if wanted in (None, peer)
    )


def _line(peer: int, entry: TcpMetrics, now: int) -> str:
    words = [dotted(peer), "age", f"{(now - entry.stamp) / NSEC_PER_SEC:.3f}sec"]
    numbers = (
        ("reordering", entry.reordering, ""),
        ("rtt", entry.rtt_us // RTT_UNITS, "us"),
        ("rttvar", entry.rttvar_us // RTTVAR_UNITS, "us"),
        ("fo_mss", entry.mss, ""),
        ("fo_syn_drops", entry.syn_loss, ""),
    )
    for name, value, unit in numbers:
        if value:
            words += [name, f"{value}{unit}"]
    if entry.cookie.data:
        words += ["fo_cookie", entry.cookie.data.hex()]
    return " ".join(words)


def _delete(net: Net, words: Words) -> str:
    peer = _peer(words)
    if peer is not None and all(each != peer for each, _ in net.tcp.metrics.show()):
        answer(-ESRCH)
    net.tcp.metrics.flush(peer)
    return ""


COMMANDS: dict[str, Command] = {
    "delete": _delete,
    "flush": _delete,
    "list": _show,
    "show": _show,
}
