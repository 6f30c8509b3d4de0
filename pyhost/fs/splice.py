"""Moving pages between files without copying them through user memory. Linux: fs/splice.c.

    file ──splice_read──→ pipe (page references) ──splice_write──→ file, socket

sendfile (`pyhost/fs/sendfile.py`) is the same with a pipe inside the kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.fs.file import File, Kiocb
from pyhost.mm.iov_iter import ITER_DEST, ITER_SOURCE, BioVec, IovIter
from pyhost.mm.memory import PAGE_SHIFT, PAGE_SIZE
from pyhost.uapi.errno import EAGAIN, EINVAL, ENOMEM
from pyhost.uapi.fcntl import SPLICE_F_NONBLOCK

if TYPE_CHECKING:
    from pyhost.fs.pipe import PipeInode

__all__ = [
    "copy_splice_read", "iter_file_splice_write", "splice_file_to_pipe", "splice_from_pipe_bvecs",
]  # fmt: skip

SPLICE_BVECS = 16
"""How many pages go down in one call. Linux: ARRAY_SIZE(bvec) in splice_to_socket."""


# -- from a file into a pipe ------------------------------------------------------------------


def copy_splice_read(file: File, pos: int, pipe: PipeInode, size: int, _flags: int) -> int:
    """For files without pages of their own: read into new pages and put them into the pipe.

    Linux: copy_splice_read.
    """
    room = pipe.max_usage - len(pipe.bufs)
    count = min(room, size + PAGE_SIZE - 1 >> PAGE_SHIFT)
    memory = pipe.kernel.mem
    try:
        pages = [memory.alloc_pages() for _ in range(count)]
    except MemoryError:
        return -ENOMEM
    bvecs = [(page, 0, PAGE_SIZE) for page in pages]
    to = IovIter.bvec(ITER_DEST, memory, bvecs)
    to.count = min(to.count, size)
    read_iter = file.f_op.read_iter
    ret = -EINVAL if read_iter is None else read_iter(Kiocb(file, pos), to)
    left = max(ret, 0)
    for page in pages:
        part = min(left, PAGE_SIZE)
        if part:
            pipe.push(page, 0, part)
        else:
            page.put()
        left -= part
    return ret


def splice_file_to_pipe(file: File, pos: int, pipe: PipeInode, size: int, flags: int) -> int:
    """Wait for room, then splice. Linux: splice_file_to_pipe, wait_for_space."""
    splice_read = file.f_op.splice_read
    if splice_read is None:
        return -EINVAL
    while True:
        if not pipe.readers:
            return pipe.broken()
        if not pipe.full:
            break
        if flags & SPLICE_F_NONBLOCK:
            return -EAGAIN
        pipe.wait_writable()
    ret = splice_read(file, pos, pipe, size, flags)
    if ret > 0:
        pipe.wake_readers()
    return ret


# -- from a pipe into a file ------------------------------------------------------------------


def splice_from_pipe_bvecs(
    pipe: PipeInode, size: int, flags: int, send: Callable[[IovIter, bool], int]
) -> int:
    """Give a pipe's pages to `send(source, more)`, up to 16 at a time, and drop what it took;

    Sleeps while the pipe is empty.

    `more`: other pages wait that are wanted too. Returns the bytes taken, or the error when there
    are none. Linux: the loop of splice_to_socket and iter_file_splice_write.
    """
    spliced = 0
    ret = 0
    while spliced < size:
        if not pipe.bufs:
            if not pipe.writers or spliced:
                break
            if flags & SPLICE_F_NONBLOCK:
                return -EAGAIN
            pipe.wait_readable()
            continue
        with pipe.mutex:
            source, more = _collect(pipe, size - spliced)
            ret = send(source, more)
            if ret > 0:
                pipe.consume(ret)
                pipe.wake_writers()
                spliced += ret
        if ret <= 0:
            break
    return spliced or ret


def _collect(pipe: PipeInode, size: int) -> tuple[IovIter, bool]:
    """An iterator over the first pages of the pipe, and whether wanted ones are left."""
    bvecs: list[BioVec] = []
    for buf in pipe.bufs:
        if not size or len(bvecs) == SPLICE_BVECS:
            break
        part = min(size, buf.length)
        bvecs.append((buf.page, buf.offset, part))
        size -= part
    return IovIter.bvec(ITER_SOURCE, pipe.kernel.mem, bvecs), bool(size) and len(bvecs) < len(
        pipe.bufs
    )


def iter_file_splice_write(pipe: PipeInode, file: File, pos: int, size: int, flags: int) -> int:
    """Write a pipe's pages through the file's write_iter, which copies.

    Linux: iter_file_splice_write.
    """
    iocb = Kiocb(file, pos)
    write_iter = file.f_op.write_iter
    if write_iter is None:
        return -EINVAL
    return splice_from_pipe_bvecs(pipe, size, flags, lambda source, _more: write_iter(iocb, source))
