"""What connection tracking keeps for one machine: the table, its limits, settings and counters.

Linux: include/net/netns/conntrack.h, net/netfilter/nf_conntrack_standalone.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.sysctl import whole_number

if TYPE_CHECKING:
    from pyhost.kernel.timer import Timer
    from pyhost.net.net_namespace import Net
    from pyhost.net.netfilter.core import NfHookEntry
    from pyhost.net.netfilter.nf_conntrack_tuple import NfConn, NfConntrackTuple

__all__ = ["NfConntrackNet", "nf_conntrack_init"]

NF_CONNTRACK_MAX = 65536

TIMEOUTS = {
    "generic_timeout": 600,
    "icmp_timeout": 30,
    "udp_timeout": 30,
    "udp_timeout_stream": 120,
    "tcp_timeout_syn_sent": 120,
    "tcp_timeout_syn_recv": 60,
    "tcp_timeout_established": 432000,
    "tcp_timeout_fin_wait": 120,
    "tcp_timeout_close_wait": 60,
    "tcp_timeout_last_ack": 30,
    "tcp_timeout_time_wait": 120,
    "tcp_timeout_close": 10,
    "tcp_timeout_max_retrans": 300,
    "tcp_timeout_unacknowledged": 300,
}
"""Seconds, by the name behind net.netfilter.nf_conntrack_."""

NUMBERS = {
    "max": (NF_CONNTRACK_MAX, (0, (1 << 31) - 1)),
    "checksum": (1, (0, 1)),
    "tcp_loose": (1, (0, 1)),
    "tcp_be_liberal": (0, (0, 1)),
    "tcp_ignore_invalid_rst": (0, (0, 1)),
    "tcp_max_retrans": (3, (0, 255)),
}


class NfConntrackNet:
    """Linux: struct netns_ct.

    - `hash`: both tuples of every confirmed connection → (connection, direction)
    - `bysource`: the connections whose source was changed or could have been, by the original
      source (address, port, protocol), for NAT to use one answer for one source
    - `stat`: what happened, under the names of /proc/net/stat/nf_conntrack
    - `users`: who needs tracking; with none of them there are no hooks
    """

    __slots__ = (
        "bysource", "checksum", "count", "gc_timer", "hash", "hooks", "max", "stat",
        "tcp_be_liberal", "tcp_ignore_invalid_rst", "tcp_loose", "tcp_max_retrans", "users",
        *TIMEOUTS,
    )  # fmt: skip

    generic_timeout: int
    icmp_timeout: int
    udp_timeout: int
    udp_timeout_stream: int
    checksum: int
    max: int
    tcp_loose: int
    tcp_be_liberal: int
    tcp_ignore_invalid_rst: int
    tcp_max_retrans: int
    tcp_timeout_max_retrans: int
    tcp_timeout_unacknowledged: int

    def __init__(self, net: Net) -> None:
        self.hash: dict[NfConntrackTuple, tuple[NfConn, int]] = {}
        self.bysource: dict[tuple[int, int, int], list[NfConn]] = {}
        self.count = 0
        self.stat: dict[str, int] = {}
        self.users = 0
        self.hooks: list[NfHookEntry] = []
        self.gc_timer: Timer | None = None
        table = net.kernel.sysctl
        for name, seconds in TIMEOUTS.items():
            setattr(self, name, seconds)
            table.register(f"net.netfilter.nf_conntrack_{name}", self, name, whole_number(0))
        for name, (value, limits) in NUMBERS.items():
            setattr(self, name, value)
            table.register(f"net.netfilter.nf_conntrack_{name}", self, name, whole_number(*limits))
        table.register("net.nf_conntrack_max", self, "max", whole_number(0))
        table.register("net.netfilter.nf_conntrack_count", self, "count", whole_number())

    def inc(self, name: str) -> None:
        """Linux: NF_CT_STAT_INC."""
        self.stat[name] = self.stat.get(name, 0) + 1


def nf_conntrack_init(net: Net) -> None:
    """An empty table; nothing is tracked yet. Linux: nf_conntrack_init_net."""
    net.ct = NfConntrackNet(net)
