"""What a connection spends its time with, for TCP_INFO. Linux: net/ipv4/tcp_output.c
(tcp_chrono_start, tcp_chrono_stop).

While data waits or is on the way exactly one of three clocks runs: BUSY, RWND_LIMITED (the peer's
window is closed), SNDBUF_LIMITED (all is sent, and the program wants to write but the send buffer
is full). A higher number wins over a lower one. `chrono_stat` sums up the ns of each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSock

__all__ = [
    "TCP_CHRONO_BUSY", "TCP_CHRONO_RWND_LIMITED", "TCP_CHRONO_SNDBUF_LIMITED", "TCP_CHRONO_UNSPEC",
    "tcp_chrono_start", "tcp_chrono_stats", "tcp_chrono_stop",
]  # fmt: skip

TCP_CHRONO_UNSPEC = 0
TCP_CHRONO_BUSY = 1
TCP_CHRONO_RWND_LIMITED = 2
TCP_CHRONO_SNDBUF_LIMITED = 3


def _chrono_set(sk: TcpSock, new: int) -> None:
    """Linux: tcp_chrono_set."""
    now = sk.net.kernel.clock.now
    old = sk.chrono_type
    if old:
        sk.chrono_stat[old - 1] += now - sk.chrono_start
    sk.chrono_start = now
    sk.chrono_type = new


def tcp_chrono_start(sk: TcpSock, kind: int) -> None:
    """A condition begins; it counts unless a more telling one holds already.

    Linux: tcp_chrono_start.
    """
    if kind > sk.chrono_type:
        _chrono_set(sk, kind)


def tcp_chrono_stop(sk: TcpSock, kind: int) -> None:
    """A condition ends: go on as busy, or stop when nothing is left to send or to be acknowledged.

    Linux: tcp_chrono_stop.
    """
    if not sk.tcp_rtx_queue and not sk.sk_write_queue:
        _chrono_set(sk, TCP_CHRONO_UNSPEC)
    elif kind == sk.chrono_type:
        _chrono_set(sk, TCP_CHRONO_BUSY)


def tcp_chrono_stats(sk: TcpSock) -> tuple[int, int, int]:
    """(busy, window-limited, buffer-limited) so far in ns; busy includes the other two.

    Linux: tcp_get_info_chrono_stats.
    """
    stats = list(sk.chrono_stat)
    if sk.chrono_type:
        stats[sk.chrono_type - 1] += sk.net.kernel.clock.now - sk.chrono_start
    return sum(stats), stats[1], stats[2]
