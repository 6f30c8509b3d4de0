"""The clock of the timestamp option (RFC 7323). Linux: include/net/tcp.h tcp_ns_to_ts.

A machine's clock is 0 when a run begins, while a Linux machine has been up for a while before any
program runs. The option's clock begins later than 0, because an echo of 0 means that there is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_MSEC

if TYPE_CHECKING:
    from pyhost.net.ipv4.tcp.tcp_sysctl import TcpNet

__all__ = ["secure_tcp_ts_off", "tcp_ns_to_ts"]

TCP_CLOCK_OFFSET_MS = 1000
TIMESTAMPS_WITH_OFFSET = 1
"""Value of sysctl tcp_timestamps; 2 is timestamps that tell how long the machine has been up."""


def tcp_ns_to_ts(ns: int) -> int:
    """What the clock (ms, 32 bits) shows at `ns` of the machine's. Linux: tcp_ns_to_ts."""
    return ns // NSEC_PER_MSEC + TCP_CLOCK_OFFSET_MS & 0xFFFFFFFF


def secure_tcp_ts_off(tcp: TcpNet, saddr: int, daddr: int) -> int:
    """What the timestamps from one machine to another are ahead of the clock.

    Linux: secure_tcp_ts_off.
    """
    if tcp.timestamps != TIMESTAMPS_WITH_OFFSET:
        return 0
    return tcp.secure_seq.tcp_ts_off(saddr, daddr)
