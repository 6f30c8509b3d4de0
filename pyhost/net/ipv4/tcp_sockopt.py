"""Socket options of TCP, and TCP_INFO.

Linux: net/ipv4/tcp.c (do_tcp_setsockopt, do_tcp_getsockopt, tcp_get_info).
"""

from __future__ import annotations

from collections.abc import Callable

from pyhost.kernel.clock import NSEC_PER_MSEC, NSEC_PER_SEC
from pyhost.net.core.sock import TCP_CLOSE, TCP_LISTEN
from pyhost.net.ipv4.inet_connection_sock import (
    inet_csk_delete_keepalive_timer,
    inet_csk_in_pingpong_mode,
    inet_csk_reset_keepalive_timer,
)
from pyhost.net.ipv4.ip_sockglue import ip_getsockopt, ip_setsockopt
from pyhost.net.ipv4.tcp_cong import tcp_assign_congestion_control
from pyhost.net.ipv4.tcp_data import tcp_enter_quickack_mode
from pyhost.net.ipv4.tcp_output import tcp_push_pending_frames
from pyhost.net.ipv4.tcp_recvmsg import tcp_cleanup_rbuf
from pyhost.net.ipv4.tcp_sock import (
    ICSK_ACK_PUSHED,
    ICSK_ACK_SCHED,
    TCP_NAGLE_CORK,
    TCP_NAGLE_OFF,
    TCP_NAGLE_PUSH,
    TcpSock,
)
from pyhost.net.ipv4.tcp_states import TCPF_CAN_SEND
from pyhost.uapi.errno import EINVAL, ENOENT, ENOPROTOOPT
from pyhost.uapi.socket import INT, SOL_IP, SOL_TCP
from pyhost.uapi.tcp import (
    TCP_CONGESTION,
    TCP_CORK,
    TCP_INFO,
    TCP_INFO_STRUCT,
    TCP_KEEPCNT,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    TCP_LINGER2,
    TCP_MAXSEG,
    TCP_NODELAY,
    TCP_NOTSENT_LOWAT,
    TCP_QUICKACK,
    TCP_SYNCNT,
    TCP_USER_TIMEOUT,
    TCP_WINDOW_CLAMP,
)

__all__ = ["tcp_get_info", "tcp_getsockopt", "tcp_set_keepalive", "tcp_setsockopt"]

MAX_TCP_KEEPIDLE = 32767
TCP_FIN_TIMEOUT_MAX = 120
SOCK_MIN_RCVBUF = 2304

TCPI_OPT_TIMESTAMPS = 1
TCPI_OPT_SACK = 2
TCPI_OPT_WSCALE = 4


# -- setting ---------------------------------------------------------------------------------------


def _set_nodelay(sk: TcpSock, value: int) -> int:
    """Linux: __tcp_sock_set_nodelay. Turning it on sends what waits, cork or not."""
    if value:
        sk.nonagle |= TCP_NAGLE_OFF | TCP_NAGLE_PUSH
        tcp_push_pending_frames(sk)
    else:
        sk.nonagle &= ~TCP_NAGLE_OFF
    return 0


def _set_cork(sk: TcpSock, value: int) -> int:
    """Linux: __tcp_sock_set_cork."""
    if value:
        sk.nonagle |= TCP_NAGLE_CORK
    else:
        sk.nonagle &= ~TCP_NAGLE_CORK
        if sk.nonagle & TCP_NAGLE_OFF:
            sk.nonagle |= TCP_NAGLE_PUSH
        tcp_push_pending_frames(sk)
    return 0


def _set_maxseg(sk: TcpSock, value: int) -> int:
    if value and not 88 <= value <= 32767:
        return -EINVAL
    sk.user_mss = value
    return 0


def tcp_set_keepalive(sk: TcpSock, on: bool) -> None:
    """SO_KEEPALIVE changes; `sk_keepopen` still has the old value. Linux: tcp_set_keepalive."""
    if sk.sk_state in (TCP_CLOSE, TCP_LISTEN):
        return
    if on and not sk.sk_keepopen:
        time = sk.keepalive_time or sk.net.tcp.keepalive_time * NSEC_PER_SEC
        inet_csk_reset_keepalive_timer(sk, time)
    elif not on:
        inet_csk_delete_keepalive_timer(sk)


