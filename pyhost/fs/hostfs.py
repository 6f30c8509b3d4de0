"""Files of the real system, as sources of sendfile. Linux: fs/hostfs of user-mode Linux.

A program opens and reads real files by itself. Only sendfile wants them in the kernel:
`hostfs_open` makes an emulated file over a real descriptor, whose bytes come into the page cache as
from a disk (no copy by the CPU is counted).
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from pyhost.fs.file import File, FileOperations, Inode, Kiocb, alloc_file, receive_fd
from pyhost.fs.filemap import AddressSpace, filemap_splice_read, generic_file_read_iter
from pyhost.fs.read_write import generic_file_llseek
from pyhost.mm.memory import PAGE_SHIFT, PAGE_SIZE, Page
from pyhost.uapi.errno import EINVAL, EIO
from pyhost.uapi.fcntl import O_RDONLY

if TYPE_CHECKING:
    from pyhost.fs.pipe import PipeInode
    from pyhost.kernel.process import Process
    from pyhost.mm.iov_iter import IovIter

__all__ = ["hostfs_open"]

CACHED_PAGES = 256
"""How many pages of one open file stay in the page cache (1 MiB)."""


def hostfs_open(process: Process, real_fd: int) -> int:
    """A descriptor in `process` for the real file behind `real_fd`, at the same position.

    -EINVAL when that is not a regular file, -EMFILE. The real descriptor stays the caller's and
    must stay open until the other is closed.
    """
    kernel = process.kernel
    status = os.fstat(real_fd)
    if not stat.S_ISREG(status.st_mode):
        return -EINVAL
    memory = kernel.mem

    def read_folio(index: int, page: Page) -> int:
        try:
            data = os.pread(real_fd, PAGE_SIZE, index << PAGE_SHIFT)
        except OSError:
            return -EIO
        memory.buf[page.addr : page.addr + PAGE_SIZE] = data.ljust(PAGE_SIZE, b"\0")
        return 0

    mapping = AddressSpace(memory, read_folio, CACHED_PAGES)
    inode = Inode(kernel.rootfs.get_next_ino(), status.st_mode, mapping)
    file = alloc_file(inode, hostfs_file_ops, O_RDONLY)
    file.private_data = real_fd
    file.f_pos = os.lseek(real_fd, 0, os.SEEK_CUR)
    _revalidate(file)
    return receive_fd(process.files, file, 0)


def _revalidate(file: File) -> None:
    """The real file may have grown. Linux: generic revalidation of a network file system."""
    file.f_inode.i_size = os.fstat(file.private_data).st_size


def hostfs_read_iter(iocb: Kiocb, to: IovIter) -> int:
    """Read through the page cache."""
    _revalidate(iocb.ki_filp)
    return generic_file_read_iter(iocb, to)


def hostfs_splice_read(file: File, pos: int, pipe: PipeInode, size: int, flags: int) -> int:
    """Hand out pages of the page cache."""
    _revalidate(file)
    return filemap_splice_read(file, pos, pipe, size, flags)


def hostfs_llseek(file: File, offset: int, whence: int) -> int:
    """Move the emulated position; the real one stays."""
    _revalidate(file)
    return generic_file_llseek(file, offset, whence)


def hostfs_release(file: File) -> None:
    """Drop the page cache."""
    file.f_inode.i_private.truncate()


hostfs_file_ops = FileOperations(
    name="hostfs",
    release=hostfs_release,
    read_iter=hostfs_read_iter,
    llseek=hostfs_llseek,
    splice_read=hostfs_splice_read,
)
