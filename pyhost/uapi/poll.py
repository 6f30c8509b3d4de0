"""poll and epoll as programs see them.

Linux: include/uapi/asm-generic/poll.h, include/uapi/linux/eventpoll.h.
"""

from __future__ import annotations

from struct import Struct

POLLIN = 0x0001
POLLPRI = 0x0002
POLLOUT = 0x0004
POLLERR = 0x0008
POLLHUP = 0x0010
POLLNVAL = 0x0020
POLLRDNORM = 0x0040
POLLRDBAND = 0x0080
POLLWRNORM = 0x0100
POLLWRBAND = 0x0200
POLLRDHUP = 0x2000

EPOLLEXCLUSIVE = 1 << 28
EPOLLWAKEUP = 1 << 29
EPOLLONESHOT = 1 << 30
EPOLLET = 1 << 31

EPOLL_CTL_ADD = 1
EPOLL_CTL_DEL = 2
EPOLL_CTL_MOD = 3
EPOLL_CLOEXEC = 0o2000000

POLLFD = Struct("<iHH")
"""struct pollfd: fd, events, revents."""

EPOLL_EVENT = Struct("<IQ")
"""struct epoll_event, packed on x86-64: events, data."""