def _set_keepidle(sk: TcpSock, value: int) -> int:
    """Linux: tcp_sock_set_keepidle_locked."""
    if not 1 <= value <= MAX_TCP_KEEPIDLE:
        return -EINVAL
    sk.keepalive_time = value * NSEC_PER_SEC
    if sk.sk_keepopen and sk.sk_state not in (TCP_CLOSE, TCP_LISTEN):
        idle = sk.net.kernel.clock.now - max(sk.icsk_ack_lrcvtime, sk.rcv_tstamp)
        inet_csk_reset_keepalive_timer(sk, max(sk.keepalive_time - idle, 0))
    return 0


def _set_keepintvl(sk: TcpSock, value: int) -> int:
    if not 1 <= value <= MAX_TCP_KEEPIDLE:
        return -EINVAL
    sk.keepalive_intvl = value * NSEC_PER_SEC
    return 0


def _set_keepcnt(sk: TcpSock, value: int) -> int:
    if not 1 <= value <= 127:
        return -EINVAL
    sk.keepalive_probes = value
    return 0


def _set_syncnt(sk: TcpSock, value: int) -> int:
    if not 1 <= value <= 127:
        return -EINVAL
    sk.icsk_syn_retries = value
    return 0


def _set_linger2(sk: TcpSock, value: int) -> int:
    if value < 0:
        sk.linger2 = -1
    else:
        sk.linger2 = min(value, TCP_FIN_TIMEOUT_MAX) * NSEC_PER_SEC
    return 0


