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
from pyhost.net.core.secure_seq import SecureSeq
from pyhost.net.ipv4.tcp.fastopen.tcp_fastopen_ctx import FastopenContext, fastopen_key
from pyhost.net.ipv4.tcp.handshake.tcp_metrics import TcpMetricsTable

if TYPE_CHECKING:
    from pyhost.net.ipv4.tcp.congestion.tcp_cong import CongestionOps
    from pyhost.net.ipv4.tcp.handshake.inet_hashtables import BindBucket, Hashed
    from pyhost.net.ipv4.tcp.handshake.syncookies import SyncookieSecret
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSock
    from pyhost.net.net_namespace import Net

__all__ = ["TcpNet"]

_FLAGS = (
    "sack", "dsack", "timestamps", "window_scaling", "slow_start_after_idle", "autocorking",
    "moderate_rcvbuf",
    "abort_on_overflow", "rfc1337", "no_metrics_save", "workaround_signed_windows",
    "shrink_window",
)  # fmt: skip

_NUMBERS = {
    "syn_retries": (1, 127),
    "syn_linear_timeouts": (0, 127),
    "synack_retries": (0, 255),
    "retries1": (0, 255),
    "retries2": (0, 255),
    "orphan_retries": (0, 255),
    "reordering": (1, 300),
    "max_reordering": (1, (1 << 31) - 1),
    "recovery": (0, 255),
    "early_retrans": (0, 4),
    "frto": (0, 255),
    "ecn": (0, 2),
    "ecn_fallback": (0, 1),
    "min_rtt_wlen": (0, 86400),
    "retrans_collapse": (0, 255),
    "thin_linear_timeouts": (0, 255),
    "max_syn_backlog": (0, (1 << 31) - 1),
    "challenge_ack_limit": (0, (1 << 31) - 1),
    "limit_output_bytes": (0, (1 << 31) - 1),
    "min_snd_mss": (48, 65535),
    "tso_win_divisor": (0, (1 << 31) - 1),
    "min_tso_segs": (1, 65535),
    "tso_rtt_log": (0, 255),
    "pacing_ss_ratio": (0, 1000),
    "pacing_ca_ratio": (0, 1000),
    "mtu_probing": (0, 255),
    "base_mss": (48, (1 << 31) - 1),
    "mtu_probe_floor": (48, (1 << 31) - 1),
    "probe_threshold": (0, (1 << 31) - 1),
    "probe_interval": (0, (1 << 32) - 1),
    "keepalive_probes": (0, 255),
    "pingpong_thresh": (1, 255),
    "rto_min_us": (1, (1 << 31) - 1),
    "notsent_lowat": (0, (1 << 32) - 1),
    "tw_reuse": (0, 2),
    "syncookies": (0, 2),
    "fastopen": (0, (1 << 31) - 1),
    "fastopen_blackhole_timeout_sec": (0, (1 << 31) - 1),
    "invalid_ratelimit": (0, (1 << 31) - 1),
    "stdurg": (0, 255),
    "app_win": (0, 31),
    "max_orphans": (0, (1 << 31) - 1),
    "max_tw_buckets": (0, (1 << 31) - 1),
    "comp_sack_delay_ns": (0, (1 << 63) - 1),
    "comp_sack_nr": (0, 255),
    "backlog_ack_defer": (0, 1),
}

_CUBIC = {
    "hystart": 1,
    "hystart_detect": 3,
    "hystart_low_window": 16,
    "hystart_ack_delta_us": 2000,
    "fast_convergence": 1,
    "tcp_friendliness": 1,
}
"""The parameters of the module tcp_cubic, as in /sys/module/tcp_cubic/parameters."""

_SECONDS = ("fin_timeout", "keepalive_time", "keepalive_intvl")
"""Whole seconds, as in /proc; the code multiplies where it arms a timer."""


class CubicParameters:
    """Linux: the module parameters of net/ipv4/tcp_cubic.c."""

    __slots__ = tuple(_CUBIC)

    hystart: int
    hystart_detect: int
    hystart_low_window: int
    hystart_ack_delta_us: int
    fast_convergence: int
    tcp_friendliness: int

    def __init__(self) -> None:
        for name, value in _CUBIC.items():
            setattr(self, name, value)


