"""Windows, segment sizes, and the header's options. RFC 9293 section 3.8.6, RFC 7323.

Linux: parts of net/ipv4/tcp_output.c, include/net/tcp.h.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from pyhost.net.core.skbuff import MAX_TCP_HEADER
from pyhost.net.ipv4.tcp.handshake.tcp_md5 import tcp_md5_do_lookup
from pyhost.net.ipv4.tcp.tcp_clock import tcp_ns_to_ts
from pyhost.uapi.ip import IP_HDR_LEN
from pyhost.uapi.tcp import TCP_HDR_LEN, TcpOptions

if TYPE_CHECKING:
    from pyhost.net.core.dst import DstEntry
    from pyhost.net.ipv4.tcp.tcp_sock import TcpSock
    from pyhost.net.ipv4.tcp.tcp_sysctl import TcpNet

__all__ = [
    "MAX_TCP_WINDOW", "TCPOLEN_TSTAMP_ALIGNED", "tcp_advertise_mss", "tcp_bound_to_half_wnd",
    "tcp_current_mss", "tcp_full_space", "tcp_make_wscale", "tcp_mss_to_mtu", "tcp_mtu_to_mss",
    "tcp_receive_window", "tcp_sack_option", "tcp_select_window", "tcp_send_mss", "tcp_setup_caps",
    "tcp_space", "tcp_space_from_win", "tcp_syn_option_block", "tcp_sync_mss", "tcp_time_stamp",
    "tcp_win_from_space", "tcp_window_candidate",
]  # fmt: skip

MAX_TCP_WINDOW = 32767
TCP_MAX_WSCALE = 14
MAX_TCP_OPTION_SPACE = 40
TCPOLEN_TSTAMP_ALIGNED = 12
IP_TCP_HEADERS = 40
SCALING_SHIFT = 8

_SACK_HEAD = 0x01010500
_SACK_PACK = {n: Struct(f">I{2 * n}I").pack for n in range(1, 5)}


def tcp_time_stamp(sk: TcpSock) -> int:
    """The timestamp option's clock: milliseconds plus the connection's offset.

    Linux: tcp_time_stamp_ts.
    """
    return tcp_ns_to_ts(sk.tcp_mstamp) + sk.tsoffset & 0xFFFFFFFF


# -- segment size ----------------------------------------------------------------------------------


def tcp_setup_caps(sk: TcpSock, dst: DstEntry) -> None:
    """Keep the route and how much its device takes at once. Linux: sk_setup_caps.

    TCP always builds super-segments of page fragments, whatever the device can do: below the qdisc
    `validate_xmit_skb` cuts, linearises and sums for a device that cannot.
    """
    dev = dst.dev
    sk.sk_dst_cache = dst
    sk.sk_gso_max_size = dev.gso_max_size - (MAX_TCP_HEADER + 1)
    sk.sk_gso_max_segs = 1 if sk.md5sig_info else max(dev.gso_max_segs, 1)


def tcp_advertise_mss(sk: TcpSock, dst: DstEntry) -> int:
    """The MSS for our SYN: what the route takes, at most TCP_MAXSEG. Linux: tcp_advertise_mss."""
    mss = dst.advmss()
    return min(mss, sk.user_mss) if sk.user_mss else mss


def tcp_bound_to_half_wnd(sk: TcpSock, size: int) -> int:
    """No segment bigger than half of the biggest window the peer ever offered.

    Linux: tcp_bound_to_half_wnd.
    """
    window = sk.max_window
    cutoff = window >> 1 if window > 536 else window
    if cutoff and size > cutoff:
        return max(cutoff, 68 - sk.tcp_header_len)
    return size


def tcp_mtu_to_mss(sk: TcpSock, mtu: int) -> int:
    """Payload bytes of a segment in a packet of `mtu` bytes, at most what the peer takes; SACK
    blocks are not reckoned with. Linux: tcp_mtu_to_mss.
    """
    mss = max(min(mtu - IP_TCP_HEADERS, sk.mss_clamp), sk.net.tcp.min_snd_mss)
    return mss - (sk.tcp_header_len - TCP_HDR_LEN)


def tcp_mss_to_mtu(sk: TcpSock, mss: int) -> int:
    """Bytes of the packet that carries `mss` bytes of payload. Linux: tcp_mss_to_mtu."""
    return mss + sk.tcp_header_len + IP_HDR_LEN


def tcp_sync_mss(sk: TcpSock, pmtu: int) -> int:
    """Payload bytes of a full segment on a path of `pmtu`, options taken off; kept as `mss_cache`.

    Linux: tcp_sync_mss.
    """
    if sk.mtup_search_high > pmtu:
        sk.mtup_search_high = pmtu
    mss = tcp_bound_to_half_wnd(sk, tcp_mtu_to_mss(sk, pmtu))
    sk.icsk_pmtu_cookie = pmtu
    if sk.mtup_enabled:
        mss = min(mss, tcp_mtu_to_mss(sk, sk.mtup_search_low))
    sk.mss_cache = mss
    return mss


def tcp_current_mss(sk: TcpSock) -> int:
    """`mss_cache`, renewed when the path changed, less the SACK blocks that the next segment
    carries. Linux: tcp_current_mss.
    """
    mss = sk.mss_cache
    dst = sk.sk_dst_cache
    if dst is not None:
        mtu = dst.mtu()
        if mtu != sk.icsk_pmtu_cookie:
            mss = tcp_sync_mss(sk, mtu)
    if sk.selective_acks or sk.dsack:
        mss -= len(tcp_sack_option(sk))
    return mss


def tcp_send_mss(sk: TcpSock, oob: bool = False) -> tuple[int, int]:
    """(MSS, size goal): how much one skb shall hold. Linux: tcp_send_mss, tcp_xmit_size_goal.

    A whole number of segments, at most what the device takes in one packet and half of the biggest
    window that the peer ever offered; one segment when the data is urgent (`oob`).
    """
    mss = tcp_current_mss(sk)
    if oob:
        return mss, mss
    most = tcp_bound_to_half_wnd(sk, sk.sk_gso_max_size)
    goal = sk.gso_segs * mss
    if not goal <= most < goal + mss:
        sk.gso_segs = min(most // mss, sk.sk_gso_max_segs)
        goal = sk.gso_segs * mss
    return mss, goal or mss


# -- receive window --------------------------------------------------------------------------------


def tcp_win_from_space(sk: TcpSock, space: int) -> int:
    """How much payload `space` bytes of buffer can take, going by what arrived so far.

    Linux: tcp_win_from_space.
    """
    return space * sk.rcv_mss_ratio >> SCALING_SHIFT


def tcp_space_from_win(sk: TcpSock, window: int) -> int:
    """The buffer that `window` bytes of payload take. Linux: tcp_space_from_win."""
    return (window << SCALING_SHIFT) // sk.rcv_mss_ratio


def tcp_space(sk: TcpSock) -> int:
    """Linux: tcp_space."""
    return tcp_win_from_space(sk, sk.sk_rcvbuf - sk.sk_backlog_len - sk.sk_rmem_alloc)


def tcp_full_space(sk: TcpSock) -> int:
    """Linux: tcp_full_space."""
    return tcp_win_from_space(sk, sk.sk_rcvbuf)


def tcp_receive_window(sk: TcpSock) -> int:
    """How much the peer may still send of what it was offered. Linux: tcp_receive_window."""
    left = sk.rcv_wup + sk.rcv_wnd - sk.rcv_nxt & 0xFFFFFFFF
    return 0 if left & 0x80000000 else left


def tcp_make_wscale(tcp: TcpNet, space: int, clamp: int) -> int:
    """The scale that lets the window grow as far as the buffer may.

    Linux: part of tcp_select_initial_window.
    """
    if not tcp.window_scaling:
        return 0
    space = max(space, tcp.rmem[2])
    if clamp:
        space = min(space, clamp)
    return min(max(space.bit_length() - 16, 0), TCP_MAX_WSCALE)


def tcp_window_candidate(sk: TcpSock) -> int:
    """The window we would like to offer, with silly windows avoided (RFC 9293 section 3.8.6.2.2).

    Linux: __tcp_select_window.
    """
    allowed = tcp_full_space(sk)
    full = min(sk.window_clamp, allowed) if sk.window_clamp else allowed
    free = tcp_space(sk)
    mss = min(sk.icsk_ack_rcv_mss, full)
    if mss <= 0:
        return 0
    scale = sk.rcv_wscale
    if scale and sk.net.tcp.shrink_window:
        return _shrinking_window(sk, allowed, full, mss)
    if free < full >> 1:
        _window_runs_short(sk)
        free = free >> scale << scale
        if free < allowed >> 4 or free < mss:
            return 0
    free = min(free, sk.rcv_ssthresh)
    if scale:
        return free + (1 << scale) - 1 >> scale << scale
    window = sk.rcv_wnd
    if window <= free - mss or window > free:
        return free // mss * mss
    if mss == full and free > window + (full >> 1):
        return free
    return window


def _window_runs_short(sk: TcpSock) -> None:
    """Half of the buffer is taken: no hurry to acknowledge, and less ambition when all are short
    of memory.
    """
    sk.icsk_ack_quick = 0
    if sk.net.tcp.memory_pressure:
        sk.rcv_ssthresh = min(sk.rcv_ssthresh, 4 * sk.advmss)


def _shrinking_window(sk: TcpSock, allowed: int, full: int, mss: int) -> int:
    """The window when sysctl tcp_shrink_window lets its right edge move left: exactly what is free.

    Linux: __tcp_select_window, label shrink_window_allowed.
    """
    scale = sk.rcv_wscale
    free = tcp_space(sk) >> scale << scale
    if free < full >> 1:
        _window_runs_short(sk)
        if free < allowed >> 4 or free < mss or free < 1 << scale:
            return 0
    if free > sk.rcv_ssthresh:
        free = sk.rcv_ssthresh + (1 << scale) - 1 >> scale << scale
    return free


def tcp_select_window(sk: TcpSock) -> int:
    """The window field of the next segment; the right edge never moves left, unless sysctl
    tcp_shrink_window says so. Linux: tcp_select_window.
    """
    scale = sk.rcv_wscale
    current = sk.rcv_wup + sk.rcv_wnd - sk.rcv_nxt & 0xFFFFFFFF
    if current & 0x80000000:
        current = 0
    new = tcp_window_candidate(sk)
    tcp = sk.net.tcp
    if new < current and not (scale and tcp.shrink_window):
        if not new:
            sk.net.count("TCPWantZeroWindowAdv")
        new = current + (1 << scale) - 1 >> scale << scale
    old = sk.rcv_wnd
    sk.rcv_wnd = new
    sk.rcv_wup = sk.rcv_nxt
    if not scale and tcp.workaround_signed_windows:
        new = min(new, MAX_TCP_WINDOW)
    field = min(new, 65535 << scale) >> scale
    if not field:
        sk.pred_off_flags = 0
        if old:
            sk.net.count("TCPToZeroWindowAdv")
    elif not old:
        sk.net.count("TCPFromZeroWindowAdv")
    return field


# -- options ---------------------------------------------------------------------------------------


def tcp_sack_option(sk: TcpSock) -> bytes:
    """The SACK blocks to report, D-SACK first, as many as fit beside the timestamp (RFC 2018, RFC
    2883). Linux: tcp_established_options.
    """
    room = 3 if sk.tstamp_ok else 4
    edges: list[int] = []
    if sk.dsack is not None:
        edges += sk.dsack
    for block in sk.selective_acks[: room - len(edges) // 2]:
        edges += block
    count = len(edges) // 2
    return _SACK_PACK[count](_SACK_HEAD | 2 + 8 * count, *edges)


def tcp_syn_option_block(sk: TcpSock) -> bytes:
    """The options of our SYN. Linux: tcp_syn_options."""
    tcp = sk.net.tcp
    dst = sk.sk_dst_cache
    if dst is not None:
        sk.advmss = min(sk.advmss, tcp_advertise_mss(sk, dst))
    options = TcpOptions(mss=sk.advmss)
    if tcp.timestamps:
        options.timestamp = (tcp_time_stamp(sk), sk.ts_recent)
    if tcp.window_scaling:
        options.wscale = sk.rcv_wscale
    options.sack_perm = bool(tcp.sack)
    if sk.md5sig_info and tcp_md5_do_lookup(sk, sk.inet_daddr) is not None:
        options.md5 = bytes(16)
    request = sk.fastopen_req
    if request is not None and request.cookie.data is not None:
        options.fastopen, options.fastopen_exp = request.cookie.data, request.cookie.exp
        if len(options.emit()) > MAX_TCP_OPTION_SPACE:
            options.fastopen = None
        else:
            sk.syn_fastopen, sk.syn_fastopen_exp = True, request.cookie.exp
    return options.emit()
