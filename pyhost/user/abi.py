"""Structures that cross the system call border, in their Linux x86-64 layout, as the C library sees
them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import Struct
from typing import Any

__all__ = [
    "EPOLL_EVENT",
    "FD_BASE",
    "IOVEC",
    "MSGHDR",
    "POLLFD",
    "SOCKADDR_MAX",
    "STAT",
    "TIMESPEC",
    "cmsg_len",
    "cmsg_space",
    "pack_cmsgs",
    "pack_timespec",
    "unpack_cmsgs",
]

FD_BASE = 1 << 20
"""The first emulated file descriptor; those below belong to the real system."""

TIMESPEC = Struct("<qq")
IOVEC = Struct("<QQ")
MSGHDR = Struct("<QI4xQQQQi4x")
"""msg_name, msg_namelen, msg_iov, msg_iovlen, msg_control, msg_controllen, msg_flags."""
POLLFD = Struct("<iHH")
EPOLL_EVENT = Struct("<IQ")
"""Packed on x86-64 (12 bytes): events, data."""
STAT = Struct("<QQQIII4xQqqqqqqqqq24x")
"""st_dev ino nlink mode uid gid rdev size blksize blocks atime atime_ns mtime mtime_ns ctime
ctime_ns.
"""

SOCKADDR_MAX = 128
"""sizeof(struct sockaddr_storage)."""

_CMSGHDR = Struct("<Qii")
_NSEC_PER_SEC = 1_000_000_000


def pack_timespec(ns: int) -> bytes:
    """struct timespec for `ns` nanoseconds."""
    return TIMESPEC.pack(*divmod(ns, _NSEC_PER_SEC))


def cmsg_len(length: int) -> int:
    """CMSG_LEN(3)."""
    return _CMSGHDR.size + length


def cmsg_space(length: int) -> int:
    """CMSG_SPACE(3): with the padding behind it."""
    return _CMSGHDR.size + (length + 7 & ~7)


def pack_cmsgs(cmsgs: Iterable[tuple[int, int, Any]]) -> bytes:
    """Ancillary data: (level, type, bytes) each."""
    out = bytearray()
    for level, kind, data in cmsgs:
        raw = bytes(data)
        out += _CMSGHDR.pack(cmsg_len(len(raw)), level, kind) + raw
        out += bytes(-len(out) & 7)
    return bytes(out)


def unpack_cmsgs(control: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(level, type, data) of each control message; a cut one is given as far as it goes."""
    at = 0
    while at + _CMSGHDR.size <= len(control):
        length, level, kind = _CMSGHDR.unpack_from(control, at)
        if length < _CMSGHDR.size:
            return
        yield level, kind, control[at + _CMSGHDR.size : at + length]
        at += length + 7 & ~7
