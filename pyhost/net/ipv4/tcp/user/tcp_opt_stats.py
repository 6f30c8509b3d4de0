"""What a connection says of itself with each timestamp (SOF_TIMESTAMPING_OPT_STATS).

Linux: net/ipv4/tcp.c tcp_get_timestamping_opt_stats; the numbers are TCP_NLA_* of
include/uapi/linux/tcp.h, in netlink attributes.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_USEC
from pyhost.net.ipv4.tcp.output.tcp_chrono import tcp_chrono_stats
from pyhost.net.ipv4.tcp.tcp_sock import TcpSkbCb
from pyhost.net.ipv4.tcp.user.tcp_info import tcp_compute_delivery_rate

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSock

__all__ = ["tcp_get_timestamping_opt_stats"]

_U8 = Struct("<HHB3x")
_U16 = Struct("<HHH2x")
_U32 = Struct("<HHI")
_U64 = Struct("<HHQ")
_PADDING = {_U8: 3, _U16: 2}
"""struct nlattr (length, type), the value, and zeros up to 4 bytes that the length leaves out."""

_WORD = 0xFFFFFFFF


def tcp_get_timestamping_opt_stats(sk: TcpSock, orig: SkBuff) -> bytes:
    """The attributes, for a timestamp of the segment `orig`; times in µs, rates in bytes a second.
    Linux: tcp_get_timestamping_opt_stats (without the TTL of the acknowledging segment).
    """
    return b"".join(
        form.pack(form.size - _PADDING.get(form, 0), kind, value)
        for form, kind, value in (*_long_values(sk, orig), *_words(sk), *_small_values(sk))
    )


def _long_values(sk: TcpSock, orig: SkBuff) -> list[tuple[Struct, int, int]]:
    busy, rwnd_limited, sndbuf_limited = (t // NSEC_PER_USEC for t in tcp_chrono_stats(sk))
    return [
        (_U64, 1, busy),
        (_U64, 2, rwnd_limited),
        (_U64, 3, sndbuf_limited),
        (_U64, 4, sk.data_segs_out),
        (_U64, 5, sk.total_retrans),
        (_U64, 6, sk.sk_pacing_rate),
        (_U64, 7, tcp_compute_delivery_rate(sk)),
        (_U64, 18, sk.bytes_sent),
        (_U64, 19, sk.bytes_retrans),
        (_U64, 25, orig.cb.tstamp if isinstance(orig.cb, TcpSkbCb) else orig.tstamp),
    ]


def _words(sk: TcpSock) -> list[tuple[Struct, int, int]]:
    notsent = sk.write_seq - sk.snd_nxt & _WORD
    values = (
        (8, sk.snd_cwnd),
        (9, sk.reordering),
        (10, sk.min_rtt_us),
        (13, sk.write_seq - sk.snd_una),
        (15, sk.snd_ssthresh),
        (16, sk.delivered),
        (17, sk.delivered_ce),
        (20, sk.dsack_dups),
        (21, sk.reord_seen),
        (22, sk.srtt_us >> 3),
        (24, 0 if notsent & 0x80000000 else notsent),
    )
    return [(_U32, kind, value & _WORD) for kind, value in values]


def _small_values(sk: TcpSock) -> list[tuple[Struct, int, int]]:
    """Flows are never moved to other paths, so the counts of that are 0."""
    return [
        (_U8, 11, sk.icsk_retransmits & 0xFF),
        (_U8, 12, int(bool(sk.rate_app_limited))),
        (_U8, 14, sk.icsk_ca_state),
        (_U16, 23, 0),
        (_U32, 27, 0),
    ]
