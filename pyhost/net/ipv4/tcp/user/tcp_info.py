"""TCP_INFO: what a connection tells about itself. Linux: net/ipv4/tcp.c tcp_get_info."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_MSEC, NSEC_PER_USEC
from pyhost.net.core.sock import TCP_LISTEN
from pyhost.net.ipv4.tcp.congestion.tcp_ecn import TCP_ECN_OK, TCP_ECN_SEEN
from pyhost.net.ipv4.tcp.output.tcp_chrono import tcp_chrono_stats
from pyhost.uapi.tcp import TCP_INFO_STRUCT

if TYPE_CHECKING:
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSock

__all__ = ["tcp_compute_delivery_rate", "tcp_get_info"]

TCPI_OPT_TIMESTAMPS = 1
TCPI_OPT_SACK = 2
TCPI_OPT_WSCALE = 4
TCPI_OPT_ECN = 8
TCPI_OPT_ECN_SEEN = 16
TCPI_OPT_SYN_DATA = 32

U32 = 0xFFFFFFFF
TCP_DELACK_MAX_NS = 200 * NSEC_PER_MSEC
USEC_PER_SEC = 1_000_000


def tcp_compute_delivery_rate(sk: TcpSock) -> int:
    """The last good sample in bytes a second, 0 when there is none.

    Linux: tcp_compute_delivery_rate.
    """
    if not sk.rate_delivered or not sk.rate_interval_us:
        return 0
    return sk.rate_delivered * sk.mss_cache * USEC_PER_SEC // sk.rate_interval_us


def tcp_get_info(sk: TcpSock) -> bytes:
    """struct tcp_info; times in µs and ms as there. Of a listener only what makes sense: how many
    connections wait in `tcpi_unacked`, how many may in `tcpi_sacked`. Linux: tcp_get_info.
    """
    if sk.sk_state == TCP_LISTEN:
        return _listener_info(sk)
    return TCP_INFO_STRUCT.pack(
        *_state(sk),
        *(word & U32 for word in _basics(sk)),
        sk.sk_pacing_rate,
        sk.sk_max_pacing_rate,
        sk.bytes_acked,
        sk.bytes_received,
        *(word & U32 for word in _counts(sk)),
        tcp_compute_delivery_rate(sk),
        *(time // NSEC_PER_USEC for time in tcp_chrono_stats(sk)),
        sk.delivered & U32,
        sk.delivered_ce & U32,
        sk.bytes_sent,
        sk.bytes_retrans,
        *(word & U32 for word in _disorder(sk)),
        sk.total_rto & 0xFFFF,
        sk.total_rto_recoveries & 0xFFFF,
        _total_rto_time(sk) & U32,
    )


def _listener_info(sk: TcpSock) -> bytes:
    words = [0] * 24
    words[4], words[5] = sk.sk_ack_backlog, sk.sk_max_ack_backlog
    words[18], words[20] = sk.snd_cwnd, sk.reordering
    return TCP_INFO_STRUCT.pack(
        sk.sk_state,
        *(0,) * 7,
        *words,
        sk.sk_pacing_rate,
        sk.sk_max_pacing_rate,
        *(0,) * 25,
    )


def _state(sk: TcpSock) -> tuple[int, ...]:
    """The eight one-byte fields, `tcpi_state` to `tcpi_delivery_rate_app_limited`."""
    options = (
        TCPI_OPT_TIMESTAMPS * sk.tstamp_ok
        | TCPI_OPT_SACK * sk.sack_ok
        | TCPI_OPT_WSCALE * sk.wscale_ok
        | TCPI_OPT_ECN * bool(sk.ecn_flags & TCP_ECN_OK)
        | TCPI_OPT_ECN_SEEN * bool(sk.ecn_flags & TCP_ECN_SEEN)
        | TCPI_OPT_SYN_DATA * sk.syn_data_acked
    )
    scales = sk.snd_wscale | sk.rcv_wscale << 4 if sk.wscale_ok else 0
    return (
        sk.sk_state,
        sk.icsk_ca_state,
        sk.icsk_retransmits & 0xFF,
        sk.icsk_probes_out & 0xFF,
        sk.icsk_backoff & 0xFF,
        options,
        scales,
        int(sk.rate_app_limited) | sk.fastopen_client_fail << 1,
    )


def _basics(sk: TcpSock) -> tuple[int, ...]:
    """The 24 words from `tcpi_rto` to `tcpi_total_retrans`."""
    now = sk.net.kernel.clock.now
    return (
        sk.icsk_rto // NSEC_PER_USEC,
        min(sk.icsk_ack_ato, TCP_DELACK_MAX_NS) // NSEC_PER_USEC,
        sk.mss_cache,
        sk.icsk_ack_rcv_mss,
        sk.packets_out,
        sk.sacked_out,
        sk.lost_out,
        sk.retrans_out,
        0,
        (now - sk.lsndtime) // NSEC_PER_MSEC,
        0,
        (now - sk.icsk_ack_lrcvtime) // NSEC_PER_MSEC,
        (now - sk.rcv_tstamp) // NSEC_PER_MSEC,
        sk.icsk_pmtu_cookie,
        sk.rcv_ssthresh,
        sk.srtt_us >> 3,
        sk.mdev_us >> 2,
        sk.snd_ssthresh,
        sk.snd_cwnd,
        sk.advmss,
        sk.reordering,
        sk.rcv_rtt_us >> 3,
        sk.rcvq_space,
        sk.total_retrans,
    )


def _counts(sk: TcpSock) -> tuple[int, ...]:
    """The six words from `tcpi_segs_out` to `tcpi_data_segs_out`."""
    notsent = sk.write_seq - sk.snd_nxt & U32
    return (
        sk.segs_out,
        sk.segs_in,
        0 if notsent & 0x80000000 else notsent,
        sk.min_rtt_us,
        sk.data_segs_in,
        sk.data_segs_out,
    )


def _disorder(sk: TcpSock) -> tuple[int, ...]:
    """The six words from `tcpi_dsack_dups` to `tcpi_rehash`; flows are never moved to other
    paths, so the last is 0.
    """
    return sk.dsack_dups, sk.reord_seen, sk.rcv_ooopack, sk.snd_wnd, sk.rcv_wnd, 0


def _total_rto_time(sk: TcpSock) -> int:
    """Milliseconds in timeouts, the present one included."""
    total = sk.total_rto_time
    if sk.rto_stamp:
        total += (sk.net.kernel.clock.now - sk.rto_stamp) // NSEC_PER_MSEC
    return total
