"""Names in scripts and their numbers on x86-64: Linux's own, and those of `pyhost.uapi`."""

from __future__ import annotations

import errno as errno_names
from collections.abc import Iterable
from types import ModuleType

from pyhost.uapi import errno, fcntl, ip, poll, socket, stat, tcp

__all__ = ["SYMBOLS", "errno_name", "flag_names"]

_ELSEWHERE = {
    "EPOLLERR": poll.POLLERR,
    "EPOLLHUP": poll.POLLHUP,
    "EPOLLIN": poll.POLLIN,
    "EPOLLOUT": poll.POLLOUT,
    "EPOLLPRI": poll.POLLPRI,
    "EPOLLRDBAND": poll.POLLRDBAND,
    "EPOLLRDHUP": poll.POLLRDHUP,
    "EPOLLRDNORM": poll.POLLRDNORM,
    "EPOLLWRBAND": poll.POLLWRBAND,
    "EPOLLWRNORM": poll.POLLWRNORM,
    "EWOULDBLOCK": errno.EAGAIN,
    "F_GETFD": fcntl.F_GETFD,
    "IPPROTO_IPV6": 41,
    "IPV6_RECVERR": 25,
    "NULL": 0,
    "SCM_TIMESTAMPING": 37,
    "SCM_TIMESTAMPING_OPT_STATS": 54,
    "SCM_TSTAMP_ACK": 2,
    "SCM_TSTAMP_SCHED": 1,
    "SCM_TSTAMP_SND": 0,
    "SIOCINQ": fcntl.FIONREAD,
    "SOF_TIMESTAMPING_OPT_CMSG": 1 << 10,
    "SOF_TIMESTAMPING_OPT_ID": 1 << 7,
    "SOF_TIMESTAMPING_OPT_ID_TCP": 1 << 16,
    "SOF_TIMESTAMPING_OPT_STATS": 1 << 12,
    "SOF_TIMESTAMPING_OPT_TSONLY": 1 << 11,
    "SOF_TIMESTAMPING_RAW_HARDWARE": 1 << 6,
    "SOF_TIMESTAMPING_RX_HARDWARE": 1 << 2,
    "SOF_TIMESTAMPING_RX_SOFTWARE": 1 << 3,
    "SOF_TIMESTAMPING_SOFTWARE": 1 << 4,
    "SOF_TIMESTAMPING_TX_ACK": 1 << 9,
    "SOF_TIMESTAMPING_TX_HARDWARE": 1 << 0,
    "SOF_TIMESTAMPING_TX_SCHED": 1 << 8,
    "SOF_TIMESTAMPING_TX_SOFTWARE": 1 << 1,
    "SOL_IPV6": 41,
    "SO_EE_CODE_ZEROCOPY_COPIED": 1,
    "SO_EE_ORIGIN_ICMP": 2,
    "SO_EE_ORIGIN_LOCAL": 1,
    "SO_EE_ORIGIN_NONE": 0,
    "SO_EE_ORIGIN_TIMESTAMPING": 4,
    "SO_EE_ORIGIN_ZEROCOPY": 5,
    "SO_MAX_PACING_RATE": 47,
    "SO_MEMINFO": 55,
    "SO_TIMESTAMPING": 37,
    "TCP_CC_INFO": 26,
    "TCP_CM_INQ": 36,
    "TCP_FASTOPEN": 23,
    "TCP_FASTOPEN_CONNECT": 30,
    "TCP_FASTOPEN_KEY": 33,
    "TCP_FASTOPEN_NO_COOKIE": 34,
    "TCP_INFINITE_SSTHRESH": 0x7FFFFFFF,
    "TCP_INQ": 36,
    "TCP_MD5SIG": 14,
    "TCP_THIN_DUPACK": 17,
    "TCP_THIN_LINEAR_TIMEOUTS": 16,
    "TCP_TIMESTAMP": 24,
    "TCP_TX_DELAY": 37,
}
"""What the stack itself has no use for, and names that scripts have for something else's."""


def _numbers(modules: Iterable[ModuleType]) -> dict[str, int]:
    return {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if name[0].isupper() and isinstance(value, int)
    }


SYMBOLS: dict[str, int] = {
    **{name: number for number, name in errno_names.errorcode.items()},
    **_ELSEWHERE,
    **_numbers((socket, ip, tcp, fcntl, poll, stat, errno)),
}


def errno_name(number: int) -> str:
    """`EAGAIN` for 11; the number itself when it has no name."""
    return errno_names.errorcode.get(number, str(number))


def flag_names(prefix: str, flags: int) -> str:
    """`POLLIN|POLLOUT` for a mask of POLL* (or other `prefix`) flags, 0 for none."""
    names = []
    for name, value in sorted(SYMBOLS.items(), key=lambda item: item[1]):
        if name.startswith(prefix) and value and value & (value - 1) == 0 and flags & value:
            names.append(name)
            flags &= ~value
    if flags or not names:
        names.append(hex(flags) if flags else "0")
    return "|".join(names)
