"""read, write and their kin. Linux: fs/read_write.c."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.fs.file import (
    FMODE_CAN_READ,
    FMODE_CAN_WRITE,
    FMODE_LSEEK,
    FMODE_PREAD,
    FMODE_PWRITE,
    FMODE_READ,
    FMODE_STREAM,
    FMODE_WRITE,
    File,
    Kiocb,
    fget,
    fput,
)
from pyhost.mm.iov_iter import ITER_DEST, ITER_SOURCE, IovIter
from pyhost.mm.mmap import MmStruct, access_ok
from pyhost.security.hooks import MAY_READ, MAY_WRITE, security_file_permission
from pyhost.uapi.errno import EBADF, EFAULT, EINVAL, ESPIPE
from pyhost.uapi.fcntl import SEEK_CUR, SEEK_END, SEEK_SET
from pyhost.uapi.socket import UIO_MAXIOV
from pyhost.uapi.stat import IOVEC

if TYPE_CHECKING:
    from pyhost.kernel.sched import Task

__all__ = [
    "MAX_RW_COUNT", "generic_file_llseek", "import_iovec", "import_ubuf", "ksys_read", "ksys_write",
    "rw_verify_area", "sys_lseek", "sys_pread64", "sys_pwrite64", "sys_read", "sys_readv",
    "sys_write", "sys_writev", "user_mm", "vfs_llseek", "vfs_read", "vfs_write",
]  # fmt: skip

MAX_RW_COUNT = 0x7FFF_F000
MAX_LFS_FILESIZE = (1 << 63) - 1
SSIZE_MAX = (1 << 63) - 1


def user_mm(task: Task) -> MmStruct:
    """The address space of the current process. Linux: current->mm."""
    assert task.process is not None, "a system call outside a process"
    return task.process.mm


def rw_verify_area(task: Task, rw: int, file: File, pos: int, count: int) -> int:
    """Whether the range may be read or written: 0, -EINVAL, or what the security hook says.

    Linux: rw_verify_area.

    A file without a position is checked with `pos` 0.
    """
    if not 0 <= count <= SSIZE_MAX or pos < 0 or pos + count > MAX_LFS_FILESIZE:
        return -EINVAL
    return security_file_permission(task.sched.kernel.net.security, file, rw)


# -- write ------------------------------------------------------------------------------------


def sys_write(task: Task, fd: int, buf: int, count: int) -> int:
    """write(2). Linux: ksys_write."""
    return ksys_write(task, fd, buf, count)


def ksys_write(task: Task, fd: int, buf: int, count: int) -> int:
    """Find the file, write at its position, store the position. Linux: ksys_write.

    Linux takes `f_pos_lock` for regular files that are shared. No regular file here sleeps between
    reading and storing the position, and tasks are not preempted, so the lock would never be
    contended.
    """
    file = fget(task, fd)
    if file is None:
        return -EBADF
    try:
        if file.f_mode & FMODE_STREAM:
            return vfs_write(task, Kiocb(file, 0), buf, count)
        iocb = Kiocb(file, file.f_pos)
        ret = vfs_write(task, iocb, buf, count)
        if ret >= 0:
            file.f_pos = iocb.ki_pos
        return ret
    finally:
        fput(file)


def vfs_write(task: Task, iocb: Kiocb, buf: int, count: int) -> int:
    """Write `count` bytes at user address `buf` to any kind of file. Linux: vfs_write.

    EBADF: not open for writing; EINVAL: the kind of file cannot be written; EFAULT: the range lies
    outside user space.
    """
    file = iocb.ki_filp
    if not file.f_mode & FMODE_WRITE:
        return -EBADF
    if not file.f_mode & FMODE_CAN_WRITE:
        return -EINVAL
    if not access_ok(buf, count):
        return -EFAULT
    err = rw_verify_area(task, MAY_WRITE, file, iocb.ki_pos, count)
    if err:
        return err
    trace = task.sched.kernel.trace
    if trace.on:
        trace.hit("vfs_write", 0, file=file.f_op.name, count=count)
    return new_sync_write(task, iocb, buf, min(count, MAX_RW_COUNT))


def new_sync_write(task: Task, iocb: Kiocb, buf: int, count: int) -> int:
    """Hand one user buffer to the file's write_iter. Linux: new_sync_write."""
    write_iter = iocb.ki_filp.f_op.write_iter
    assert write_iter is not None
    return write_iter(iocb, IovIter.ubuf(ITER_SOURCE, user_mm(task), buf, count))


# -- read -------------------------------------------------------------------------------------


def sys_read(task: Task, fd: int, buf: int, count: int) -> int:
    """read(2). Linux: ksys_read."""
    return ksys_read(task, fd, buf, count)


def ksys_read(task: Task, fd: int, buf: int, count: int) -> int:
    """Find the file, read at its position, store the position. Linux: ksys_read."""
    file = fget(task, fd)
    if file is None:
        return -EBADF
    try:
        iocb = Kiocb(file, file.f_pos)
        ret = vfs_read(task, iocb, buf, count)
        if ret >= 0 and not file.f_mode & FMODE_STREAM:
            file.f_pos = iocb.ki_pos
        return ret
    finally:
        fput(file)


def vfs_read(task: Task, iocb: Kiocb, buf: int, count: int) -> int:
    """Read up to `count` bytes of any kind of file to user address `buf`.

    Linux: vfs_read, new_sync_read.
    """
    file = iocb.ki_filp
    if not file.f_mode & FMODE_READ:
        return -EBADF
    read_iter = file.f_op.read_iter
    if read_iter is None or not file.f_mode & FMODE_CAN_READ:
        return -EINVAL
    if not access_ok(buf, count):
        return -EFAULT
    err = rw_verify_area(task, MAY_READ, file, iocb.ki_pos, count)
    if err:
        return err
    return read_iter(iocb, IovIter.ubuf(ITER_DEST, user_mm(task), buf, min(count, MAX_RW_COUNT)))


