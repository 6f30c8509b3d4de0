"""/dev/null and /dev/zero. Linux: drivers/char/mem.c."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.fs.file import File, FileOperations, Kiocb
from pyhost.fs.splice import copy_splice_read, iter_file_splice_write
from pyhost.mm.memory import PAGE_SIZE
from pyhost.uapi.errno import EFAULT

if TYPE_CHECKING:
    from pyhost.mm.iov_iter import IovIter

__all__ = ["MEM_DEVICES"]

EMPTY_ZERO_PAGE = 0
"""Physical address of a page of zeros: frame 0, which is never given out. Linux: ZERO_PAGE."""


def _release(_file: File) -> None:
    """A memory device keeps nothing for an open file."""


def null_lseek(file: File, _offset: int, _whence: int) -> int:
    """Every position is the start. Linux: null_lseek."""
    file.f_pos = 0
    return 0


def read_iter_null(_iocb: Kiocb, _to: IovIter) -> int:
    """Always the end of the file. Linux: read_null."""
    return 0


def write_iter_null(_iocb: Kiocb, source: IovIter) -> int:
    """Take everything without looking at it: not even a bad pointer is noticed.

    Linux: write_iter_null.
    """
    count = source.count
    source.advance(count)
    return count


def read_iter_zero(_iocb: Kiocb, to: IovIter) -> int:
    """As many zeros as are asked for. Linux: read_iter_zero."""
    done = 0
    while to.count:
        want = min(to.count, PAGE_SIZE)
        copied = to.copy_to_iter(EMPTY_ZERO_PAGE, want)
        done += copied
        if copied < want:
            return done or -EFAULT
    return done


null_fops = FileOperations(
    name="null",
    release=_release,
    read_iter=read_iter_null,
    write_iter=write_iter_null,
    llseek=null_lseek,
    splice_write=iter_file_splice_write,
)

zero_fops = FileOperations(
    name="zero",
    release=_release,
    read_iter=read_iter_zero,
    write_iter=write_iter_null,
    llseek=null_lseek,
    splice_read=copy_splice_read,
    splice_write=iter_file_splice_write,
)

MEM_DEVICES = {3: null_fops, 5: zero_fops}
"""By minor number; the major number is 1."""
