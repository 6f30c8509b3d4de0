"""sendfile(2) and splice(2).

Linux: fs/read_write.c do_sendfile, fs/splice.c do_splice_direct, __do_splice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.fs.file import (
    FMODE_LSEEK,
    FMODE_PREAD,
    FMODE_PWRITE,
    FMODE_READ,
    FMODE_WRITE,
    File,
    fget,
    fput,
)
from pyhost.fs.pipe import PipeInode, pipefifo_fops
from pyhost.fs.read_write import MAX_RW_COUNT, rw_verify_area, user_mm
from pyhost.fs.splice import splice_file_to_pipe
from pyhost.mm.memory import PAGE_SIZE
from pyhost.security.hooks import MAY_READ, MAY_WRITE
from pyhost.uapi.errno import EAGAIN, EBADF, EFAULT, EINVAL, ESPIPE
from pyhost.uapi.fcntl import (
    O_APPEND,
    O_NONBLOCK,
    SPLICE_F_ALL,
    SPLICE_F_MORE,
    SPLICE_F_NONBLOCK,
)
from pyhost.uapi.stat import LOFF_T

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel
    from pyhost.kernel.sched import Task
    from pyhost.mm.mmap import MmStruct

__all__ = ["do_splice_direct", "sys_sendfile", "sys_splice"]


def _get_pipe_info(file: File) -> PipeInode | None:
    """Linux: get_pipe_info."""
    return file.private_data if file.f_op is pipefifo_fops else None


def _get_offset(mm: MmStruct, uaddr: int) -> int | None:
    """The loff_t at a user address, None on a fault."""
    raw = mm.get_user(uaddr, LOFF_T.size)
    offset: int | None = None if raw is None else LOFF_T.unpack(raw)[0]
    return offset


# -- sendfile ---------------------------------------------------------------------------------


def sys_sendfile(task: Task, out_fd: int, in_fd: int, uoffset: int, count: int) -> int:
    """sendfile(2): with an offset pointer that is moved instead of the file's position.

    Linux: sys_sendfile64.
    """
    if not uoffset:
        return _do_sendfile(task, out_fd, in_fd, None, count)[0]
    mm = user_mm(task)
    offset = _get_offset(mm, uoffset)
    if offset is None:
        return -EFAULT
    ret, offset = _do_sendfile(task, out_fd, in_fd, offset, count)
    return ret if mm.put_user(uoffset, LOFF_T.pack(offset)) else -EFAULT


def _do_sendfile(
    task: Task, out_fd: int, in_fd: int, offset: int | None, count: int
) -> tuple[int, int]:
    """(result, position behind what was read). Linux: do_sendfile.

    EBADF: not open for reading or writing; ESPIPE: an offset for a file that has none; EINVAL: a
    source without pages.
    """
    source = fget(task, in_fd)
    if source is None:
        return -EBADF, offset or 0
    try:
        pos = source.f_pos if offset is None else offset
        ret = _sendfile_from(task, out_fd, source, offset, count)
        if ret > 0:
            pos += ret
            if offset is None:
                source.f_pos = pos
        return ret, pos
    finally:
        fput(source)


def _sendfile_from(task: Task, out_fd: int, source: File, offset: int | None, count: int) -> int:
    if not source.f_mode & FMODE_READ:
        return -EBADF
    if offset is not None and not source.f_mode & FMODE_PREAD:
        return -ESPIPE
    pos = source.f_pos if offset is None else offset
    err = rw_verify_area(task, MAY_READ, source, pos, count)
    if err:
        return err
    out = fget(task, out_fd)
    if out is None:
        return -EBADF
    try:
        return _sendfile_to(task, source, pos, out, min(count, MAX_RW_COUNT))
    finally:
        fput(out)


def _sendfile_to(task: Task, source: File, pos: int, out: File, count: int) -> int:
    if not out.f_mode & FMODE_WRITE:
        return -EBADF
    err = rw_verify_area(task, MAY_WRITE, out, out.f_pos, count)
    if err:
        return err
    pipe = _get_pipe_info(out)
    if pipe is None:
        ret = do_splice_direct(task.sched.kernel, source, pos, out, count, 0)
        if ret > 0 and out.f_mode & FMODE_LSEEK:
            out.f_pos += ret
        return ret
    flags = SPLICE_F_NONBLOCK if out.f_flags & O_NONBLOCK else 0
    return splice_file_to_pipe(source, pos, pipe, count, flags)


def do_splice_direct(
    kernel: Kernel, source: File, pos: int, out: File, size: int, flags: int
) -> int:
    """Move `size` bytes from a seekable file to any file through a pipe of our own.

    Linux: do_splice_direct, splice_direct_to_actor.

    Each round but the last goes down with SPLICE_F_MORE; when the source ends early, `splice_eof`
    tells the target that no more comes.
    """
    splice_read, splice_write = source.f_op.splice_read, out.f_op.splice_write
    if out.f_flags & O_APPEND or splice_read is None or not source.f_mode & FMODE_LSEEK:
        return -EINVAL
    if splice_write is None:
        return -EINVAL
    pipe = PipeInode(kernel)
    pipe.readers = 1
    done = 0
    try:
        while done < size:
            want = min(size - done, pipe.max_usage * PAGE_SIZE)
            got = splice_read(source, pos + done, pipe, want, flags)
            if got <= 0:
                if done and not got and not flags & SPLICE_F_MORE and out.f_op.splice_eof:
                    out.f_op.splice_eof(out)
                return done or got
            more = SPLICE_F_MORE if got < size - done else 0
            sent = splice_write(pipe, out, out.f_pos + done, got, flags | more)
            if sent <= 0:
                return done or sent
            done += sent
            if sent < got:
                break
        return done
    finally:
        pipe.free()


# -- splice -----------------------------------------------------------------------------------


def sys_splice(
    task: Task, fd_in: int, uoff_in: int, fd_out: int, uoff_out: int, size: int, flags: int
) -> int:
    """splice(2): one of the two files must be a pipe. Linux: sys_splice, __do_splice, do_splice."""
    if not size:
        return 0
    if flags & ~SPLICE_F_ALL:
        return -EINVAL
    source = fget(task, fd_in)
    if source is None:
        return -EBADF
    try:
        out = fget(task, fd_out)
        if out is None:
            return -EBADF
        try:
            return _splice_files(task, source, uoff_in, out, uoff_out, size, flags)
        finally:
            fput(out)
    finally:
        fput(source)


def _splice_files(
    task: Task, source: File, uoff_in: int, out: File, uoff_out: int, size: int, flags: int
) -> int:
    if not source.f_mode & FMODE_READ or not out.f_mode & FMODE_WRITE:
        return -EBADF
    in_pipe, out_pipe = _get_pipe_info(source), _get_pipe_info(out)
    if (in_pipe is not None and uoff_in) or (out_pipe is not None and uoff_out):
        return -ESPIPE
    if out_pipe is not None and (source.f_flags | out.f_flags) & O_NONBLOCK:
        flags |= SPLICE_F_NONBLOCK
    if in_pipe is not None and out_pipe is not None:
        return _splice_pipe_to_pipe(in_pipe, out_pipe, size, flags)
    mm = user_mm(task)
    if in_pipe is not None:
        return _pipe_to_file(task, mm, in_pipe, out, uoff_out, size, flags)
    if out_pipe is not None:
        return _file_to_pipe(task, mm, source, uoff_in, out_pipe, size, flags)
    return -EINVAL


def _pipe_to_file(
    task: Task, mm: MmStruct, pipe: PipeInode, out: File, uoffset: int, size: int, flags: int
) -> int:
    if uoffset and not out.f_mode & FMODE_PWRITE:
        return -EINVAL
    offset = _get_offset(mm, uoffset) if uoffset else out.f_pos
    if offset is None:
        return -EFAULT
    if out.f_flags & O_APPEND or out.f_op.splice_write is None:
        return -EINVAL
    err = rw_verify_area(task, MAY_WRITE, out, offset, size)
    if err:
        return err
    ret = out.f_op.splice_write(pipe, out, offset, min(size, MAX_RW_COUNT), flags)
    return _store_offset(mm, out, uoffset, offset, ret)


def _file_to_pipe(
    task: Task, mm: MmStruct, source: File, uoffset: int, pipe: PipeInode, size: int, flags: int
) -> int:
    if uoffset and not source.f_mode & FMODE_PREAD:
        return -EINVAL
    offset = _get_offset(mm, uoffset) if uoffset else source.f_pos
    if offset is None:
        return -EFAULT
    err = rw_verify_area(task, MAY_READ, source, offset, size)
    if err:
        return err
    ret = splice_file_to_pipe(source, offset, pipe, min(size, MAX_RW_COUNT), flags)
    return _store_offset(mm, source, uoffset, offset, ret)


def _store_offset(mm: MmStruct, file: File, uoffset: int, offset: int, ret: int) -> int:
    """Move the position that was used by what was spliced."""
    if ret <= 0:
        return ret
    if uoffset:
        return ret if mm.put_user(uoffset, LOFF_T.pack(offset + ret)) else -EFAULT
    if file.f_mode & FMODE_LSEEK:
        file.f_pos = offset + ret
    return ret


def _splice_pipe_to_pipe(source: PipeInode, out: PipeInode, size: int, flags: int) -> int:
    """Move buffers, or a reference to part of the last one. Linux: splice_pipe_to_pipe."""
    if source is out:
        return -EINVAL
    while not source.bufs or out.full:
        if not out.readers:
            return out.broken()
        if not source.bufs and not source.writers:
            return 0
        if flags & SPLICE_F_NONBLOCK:
            return -EAGAIN
        if source.bufs:
            out.wait_writable()
        else:
            source.wait_readable()
    if not out.readers:
        return out.broken()
    moved = 0
    while moved < size and source.bufs and not out.full:
        buf = source.bufs[0]
        part = min(size - moved, buf.length)
        buf.page.get()
        out.push(buf.page, buf.offset, part)
        source.consume(part)
        moved += part
    source.wake_writers()
    out.wake_readers()
    return moved
