"""Options about the memory of a socket. Linux: net/core/sock.c."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

from pyhost.net.core.sock import Sock
from pyhost.uapi.errno import EINVAL, EOPNOTSUPP
from pyhost.uapi.socket import (
    SO_BUF_LOCK,
    SO_RCVBUF,
    SO_RCVBUFFORCE,
    SO_RESERVE_MEM,
    SO_SNDBUF,
    SO_SNDBUFFORCE,
)

__all__ = [
    "BUFFER_GETTERS", "BUFFER_SETTERS", "SOCK_MIN_RCVBUF", "SOCK_MIN_SNDBUF", "sk_get_meminfo",
]  # fmt: skip

SOCK_MIN_SNDBUF = 2 * (2048 + 256)
SOCK_MIN_RCVBUF = 2048 + 256
SOCK_SNDBUF_LOCK = 1
SOCK_RCVBUF_LOCK = 2
INT_MAX = 0x7FFFFFFF
UINT_MAX = 0xFFFFFFFF

MEMINFO = Struct("<9I")


def _set_sndbuf(sk: Sock, value: int) -> int:
    """The buffer is twice what is asked for, because truesize is more than payload.

    Linux: SO_SNDBUF.
    """
    return _force_sndbuf(sk, _as_u32_min(value, sk.net.softnet.sysctl_wmem_max))


def _force_sndbuf(sk: Sock, value: int) -> int:
    sk.sk_sndbuf_lock = True
    sk.sk_sndbuf = max(2 * min(max(value, 0), INT_MAX // 2), SOCK_MIN_SNDBUF)
    sk.sk_write_space(sk)
    return 0


def _set_rcvbuf(sk: Sock, value: int) -> int:
    return _force_rcvbuf(sk, _as_u32_min(value, sk.net.softnet.sysctl_rmem_max))


def _force_rcvbuf(sk: Sock, value: int) -> int:
    sk.sk_rcvbuf_lock = True
    sk.sk_rcvbuf = max(2 * min(max(value, 0), INT_MAX // 2), SOCK_MIN_RCVBUF)
    return 0


def _as_u32_min(value: int, limit: int) -> int:
    """Linux compares the value as unsigned, so that a negative one is the limit."""
    return min(value & 0xFFFFFFFF, limit)


def _set_buf_lock(sk: Sock, value: int) -> int:
    """Which buffers keep their size; else the protocol may let them grow."""
    if value & ~(SOCK_SNDBUF_LOCK | SOCK_RCVBUF_LOCK):
        return -EINVAL
    sk.sk_sndbuf_lock = bool(value & SOCK_SNDBUF_LOCK)
    sk.sk_rcvbuf_lock = bool(value & SOCK_RCVBUF_LOCK)
    return 0


def _set_reserve_mem(_sk: Sock, value: int) -> int:
    """Only a memory control group reserves. Linux: sock_reserve_memory."""
    return -EINVAL if value < 0 else -EOPNOTSUPP


BUFFER_SETTERS: dict[int, Callable[[Sock, int], int]] = {
    SO_SNDBUF: _set_sndbuf,
    SO_SNDBUFFORCE: _force_sndbuf,
    SO_RCVBUF: _set_rcvbuf,
    SO_RCVBUFFORCE: _force_rcvbuf,
    SO_BUF_LOCK: _set_buf_lock,
    SO_RESERVE_MEM: _set_reserve_mem,
}

BUFFER_GETTERS: dict[int, Callable[[Sock], int]] = {
    SO_SNDBUF: lambda sk: sk.sk_sndbuf,
    SO_RCVBUF: lambda sk: sk.sk_rcvbuf,
    SO_BUF_LOCK: lambda sk: sk.sk_sndbuf_lock | sk.sk_rcvbuf_lock << 1,
    SO_RESERVE_MEM: lambda _sk: 0,
}


def sk_get_meminfo(sk: Sock) -> bytes:
    """Nine words, SK_MEMINFO_RMEM_ALLOC to SK_MEMINFO_DROPS; the last is 0, as drops are
    counted for the whole machine. Linux: sk_get_meminfo.
    """
    return MEMINFO.pack(
        sk.sk_rmem_alloc,
        sk.sk_rcvbuf,
        sk.sk_wmem_alloc - 1,
        sk.sk_sndbuf,
        sk.sk_forward_alloc & UINT_MAX,
        sk.sk_wmem_queued,
        sk.sk_omem_alloc,
        sk.sk_backlog_len,
        0,
    )