# -- at a position ----------------------------------------------------------------------------


def _rw_at(task: Task, fd: int, buf: int, count: int, pos: int, mode: int) -> int:
    if pos < 0:
        return -EINVAL
    file = fget(task, fd)
    if file is None:
        return -EBADF
    try:
        if not file.f_mode & mode:
            return -ESPIPE
        do = vfs_read if mode == FMODE_PREAD else vfs_write
        return do(task, Kiocb(file, pos), buf, count)
    finally:
        fput(file)


def sys_pread64(task: Task, fd: int, buf: int, count: int, pos: int) -> int:
    """pread(2): EINVAL for a negative position, ESPIPE for a file without one.

    Linux: ksys_pread64.
    """
    return _rw_at(task, fd, buf, count, pos, FMODE_PREAD)


def sys_pwrite64(task: Task, fd: int, buf: int, count: int, pos: int) -> int:
    """pwrite(2). Linux: ksys_pwrite64."""
    return _rw_at(task, fd, buf, count, pos, FMODE_PWRITE)


# -- several buffers --------------------------------------------------------------------------


def import_ubuf(direction: int, mm: MmStruct, buf: int, count: int) -> IovIter | int:
    """One user buffer as an iterator; -EFAULT when it lies outside user space.

    Linux: import_ubuf.
    """
    count = min(count, MAX_RW_COUNT)
    if not access_ok(buf, count):
        return -EFAULT
    return IovIter.ubuf(direction, mm, buf, count)


def import_iovec(
    direction: int, mm: MmStruct, uvec: int, nr_segs: int, too_many: int = EINVAL
) -> IovIter | int:
    """The iovec array at user address `uvec` as an iterator. Linux: import_iovec.

    `too_many` when there are more than 1024; EINVAL: a negative length; EFAULT: the array or a
    buffer lies outside user space. What exceeds MAX_RW_COUNT in total is cut off.
    """
    if not 0 <= nr_segs <= UIO_MAXIOV:
        return -too_many
    raw = mm.get_user(uvec, nr_segs * IOVEC.size)
    if raw is None:
        return -EFAULT
    segments = []
    total = 0
    for base, length in IOVEC.iter_unpack(raw):
        if length > SSIZE_MAX:
            return -EINVAL
        length = min(length, MAX_RW_COUNT - total)
        if not access_ok(base, length):
            return -EFAULT
        total += length
        segments.append((base, length))
    return IovIter.iovec(direction, mm, segments)


def sys_readv(task: Task, fd: int, uvec: int, nr_segs: int) -> int:
    """readv(2). Linux: do_readv, vfs_readv."""
    return _rw_vector(task, fd, uvec, nr_segs, ITER_DEST)


def sys_writev(task: Task, fd: int, uvec: int, nr_segs: int) -> int:
    """writev(2). Linux: do_writev, vfs_writev."""
    return _rw_vector(task, fd, uvec, nr_segs, ITER_SOURCE)


def _rw_vector(task: Task, fd: int, uvec: int, nr_segs: int, direction: int) -> int:
    file = fget(task, fd)
    if file is None:
        return -EBADF
    try:
        iocb = Kiocb(file, file.f_pos)
        ret = _vfs_vector(task, iocb, uvec, nr_segs, direction)
        if ret >= 0 and not file.f_mode & FMODE_STREAM:
            file.f_pos = iocb.ki_pos
        return ret
    finally:
        fput(file)


def _vfs_vector(task: Task, iocb: Kiocb, uvec: int, nr_segs: int, direction: int) -> int:
    """Linux: vfs_readv, vfs_writev: no byte at all is not passed on."""
    file = iocb.ki_filp
    reading = direction == ITER_DEST
    if not file.f_mode & (FMODE_READ if reading else FMODE_WRITE):
        return -EBADF
    do_iter = file.f_op.read_iter if reading else file.f_op.write_iter
    if do_iter is None:
        return -EINVAL
    vector = import_iovec(direction, user_mm(task), uvec, nr_segs)
    if isinstance(vector, int):
        return vector
    if not vector.count:
        return 0
    mask = MAY_READ if reading else MAY_WRITE
    return rw_verify_area(task, mask, file, iocb.ki_pos, vector.count) or do_iter(iocb, vector)


# -- position ---------------------------------------------------------------------------------


def generic_file_llseek(file: File, offset: int, whence: int) -> int:
    """Move the position of a file whose size its inode knows. Linux: generic_file_llseek."""
    if whence == SEEK_CUR:
        offset += file.f_pos
    elif whence == SEEK_END:
        offset += file.f_inode.i_size
    elif whence != SEEK_SET:
        return -EINVAL
    if not 0 <= offset <= MAX_LFS_FILESIZE:
        return -EINVAL
    file.f_pos = offset
    return offset


def vfs_llseek(file: File, offset: int, whence: int) -> int:
    """-ESPIPE for a file without a position. Linux: vfs_llseek."""
    llseek = file.f_op.llseek
    if llseek is None or not file.f_mode & FMODE_LSEEK:
        return -ESPIPE
    return llseek(file, offset, whence)


def sys_lseek(task: Task, fd: int, offset: int, whence: int) -> int:
    """lseek(2). Linux: ksys_lseek."""
    file = fget(task, fd)
    if file is None:
        return -EBADF
    try:
        return vfs_llseek(file, offset, whence)
    finally:
        fput(file)
