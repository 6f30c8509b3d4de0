"""System calls of the real Linux under this test, with the interface of tests.unit.support.Program.

So a case that is a function of a program can be judged by the real kernel too. x86-64 only.
"""

from __future__ import annotations

import ctypes
import platform

import pytest

__all__ = ["LinuxProgram", "needs_linux"]

NUMBERS = {
    "read": 0, "write": 1, "close": 3, "poll": 7, "lseek": 8, "ioctl": 16, "pread64": 17,
    "pwrite64": 18, "readv": 19, "writev": 20, "nanosleep": 35, "sendfile": 40, "socket": 41,
    "connect": 42, "sendto": 44, "recvfrom": 45, "sendmsg": 46, "recvmsg": 47, "shutdown": 48,
    "bind": 49, "listen": 50, "getsockname": 51, "getpeername": 52, "socketpair": 53,
    "setsockopt": 54, "getsockopt": 55, "fcntl": 72, "epoll_wait": 232, "epoll_ctl": 233,
    "splice": 275, "accept4": 288, "epoll_create1": 291, "dup3": 292, "pipe2": 293,
    "recvmmsg": 299, "sendmmsg": 307,
}  # fmt: skip

needs_linux = pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64"),
    reason="the real kernel is asked through its x86-64 ABI",
)


class LinuxProgram:
    """This process itself."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._kept: list[ctypes.Array[ctypes.c_char]] = []

    def __call__(self, name: str, *args: int) -> int:
        """Make a system call: a result or a negative errno."""
        words = [ctypes.c_long(arg - (1 << 64) if arg >> 63 == 1 else arg) for arg in args]
        result = self._libc.syscall(ctypes.c_long(NUMBERS[name]), *words)
        return -ctypes.get_errno() if result == -1 else int(result)

    def store(self, data: bytes) -> int:
        """The address of a copy of `data`."""
        self._kept.append(ctypes.create_string_buffer(data, max(1, len(data))))
        return ctypes.addressof(self._kept[-1])

    def room(self, size: int) -> int:
        """The address of `size` zeroed bytes."""
        return self.store(bytes(size))

    def load(self, addr: int, size: int) -> bytes:
        """Bytes of memory."""
        return ctypes.string_at(addr, size)
