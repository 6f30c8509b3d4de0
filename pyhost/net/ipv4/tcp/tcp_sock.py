"""tcp_sock: one TCP connection; tcp_skb_cb: what TCP notes on a segment. Linux:
include/linux/tcp.h, include/net/inet_connection_sock.h.

Linux nests sock ⊂ inet_sock ⊂ inet_connection_sock ⊂ tcp_sock; here they are one object, and the
names keep their Linux prefix where it says which layer a field is from (`icsk_rto`). Sequence
numbers are 32-bit ints that wrap; `before` and `after` compare them.

Times are nanoseconds (Linux: jiffies), except the RTT estimator, which has Linux's fixed-point
microseconds: `srtt_us` is 8 × the smoothed RTT, `mdev_us` and `rttvar_us` are 4 × a deviation.

Two queues hold what was written and is not yet acknowledged:

    sk_write_queue: not sent yet           snd_nxt … write_seq
    tcp_rtx_queue:  sent, in order of seq  snd_una … snd_nxt

A segment's original never leaves its queue: a clone of it travels.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from pyhost.mm.page_frag import PageFrag
from pyhost.net.core.sock import InetSock, Proto
from pyhost.net.core.stream import sk_stream_write_space
from pyhost.net.ipv4.tcp.ack.tcp_ack_state import AckSample, RackState
from pyhost.net.ipv4.tcp.ack.win_minmax import WindowedMin

if TYPE_CHECKING:
    from pyhost.kernel.timer import Timer
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.ipv4.tcp.congestion.tcp_cong import CongestionOps
    from pyhost.net.ipv4.tcp.fastopen.tcp_fastopen_req import FastopenRequest
    from pyhost.net.ipv4.tcp.handshake.inet_hashtables import BindBucket
    from pyhost.net.ipv4.tcp.handshake.request_sock import FastopenQueue, RequestSock
    from pyhost.net.net_namespace import Net

__all__ = [
    "ICSK_ACK_NOW", "ICSK_ACK_PUSHED", "ICSK_ACK_PUSHED2", "ICSK_ACK_SCHED", "ICSK_ACK_TIMER",
    "ICSK_TIME_LOSS_PROBE", "ICSK_TIME_PROBE0", "ICSK_TIME_REO_TIMEOUT", "ICSK_TIME_RETRANS",
    "TCPCB_EVER_RETRANS", "TCPCB_LOST", "TCPCB_RETRANS", "TCPCB_SACKED_ACKED",
    "TCPCB_SACKED_RETRANS", "TCPCB_TAGBITS", "TCP_CA_CWR", "TCP_CA_DISORDER", "TCP_CA_LOSS",
    "TCP_CA_OPEN", "TCP_CA_RECOVERY", "TCP_INFINITE_SSTHRESH", "TCP_INIT_CWND", "TCP_MIN_MSS",
    "TCP_MSS_DEFAULT", "TCP_NAGLE_CORK", "TCP_NAGLE_OFF", "TCP_NAGLE_PUSH", "TCP_RTO_MAX",
    "TCP_TIMEOUT_INIT", "TcpSkbCb", "TcpSock", "after", "before", "between",
]  # fmt: skip

TCP_MSS_DEFAULT = 536
TCP_MIN_MSS = 88
TCP_INIT_CWND = 10
TCP_INFINITE_SSTHRESH = 0x7FFFFFFF
TCP_RTO_MAX = 120_000_000_000
TCP_TIMEOUT_INIT = 1_000_000_000

TCP_NAGLE_OFF = 1
TCP_NAGLE_CORK = 2
TCP_NAGLE_PUSH = 4

ICSK_TIME_RETRANS = 1
ICSK_TIME_PROBE0 = 3
ICSK_TIME_LOSS_PROBE = 5
ICSK_TIME_REO_TIMEOUT = 6

ICSK_ACK_SCHED = 1
ICSK_ACK_TIMER = 2
ICSK_ACK_PUSHED = 4
ICSK_ACK_PUSHED2 = 8
ICSK_ACK_NOW = 16

TCPCB_SACKED_ACKED = 0x01
TCPCB_SACKED_RETRANS = 0x02
TCPCB_LOST = 0x04
TCPCB_TAGBITS = 0x07
TCPCB_EVER_RETRANS = 0x80
TCPCB_RETRANS = TCPCB_SACKED_RETRANS | TCPCB_EVER_RETRANS

TCP_CA_OPEN = 0
TCP_CA_DISORDER = 1
TCP_CA_CWR = 2
TCP_CA_RECOVERY = 3
TCP_CA_LOSS = 4


def before(seq1: int, seq2: int) -> bool:
    """Whether `seq1` comes before `seq2` in sequence space. Linux: before."""
    return bool((seq1 - seq2) & 0x80000000)


def after(seq1: int, seq2: int) -> bool:
    """Linux: after."""
    return bool((seq2 - seq1) & 0x80000000)


def between(seq: int, low: int, high: int) -> bool:
    """Whether low <= seq <= high. Linux: between."""
    return (high - low) & 0xFFFFFFFF >= (seq - low) & 0xFFFFFFFF


class TcpSkbCb:
    """Linux: struct tcp_skb_cb. `flags` are the header's; `tstamp` is when the segment last left
    (ns, 0: never).

    `pcount` is how many wire segments it makes and `gso_size` their payload (0: one segment). Of a
    received segment `off_flags` and `window` are the header's fields, unscaled. `txstamp_ack`: its
    acknowledgement is to be timestamped.
    """

    __slots__ = (
        "ack_seq", "end_seq", "eor", "flags", "gso_size", "off_flags", "pcount", "sacked", "seq",
        "tstamp", "tx_app_limited", "tx_delivered", "tx_delivered_mstamp", "tx_first_mstamp",
        "txstamp_ack", "urg_ptr", "window",
    )  # fmt: skip

    tx_app_limited: bool
    tx_delivered: int
    tx_first_mstamp: int
    urg_ptr: int

    def __init__(self, seq: int, end_seq: int, flags: int) -> None:
        self.seq = seq
        self.end_seq = end_seq
        self.flags = flags
        self.ack_seq = 0
        self.sacked = 0
        self.pcount = 1
        self.gso_size = 0
        self.eor = self.txstamp_ack = False
        self.tstamp = 0
        self.tx_delivered_mstamp = 0
        self.off_flags = 0
        self.window = 0

    def copy_tx(self, other: TcpSkbCb) -> None:
        """Take over when the segment was sent and what was delivered then."""
        self.tx_first_mstamp = other.tx_first_mstamp
        self.tx_delivered_mstamp = other.tx_delivered_mstamp
        self.tx_delivered = other.tx_delivered
        self.tx_app_limited = other.tx_app_limited


class TcpSock(InetSock):
    """Linux: struct tcp_sock, with struct inet_connection_sock (`icsk_`). Fields that Linux
    documents elsewhere:

    - `csum_pseudo`: sum of the pseudo-header without the length; `ports`: both ports as they stand
      in the header
    - `hash_key`: where the socket is in `TcpNet.ehash`, None when it is not
    - `deferred`: TCP_*_DEFERRED bits, work for `release_cb`
    - `frag`: the page_frag that payload is cut from
    """

    __slots__ = (
        "accept_queue", "ack_sample", "advmss", "app_limited", "bind_bucket", "bytes_acked",
        "bytes_received", "bytes_retrans", "bytes_sent", "ca_priv", "chrono_start", "chrono_stat",
        "chrono_type", "compressed_ack", "compressed_ack_rcv_nxt", "compressed_ack_timer",
        "copied_seq", "csum_pseudo", "cwnd_usage_seq", "data_segs_in", "data_segs_out",
        "defer_connect", "deferred", "delivered", "delivered_ce", "delivered_mstamp", "dsack",
        "dsack_dups", "dsack_seen", "dup_ack_counter", "ecn_flags", "fastopen_client_fail",
        "fastopen_connect", "fastopen_keys", "fastopen_no_cookie", "fastopen_req", "fastopen_rsk",
        "fastopenq", "first_tx_mstamp", "frag", "frto", "gso_segs", "hash_key", "high_seq",
        "highest_sack", "icsk_ack_ato", "icsk_ack_last_seg_size", "icsk_ack_lrcvtime",
        "icsk_ack_pending", "icsk_ack_pingpong", "icsk_ack_quick", "icsk_ack_rcv_mss",
        "icsk_ack_timeout", "icsk_backoff", "icsk_ca_ops", "icsk_ca_state", "icsk_delack_timer",
        "icsk_pending", "icsk_pmtu_cookie", "icsk_probes_out", "icsk_probes_tstamp",
        "icsk_retransmit_timer", "icsk_retransmits", "icsk_rto", "icsk_rto_min",
        "icsk_syn_retries", "icsk_timeout", "icsk_user_timeout", "is_cwnd_limited",
        "is_sack_reneg", "keepalive_intvl", "keepalive_probes", "keepalive_time",
        "last_oow_ack_time", "linger2", "listen_children", "lost", "lost_out", "lsndtime",
        "max_packets_out", "max_window", "md5sig_info", "mdev_max_us", "mdev_us", "min_rtt_us",
        "mss_cache", "mss_clamp", "mtu_info", "mtu_probe_seq_end", "mtu_probe_seq_start",
        "mtup_enabled", "mtup_probe_size", "mtup_probe_timestamp", "mtup_search_high",
        "mtup_search_low", "nonagle", "notsent_lowat", "ofo_queue", "pacing_timer", "packets_out",
        "ports", "pred_off_flags", "pred_window", "prior_cwnd", "prior_ssthresh", "prr_delivered",
        "prr_out", "pushed_seq", "rack", "rate_app_limited", "rate_delivered", "rate_interval_us",
        "rcv_mss_ratio", "rcv_nxt", "rcv_ooopack", "rcv_rtt_last_tsecr", "rcv_rtt_seq",
        "rcv_rtt_time", "rcv_rtt_us", "rcv_ssthresh", "rcv_tsecr", "rcv_tstamp", "rcv_tsval",
        "rcv_wnd", "rcv_wscale", "rcv_wup", "rcvq_seq", "rcvq_space", "rcvq_time", "recvmsg_inq",
        "reord_seen", "reordering", "retrans_out", "retrans_stamp",
        "rskq_defer_accept", "rto_stamp", "rtt_min", "rtt_seq", "rttvar_us", "rx_sack", "sack_ok",
        "sacked_out", "saw_tstamp", "segs_in", "segs_out", "selective_acks", "sk_gso_max_segs",
        "sk_gso_max_size", "sk_timer", "sk_write_pending", "sk_write_queue", "snd_cwnd",
        "snd_cwnd_cnt", "snd_cwnd_stamp", "snd_cwnd_used", "snd_nxt", "snd_sml", "snd_ssthresh",
        "snd_una", "snd_up", "snd_wl1", "snd_wnd", "snd_wscale", "sock_done", "srtt_us",
        "syn_data", "syn_data_acked", "syn_fastopen", "syn_fastopen_ch", "syn_fastopen_exp",
        "syn_stamp", "tcp_header_len", "tcp_mstamp", "tcp_rtx_queue", "tcp_tx_delay",
        "tcp_wstamp_ns", "thin_lto", "tlp_high_seq", "tlp_retrans", "total_retrans", "total_rto",
        "total_rto_recoveries", "total_rto_time", "ts_recent", "ts_recent_stamp", "tsoffset",
        "tsq_flags", "tstamp_ok", "undo_marker", "undo_retrans", "urg_data", "urg_seq", "user_mss",
        "window_clamp", "write_seq", "wscale_ok",
    )  # fmt: skip

    icsk_retransmit_timer: Timer
    icsk_delack_timer: Timer
    sk_timer: Timer
    pacing_timer: Timer
    compressed_ack_timer: Timer

    def __init__(self, net: Net, family: int, sock_type: int, protocol: int, prot: Proto) -> None:
        super().__init__(net, family, sock_type, protocol, prot)
        tcp = net.tcp
        self.sk_sndbuf = tcp.wmem[1]
        self.sk_rcvbuf = tcp.rmem[1]
        self.sk_write_space = sk_stream_write_space  # type: ignore[assignment]
        self.sk_write_queue: deque[SkBuff] = deque()
        self.tcp_rtx_queue: deque[SkBuff] = deque()
        self.ofo_queue: list[SkBuff] = []
        self.frag = PageFrag(net.kernel.mem)
        self.hash_key: tuple[int, int, int] | None = None
        self.bind_bucket: BindBucket | None = None
        self.accept_queue: deque[TcpSock] = deque()
        self.listen_children: dict[tuple[int, int, int], RequestSock] = {}
        self.csum_pseudo = self.ports = 0
        self.sk_gso_max_size = 65536
        self.sk_gso_max_segs = 65535
        self.gso_segs = 0
        self._init_timers()
        self._init_options()
        self._init_send()
        self._init_fastopen()
        self._init_counters()
        self._init_receive()
        self._init_congestion()

    def _init_timers(self) -> None:
        """The state of the timers; the timers themselves come from `tcp_init_xmit_timers`."""
        self.icsk_pending = 0
        self.icsk_timeout = 0
        self.icsk_backoff = 0
        self.icsk_retransmits = 0
        self.icsk_probes_out = 0
        self.icsk_probes_tstamp = 0
        self.icsk_rto = TCP_TIMEOUT_INIT
        self.icsk_rto_min = self.net.tcp.rto_min_us * 1000
        self.icsk_user_timeout: int = 0
        self.icsk_syn_retries: int = 0
        self.deferred = 0
        self.tsq_flags = 0

    def _init_options(self) -> None:
        self.nonagle = 0
        self.user_mss = 0
        self.linger2 = 0
        self.keepalive_time: int = 0
        self.keepalive_intvl: int = 0
        self.keepalive_probes: int = 0
        self.notsent_lowat: int = 0
        self.thin_lto = False
        self.mss_clamp = TCP_MSS_DEFAULT
        self.sack_ok = self.wscale_ok = self.tstamp_ok = False
        self.snd_wscale = self.rcv_wscale = 0

    def _init_send(self) -> None:
        self.write_seq = self.snd_nxt = self.snd_una = self.snd_sml = self.pushed_seq = 0
        self.snd_wnd = self.snd_wl1 = self.max_window = 0
        self.mss_cache = TCP_MSS_DEFAULT
        self.icsk_pmtu_cookie = 0
        self.tcp_header_len = 20
        self.lsndtime = self.tcp_mstamp = self.tsoffset = 0
        self.packets_out = self.retrans_out = self.lost_out = self.sacked_out = 0
        self.total_retrans = 0
        self.snd_up: int | None = None
        self.retrans_stamp = 0
        self.syn_stamp = 0
        self.tcp_wstamp_ns = 0
        self.tcp_tx_delay = 0
        self.mtup_enabled = False
        self.mtu_info = 0
        self.mtup_search_high = self.mtup_search_low = 0
        self.mtup_probe_size = self.mtup_probe_timestamp = 0
        self.mtu_probe_seq_start = self.mtu_probe_seq_end = 0

    def _init_fastopen(self) -> None:
        """TCP Fast Open, as client (tcp_fastopen_client.py) and as server (tcp_fastopen.py)."""
        self.fastopen_req: FastopenRequest | None = None
        self.fastopen_rsk: RequestSock | None = None
        self.fastopenq: FastopenQueue | None = None
        self.fastopen_keys: tuple[bytes, ...] = ()
        self.fastopen_client_fail = 0
        self.fastopen_connect = self.fastopen_no_cookie = self.defer_connect = False
        self.syn_data = self.syn_data_acked = False
        self.syn_fastopen = self.syn_fastopen_exp = self.syn_fastopen_ch = False
        self.sk_write_pending = 0

    def _init_counters(self) -> None:
        """What TCP_INFO tells, and the delivery rate (tcp_rate.py)."""
        self.segs_in = self.segs_out = self.data_segs_in = self.data_segs_out = 0
        self.bytes_sent = self.bytes_acked = self.bytes_retrans = self.bytes_received = 0
        self.dsack_dups = self.reord_seen = self.rcv_ooopack = 0
        self.total_rto = self.total_rto_recoveries = self.total_rto_time = self.rto_stamp = 0
        self.chrono_type = self.chrono_start = 0
        self.chrono_stat = [0, 0, 0]
        self.delivered_ce = 0
        self.first_tx_mstamp = self.delivered_mstamp = self.app_limited = 0
        self.rate_delivered = self.rate_interval_us = 0
        self.rate_app_limited = False

    def _init_receive(self) -> None:
        self.rcv_nxt = self.copied_seq = self.rcv_wup = 0
        self.rcv_wnd = self.rcv_ssthresh = self.window_clamp = 0
        self.advmss = TCP_MSS_DEFAULT
        self.rcv_mss_ratio = 65
        self.rcv_tstamp = self.last_oow_ack_time = 0
        self.saw_tstamp = False
        self.rcv_tsval = self.rcv_tsecr = self.ts_recent = self.ts_recent_stamp = 0
        self.rx_sack: tuple[int, ...] = ()
        self.dsack: tuple[int, int] | None = None
        self.selective_acks: list[tuple[int, int]] = []
        self.pred_off_flags = self.pred_window = 0
        self.icsk_ack_pending = self.icsk_ack_quick = self.icsk_ack_pingpong = 0
        self.icsk_ack_ato = self.icsk_ack_lrcvtime = self.icsk_ack_timeout = 0
        self.icsk_ack_rcv_mss = TCP_MSS_DEFAULT
        self.icsk_ack_last_seg_size = 0
        self.rcvq_space = self.rcvq_time = self.rcvq_seq = 0
        self.rcv_rtt_us = self.rcv_rtt_seq = self.rcv_rtt_time = self.rcv_rtt_last_tsecr = 0
        self.compressed_ack = self.compressed_ack_rcv_nxt = self.dup_ack_counter = 0
        self.urg_data = self.urg_seq = 0
        self.recvmsg_inq = self.sock_done = False
        self.rskq_defer_accept = 0
        self.md5sig_info: dict[tuple[int, int], bytes] = {}

    def _init_congestion(self) -> None:
        self.snd_cwnd = TCP_INIT_CWND
        self.snd_ssthresh = TCP_INFINITE_SSTHRESH
        self.snd_cwnd_cnt = self.snd_cwnd_stamp = self.snd_cwnd_used = self.prior_cwnd = 0
        self.prr_delivered = self.prr_out = 0
        self.delivered = 0
        self.max_packets_out = self.cwnd_usage_seq = 0
        self.is_cwnd_limited = False
        self.high_seq = 0
        self.reordering = self.net.tcp.reordering
        self.srtt_us = self.rttvar_us = self.mdev_max_us = self.rtt_seq = 0
        self.mdev_us = TCP_TIMEOUT_INIT // 1000
        self.min_rtt_us = 0xFFFFFFFF
        self.rtt_min = WindowedMin()
        self.icsk_ca_state = TCP_CA_OPEN
        self.icsk_ca_ops: CongestionOps = self.net.tcp.congestion[self.net.tcp.congestion_control]
        self.ca_priv: Any = None
        self._init_recovery()

    def _init_recovery(self) -> None:
        """What telling, repairing and taking back losses needs (tcp_recovery.py)."""
        self.ack_sample = AckSample()
        self.rack = RackState()
        self.lost = 0
        self.highest_sack = 0
        self.dsack_seen = False
        self.is_sack_reneg = False
        self.frto = False
        self.tlp_high_seq: int | None = None
        self.tlp_retrans = False
        self.undo_marker: int | None = None
        self.undo_retrans = 0
        self.prior_ssthresh = 0
        self.ecn_flags = 0

    @property
    def packets_in_flight(self) -> int:
        """Segments on the way, by what is known. Linux: tcp_packets_in_flight."""
        return self.packets_out - self.sacked_out - self.lost_out + self.retrans_out

    @property
    def is_reno(self) -> bool:
        """Whether duplicate ACKs must stand for SACK. Linux: tcp_is_reno."""
        return not self.sack_ok
