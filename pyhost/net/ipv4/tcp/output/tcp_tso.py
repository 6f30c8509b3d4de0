"""How big a super-segment is, and whether to wait until it can be bigger. Linux:
net/ipv4/tcp_output.c (tcp_tso_autosize, tcp_tso_should_defer, tcp_mss_split_point, tcp_grow_skb).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_MSEC
from pyhost.net.ipv4.tcp.output.tcp_fragment import tcp_grow_skb, tcp_set_skb_tso_segs
from pyhost.net.ipv4.tcp.output.tcp_nagle import tcp_nagle_check
from pyhost.net.ipv4.tcp.output.tcp_tsq import SK_PACING_SHIFT
from pyhost.net.ipv4.tcp.tcp_sock import TCP_CA_RECOVERY, TcpSkbCb
from pyhost.uapi.tcp import TCP_FIN

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSock

__all__ = [
    "APP_LIMITED", "CWND_LIMITED", "RWND_LIMITED", "SEND_NOW", "tcp_cwnd_test", "tcp_grow_head",
    "tcp_mss_split_point", "tcp_tso_segs", "tcp_tso_should_defer",
]  # fmt: skip

SEND_NOW = 0
APP_LIMITED = 1
CWND_LIMITED = 2
RWND_LIMITED = 3
"""What the head of the write queue waits for."""

GSO_SIZE_BITS = 32
TCP_MAX_TSO_DEFERRED_MSS = 3


def tcp_tso_segs(sk: TcpSock, mss: int) -> int:
    """How many segments a super-segment may have: what the pacing rate sends in a millisecond, and
    on top of it a share that shrinks as the RTT grows, because on short paths bursts do no harm.

    Linux: tcp_tso_segs, tcp_tso_autosize.
    """
    tcp = sk.net.tcp
    most = sk.sk_gso_max_size
    size = sk.sk_pacing_rate >> SK_PACING_SHIFT
    if size < most:
        shift = sk.min_rtt_us >> tcp.tso_rtt_log
        if shift < GSO_SIZE_BITS:
            size += most >> shift
    if size > most:
        size = most
    segs = size // mss
    if segs < tcp.min_tso_segs:
        segs = tcp.min_tso_segs
    limit = sk.sk_gso_max_segs
    return segs if segs < limit else limit


def tcp_cwnd_test(sk: TcpSock) -> int:
    """How many segments the congestion window lets go now: half a window at most in one skb, so
    that two can be on the way. Linux: tcp_cwnd_test.
    """
    cwnd = sk.snd_cwnd
    room = cwnd - (sk.packets_out - sk.sacked_out - sk.lost_out + sk.retrans_out)
    if room <= 0:
        return 0
    half = cwnd >> 1 or 1
    return room if room < half else half


def tcp_grow_head(sk: TcpSock, skb: SkBuff, mss: int, quota: int) -> int:
    """Fill the head of the write queue up to `quota` segments from the skb behind it; how many
    segments it makes then.
    """
    missing = quota * mss - skb.len
    if missing > 0 and len(sk.sk_write_queue) > 1:
        tcp_grow_skb(sk, skb, missing)
    return tcp_set_skb_tso_segs(skb, mss)


def tcp_mss_split_point(sk: TcpSock, skb: SkBuff, mss: int, quota: int, nonagle: int) -> int:
    """How many bytes of a super-segment may go now; a partial tail that Nagle holds is cut off.

    Linux: tcp_mss_split_point.
    """
    window = sk.snd_una + sk.snd_wnd - skb.cb.seq & 0xFFFFFFFF
    most = mss * quota
    if most <= window and skb is not sk.sk_write_queue[-1]:
        return most
    needed: int = min(skb.len, window)
    if most <= needed:
        return most
    partial = needed % mss
    if tcp_nagle_check(sk, partial != 0, nonagle):
        return needed - partial
    return needed


def tcp_tso_should_defer(sk: TcpSock, skb: SkBuff, max_segs: int) -> int:
    """Whether a super-segment had better wait for the next ACK, which will let it be bigger:
    SEND_NOW, or what it waits for. Linux: tcp_tso_should_defer.
    """
    now = sk.tcp_mstamp
    if sk.icsk_ca_state >= TCP_CA_RECOVERY or now - sk.tcp_wstamp_ns > NSEC_PER_MSEC:
        return SEND_NOW
    cb: TcpSkbCb = skb.cb
    mss = sk.mss_cache
    send_win = sk.snd_una + sk.snd_wnd - cb.seq & 0xFFFFFFFF
    cong_win = (sk.snd_cwnd - sk.packets_in_flight) * mss
    limit = min(send_win, cong_win)
    if limit >= max_segs * mss:
        return SEND_NOW
    if limit >= skb.len and skb is not sk.sk_write_queue[-1]:
        return SEND_NOW
    if _fair_share(sk, limit) or not _ack_is_near(sk, now):
        return SEND_NOW
    if cong_win < send_win:
        if cong_win <= skb.len:
            return CWND_LIMITED
    elif send_win <= skb.len:
        return RWND_LIMITED
    return SEND_NOW if cb.flags & TCP_FIN or cb.eor else APP_LIMITED


def _fair_share(sk: TcpSock, limit: int) -> bool:
    """Whether `limit` bytes are a good part of the window already."""
    divisor = sk.net.tcp.tso_win_divisor
    mss = sk.mss_cache
    if divisor:
        return limit >= min(sk.snd_wnd, sk.snd_cwnd * mss) // divisor
    return limit > TCP_MAX_TSO_DEFERRED_MSS * mss


def _ack_is_near(sk: TcpSock, now: int) -> bool:
    """Whether the ACK of the oldest segment is expected within half an RTT, and 1 ms."""
    if not sk.tcp_rtx_queue:
        return False
    srtt = sk.srtt_us * 1000 >> 3
    expected = sk.tcp_rtx_queue[0].cb.tstamp + srtt
    return bool(expected - now <= min(srtt >> 1, NSEC_PER_MSEC))
