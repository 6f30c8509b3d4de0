"""Open files and the table of descriptors. Linux: include/linux/fs.h, fs/file.c, fs/file_table.c.

An `int` in a program leads through `FilesStruct` to a `File`, and from there through its
`FileOperations` to whatever the file is: page cache, pipe, device, socket. `dup` makes two ints
lead to one `File`; the last reference releases it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pyhost.kernel.bug import KernelBug
from pyhost.uapi.errno import EBADF, EMFILE
from pyhost.uapi.fcntl import O_ACCMODE, O_APPEND, O_CLOEXEC, O_PATH
from pyhost.uapi.stat import S_IFDIR, S_IFMT, S_IFREG

if TYPE_CHECKING:
    from pyhost.fs.pipe import PipeInode
    from pyhost.fs.poll import PollTable
    from pyhost.kernel.sched import Task
    from pyhost.mm.iov_iter import IovIter

__all__ = [
    "FMODE_CAN_READ", "FMODE_CAN_WRITE", "FMODE_LSEEK", "FMODE_PATH", "FMODE_PREAD", "FMODE_PWRITE",
    "FMODE_READ", "FMODE_STREAM", "FMODE_WRITE", "IOCB_APPEND", "IOCB_NOWAIT", "File",
    "FileOperations", "FilesStruct", "Inode", "Kiocb", "alloc_file", "fget", "fput", "receive_fd",
    "stream_open",
]  # fmt: skip

FMODE_READ = 0x1
FMODE_WRITE = 0x2
FMODE_LSEEK = 0x4
FMODE_PREAD = 0x8
FMODE_PWRITE = 0x10
FMODE_PATH = 0x4000
FMODE_CAN_READ = 0x20000
FMODE_CAN_WRITE = 0x40000
FMODE_STREAM = 0x200000

IOCB_APPEND = 0x2
IOCB_NOWAIT = 0x8

RLIMIT_NOFILE = 1024
"""How many descriptors a process may have; Linux's default soft limit."""


class Inode:
    """What a file is, apart from being open. Linux: struct inode.

    `i_private` belongs to its file system, `i_count` counts the open files.
    """

    __slots__ = ("i_count", "i_ino", "i_mode", "i_nlink", "i_private", "i_rdev", "i_size")

    def __init__(self, ino: int, mode: int, private: Any = None, *, rdev: int = 0) -> None:
        self.i_ino = ino
        self.i_mode = mode
        self.i_private = private
        self.i_rdev = rdev
        self.i_nlink = 1
        self.i_count = 0
        self.i_size = 0

    @property
    def is_regular(self) -> bool:
        """Linux: S_ISREG."""
        return self.i_mode & S_IFMT == S_IFREG

    @property
    def is_directory(self) -> bool:
        """Linux: S_ISDIR."""
        return self.i_mode & S_IFMT == S_IFDIR


class Kiocb:
    """One read or write under way: file, position, IOCB_* flags. Linux: struct kiocb.

    `ki_pos` is also what Linux passes as `loff_t *ppos`: the operation moves it.
    """

    __slots__ = ("ki_filp", "ki_flags", "ki_pos")

    def __init__(self, file: File, pos: int) -> None:
        self.ki_filp = file
        self.ki_pos = pos
        self.ki_flags = file.f_iocb_flags


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOperations:
    """What can be done with a kind of file.

    Linux: struct file_operations. Results are counts or negative errnos.

    `splice_read(file, pos, pipe, size, flags)` and `splice_write(pipe, file, pos, size, flags)` get
    the position as a value; the caller moves it by the result. An entry that is None does not exist
    for this kind of file.
    """

    name: str
    release: Callable[[File], None]
    read_iter: Callable[[Kiocb, IovIter], int] | None = None
    write_iter: Callable[[Kiocb, IovIter], int] | None = None
    llseek: Callable[[File, int, int], int] | None = None
    poll: Callable[[File, PollTable | None], int] | None = None
    unlocked_ioctl: Callable[[Task, File, int, int], int] | None = None
    splice_read: Callable[[File, int, PipeInode, int, int], int] | None = None
    splice_write: Callable[[PipeInode, File, int, int, int], int] | None = None
    splice_eof: Callable[[File], None] | None = None


class EpollLink(Protocol):
    """One epoll instance's interest in a file. Linux: struct epitem."""

    def unlink(self) -> None:
        """The file goes away."""


class File:
    """An open file. Linux: struct file. `f_iocb_flags` is `f_flags` as a Kiocb has them."""

    __slots__ = (
        "f_count", "f_ep", "f_flags", "f_inode", "f_iocb_flags", "f_mode", "f_op", "f_pos",
        "private_data",
    )  # fmt: skip

    def __init__(self, inode: Inode, f_op: FileOperations, flags: int, mode: int) -> None:
        self.f_inode = inode
        self.f_op = f_op
        self.f_mode = mode
        self.f_pos = 0
        self.f_count = 1
        self.f_ep: list[EpollLink] = []
        self.private_data: Any = None
        inode.i_count += 1
        self.set_flags(flags)

    def __repr__(self) -> str:
        return f"<File {self.f_op.name} ino {self.f_inode.i_ino} count {self.f_count}>"

    def set_flags(self, flags: int) -> None:
        """Set `f_flags` and what follows from them. Linux: iocb_flags."""
        self.f_flags = flags
        self.f_iocb_flags = IOCB_APPEND if flags & O_APPEND else 0


