"""Many messages in one system call. Linux: net/socket.c __sys_sendmmsg, do_recvmmsg."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.fs.file import fput
from pyhost.fs.read_write import user_mm
from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.net.socket import Socket, sockfd_lookup
from pyhost.net.socket_messages import receive_user_msg, send_user_msg
from pyhost.uapi.errno import EAGAIN, EFAULT, EINVAL
from pyhost.uapi.socket import (
    MMSGHDR_LEN,
    MMSGHDR_SIZE,
    MSG_BATCH,
    MSG_DONTWAIT,
    MSG_EOR,
    MSG_ERRQUEUE,
    MSG_OOB,
    MSG_WAITFORONE,
    UIO_MAXIOV,
)
from pyhost.uapi.stat import TIMESPEC

if TYPE_CHECKING:
    from pyhost.kernel.sched import Task
    from pyhost.mm.mmap import MmStruct

__all__ = ["sys_recvmmsg", "sys_sendmmsg"]


def _put_msg_len(mm: MmStruct, entry: int, size: int) -> bool:
    """Store what became of one message in its struct mmsghdr."""
    return mm.put_user(entry + MMSGHDR_LEN, size.to_bytes(4, "little"))


def sys_sendmmsg(task: Task, fd: int, ummsg: int, vlen: int, flags: int) -> int:
    """sendmmsg(2): how many messages were sent; the errno that stopped it only if none was.

    Of more than UIO_MAXIOV only the first are looked at. A message that was sent in part is the
    last one. Linux: __sys_sendmmsg.
    """
    sock = sockfd_lookup(task, fd)
    if isinstance(sock, int):
        return sock
    assert sock.file is not None
    try:
        return _send_messages(user_mm(task), sock, ummsg, min(vlen & 0xFFFFFFFF, UIO_MAXIOV), flags)
    finally:
        fput(sock.file)


def _send_messages(mm: MmStruct, sock: Socket, ummsg: int, vlen: int, flags: int) -> int:
    """All but the last carry MSG_BATCH: more will follow at once."""
    for done in range(vlen):
        entry = ummsg + done * MMSGHDR_SIZE
        batch = MSG_BATCH if done < vlen - 1 else 0
        sent = send_user_msg(mm, sock, entry, flags | batch, MSG_EOR)
        if isinstance(sent, int):
            return done or sent
        if not _put_msg_len(mm, entry, sent[0]):
            return done or -EFAULT
        if sent[1]:
            return done + 1
    return vlen


class _Deadline:
    """When recvmmsg stops between two messages; None never. Linux: poll_select_set_timeout."""

    def __init__(self, task: Task, utimeout: int) -> None:
        self._clock = task.sched.kernel.clock
        self._mm = user_mm(task)
        self._utimeout = utimeout
        self._end: int | None = None

    def read(self) -> int:
        """Take the struct timespec over: 0, -EFAULT or -EINVAL."""
        if not self._utimeout:
            return 0
        raw = self._mm.get_user(self._utimeout, TIMESPEC.size)
        if raw is None:
            return -EFAULT
        seconds, nsec = TIMESPEC.unpack(raw)
        if seconds < 0 or not 0 <= nsec < NSEC_PER_SEC:
            return -EINVAL
        self._end = self._clock.now + seconds * NSEC_PER_SEC + nsec
        return 0

    @property
    def passed(self) -> bool:
        """Whether the time is over."""
        return self._end is not None and self._clock.now >= self._end

    def write_left(self) -> bool:
        """Store what is left of the time; False on a fault."""
        if self._end is None:
            return True
        left = divmod(max(0, self._end - self._clock.now), NSEC_PER_SEC)
        return self._mm.put_user(self._utimeout, TIMESPEC.pack(*left))


def sys_recvmmsg(task: Task, fd: int, ummsg: int, vlen: int, flags: int, utimeout: int) -> int:
    """recvmmsg(2): how many messages came; the errno that stopped it only if none did.

    There may be any number of messages. The time is looked at only when a message has come, as in
    Linux: a receive that waits may wait for ever. Linux: __sys_recvmmsg.
    """
    deadline = _Deadline(task, utimeout)
    err = deadline.read()
    if err:
        return err
    sock = sockfd_lookup(task, fd)
    if isinstance(sock, int):
        return sock
    assert sock.file is not None
    try:
        done = _receive_messages(user_mm(task), sock, ummsg, vlen & 0xFFFFFFFF, flags, deadline)
    finally:
        fput(sock.file)
    return done if done <= 0 or deadline.write_left() else -EFAULT


def _receive_messages(
    mm: MmStruct, sock: Socket, ummsg: int, vlen: int, flags: int, deadline: _Deadline
) -> int:
    """Linux: do_recvmmsg. An error after the first message is kept for the next call."""
    if not flags & MSG_ERRQUEUE:
        err = sock.sk.sock_error()
        if err:
            return int(err)
    for done in range(vlen):
        entry = ummsg + done * MMSGHDR_SIZE
        got = receive_user_msg(mm, sock, entry, flags & ~MSG_WAITFORONE)
        if not isinstance(got, int) and not _put_msg_len(mm, entry, got[0]):
            got = -EFAULT
        if isinstance(got, int):
            if done and got != -EAGAIN:
                sock.sk.sk_err = -got
            return done or got
        if flags & MSG_WAITFORONE:
            flags |= MSG_DONTWAIT
        if deadline.passed or got[1] & MSG_OOB:
            return done + 1
    return vlen
