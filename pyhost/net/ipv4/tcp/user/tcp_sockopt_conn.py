"""Socket options about how a connection begins and is read: Fast Open, deferred accept, signatures,
TCP_INQ. Linux: net/ipv4/tcp.c (do_tcp_setsockopt, do_tcp_getsockopt).
"""

from __future__ import annotations

from collections.abc import Callable

from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.net.core.sock import TCP_CLOSE, TCP_LISTEN
from pyhost.net.ipv4.tcp.fastopen.tcp_fastopen_ctx import TCP_FASTOPEN_KEY_LENGTH, TFO_CLIENT_ENABLE
from pyhost.net.ipv4.tcp.handshake.request_sock import fastopen_queue_tune
from pyhost.net.ipv4.tcp.handshake.tcp_md5 import tcp_v4_parse_md5_keys
from pyhost.net.ipv4.tcp.tcp_sock import TCP_RTO_MAX, TCP_TIMEOUT_INIT, TcpSock
from pyhost.uapi.errno import EINVAL, EOPNOTSUPP
from pyhost.uapi.tcp import (
    TCP_DEFER_ACCEPT,
    TCP_FASTOPEN,
    TCP_FASTOPEN_CONNECT,
    TCP_FASTOPEN_KEY,
    TCP_FASTOPEN_NO_COOKIE,
    TCP_INQ,
    TCP_MD5SIG,
    TCP_MD5SIG_EXT,
)

__all__ = [
    "CONNECTION_BYTES_GETTERS", "CONNECTION_BYTES_SETTERS", "CONNECTION_GETTERS",
    "CONNECTION_SETTERS",
]  # fmt: skip

FIRST_TIMEOUT = TCP_TIMEOUT_INIT // NSEC_PER_SEC
LONGEST_TIMEOUT = TCP_RTO_MAX // NSEC_PER_SEC
MOST_RETRIES = 255


def _set_fastopen(sk: TcpSock, value: int) -> int:
    if value < 0 or sk.sk_state not in (TCP_CLOSE, TCP_LISTEN):
        return -EINVAL
    fastopen_queue_tune(sk, value)
    return 0


def _set_fastopen_connect(sk: TcpSock, value: int) -> int:
    if value not in (0, 1):
        return -EINVAL
    if not sk.net.tcp.fastopen & TFO_CLIENT_ENABLE:
        return -EOPNOTSUPP
    if sk.sk_state != TCP_CLOSE:
        return -EINVAL
    sk.fastopen_connect = bool(value)
    return 0


def _set_fastopen_no_cookie(sk: TcpSock, value: int) -> int:
    if value not in (0, 1) or sk.sk_state not in (TCP_CLOSE, TCP_LISTEN):
        return -EINVAL
    sk.fastopen_no_cookie = bool(value)
    return 0


def _set_fastopen_key(sk: TcpSock, value: bytes) -> int:
    """One key, or two: the first makes cookies. Linux: tcp_fastopen_reset_cipher."""
    if len(value) not in (TCP_FASTOPEN_KEY_LENGTH, 2 * TCP_FASTOPEN_KEY_LENGTH):
        return -EINVAL
    step = TCP_FASTOPEN_KEY_LENGTH
    sk.fastopen_keys = tuple(value[at : at + step] for at in range(0, len(value), step))
    return 0


def _set_inq(sk: TcpSock, value: int) -> int:
    if value not in (0, 1):
        return -EINVAL
    sk.recvmsg_inq = bool(value)
    return 0


def _set_defer_accept(sk: TcpSock, value: int) -> int:
    """Seconds, kept as a number of SYN-ACKs. Linux: secs_to_retrans."""
    retries, period, timeout = 0, 0, FIRST_TIMEOUT
    while value > period and retries < MOST_RETRIES:
        retries += 1
        period += timeout
        timeout = min(timeout << 1, LONGEST_TIMEOUT)
    sk.rskq_defer_accept = retries
    return 0


def _defer_accept(sk: TcpSock) -> int:
    """Linux: retrans_to_secs."""
    period, timeout = 0, FIRST_TIMEOUT
    for _ in range(sk.rskq_defer_accept):
        period += timeout
        timeout = min(timeout << 1, LONGEST_TIMEOUT)
    return period


CONNECTION_SETTERS: dict[int, Callable[[TcpSock, int], int]] = {
    TCP_DEFER_ACCEPT: _set_defer_accept,
    TCP_FASTOPEN: _set_fastopen,
    TCP_FASTOPEN_CONNECT: _set_fastopen_connect,
    TCP_FASTOPEN_NO_COOKIE: _set_fastopen_no_cookie,
    TCP_INQ: _set_inq,
}

CONNECTION_BYTES_SETTERS: dict[int, Callable[[TcpSock, bytes], int]] = {
    TCP_FASTOPEN_KEY: _set_fastopen_key,
    TCP_MD5SIG: lambda sk, value: tcp_v4_parse_md5_keys(sk, TCP_MD5SIG, value),
    TCP_MD5SIG_EXT: lambda sk, value: tcp_v4_parse_md5_keys(sk, TCP_MD5SIG_EXT, value),
}

CONNECTION_GETTERS: dict[int, Callable[[TcpSock], int]] = {
    TCP_DEFER_ACCEPT: _defer_accept,
    TCP_FASTOPEN: lambda sk: sk.fastopenq.max_qlen if sk.fastopenq is not None else 0,
    TCP_FASTOPEN_CONNECT: lambda sk: int(sk.fastopen_connect),
    TCP_FASTOPEN_NO_COOKIE: lambda sk: int(sk.fastopen_no_cookie),
    TCP_INQ: lambda sk: int(sk.recvmsg_inq),
}

CONNECTION_BYTES_GETTERS: dict[int, Callable[[TcpSock], bytes]] = {
    TCP_FASTOPEN_KEY: lambda sk: b"".join(sk.fastopen_keys or sk.net.tcp.fastopen_ctx.keys()),
}