def _set_window_clamp(sk: TcpSock, value: int) -> int:
    """Linux: tcp_set_window_clamp."""
    if not value:
        if sk.sk_state != TCP_CLOSE:
            return -EINVAL
        sk.window_clamp = 0
        return 0
    sk.window_clamp = max(value, SOCK_MIN_RCVBUF // 2)
    sk.rcv_ssthresh = min(sk.rcv_ssthresh, sk.window_clamp)
    return 0


def _set_quickack(sk: TcpSock, value: int) -> int:
    """Linux: __tcp_sock_set_quickack."""
    if not value & 1:
        sk.icsk_ack_pingpong = sk.net.tcp.pingpong_thresh
        return 0
    sk.icsk_ack_pingpong = 0
    if 1 << sk.sk_state & TCPF_CAN_SEND and sk.icsk_ack_pending & ICSK_ACK_SCHED:
        sk.icsk_ack_pending |= ICSK_ACK_PUSHED
        tcp_cleanup_rbuf(sk, 1)
    if value == 1:
        tcp_enter_quickack_mode(sk)
    return 0


def _set_user_timeout(sk: TcpSock, value: int) -> int:
    if value < 0:
        return -EINVAL
    sk.icsk_user_timeout = value * NSEC_PER_MSEC
    return 0


def _set_notsent_lowat(sk: TcpSock, value: int) -> int:
    sk.notsent_lowat = value & 0xFFFFFFFF or sk.net.tcp.notsent_lowat
    sk.sk_write_space(sk)
    return 0


SETTERS: dict[int, Callable[[TcpSock, int], int]] = {
    TCP_NODELAY: _set_nodelay,
    TCP_CORK: _set_cork,
    TCP_MAXSEG: _set_maxseg,
    TCP_KEEPIDLE: _set_keepidle,
    TCP_KEEPINTVL: _set_keepintvl,
    TCP_KEEPCNT: _set_keepcnt,
    TCP_SYNCNT: _set_syncnt,
    TCP_LINGER2: _set_linger2,
    TCP_WINDOW_CLAMP: _set_window_clamp,
    TCP_QUICKACK: _set_quickack,
    TCP_USER_TIMEOUT: _set_user_timeout,
    TCP_NOTSENT_LOWAT: _set_notsent_lowat,
}


def _set_congestion(sk: TcpSock, value: bytes) -> int:
    """Linux: tcp_set_congestion_control."""
    ops = sk.net.tcp.congestion.get(value.rstrip(b"\0").decode("ascii", "replace"))
    if ops is None:
        return -ENOENT
    tcp_assign_congestion_control(sk, ops)
    return 0


def tcp_setsockopt(sk: TcpSock, level: int, optname: int, value: bytes) -> int:
    """0, -EINVAL, -ENOPROTOOPT, -ENOENT (no such congestion control). Linux: tcp_setsockopt."""
    if level == SOL_IP:
        return ip_setsockopt(sk, level, optname, value)
    if level != SOL_TCP:
        return -ENOPROTOOPT
    setter = SETTERS.get(optname)
    if setter is None and optname != TCP_CONGESTION:
        return -ENOPROTOOPT
    if setter is not None and len(value) < INT.size:
        return -EINVAL
    sk.lock_sock()
    try:
        if setter is None:
            return _set_congestion(sk, value)
        return setter(sk, INT.unpack_from(value)[0])
    finally:
        sk.release_sock()


# -- reading ---------------------------------------------------------------------------------------


def _maxseg(sk: TcpSock) -> int:
    if sk.user_mss and sk.sk_state in (TCP_CLOSE, TCP_LISTEN):
        return sk.user_mss
    return sk.mss_cache


def _linger2(sk: TcpSock) -> int:
    if sk.linger2 < 0:
        return -1
    return sk.linger2 // NSEC_PER_SEC or sk.net.tcp.fin_timeout


GETTERS: dict[int, Callable[[TcpSock], int]] = {
    TCP_NODELAY: lambda sk: int(bool(sk.nonagle & TCP_NAGLE_OFF)),
    TCP_CORK: lambda sk: int(bool(sk.nonagle & TCP_NAGLE_CORK)),
    TCP_MAXSEG: _maxseg,
    TCP_KEEPIDLE: lambda sk: sk.keepalive_time // NSEC_PER_SEC or sk.net.tcp.keepalive_time,
    TCP_KEEPINTVL: lambda sk: sk.keepalive_intvl // NSEC_PER_SEC or sk.net.tcp.keepalive_intvl,
    TCP_KEEPCNT: lambda sk: sk.keepalive_probes or sk.net.tcp.keepalive_probes,
    TCP_SYNCNT: lambda sk: sk.icsk_syn_retries or sk.net.tcp.syn_retries,
    TCP_LINGER2: _linger2,
    TCP_WINDOW_CLAMP: lambda sk: sk.window_clamp,
    TCP_QUICKACK: lambda sk: int(not inet_csk_in_pingpong_mode(sk)),
    TCP_USER_TIMEOUT: lambda sk: sk.icsk_user_timeout // NSEC_PER_MSEC,
    TCP_NOTSENT_LOWAT: lambda sk: (sk.notsent_lowat & 0x7FFFFFFF) - (sk.notsent_lowat & 0x80000000),
}


def tcp_getsockopt(sk: TcpSock, level: int, optname: int, maxlen: int) -> bytes | int:
    """The value, at most `maxlen` bytes; -ENOPROTOOPT. Linux: tcp_getsockopt."""
    if level == SOL_IP:
        return ip_getsockopt(sk, level, optname, maxlen)
    if level != SOL_TCP:
        return -ENOPROTOOPT
    if optname == TCP_INFO:
        return tcp_get_info(sk)[:maxlen]
    if optname == TCP_CONGESTION:
        return sk.icsk_ca_ops.name.encode().ljust(16, b"\0")[:maxlen]
    getter = GETTERS.get(optname)
    return -ENOPROTOOPT if getter is None else INT.pack(getter(sk))[:maxlen]


def tcp_get_info(sk: TcpSock) -> bytes:
    """struct tcp_info up to tcpi_total_retrans; times in µs and ms as there.

    Linux: tcp_get_info.
    """
    now = sk.net.kernel.clock.now
    options = (
        TCPI_OPT_TIMESTAMPS * sk.tstamp_ok
        | TCPI_OPT_SACK * sk.sack_ok
        | TCPI_OPT_WSCALE * sk.wscale_ok
    )
    one_byte = (
        sk.sk_state, sk.icsk_ca_state, min(sk.icsk_retransmits, 255), min(sk.icsk_probes_out,
        255), min(sk.icsk_backoff, 255),
        options, sk.snd_wscale | sk.rcv_wscale << 4, 0,
    )  # fmt: skip
    dst = sk.sk_dst_cache
    words = (
        sk.icsk_rto // 1000, sk.icsk_ack_ato // 1000, sk.mss_cache, sk.icsk_ack_rcv_mss,
        sk.packets_out, sk.sacked_out,
        sk.lost_out, sk.retrans_out, 0, (now - sk.lsndtime) // NSEC_PER_MSEC, 0,
        (now - sk.icsk_ack_lrcvtime) // NSEC_PER_MSEC, (now - sk.rcv_tstamp) // NSEC_PER_MSEC,
        dst.mtu() if dst is not None else sk.icsk_pmtu_cookie, sk.rcv_ssthresh, sk.srtt_us >> 3,
        sk.mdev_us >> 2,
        sk.snd_ssthresh, sk.snd_cwnd, sk.advmss, sk.reordering, 0, sk.rcvq_space,
        sk.total_retrans,
    )  # fmt: skip
    return TCP_INFO_STRUCT.pack(*one_byte, *(word & 0xFFFFFFFF for word in words))
