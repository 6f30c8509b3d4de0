"""open, close, dup, fstat. Linux: fs/open.c, fs/file.c, fs/stat.c."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.fs.file import FilesStruct, fget, fput, receive_fd
from pyhost.fs.read_write import user_mm
from pyhost.mm.memory import PAGE_SIZE
from pyhost.uapi.errno import EBADF, EFAULT, EINVAL, ENAMETOOLONG
from pyhost.uapi.fcntl import O_CLOEXEC
from pyhost.uapi.stat import STAT

if TYPE_CHECKING:
    from pyhost.kernel.sched import Task
    from pyhost.mm.mmap import MmStruct

__all__ = ["files_of", "sys_close", "sys_dup", "sys_dup3", "sys_fstat", "sys_open"]

PATH_MAX = 4096


def files_of(task: Task) -> FilesStruct:
    """The descriptors of the current process. Linux: current->files."""
    assert task.process is not None, "a system call outside a process"
    return task.process.files


def strncpy_from_user(mm: MmStruct, uaddr: int, limit: int) -> bytes | int:
    """The string at a user address without its NUL; -EFAULT, -ENAMETOOLONG.

    Linux: getname, strncpy_from_user.
    """
    text = b""
    while len(text) < limit:
        here = uaddr + len(text)
        piece = mm.get_user(here, min(limit - len(text), PAGE_SIZE - here % PAGE_SIZE))
        if piece is None:
            return -EFAULT
        end = piece.find(0)
        if end >= 0:
            return text + piece[:end]
        text += piece
    return -ENAMETOOLONG


def sys_open(task: Task, filename: int, flags: int, mode: int) -> int:
    """open(2). Linux: do_sys_openat2."""
    path = strncpy_from_user(user_mm(task), filename, PATH_MAX)
    if isinstance(path, int):
        return path
    file = task.sched.kernel.rootfs.open(path.decode(errors="surrogateescape"), flags, mode)
    if isinstance(file, int):
        return file
    return receive_fd(files_of(task), file, flags)


def sys_close(task: Task, fd: int) -> int:
    """close(2). Linux: sys_close."""
    return files_of(task).close_fd(fd)


def sys_dup(task: Task, fd: int) -> int:
    """dup(2). Linux: sys_dup."""
    file = fget(task, fd, 0)
    return -EBADF if file is None else receive_fd(files_of(task), file, 0)


def sys_dup3(task: Task, oldfd: int, newfd: int, flags: int) -> int:
    """dup3(2). Linux: ksys_dup3."""
    if flags & ~O_CLOEXEC or oldfd == newfd:
        return -EINVAL
    file = fget(task, oldfd, 0)
    if file is None:
        return -EBADF
    try:
        return files_of(task).replace_fd(newfd, file, flags)
    finally:
        fput(file)


def sys_fstat(task: Task, fd: int, statbuf: int) -> int:
    """fstat(2): inode number, type and mode, size, device number; owner and times are 0.

    Linux: sys_newfstat.
    """
    file = fget(task, fd, 0)
    if file is None:
        return -EBADF
    try:
        inode = file.f_inode
        blocks = (inode.i_size + 511) >> 9
        times = (0,) * 6
        raw = STAT.pack(
            0, inode.i_ino, inode.i_nlink, inode.i_mode, 0, 0, inode.i_rdev, inode.i_size,
            PAGE_SIZE, blocks, *times,
        )  # fmt: skip
        return 0 if user_mm(task).put_user(statbuf, raw) else -EFAULT
    finally:
        fput(file)
