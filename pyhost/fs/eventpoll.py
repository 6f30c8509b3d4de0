"""epoll. Linux: fs/eventpoll.c.

An item joins a file to an epoll instance. A change at the file puts the item on the ready list;
`epoll_wait` asks each ready item again and reports what is true now. A level-triggered item that
had something to report goes back to the end of the list, an edge-triggered one waits for the next
change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.fs.file import File, FileOperations, Inode, alloc_file, fget, fput, receive_fd
from pyhost.fs.open import files_of
from pyhost.fs.poll import PollTable, poll_wait, vfs_poll
from pyhost.fs.read_write import user_mm
from pyhost.kernel.clock import NSEC_PER_MSEC
from pyhost.kernel.wait import WaitQueueEntry, WaitQueueHead
from pyhost.mm.mmap import access_ok
from pyhost.net.core.sock import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDNORM
from pyhost.uapi.errno import EBADF, EEXIST, EFAULT, EINVAL, ELOOP, ENOENT, EPERM
from pyhost.uapi.fcntl import O_RDWR
from pyhost.uapi.poll import (
    EPOLL_CLOEXEC,
    EPOLL_CTL_ADD,
    EPOLL_CTL_DEL,
    EPOLL_CTL_MOD,
    EPOLL_EVENT,
    EPOLLET,
    EPOLLEXCLUSIVE,
    EPOLLONESHOT,
    EPOLLWAKEUP,
)

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel
    from pyhost.kernel.sched import Task

__all__ = ["EventPoll", "sys_epoll_create1", "sys_epoll_ctl", "sys_epoll_wait"]

EP_PRIVATE_BITS = EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE
EPOLLEXCLUSIVE_OK_BITS = (
    EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE
)
"""All that may be asked for together with EPOLLEXCLUSIVE."""
EP_MAX_NESTS = 4
EP_MAX_EVENTS = 0x7FFFFFFF // EPOLL_EVENT.size


class EpItem:
    """Interest in one file under one descriptor.

    Linux: struct epitem. `events` 0 in the low bits: switched off by EPOLLONESHOT.
    """

    __slots__ = ("_entries", "data", "ep", "events", "fd", "file")

    def __init__(self, ep: EventPoll, fd: int, file: File, events: int, data: int) -> None:
        self.ep = ep
        self.fd = fd
        self.file = file
        self.events = events
        self.data = data
        self._entries: list[tuple[WaitQueueHead, WaitQueueEntry]] = []

    def attach(self) -> int:
        """Listen to the file's wait queues; the events that are true now.

        Linux: ep_insert, ep_ptable_queue_proc.
        """
        self.file.f_ep.append(self)
        return vfs_poll(self.file, PollTable(self._queue_proc, self.events)) & self.events

    def _queue_proc(self, _file: File, wq: WaitQueueHead) -> None:
        entry = WaitQueueEntry(self._callback, bool(self.events & EPOLLEXCLUSIVE))
        wq.add(entry)
        self._entries.append((wq, entry))

    def _callback(self, key: int) -> bool:
        """The file changed. Linux: ep_poll_callback."""
        if not self.events & ~EP_PRIVATE_BITS or (key and not key & self.events):
            return False
        self.ep.ready(self)
        return True

    def poll(self) -> int:
        """Those of the wanted events that are true now. Linux: ep_item_poll."""
        return vfs_poll(self.file, None) & self.events

    def unlink(self) -> None:
        """End the interest. Linux: ep_remove."""
        for wq, entry in self._entries:
            wq.remove(entry)
        self.file.f_ep.remove(self)
        self.ep.forget(self)


class EventPoll:
    """Linux: struct eventpoll.

    `wq` is where epoll_wait sleeps, `poll_wq` where those that poll the epoll file itself do.
    """

    __slots__ = ("items", "poll_wq", "rdllist", "wq")

    def __init__(self, kernel: Kernel) -> None:
        self.items: dict[tuple[int, int], EpItem] = {}
        self.rdllist: dict[EpItem, None] = {}
        self.wq = WaitQueueHead(kernel)
        self.poll_wq = WaitQueueHead(kernel)

    def find(self, fd: int, file: File) -> EpItem | None:
        """Linux: ep_find."""
        return self.items.get((fd, id(file)))

    def ready(self, item: EpItem) -> None:
        """Put an item on the ready list and wake who waits."""
        self.rdllist[item] = None
        self.wq.wake_up()
        self.poll_wq.wake_up_all(EPOLLIN | EPOLLRDNORM)

    def forget(self, item: EpItem) -> None:
        """Take an item off all lists."""
        self.items.pop((item.fd, id(item.file)), None)
        self.rdllist.pop(item, None)

    def insert(self, item: EpItem) -> None:
        """Linux: ep_insert."""
        self.items[item.fd, id(item.file)] = item
        if item.attach():
            self.ready(item)

    def modify(self, item: EpItem, events: int, data: int) -> None:
        """Linux: ep_modify: the file is asked again, so that an edge that has passed is seen."""
        item.events = events
        item.data = data
        if item.poll():
            self.ready(item)

    def send_events(self, limit: int) -> list[tuple[int, int]]:
        """Up to `limit` (events, data) of ready items. Linux: ep_send_events."""
        out: list[tuple[int, int]] = []
        for item in tuple(self.rdllist):
            if len(out) == limit:
                break
            del self.rdllist[item]
            revents = item.poll()
            if not revents:
                continue
            out.append((revents, item.data))
            if item.events & EPOLLONESHOT:
                item.events &= EP_PRIVATE_BITS
            elif not item.events & EPOLLET:
                self.rdllist[item] = None
        return out

    def any_ready(self) -> bool:
        """Whether an item on the ready list really is; those that are not leave it.

        Linux: __ep_eventpoll_poll.
        """
        for item in tuple(self.rdllist):
            if item.poll():
                return True
            del self.rdllist[item]
        return False


# -- the epoll file ---------------------------------------------------------------------------


def ep_eventpoll_poll(file: File, pt: PollTable | None) -> int:
    """Linux: ep_eventpoll_poll."""
    ep: EventPoll = file.private_data
    poll_wait(file, ep.poll_wq, pt)
    return EPOLLIN | EPOLLRDNORM if ep.any_ready() else 0


def ep_eventpoll_release(file: File) -> None:
    """Linux: ep_eventpoll_release."""
    ep: EventPoll = file.private_data
    for item in tuple(ep.items.values()):
        item.unlink()


eventpoll_fops = FileOperations(
    name="eventpoll", release=ep_eventpoll_release, poll=ep_eventpoll_poll
)


def _depth(file: File) -> int:
    """How deep epoll instances are nested below this file."""
    if file.f_op is not eventpoll_fops:
        return 0
    return 1 + max((_depth(item.file) for item in file.private_data.items.values()), default=0)


def _reaches(file: File, target: File) -> bool:
    """Whether `target` is watched by `file`, directly or through others."""
    if file is target:
        return True
    return file.f_op is eventpoll_fops and any(
        _reaches(item.file, target) for item in file.private_data.items.values()
    )


# -- system calls -----------------------------------------------------------------------------


def sys_epoll_create1(task: Task, flags: int) -> int:
    """epoll_create1(2). Linux: do_epoll_create."""
    if flags & ~EPOLL_CLOEXEC:
        return -EINVAL
    kernel = task.sched.kernel
    inode = Inode(kernel.rootfs.get_next_ino(), 0o600)
    file = alloc_file(inode, eventpoll_fops, O_RDWR)
    file.private_data = EventPoll(kernel)
    return receive_fd(files_of(task), file, flags)


def sys_epoll_ctl(task: Task, epfd: int, op: int, fd: int, uevent: int) -> int:
    """epoll_ctl(2). Linux: do_epoll_ctl.

    EFAULT, EBADF, EPERM: a file without poll; EINVAL: not an epoll file, itself, an unknown op;
    ELOOP; EEXIST; ENOENT.
    """
    events = data = 0
    if op != EPOLL_CTL_DEL:
        raw = user_mm(task).get_user(uevent, EPOLL_EVENT.size)
        if raw is None:
            return -EFAULT
        events, data = EPOLL_EVENT.unpack(raw)
    ep_file = fget(task, epfd)
    if ep_file is None:
        return -EBADF
    try:
        file = fget(task, fd)
        if file is None:
            return -EBADF
        try:
            return _epoll_ctl(ep_file, op, fd, file, events, data)
        finally:
            fput(file)
    finally:
        fput(ep_file)


def _epoll_ctl(ep_file: File, op: int, fd: int, file: File, events: int, data: int) -> int:
    if file.f_op.poll is None:
        return -EPERM
    if ep_file is file or ep_file.f_op is not eventpoll_fops:
        return -EINVAL
    if events & EPOLLEXCLUSIVE and op != EPOLL_CTL_DEL:
        nested = file.f_op is eventpoll_fops
        if op != EPOLL_CTL_ADD or nested or events & ~EPOLLEXCLUSIVE_OK_BITS:
            return -EINVAL
    ep: EventPoll = ep_file.private_data
    item = ep.find(fd, file)
    wanted = events | EPOLLERR | EPOLLHUP
    if op == EPOLL_CTL_ADD:
        if _reaches(file, ep_file) or _depth(file) > EP_MAX_NESTS:
            return -ELOOP
        if item is not None:
            return -EEXIST
        ep.insert(EpItem(ep, fd, file, wanted, data))
    elif op == EPOLL_CTL_DEL:
        if item is None:
            return -ENOENT
        item.unlink()
    elif op == EPOLL_CTL_MOD:
        if item is None:
            return -ENOENT
        if item.events & EPOLLEXCLUSIVE:
            return -EINVAL
        ep.modify(item, wanted, data)
    else:
        return -EINVAL
    return 0


def sys_epoll_wait(task: Task, epfd: int, uevents: int, maxevents: int, timeout_msecs: int) -> int:
    """epoll_wait(2): how many events were stored; a negative timeout waits for ever.

    Linux: do_epoll_wait, ep_poll.
    """
    if not 0 < maxevents <= EP_MAX_EVENTS:
        return -EINVAL
    if not access_ok(uevents, maxevents * EPOLL_EVENT.size):
        return -EFAULT
    file = fget(task, epfd)
    if file is None:
        return -EBADF
    try:
        if file.f_op is not eventpoll_fops:
            return -EINVAL
        timeout = None if timeout_msecs < 0 else timeout_msecs * NSEC_PER_MSEC
        events = ep_poll(task, file.private_data, maxevents, timeout)
    finally:
        fput(file)
    raw = b"".join(EPOLL_EVENT.pack(*event) for event in events)
    return len(events) if user_mm(task).put_user(uevents, raw) else -EFAULT


def ep_poll(task: Task, ep: EventPoll, limit: int, timeout: int | None) -> list[tuple[int, int]]:
    """Wait until an item has something to report. Linux: ep_poll."""
    clock = task.sched.kernel.clock
    expires = None if timeout is None else clock.now + timeout
    while True:
        events = ep.send_events(limit)
        if events or timeout == 0:
            return events
        timeout = None if expires is None else max(0, expires - clock.now)
        ep.wq.wait_event_timeout(lambda: bool(ep.rdllist), timeout, exclusive=True)
        if expires is not None and clock.now >= expires:
            timeout = 0
