"""fcntl and the ioctls that every file has. Linux: fs/fcntl.c, fs/ioctl.c."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.fs.file import File, FilesStruct, fget, fput
from pyhost.fs.open import files_of
from pyhost.fs.read_write import user_mm
from pyhost.mm.memory import PAGE_SIZE
from pyhost.uapi.errno import EBADF, EFAULT, EINVAL, ENOTTY
from pyhost.uapi.fcntl import (
    F_DUPFD,
    F_DUPFD_CLOEXEC,
    F_GETFD,
    F_GETFL,
    F_GETPIPE_SZ,
    F_SETFD,
    F_SETFL,
    FD_CLOEXEC,
    FIOCLEX,
    FIONBIO,
    FIONCLEX,
    FIONREAD,
    O_APPEND,
    O_CLOEXEC,
    O_NONBLOCK,
)
from pyhost.uapi.socket import INT

if TYPE_CHECKING:
    from pyhost.kernel.sched import Task

__all__ = ["sys_fcntl", "sys_ioctl"]

SETFL_MASK = O_APPEND | O_NONBLOCK


def sys_fcntl(task: Task, fd: int, cmd: int, arg: int) -> int:
    """fcntl(2). Linux: do_fcntl."""
    file = fget(task, fd, 0)
    if file is None:
        return -EBADF
    try:
        return _do_fcntl(task, fd, file, cmd, arg)
    finally:
        fput(file)


def _do_fcntl(task: Task, fd: int, file: File, cmd: int, arg: int) -> int:
    files = files_of(task)
    if cmd == F_GETFL:
        return file.f_flags
    if cmd == F_SETFL:
        return setfl(file, arg)
    if cmd == F_GETFD:
        return FD_CLOEXEC if fd in files.close_on_exec else 0
    if cmd == F_SETFD:
        return _set_close_on_exec(files, fd, bool(arg & FD_CLOEXEC))
    if cmd in (F_DUPFD, F_DUPFD_CLOEXEC):
        return f_dupfd(task, file, arg, O_CLOEXEC if cmd == F_DUPFD_CLOEXEC else 0)
    if cmd == F_GETPIPE_SZ and file.f_op.name == "pipe":
        return int(file.private_data.max_usage) * PAGE_SIZE
    return -EINVAL


def _set_close_on_exec(files: FilesStruct, fd: int, on: bool) -> int:
    """Linux: set_close_on_exec."""
    if on:
        files.close_on_exec.add(fd)
    else:
        files.close_on_exec.discard(fd)
    return 0


def setfl(file: File, flags: int) -> int:
    """Change O_APPEND and O_NONBLOCK, silently keeping the rest. Linux: setfl."""
    file.set_flags(flags & SETFL_MASK | file.f_flags & ~SETFL_MASK)
    return 0


def f_dupfd(task: Task, file: File, start: int, flags: int) -> int:
    """A second descriptor, `start` or above. Linux: f_dupfd."""
    files = files_of(task)
    if not 0 <= start < files.max_fds:
        return -EINVAL
    fd = files.get_unused_fd_flags(flags, start)
    if fd >= 0:
        file.f_count += 1
        files.fd_install(fd, file)
    return fd


def sys_ioctl(task: Task, fd: int, cmd: int, arg: int) -> int:
    """ioctl(2): what every file has, then what the file has itself; -ENOTTY.

    Linux: do_vfs_ioctl, vfs_ioctl. FIONREAD gives an int: the low bits of a number too great.
    """
    file = fget(task, fd)
    if file is None:
        return -EBADF
    try:
        if cmd in (FIOCLEX, FIONCLEX):
            return _set_close_on_exec(files_of(task), fd, cmd == FIOCLEX)
        if cmd == FIONBIO:
            return _ioctl_fionbio(task, file, arg)
        if cmd == FIONREAD and file.f_inode.is_regular:
            left = (file.f_inode.i_size - file.f_pos) & 0xFFFFFFFF
            return 0 if user_mm(task).put_user(arg, left.to_bytes(4, "little")) else -EFAULT
        ioctl = file.f_op.unlocked_ioctl
        return -ENOTTY if ioctl is None else ioctl(task, file, cmd, arg)
    finally:
        fput(file)


def _ioctl_fionbio(task: Task, file: File, arg: int) -> int:
    raw = user_mm(task).get_user(arg, INT.size)
    if raw is None:
        return -EFAULT
    on = O_NONBLOCK if INT.unpack(raw)[0] else 0
    file.set_flags(file.f_flags & ~O_NONBLOCK | on)
    return 0
