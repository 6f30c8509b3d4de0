"""Socket options of TCP. Linux: net/ipv4/tcp.c (do_tcp_setsockopt, do_tcp_getsockopt).

An option is a row in a table: `SETTERS` and `GETTERS` for those that are a number, `BYTES_SETTERS`
and `BYTES_GETTERS` for the rest.
"""

from __future__ import annotations

from collections.abc import Callable

from pyhost.kernel.clock import NSEC_PER_MSEC, NSEC_PER_SEC
from pyhost.net.core.sock import TCP_CLOSE, TCP_LISTEN
from pyhost.net.ipv4.ip.ip_sockglue import ip_getsockopt, ip_setsockopt
from pyhost.net.ipv4.tcp.congestion.tcp_cong import tcp_assign_congestion_control
from pyhost.net.ipv4.tcp.handshake.inet_connection_sock import (
    inet_csk_delete_keepalive_timer,
    inet_csk_in_pingpong_mode,
    inet_csk_reset_keepalive_timer,
)
from pyhost.net.ipv4.tcp.input.tcp_delack import tcp_enter_quickack_mode
from pyhost.net.ipv4.tcp.output.tcp_xmit import tcp_push_pending_frames
from pyhost.net.ipv4.tcp.tcp_clock import tcp_ns_to_ts
from pyhost.net.ipv4.tcp.tcp_sock import (
    ICSK_ACK_PUSHED,
    ICSK_ACK_SCHED,
    TCP_NAGLE_CORK,
    TCP_NAGLE_OFF,
    TCP_NAGLE_PUSH,
    TcpSock,
)
from pyhost.net.ipv4.tcp.tcp_states import TCPF_CAN_SEND
from pyhost.net.ipv4.tcp.user.tcp_info import tcp_get_info
from pyhost.net.ipv4.tcp.user.tcp_recvmsg import tcp_cleanup_rbuf
from pyhost.net.ipv4.tcp.user.tcp_sockopt_conn import (
    CONNECTION_BYTES_GETTERS,
    CONNECTION_BYTES_SETTERS,
    CONNECTION_GETTERS,
    CONNECTION_SETTERS,
)
from pyhost.uapi.errno import EINVAL, ENOENT, ENOPROTOOPT, EPERM
from pyhost.uapi.socket import INT, SOL_IP, SOL_TCP
from pyhost.uapi.tcp import (
    TCP_CC_INFO,
    TCP_CONGESTION,
    TCP_CORK,
    TCP_INFO,
    TCP_KEEPCNT,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    TCP_LINGER2,
    TCP_MAXSEG,
    TCP_NODELAY,
    TCP_NOTSENT_LOWAT,
    TCP_QUEUE_SEQ,
    TCP_QUICKACK,
    TCP_REPAIR,
    TCP_REPAIR_QUEUE,
    TCP_REPAIR_WINDOW,
    TCP_SYNCNT,
    TCP_THIN_DUPACK,
    TCP_THIN_LINEAR_TIMEOUTS,
    TCP_TIMESTAMP,
    TCP_TX_DELAY,
    TCP_ULP,
    TCP_USER_TIMEOUT,
    TCP_WINDOW_CLAMP,
)

__all__ = ["tcp_getsockopt", "tcp_set_keepalive", "tcp_setsockopt"]

MAX_TCP_KEEPIDLE = 32767
TCP_FIN_TIMEOUT_MAX = 120
SOCK_MIN_RCVBUF = 2304
TCP_CA_NAME_MAX = 16


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
    """Bound the window we offer. What was offered already stays. Linux: tcp_set_window_clamp."""
    if not value:
        if sk.sk_state != TCP_CLOSE:
            return -EINVAL
        sk.window_clamp = 0
        return 0
    old = sk.window_clamp
    sk.window_clamp = new = max(value, SOCK_MIN_RCVBUF // 2)
    if new < old:
        sk.rcv_ssthresh = min(sk.rcv_ssthresh, new)
    elif new > old:
        sk.rcv_ssthresh = max(min(sk.rcv_wnd, new), sk.rcv_ssthresh)
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
    """0: as the sysctl says."""
    sk.notsent_lowat = value & 0xFFFFFFFF
    sk.sk_write_space(sk)
    return 0


def _set_tx_delay(sk: TcpSock, value: int) -> int:
    """µs by which the fq qdisc holds each segment of this socket back."""
    sk.tcp_tx_delay = value & 0xFFFFFFFF
    return 0


def _set_thin_dupack(_sk: TcpSock, value: int) -> int:
    """Without effect in Linux too, since RACK finds the losses of thin streams."""
    return 0 if 0 <= value <= 1 else -EINVAL


def _set_thin_linear_timeouts(sk: TcpSock, value: int) -> int:
    """The timeouts of a stream with little on the way come at an even pace."""
    if not 0 <= value <= 1:
        return -EINVAL
    sk.thin_lto = bool(value)
    return 0


def _set_privileged(_sk: TcpSock, _value: int) -> int:
    """TCP_REPAIR and what only a socket under repair has: nobody here may repair sockets."""
    return -EPERM


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
    TCP_TX_DELAY: _set_tx_delay,
    TCP_THIN_DUPACK: _set_thin_dupack,
    TCP_THIN_LINEAR_TIMEOUTS: _set_thin_linear_timeouts,
    TCP_REPAIR: _set_privileged,
    TCP_REPAIR_QUEUE: _set_privileged,
    TCP_REPAIR_WINDOW: _set_privileged,
    TCP_QUEUE_SEQ: _set_privileged,
    TCP_TIMESTAMP: _set_privileged,
    **CONNECTION_SETTERS,
}


