"""How a file tells whether it is ready, and how to hear when that changes.

Linux: include/linux/poll.h.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.net.core.sock import EPOLLIN, EPOLLOUT, EPOLLRDNORM, EPOLLWRNORM
from pyhost.uapi.poll import POLLNVAL

if TYPE_CHECKING:
    from pyhost.fs.file import File
    from pyhost.kernel.wait import WaitQueueHead

__all__ = ["DEFAULT_POLLMASK", "EPOLLNVAL", "PollTable", "poll_wait", "vfs_poll"]

EPOLLNVAL = POLLNVAL
DEFAULT_POLLMASK = EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM

QueueProc = Callable[["File", "WaitQueueHead"], None]


class PollTable:
    """Who asks. Linux: struct poll_table_struct.

    `qproc(file, wq)` is called for each wait queue that can make the file ready; `key` is the mask
    of events asked for.
    """

    __slots__ = ("key", "qproc")

    def __init__(self, qproc: QueueProc, key: int) -> None:
        self.qproc: QueueProc | None = qproc
        self.key = key


def poll_wait(file: File, wq: WaitQueueHead, pt: PollTable | None) -> None:
    """Called by a file's poll for each queue on which it announces a change.

    Linux: poll_wait. Does not wait.
    """
    if pt is not None and pt.qproc is not None:
        pt.qproc(file, wq)


def vfs_poll(file: File, pt: PollTable | None) -> int:
    """The mask of events that are true now. Linux: vfs_poll."""
    poll = file.f_op.poll
    return DEFAULT_POLLMASK if poll is None else poll(file, pt)
