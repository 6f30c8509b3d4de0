"""The functions of `posix` that take file descriptors. CPython: Modules/posixmodule.c.

A descriptor from FD_BASE upwards is an emulated one, and the call goes to the kernel. One below is
a file of the real system, and so is what the call does; 0, 1 and 2 are what the process was given
for them.
"""

from __future__ import annotations

import errno
import fcntl
import os
import posix
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pyhost.fs.hostfs import hostfs_open
from pyhost.user.abi import FD_BASE, STAT
from pyhost.user.iovec import IovArea, byte_view, scatter, writable_view
from pyhost.user.libc import os_error

if TYPE_CHECKING:
    from pyhost.user.loader import Interpreter

__all__ = ["PosixFiles"]

_NSEC_PER_SEC = 1_000_000_000
_CLOSERANGE_LIMIT = 1 << 10

_REAL_ONLY = {
    "fchdir": errno.ENOTDIR,
    "fchmod": errno.EINVAL,
    "fchown": errno.EINVAL,
    "fdatasync": errno.EINVAL,
    "fpathconf": errno.EINVAL,
    "fstatvfs": errno.ENOSYS,
    "fsync": errno.EINVAL,
    "ftruncate": errno.EINVAL,
    "get_terminal_size": errno.ENOTTY,
    "lockf": errno.EINVAL,
    "posix_fadvise": errno.ESPIPE,
    "posix_fallocate": errno.ESPIPE,
    "preadv": errno.ESPIPE,
    "pwritev": errno.ESPIPE,
    "tcgetpgrp": errno.ENOTTY,
    "ttyname": errno.ENOTTY,
}
"""What works on real files alone, and the error that sockets and pipes give."""