def _name_of(value: bytes, limit: int) -> str:
    """A name as a C program hands it over."""
    return value[: limit - 1].split(b"\0", 1)[0].decode("ascii", "replace")


def _set_congestion(sk: TcpSock, value: bytes) -> int:
    """Linux: tcp_set_congestion_control. -ENOENT: no such algorithm."""
    if not value:
        return -EINVAL
    ops = sk.net.tcp.congestion.get(_name_of(value, TCP_CA_NAME_MAX))
    if ops is None:
        return -ENOENT
    if ops is not sk.icsk_ca_ops:
        tcp_assign_congestion_control(sk, ops)
    return 0


def _set_ulp(_sk: TcpSock, value: bytes) -> int:
    """There is no protocol to put on top of TCP. Linux: tcp_set_ulp."""
    return -ENOENT if value else -EINVAL


BYTES_SETTERS: dict[int, Callable[[TcpSock, bytes], int]] = {
    TCP_CONGESTION: _set_congestion,
    TCP_ULP: _set_ulp,
    **CONNECTION_BYTES_SETTERS,
}


def tcp_setsockopt(sk: TcpSock, level: int, optname: int, value: bytes) -> int:
    """0, or -EINVAL, -ENOPROTOOPT, and what the option itself says. Linux: tcp_setsockopt."""
    if level == SOL_IP:
        return ip_setsockopt(sk, level, optname, value)
    if level != SOL_TCP:
        return -ENOPROTOOPT
    bytes_setter = BYTES_SETTERS.get(optname)
    if bytes_setter is None and len(value) < INT.size:
        return -EINVAL
    sk.lock_sock()
    try:
        if bytes_setter is not None:
            return bytes_setter(sk, value)
        setter = SETTERS.get(optname)
        return -ENOPROTOOPT if setter is None else setter(sk, INT.unpack_from(value)[0])
    finally:
        sk.release_sock()


# -- reading ---------------------------------------------------------------------------------------


def _maxseg(sk: TcpSock) -> int:
    if sk.user_mss and sk.sk_state in (TCP_CLOSE, TCP_LISTEN):
        return sk.user_mss
    return sk.mss_cache


def _signed(value: int) -> int:
    """A 32-bit number as the int that getsockopt gives."""
    return (value & 0x7FFFFFFF) - (value & 0x80000000)


def _timestamp(sk: TcpSock) -> int:
    """What the timestamp option of a segment would say now."""
    return tcp_ns_to_ts(sk.net.kernel.clock.now) + sk.tsoffset


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
    TCP_NOTSENT_LOWAT: lambda sk: _signed(sk.notsent_lowat),
    TCP_TX_DELAY: lambda sk: _signed(sk.tcp_tx_delay),
    TCP_TIMESTAMP: lambda sk: _signed(_timestamp(sk)),
    TCP_THIN_DUPACK: lambda _sk: 0,
    TCP_THIN_LINEAR_TIMEOUTS: lambda sk: int(sk.thin_lto),
    TCP_REPAIR: lambda _sk: 0,
    **CONNECTION_GETTERS,
}

BYTES_GETTERS: dict[int, Callable[[TcpSock], bytes]] = {
    TCP_INFO: tcp_get_info,
    TCP_CONGESTION: lambda sk: sk.icsk_ca_ops.name.encode().ljust(TCP_CA_NAME_MAX, b"\0"),
    TCP_CC_INFO: lambda _sk: b"",
    TCP_ULP: lambda _sk: b"",
    **CONNECTION_BYTES_GETTERS,
}
"""TCP_CC_INFO is empty for an algorithm that has nothing to tell, as cubic and reno."""


def tcp_getsockopt(sk: TcpSock, level: int, optname: int, maxlen: int) -> bytes | int:
    """The value, at most `maxlen` bytes; -ENOPROTOOPT. Linux: tcp_getsockopt."""
    if level != SOL_TCP:
        return ip_getsockopt(sk, level, optname, maxlen)
    bytes_getter = BYTES_GETTERS.get(optname)
    if bytes_getter is not None:
        return bytes_getter(sk)[:maxlen]
    getter = GETTERS.get(optname)
    return -ENOPROTOOPT if getter is None else INT.pack(getter(sk))[:maxlen]
