"""Pipes: a ring of pages between a writer and a reader. Linux: fs/pipe.c.

A write of up to PIPE_BUF bytes either fills up the last page or takes one slot, in one go under the
mutex: it is atomic. Splice uses the same ring to hand pages on without copying.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from pyhost.fs.file import (
    FMODE_READ,
    FMODE_WRITE,
    File,
    FileOperations,
    Inode,
    Kiocb,
    alloc_file,
    fput,
    receive_fd,
    stream_open,
)
from pyhost.fs.poll import PollTable, poll_wait
from pyhost.fs.splice import copy_splice_read, iter_file_splice_write
from pyhost.kernel.lock import Mutex
from pyhost.kernel.process import SIGPIPE
from pyhost.kernel.wait import WaitQueueHead
from pyhost.mm.memory import PAGE_SIZE, Page
from pyhost.net.core.sock import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDNORM, EPOLLWRNORM
from pyhost.uapi.errno import EAGAIN, EFAULT, EINVAL, ENOMEM, EPIPE
from pyhost.uapi.fcntl import FIONREAD, O_CLOEXEC, O_NONBLOCK, O_RDONLY, O_WRONLY
from pyhost.uapi.socket import INT
from pyhost.uapi.stat import S_IFIFO

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel
    from pyhost.kernel.sched import Task
    from pyhost.mm.iov_iter import IovIter

__all__ = ["PIPE_BUF", "PIPE_DEF_BUFFERS", "PipeBuffer", "PipeInode", "pipefifo_fops", "sys_pipe2"]

PIPE_DEF_BUFFERS = 16
PIPE_BUF = 4096


class PipeBuffer:
    """One slot of the ring.

    Linux: struct pipe_buffer. `can_merge`: a later write may fill up the page.
    """

    __slots__ = ("can_merge", "length", "offset", "page")

    def __init__(self, page: Page, offset: int, length: int, can_merge: bool) -> None:
        self.page = page
        self.offset = offset
        self.length = length
        self.can_merge = can_merge


class PipeInode:
    """Linux: struct pipe_inode_info.

    `bufs` owns a reference to each page; `readers` and `writers` count open ends.
    """

    __slots__ = ("bufs", "kernel", "max_usage", "mutex", "rd_wait", "readers", "wr_wait", "writers")

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.mutex = Mutex(kernel)
        self.bufs: deque[PipeBuffer] = deque()
        self.max_usage = PIPE_DEF_BUFFERS
        self.readers = 0
        self.writers = 0
        self.rd_wait = WaitQueueHead(kernel)
        self.wr_wait = WaitQueueHead(kernel)

    @property
    def full(self) -> bool:
        """Whether no slot is free. Linux: pipe_full."""
        return len(self.bufs) >= self.max_usage

    @property
    def available(self) -> int:
        """Bytes that can be read."""
        return sum(buf.length for buf in self.bufs)

    def push(self, page: Page, offset: int, length: int, can_merge: bool = False) -> None:
        """Append a piece of a page; the reference passes to the pipe. Linux: add_to_pipe."""
        self.bufs.append(PipeBuffer(page, offset, length, can_merge))

    def consume(self, size: int) -> None:
        """Take `size` bytes off the front, dropping pages that are done with."""
        while size:
            buf = self.bufs[0]
            part = min(size, buf.length)
            buf.offset += part
            buf.length -= part
            size -= part
            if not buf.length:
                buf.page.put()
                self.bufs.popleft()

    def wake_readers(self) -> None:
        """Something can be read, or will never be."""
        self.rd_wait.wake_up(1, EPOLLIN | EPOLLRDNORM)

    def wake_writers(self) -> None:
        """A slot is free, or nobody reads any more."""
        self.wr_wait.wake_up(1, EPOLLOUT | EPOLLWRNORM)

    def wait_readable(self) -> None:
        """Sleep until there is something to read or no writer is left.

        Linux: pipe_wait_readable.
        """
        self.rd_wait.wait_event(lambda: bool(self.bufs) or not self.writers)

    def wait_writable(self) -> None:
        """Sleep until a slot is free or no reader is left. Linux: pipe_wait_writable."""
        self.wr_wait.wait_event(lambda: not self.full or not self.readers)

    def broken(self) -> int:
        """Nobody reads: SIGPIPE to the writer, -EPIPE."""
        task = self.kernel.sched.current
        if task is not None and task.process is not None:
            task.process.send_sig(SIGPIPE)
        return -EPIPE

    def free(self) -> None:
        """Drop what nobody will read. Linux: free_pipe_info."""
        while self.bufs:
            self.bufs.popleft().page.put()


# -- reading ----------------------------------------------------------------------------------


def pipe_read(iocb: Kiocb, to: IovIter) -> int:
    """Read what is there, sleeping only while there is nothing and somebody may still write.

    Linux: pipe_read.
    """
    if not to.count:
        return 0
    pipe: PipeInode = iocb.ki_filp.private_data
    while True:
        with pipe.mutex:
            ret = _read_buffers(pipe, to)
        if ret != -EAGAIN:
            return ret
        if iocb.ki_filp.f_flags & O_NONBLOCK:
            return -EAGAIN
        pipe.wait_readable()


def _read_buffers(pipe: PipeInode, to: IovIter) -> int:
    done = 0
    while to.count and pipe.bufs:
        buf = pipe.bufs[0]
        want = min(to.count, buf.length)
        copied = to.copy_to_iter(buf.page.addr + buf.offset, want)
        pipe.consume(copied)
        done += copied
        if copied < want:
            done = done or -EFAULT
            break
    if done > 0:
        pipe.wake_writers()
    elif not done and pipe.writers:
        return -EAGAIN
    return done


# -- writing ----------------------------------------------------------------------------------


def pipe_write(iocb: Kiocb, source: IovIter) -> int:
    """Write everything, sleeping while the ring is full. Linux: pipe_write.

    Without a reader: SIGPIPE and EPIPE, or the bytes that went in before. Non-blocking: EAGAIN when
    not a byte fits.
    """
    if not source.count:
        return 0
    pipe: PipeInode = iocb.ki_filp.private_data
    total = source.count
    with pipe.mutex:
        ret = _merge_tail(pipe, source) if pipe.readers else pipe.broken()
    while ret >= 0 and source.count:
        with pipe.mutex:
            ret = _write_buffers(pipe, source)
        if ret == -EAGAIN and not iocb.ki_filp.f_flags & O_NONBLOCK:
            pipe.wait_writable()
            ret = 0
    return total - source.count or ret


def _merge_tail(pipe: PipeInode, source: IovIter) -> int:
    """Fill up the last page when what does not fill pages of its own fits there."""
    part = source.count & (PAGE_SIZE - 1)
    if not part or not pipe.bufs:
        return 0
    last = pipe.bufs[-1]
    end = last.offset + last.length
    if not last.can_merge or end + part > PAGE_SIZE:
        return 0
    copied = source.copy_from_iter(last.page.addr + end, part)
    if copied < part:
        source.revert(copied)
        return -EFAULT
    last.length += part
    pipe.wake_readers()
    return 0


def _write_buffers(pipe: PipeInode, source: IovIter) -> int:
    """Take slots until nothing is left or the ring is full: 0, or why no more went in."""
    ret = 0
    wrote = False
    while source.count and not ret:
        if not pipe.readers:
            ret = pipe.broken()
        elif pipe.full:
            ret = -EAGAIN
        else:
            ret = _write_page(pipe, source)
            wrote = wrote or not ret
    if wrote:
        pipe.wake_readers()
    return ret


def _write_page(pipe: PipeInode, source: IovIter) -> int:
    try:
        page = pipe.kernel.mem.alloc_pages()
    except MemoryError:
        return -ENOMEM
    want = min(PAGE_SIZE, source.count)
    copied = source.copy_from_iter(page.addr, want)
    if copied < want:
        source.revert(copied)
        page.put()
        return -EFAULT
    pipe.push(page, 0, copied, can_merge=True)
    return 0


# -- the rest ---------------------------------------------------------------------------------


def pipe_poll(file: File, pt: PollTable | None) -> int:
    """Linux: pipe_poll."""
    pipe: PipeInode = file.private_data
    mask = 0
    if file.f_mode & FMODE_READ:
        poll_wait(file, pipe.rd_wait, pt)
        if pipe.bufs:
            mask |= EPOLLIN | EPOLLRDNORM
        if not pipe.writers:
            mask |= EPOLLHUP
    if file.f_mode & FMODE_WRITE:
        poll_wait(file, pipe.wr_wait, pt)
        if not pipe.full:
            mask |= EPOLLOUT | EPOLLWRNORM
        if not pipe.readers:
            mask |= EPOLLERR
    return mask


def pipe_ioctl(task: Task, file: File, cmd: int, arg: int) -> int:
    """FIONREAD. Linux: pipe_ioctl."""
    if cmd != FIONREAD or task.process is None:
        return -EINVAL
    stored = task.process.mm.put_user(arg, INT.pack(file.private_data.available))
    return 0 if stored else -EFAULT


def pipe_release(file: File) -> None:
    """One end closes: who sleeps at the other end is woken. Linux: pipe_release."""
    pipe: PipeInode = file.private_data
    if file.f_mode & FMODE_READ:
        pipe.readers -= 1
    if file.f_mode & FMODE_WRITE:
        pipe.writers -= 1
    pipe.rd_wait.wake_up_all(EPOLLIN | EPOLLRDNORM | EPOLLERR | EPOLLHUP)
    pipe.wr_wait.wake_up_all(EPOLLOUT | EPOLLWRNORM | EPOLLERR | EPOLLHUP)
    if not pipe.readers and not pipe.writers:
        pipe.free()


pipefifo_fops = FileOperations(
    name="pipe",
    release=pipe_release,
    read_iter=pipe_read,
    write_iter=pipe_write,
    poll=pipe_poll,
    unlocked_ioctl=pipe_ioctl,
    splice_read=copy_splice_read,
    splice_write=iter_file_splice_write,
)


def create_pipe_files(kernel: Kernel, flags: int) -> tuple[File, File]:
    """The reading and the writing end of a new pipe. Linux: create_pipe_files."""
    pipe = PipeInode(kernel)
    inode = Inode(kernel.rootfs.get_next_ino(), S_IFIFO | 0o600, pipe)
    reader = alloc_file(inode, pipefifo_fops, O_RDONLY | flags & O_NONBLOCK)
    writer = alloc_file(inode, pipefifo_fops, O_WRONLY | flags & O_NONBLOCK)
    for file in (reader, writer):
        file.private_data = pipe
        stream_open(file)
    pipe.readers = pipe.writers = 1
    return reader, writer


def sys_pipe2(task: Task, fildes: int, flags: int) -> int:
    """pipe2(2): two descriptors as ints at `fildes`. Linux: do_pipe2."""
    if flags & ~(O_CLOEXEC | O_NONBLOCK):
        return -EINVAL
    process = task.process
    assert process is not None
    reader, writer = create_pipe_files(task.sched.kernel, flags)
    read_fd = receive_fd(process.files, reader, flags)
    if read_fd < 0:
        fput(writer)
        return read_fd
    write_fd = receive_fd(process.files, writer, flags)
    if write_fd < 0:
        process.files.close_fd(read_fd)
        return write_fd
    if not process.mm.put_user(fildes, INT.pack(read_fd) + INT.pack(write_fd)):
        process.files.close_fd(read_fd)
        process.files.close_fd(write_fd)
        return -EFAULT
    return 0