def alloc_file(inode: Inode, f_op: FileOperations, flags: int) -> File:
    """An open file with one reference, seekable when `f_op` has llseek.

    Linux: alloc_file_pseudo, do_dentry_open.
    """
    if flags & O_PATH:
        return File(inode, f_op, flags, FMODE_PATH)
    mode = ((flags & O_ACCMODE) + 1) & (FMODE_READ | FMODE_WRITE)
    if f_op.read_iter is not None and mode & FMODE_READ:
        mode |= FMODE_CAN_READ
    if f_op.write_iter is not None and mode & FMODE_WRITE:
        mode |= FMODE_CAN_WRITE
    if f_op.llseek is not None:
        mode |= FMODE_LSEEK
    return File(inode, f_op, flags & ~O_CLOEXEC, mode | FMODE_PREAD | FMODE_PWRITE)


def stream_open(file: File) -> None:
    """Make the file one without a position, as sockets and pipes are.

    Linux: fs/open.c stream_open.
    """
    file.f_mode &= ~(FMODE_LSEEK | FMODE_PREAD | FMODE_PWRITE)
    file.f_mode |= FMODE_STREAM


def fput(file: File) -> None:
    """Drop a reference; the last one releases the file, which may sleep.

    Linux: fs/file_table.c fput, __fput.
    """
    file.f_count -= 1
    if file.f_count:
        if file.f_count < 0:
            raise KernelBug(f"fput of a released file: {file!r}")
        return
    for link in tuple(file.f_ep):
        link.unlink()
    file.f_inode.i_count -= 1
    file.f_op.release(file)


def fget(task: Task, fd: int, mask: int = FMODE_PATH) -> File | None:
    """The file behind a descriptor of the current process, with a reference.

    Linux: fs/file.c fget, fdget.

    None when there is none, or one whose mode has a bit of `mask` (by default those that are only
    paths).
    """
    process = task.process
    if process is None:
        return None
    file = process.files.fds.get(fd)
    if file is None or file.f_mode & mask:
        return None
    file.f_count += 1
    return file


class FilesStruct:
    """The descriptors of one process. Linux: struct files_struct.

    `fds` maps a descriptor to its file. New descriptors are the lowest free ones from `min_fd` on;
    below it lie those that belong to somebody else.
    """

    __slots__ = ("_open_fds", "close_on_exec", "fds", "max_fds", "min_fd")

    def __init__(self, min_fd: int = 0, nofile: int = RLIMIT_NOFILE) -> None:
        self.min_fd = min_fd
        self.max_fds = min_fd + nofile
        self.fds: dict[int, File] = {}
        self.close_on_exec: set[int] = set()
        self._open_fds: set[int] = set()

    def get_unused_fd_flags(self, flags: int, start: int = 0) -> int:
        """Reserve the lowest free descriptor that is not below `start`; -EMFILE.

        Linux: alloc_fd.
        """
        fd = max(start, self.min_fd)
        while fd in self._open_fds:
            fd += 1
        if fd >= self.max_fds:
            return -EMFILE
        self._open_fds.add(fd)
        self._set_cloexec(fd, flags)
        return fd

    def _set_cloexec(self, fd: int, flags: int) -> None:
        if flags & O_CLOEXEC:
            self.close_on_exec.add(fd)
        else:
            self.close_on_exec.discard(fd)

    def put_unused_fd(self, fd: int) -> None:
        """Give back a reserved descriptor. Linux: put_unused_fd."""
        self._open_fds.discard(fd)
        self.close_on_exec.discard(fd)

    def fd_install(self, fd: int, file: File) -> None:
        """Let a reserved descriptor lead to `file`, whose reference passes to the table.

        Linux: fd_install.
        """
        self.fds[fd] = file

    def replace_fd(self, fd: int, file: File, flags: int) -> int:
        """Let `fd` lead to `file` (with a reference of its own), closing what it led to.

        Linux: do_dup2.
        """
        if not self.min_fd <= fd < self.max_fds:
            return -EBADF
        old = self.fds.get(fd)
        file.f_count += 1
        self.fds[fd] = file
        self._open_fds.add(fd)
        self._set_cloexec(fd, flags)
        if old is not None:
            fput(old)
        return fd

    def close_fd(self, fd: int) -> int:
        """Close a descriptor: 0 or -EBADF. Linux: close_fd, filp_close."""
        file = self.fds.pop(fd, None)
        if file is None:
            return -EBADF
        self.put_unused_fd(fd)
        fput(file)
        return 0

    def close_all(self) -> None:
        """Close everything. Linux: close_files, at the exit of a process."""
        for fd in sorted(self.fds):
            self.close_fd(fd)


def receive_fd(files: FilesStruct, file: File, flags: int) -> int:
    """A new descriptor for `file`, whose reference passes to the table, or is dropped on -EMFILE.

    Linux: fd_install users.
    """
    fd = files.get_unused_fd_flags(flags)
    if fd < 0:
        fput(file)
        return fd
    files.fd_install(fd, file)
    return fd