class TcpSettings:
    """What an administrator may set, with the values of a Linux machine that was just booted.

    Linux: tcp_sk_init.
    """

    sack: int = 1
    dsack: int = 1
    timestamps: int = 1
    window_scaling: int = 1
    slow_start_after_idle: int = 1
    autocorking: int = 1
    moderate_rcvbuf: int = 1
    abort_on_overflow: int = 0
    rfc1337: int = 0
    no_metrics_save: int = 0
    workaround_signed_windows: int = 0
    syn_retries: int = 6
    syn_linear_timeouts: int = 4
    synack_retries: int = 5
    retries1: int = 3
    retries2: int = 15
    orphan_retries: int = 0
    reordering: int = 3
    max_reordering: int = 300
    recovery: int = 1
    early_retrans: int = 3
    frto: int = 2
    ecn: int = 2
    ecn_fallback: int = 1
    min_rtt_wlen: int = 300
    retrans_collapse: int = 1
    thin_linear_timeouts: int = 0
    max_syn_backlog: int = 128
    challenge_ack_limit: int = (1 << 31) - 1
    limit_output_bytes: int = 1 << 20
    min_snd_mss: int = 48
    tso_win_divisor: int = 3
    shrink_window: int = 0
    min_tso_segs: int = 2
    tso_rtt_log: int = 9
    pacing_ss_ratio: int = 200
    pacing_ca_ratio: int = 120
    mtu_probing: int = 0
    base_mss: int = 1024
    mtu_probe_floor: int = 48
    probe_threshold: int = 8
    probe_interval: int = 600
    keepalive_probes: int = 9
    keepalive_time: int = 7200
    keepalive_intvl: int = 75
    fin_timeout: int = 60
    pingpong_thresh: int = 1
    rto_min_us: int = 200_000
    notsent_lowat: int = 0xFFFFFFFF
    tw_reuse: int = 2
    syncookies: int = 1
    fastopen: int = 1
    fastopen_blackhole_timeout_sec: int = 0
    invalid_ratelimit: int = 500
    stdurg: int = 0
    app_win: int = 31
    max_orphans: int = 4096
    max_tw_buckets: int = 4096
    comp_sack_delay_ns: int = 1_000_000
    comp_sack_nr: int = 44
    backlog_ack_defer: int = 1


class TcpNet(TcpSettings):
    """TCP's part of a machine.

    - `memory_allocated`: pages that all sockets together have reserved; `mem` gives the limits
      (leave pressure, pressure, hard) in pages
    - `ehash`: connected sockets, request sockets and TIME_WAIT by (remote address, local address,
      remote port << 16 | local port)
    - `lhash`: listeners by local port; `bhash`: who holds which local port
    - `metrics`: what is remembered of peers; `fastopen_ctx`: the Fast Open keys, and whether Fast
      Open is paused
    """

    def __init__(
        self, net: Net, congestion: dict[str, CongestionOps], tsq_handler: Callable[[TcpNet], None]
    ) -> None:
        self.net = net
        pages = max(net.kernel.mem.size // PAGE_SIZE // 16, 128)
        self.mem: tuple[int, ...] = (pages // 4 * 3, pages, pages // 4 * 6)
        self.rmem: tuple[int, ...] = (4096, 131072, 6 << 20)
        self.wmem: tuple[int, ...] = (4096, 16384, 4 << 20)
        self.cubic = CubicParameters()
        self.challenge_timestamp = self.challenge_count = 0
        self.secure_seq = SecureSeq(net.kernel.clock, net.kernel.random)
        self.syncookie_secret: SyncookieSecret | None = None
        self.metrics = TcpMetricsTable(net.kernel)
        self.fastopen_ctx: FastopenContext = FastopenContext(net.kernel)
        self.congestion_control = "cubic"
        self.congestion = congestion
        self.tsq: deque[TcpSock] = deque()
        self.tsq_tasklet = Tasklet(net.kernel.softirq, partial(tsq_handler, self))
        self.memory_allocated = 0
        self.memory_pressure = False
        self.orphan_count = self.tw_count = 0
        self.ehash: dict[tuple[int, int, int], Hashed] = {}
        self.lhash: dict[int, list[TcpSock]] = {}
        self.bhash: dict[int, BindBucket] = {}
        self._register()
        net.kernel.sysctl.register(
            "net.ipv4.tcp_fastopen_key", self.fastopen_ctx, "key_words", fastopen_key
        )

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
        for name in _CUBIC:
            table.register(f"module.tcp_cubic.{name}", self.cubic, name, whole_number(0))
        for name in ("mem", "rmem", "wmem"):
            table.register(f"net.ipv4.tcp_{name}", self, name, whole_numbers(3, 1))
        table.register(
            "net.ipv4.tcp_congestion_control", self, "congestion_control", one_of(*self.congestion)
        )
