"""poll(2). Linux: fs/select.c."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.fs.file import File, fget, fput
from pyhost.fs.open import files_of
from pyhost.fs.poll import EPOLLNVAL, PollTable, vfs_poll
from pyhost.fs.read_write import user_mm
from pyhost.kernel.clock import NSEC_PER_MSEC
from pyhost.kernel.wait import WaitQueueEntry, WaitQueueHead
from pyhost.net.core.sock import EPOLLERR, EPOLLHUP
from pyhost.uapi.errno import EFAULT, EINVAL
from pyhost.uapi.poll import POLLFD

if TYPE_CHECKING:
    from pyhost.kernel.sched import Task

__all__ = ["sys_poll"]

ALWAYS = EPOLLERR | EPOLLHUP
"""Events that are reported whether asked for or not."""


class PollWqueues:
    """One sleeping poll: its entries on wait queues. Linux: struct poll_wqueues.

    A wake-up that comes before the task sleeps is remembered in `triggered`.
    """

    __slots__ = ("_entries", "_task", "pt", "triggered")

    def __init__(self, task: Task) -> None:
        self._task = task
        self._entries: list[tuple[WaitQueueHead, WaitQueueEntry]] = []
        self.triggered = False
        self.pt = PollTable(self._pollwait, 0)

    def _pollwait(self, _file: File, wq: WaitQueueHead) -> None:
        """Linux: __pollwait."""
        wanted = self.pt.key
        entry = WaitQueueEntry(lambda key: not (key and not key & wanted) and self._pollwake())
        wq.add(entry)
        self._entries.append((wq, entry))

    def _pollwake(self) -> bool:
        """Linux: pollwake."""
        self.triggered = True
        return self._task.sched.wake_up_process(self._task)

    def schedule_timeout(self, timeout: int | None) -> int | None:
        """Sleep unless something happened since the files were asked; what is left of `timeout`.

        Linux: poll_schedule_timeout.
        """
        if not self.triggered:
            left = self._task.sched.schedule_timeout(timeout)
            timeout = timeout if timeout is None else left
        self.triggered = False
        return timeout

    def free(self) -> None:
        """Linux: poll_freewait."""
        for wq, entry in self._entries:
            wq.remove(entry)


def sys_poll(task: Task, ufds: int, nfds: int, timeout_msecs: int) -> int:
    """poll(2): how many of the pollfds have events; a negative timeout waits for ever.

    Linux: do_sys_poll.
    """
    files = files_of(task)
    if not 0 <= nfds <= files.max_fds - files.min_fd:
        return -EINVAL
    mm = user_mm(task)
    raw = mm.get_user(ufds, nfds * POLLFD.size)
    if raw is None:
        return -EFAULT
    pollfds = list(POLLFD.iter_unpack(raw))
    held = [fget(task, fd) if fd >= 0 else None for fd, _, _ in pollfds]
    timeout = None if timeout_msecs < 0 else timeout_msecs * NSEC_PER_MSEC
    try:
        revents = do_poll(task, pollfds, held, timeout)
    finally:
        for file in held:
            if file is not None:
                fput(file)
    out = b"".join(
        POLLFD.pack(fd, events, got) for (fd, events, _), got in zip(pollfds, revents, strict=True)
    )
    if not mm.put_user(ufds, out):
        return -EFAULT
    return sum(1 for got in revents if got)


def do_poll(
    task: Task,
    pollfds: list[tuple[int, int, int]],
    held: list[File | None],
    timeout: int | None,
) -> list[int]:
    """Ask each file, sleep until one has something to say, ask again. Linux: do_poll."""
    table = PollWqueues(task)
    if timeout == 0:
        table.pt.qproc = None
    try:
        while True:
            revents = [
                _do_pollfd(fd, events, file, table.pt)
                for (fd, events, _), file in zip(pollfds, held, strict=True)
            ]
            table.pt.qproc = None
            if any(revents) or timeout == 0:
                return revents
            timeout = table.schedule_timeout(timeout)
    finally:
        table.free()


def _do_pollfd(fd: int, events: int, file: File | None, pt: PollTable) -> int:
    """What is true of one pollfd: a negative fd is skipped, a closed one is POLLNVAL.

    Linux: do_pollfd.
    """
    if fd < 0:
        return 0
    if file is None:
        return EPOLLNVAL
    wanted = events | ALWAYS
    pt.key = wanted
    return vfs_poll(file, pt) & wanted
