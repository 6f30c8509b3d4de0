"""What TCP keeps once a machine: settings, memory account, tables. Linux: struct netns_ipv4,
net/ipv4/sysctl_net_ipv4.c, tcp_init.

Every setting is an attribute without the `tcp_` of its sysctl name, which the data path reads
directly.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from pyhost.kernel.softirq import Tasklet
from pyhost.kernel.sysctl import one_of, whole_number, whole_numbers
from pyhost.mm.memory import PAGE_SIZE

if TYPE_CHECKING:
    from pyhost.net.ipv4.inet_hashtables import BindBucket, Hashed
    from pyhost.net.ipv4.tcp_cong import CongestionOps
    from pyhost.net.ipv4.tcp_sock import TcpSock
    from pyhost.net.net_namespace import Net

__all__ = ["TcpNet"]

_FLAGS = (
    "sack", "dsack", "timestamps", "window_scaling", "slow_start_after_idle", "autocorking",
    "moderate_rcvbuf",
    "abort_on_overflow", "rfc1337", "no_metrics_save", "workaround_signed_windows",
)  # fmt: skip

_NUMBERS = {
    "syn_retries": (1, 127),
    "syn_linear_timeouts": (0, 127),
    "synack_retries": (0, 255),
    "retries1": (0, 255),
    "retries2": (0, 255),
    "orphan_retries": (0, 255),
    "reordering": (1, 300),
    "max_syn_backlog": (0, (1 << 31) - 1),
    "challenge_ack_limit": (0, (1 << 31) - 1),
    "limit_output_bytes": (0, (1 << 31) - 1),
    "min_snd_mss": (48, 65535),
    "tso_win_divisor": (0, (1 << 31) - 1),
    "keepalive_probes": (0, 255),
    "pingpong_thresh": (1, 255),
    "rto_min_us": (1, (1 << 31) - 1),
    "notsent_lowat": (0, (1 << 32) - 1),
    "tw_reuse": (0, 2),
}

_SECONDS = ("fin_timeout", "keepalive_time", "keepalive_intvl")
"""Whole seconds, as in /proc; the code multiplies where it arms a timer."""


class TcpNet:
    """TCP's part of a machine.

    - `memory_allocated`: pages that all sockets together have reserved; `mem` gives the limits
      (leave pressure, pressure, hard) in pages
    - `ehash`: connected sockets, request sockets and TIME_WAIT by (remote address, local address,
      remote port << 16 | local port)
    - `lhash`: listeners by local port; `bhash`: who holds which local port
    """

    def __init__(
        self, net: Net, congestion: dict[str, CongestionOps], tsq_handler: Callable[[TcpNet], None]
    ) -> None:
        self.net = net
        pages = max(net.kernel.mem.size // PAGE_SIZE // 16, 128)
        self.mem: tuple[int, ...] = (pages // 4 * 3, pages, pages // 4 * 6)
        self.rmem: tuple[int, ...] = (4096, 131072, 6 << 20)
        self.wmem: tuple[int, ...] = (4096, 16384, 4 << 20)
        self.sack = self.dsack = self.timestamps = self.window_scaling = 1
        self.slow_start_after_idle = self.autocorking = self.moderate_rcvbuf = 1
        self.abort_on_overflow = self.rfc1337 = self.no_metrics_save = (
            self.workaround_signed_windows
        ) = 0
        self.syn_retries: int = 6
        self.syn_linear_timeouts = 4
        self.synack_retries = 5
        self.retries1 = 3
        self.retries2 = 15
        self.orphan_retries = 0
        self.reordering = 3
        self.max_syn_backlog = 128
        self.challenge_ack_limit = (1 << 31) - 1
        self.limit_output_bytes = 1 << 20
        self.min_snd_mss = 48
        self.tso_win_divisor = 3
        self.keepalive_probes: int = 9
        self.keepalive_time: int = 7200
        self.keepalive_intvl: int = 75
        self.fin_timeout = 60
        self.pingpong_thresh = 1
        self.rto_min_us = 200_000
        self.notsent_lowat = 0xFFFFFFFF
        self.tw_reuse = 2
        self.congestion_control = "cubic"
        self.congestion = congestion
        self.tsq: deque[TcpSock] = deque()
        self.tsq_tasklet = Tasklet(net.kernel.softirq, partial(tsq_handler, self))
        self.memory_allocated = 0
        self.memory_pressure = False
        self.orphan_count = 0
        self.ehash: dict[tuple[int, int, int], Hashed] = {}
        self.lhash: dict[int, list[TcpSock]] = {}
        self.bhash: dict[int, BindBucket] = {}
        self._register()

    def _register(self) -> None:
        """Give every setting its Linux name."""
        table = self.net.kernel.sysctl
        flag = whole_number(0, 255)
        for name in _FLAGS:
            table.register(f"net.ipv4.tcp_{name}", self, name, flag)
        for name, (low, high) in _NUMBERS.items():
            table.register(f"net.ipv4.tcp_{name}", self, name, whole_number(low, high))
        for name in _SECONDS:
            table.register(f"net.ipv4.tcp_{name}", self, name, whole_number(1, 32767))
        for name in ("mem", "rmem", "wmem"):
            table.register(f"net.ipv4.tcp_{name}", self, name, whole_numbers(3, 1))
        table.register(
            "net.ipv4.tcp_congestion_control", self, "congestion_control", one_of(*self.congestion)
        )