class PosixFiles:
    """One program's descriptors; every public method is the function of `posix` of that name."""

    def __init__(self, interpreter: Interpreter) -> None:
        self._libc = interpreter.libc
        self._stdio = interpreter.stdio
        self._resolve = interpreter.stdio.resolve

    def functions(self) -> dict[str, Any]:
        """Name → function, to be laid over those of the real `posix`."""
        made = {name: getattr(self, name) for name in dir(type(self)) if not name.startswith("_")}
        del made["functions"]
        for name, error in _REAL_ONLY.items():
            made[name] = self._real_only(getattr(posix, name), error)
        return made

    def _real_only(self, function: Callable[..., Any], error: int) -> Callable[..., Any]:
        def call(fd: Any = 1, *args: Any) -> Any:
            behind = self._resolve(fd if isinstance(fd, int) else fd.fileno())
            if behind >= FD_BASE:
                raise os_error(error)
            return function(behind, *args)

        call.__name__ = call.__qualname__ = function.__name__
        return call

    # -- reading and writing -----------------------------------------------------------------------

    def read(self, fd: int, length: int, /) -> bytes:
        behind = self._resolve(fd)
        if behind < FD_BASE:
            return posix.read(behind, length)
        if length < 0:
            raise os_error(errno.EINVAL)
        return self._libc.read("read", behind, length)

    def write(self, fd: int, data: Any, /) -> int:
        behind = self._resolve(fd)
        if behind < FD_BASE:
            return posix.write(behind, data)
        return self._libc.write("write", behind, byte_view(data))

    def readv(self, fd: int, buffers: Sequence[Any], /) -> int:
        behind = self._resolve(fd)
        if behind < FD_BASE:
            return posix.readv(behind, buffers)
        views = [writable_view(buffer, "readv() argument") for buffer in buffers]
        with IovArea(self._libc, [view.nbytes for view in views]) as area:
            got = self._libc.call("readv", behind, area.addr, area.count)
            scatter(self._libc.mm.read(area.data_addr, got), views)
            return got

    def writev(self, fd: int, buffers: Sequence[Any], /) -> int:
        behind = self._resolve(fd)
        if behind < FD_BASE:
            return posix.writev(behind, buffers)
        views = [byte_view(buffer) for buffer in buffers]
        with IovArea(self._libc, [view.nbytes for view in views]) as area:
            area.gather(views)
            return self._libc.call("writev", behind, area.addr, area.count)

    def pread(self, fd: int, length: int, offset: int, /) -> bytes:
        behind = self._resolve(fd)
        if behind < FD_BASE:
            return posix.pread(behind, length, offset)
        return self._libc.read("pread64", behind, length, offset)

    def pwrite(self, fd: int, data: Any, offset: int, /) -> int:
        behind = self._resolve(fd)
        if behind < FD_BASE:
            return posix.pwrite(behind, data, offset)
        return self._libc.write("pwrite64", behind, byte_view(data), offset)

    def lseek(self, fd: int, position: int, how: int, /) -> int:
        behind = self._resolve(fd)
        if behind < FD_BASE:
            return posix.lseek(behind, position, how)
        return self._libc.call("lseek", behind, position, how)

    # -- moving data without the program seeing it -------------------------------------------------

    def sendfile(self, out_fd: int, in_fd: int, offset: int | None, count: int) -> int:
        out_behind, in_behind = self._resolve(out_fd), self._resolve(in_fd)
        if out_behind < FD_BASE:
            if in_behind >= FD_BASE:
                raise os_error(errno.EINVAL)
            return posix.sendfile(out_behind, in_behind, offset, count)
        if in_behind >= FD_BASE:
            return self._sendfile(out_behind, in_behind, offset, count)
        start = posix.lseek(in_behind, 0, os.SEEK_CUR) if offset is None else offset
        file = hostfs_open(self._libc.process, in_behind)
        if file < 0:
            raise os_error(-file)
        try:
            sent = self._sendfile(out_behind, file, start, count)
        finally:
            self._libc.call("close", file)
        if offset is None:
            posix.lseek(in_behind, start + sent, os.SEEK_SET)
        return sent

    def _sendfile(self, out_fd: int, in_fd: int, offset: int | None, count: int) -> int:
        if offset is None:
            return self._libc.call("sendfile", out_fd, in_fd, 0, count)
        addr = self._libc.alloc(8)
        try:
            self._libc.mm.write(addr, offset.to_bytes(8, "little", signed=True))
            return self._libc.call("sendfile", out_fd, in_fd, addr, count)
        finally:
            self._libc.free(addr, 8)

    def splice(
        self,
        src: int,
        dst: int,
        count: int,
        offset_src: int | None = None,
        offset_dst: int | None = None,
        flags: int = 0,
    ) -> int:
        source, target = self._resolve(src), self._resolve(dst)
        if source < FD_BASE and target < FD_BASE:
            raise os_error(errno.EINVAL)
        if source < FD_BASE or target < FD_BASE or offset_src is not None or offset_dst is not None:
            # A pipe has no offset, and a real file cannot be one end of an emulated pipe.
            raise os_error(errno.EINVAL)
        return self._libc.call("splice", source, 0, target, 0, count, flags)

    # -- descriptors -------------------------------------------------------------------------------

    def close(self, fd: int) -> None:
        if self._stdio.is_standard(fd):
            if self._resolve(fd) < 0:
                raise os_error(errno.EBADF)
            behind = self._stdio.close(fd)
            if behind >= 0:
                self._libc.call("close", behind)
        elif fd < FD_BASE:
            posix.close(fd)
        else:
            self._libc.call("close", fd)

    def closerange(self, fd_low: int, fd_high: int, /) -> None:
        """Emulated descriptors only: among the real ones are those of the simulator."""
        for fd in range(max(fd_low, FD_BASE), min(fd_high, FD_BASE + _CLOSERANGE_LIMIT)):
            self._libc.raw("close", fd)

    def dup(self, fd: int, /) -> int:
        behind = self._resolve(fd)
        if behind < FD_BASE:
            return posix.dup(behind)
        new = self._libc.call("dup", behind)
        self._libc.call("fcntl", new, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
        return new

    def dup2(self, fd: int, fd2: int, inheritable: bool = True) -> int:
        behind = self._resolve(fd)
        if self._stdio.is_standard(fd2):
            if fd != fd2:
                self._replace_standard(fd2, behind)
        elif behind < FD_BASE:
            return posix.dup2(behind, fd2, inheritable)
        elif fd2 < FD_BASE:
            # The number belongs to the real system, where a socket of ours cannot be.
            raise os_error(errno.EBADF)
        elif behind != fd2:
            self._libc.call("dup3", behind, fd2, 0 if inheritable else os.O_CLOEXEC)
        return fd2

    def _replace_standard(self, fd: int, behind: int) -> None:
        new = self._libc.call("dup", behind) if behind >= FD_BASE else posix.dup(behind)
        old = self._stdio.close(fd)
        if old >= 0:
            self._libc.call("close", old)
        self._stdio.replace(fd, new)

    def pipe(self) -> tuple[int, int]:
        return self.pipe2(os.O_CLOEXEC)

    def pipe2(self, flags: int, /) -> tuple[int, int]:
        addr = self._libc.alloc(8)
        try:
            self._libc.call("pipe2", addr, flags)
            data = self._libc.mm.read(addr, 8)
        finally:
            self._libc.free(addr, 8)
        return int.from_bytes(data[:4], "little"), int.from_bytes(data[4:], "little")

    def get_blocking(self, fd: int, /) -> bool:
        behind = self._resolve(fd)
        if behind < FD_BASE:
            return posix.get_blocking(behind)
        return not self._libc.call("fcntl", behind, fcntl.F_GETFL, 0) & os.O_NONBLOCK

    def set_blocking(self, fd: int, blocking: bool, /) -> None:
        behind = self._resolve(fd)
        if behind < FD_BASE:
            posix.set_blocking(behind, blocking)
            return
        flags = self._libc.call("fcntl", behind, fcntl.F_GETFL, 0)
        wanted = flags & ~os.O_NONBLOCK if blocking else flags | os.O_NONBLOCK
        if wanted != flags:
            self._libc.call("fcntl", behind, fcntl.F_SETFL, wanted)

    def get_inheritable(self, fd: int, /) -> bool:
        behind = self._resolve(fd)
        if behind < FD_BASE:
            return posix.get_inheritable(behind)
        return not self._libc.call("fcntl", behind, fcntl.F_GETFD, 0) & fcntl.FD_CLOEXEC

    def set_inheritable(self, fd: int, inheritable: bool, /) -> None:
        behind = self._resolve(fd)
        if behind < FD_BASE:
            posix.set_inheritable(behind, inheritable)
            return
        self._libc.call("fcntl", behind, fcntl.F_SETFD, 0 if inheritable else fcntl.FD_CLOEXEC)

    def isatty(self, fd: int, /) -> bool:
        behind = self._resolve(fd)
        return behind < FD_BASE and posix.isatty(behind)

    def device_encoding(self, fd: int) -> str | None:
        behind = self._resolve(fd)
        return posix.device_encoding(behind) if behind < FD_BASE else None

    # -- status ------------------------------------------------------------------------------------

    def fstat(self, fd: int) -> os.stat_result:
        behind = self._resolve(fd)
        if behind < FD_BASE:
            return posix.fstat(behind)
        return _stat_result(self._libc.get_struct("fstat", STAT.size, behind))

    def stat(
        self, path: Any, *, dir_fd: int | None = None, follow_symlinks: bool = True
    ) -> os.stat_result:
        if isinstance(path, int) and dir_fd is None:
            return self.fstat(path)
        return posix.stat(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)


def _stat_result(data: bytes) -> os.stat_result:
    fields = STAT.unpack(data)
    dev, ino, nlink, mode, uid, gid, rdev, size, blksize, blocks = fields[:10]
    seconds = fields[10::2]
    times = [s * _NSEC_PER_SEC + ns for s, ns in zip(seconds, fields[11::2], strict=True)]
    return os.stat_result(
        (
            *(mode, ino, dev, nlink, uid, gid, size),
            *seconds,
            *(ns / _NSEC_PER_SEC for ns in times),
            *times,
            *(blksize, blocks, rdev),
        )
    )
