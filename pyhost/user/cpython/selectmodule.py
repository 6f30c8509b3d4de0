"""`select`: waiting for emulated descriptors. CPython: Modules/selectmodule.c.

Descriptors of the real system (regular files, standard streams) count as ready at once in whatever
they are asked for: nothing that happens on the emulated host could make them ready, and to wait for
them would stop the simulation.
"""

from __future__ import annotations

import errno
import os
import select
import stat
from collections.abc import Iterable
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

from pyhost.user.abi import EPOLL_EVENT, FD_BASE, POLLFD
from pyhost.user.libc import Libc, os_error
from pyhost.user.stdio import Stdio

if TYPE_CHECKING:
    from pyhost.user.loader import Interpreter

__all__ = ["Epoll", "Poll", "make_module", "poll_fds", "timeout_ms"]

_READ = select.POLLIN | select.POLLRDNORM | select.POLLRDBAND | select.POLLHUP | select.POLLERR
_WRITE = select.POLLOUT | select.POLLWRNORM | select.POLLWRBAND | select.POLLERR
_EXCEPT = select.POLLPRI
_EPOLL_CTL_ADD, _EPOLL_CTL_DEL, _EPOLL_CTL_MOD = 1, 2, 3
_FD_SETSIZE = 1024
_INT_MAX = 0x7FFF_FFFF
_NO_POLL = (stat.S_IFREG, stat.S_IFDIR)
"""What epoll refuses to watch, because it is always ready."""


def make_module(interpreter: Interpreter) -> ModuleType:
    """The program's `select`."""
    module = ModuleType("select", select.__doc__)
    module.__dict__.update({k: v for k, v in vars(select).items() if k.isupper()})
    libc, stdio = interpreter.libc, interpreter.stdio
    names = {"__module__": "select", "libc": libc, "stdio": stdio}

    def emulated_select(
        rlist: Iterable[Any],
        wlist: Iterable[Any],
        xlist: Iterable[Any],
        timeout: float | None = None,
        /,
    ) -> tuple[list[Any], list[Any], list[Any]]:
        return _select(libc, stdio, (list(rlist), list(wlist), list(xlist)), timeout)

    emulated_select.__name__ = emulated_select.__qualname__ = "select"
    module.__dict__.update(
        error=OSError,
        select=emulated_select,
        poll=type("poll", (Poll,), dict(names)),
        epoll=type("epoll", (Epoll,), dict(names)),
    )
    return module


def timeout_ms(seconds: float | None, unit: int = 1000) -> int:
    """The timeout of poll(2) in ms, rounded up; -1 for ever. `unit`: ms in one of what the program
    counts in.
    """
    if seconds is None:
        return -1
    if not isinstance(seconds, (int, float)):
        raise TypeError("timeout must be a real number or None")
    return min(-int(-seconds * unit // 1), _INT_MAX)


def poll_fds(libc: Libc, wanted: list[tuple[int, int]], ms: int) -> list[tuple[int, int]]:
    """poll(2) on emulated descriptors: (fd, events) → (fd, revents) of those with events."""
    size = POLLFD.size * len(wanted)
    area = bytearray(size)
    for index, (fd, events) in enumerate(wanted):
        POLLFD.pack_into(area, POLLFD.size * index, fd, events, 0)
    addr = libc.alloc(size)
    try:
        libc.mm.write(addr, area)
        if not libc.call("poll", addr, len(wanted), ms):
            return []
        answer = libc.mm.read(addr, size)
    finally:
        libc.free(addr, size)
    return [(fd, revents) for fd, _, revents in POLLFD.iter_unpack(answer) if revents]


def _fileno(file: Any) -> int:
    if isinstance(file, int):
        fd = file
    else:
        fileno = getattr(file, "fileno", None)
        if fileno is None:
            raise TypeError("argument must be an int, or have a fileno() method.")
        fd = fileno()
        if not isinstance(fd, int):
            raise TypeError("fileno() returned a non-integer")
    if fd < 0:
        raise ValueError(f"file descriptor cannot be a negative integer ({fd})")
    return fd


def _select(
    libc: Libc, stdio: Stdio, lists: tuple[list[Any], list[Any], list[Any]], timeout: float | None
) -> tuple[list[Any], list[Any], list[Any]]:
    if timeout is not None and timeout < 0:
        raise ValueError("timeout must be non-negative")
    masks = (_READ, _WRITE, _EXCEPT)
    ready: dict[int, int] = {}
    wanted: dict[int, int] = {}
    fds = [[stdio.resolve(_fileno(file)) for file in files] for files in lists]
    for numbers, mask in zip(fds, masks, strict=True):
        for fd in numbers:
            if fd < 0:
                raise os_error(errno.EBADF)
            into = wanted if fd >= FD_BASE else ready
            into[fd] = into.get(fd, 0) | mask & ~_EXCEPT if fd < FD_BASE else into.get(fd, 0) | mask
    if wanted:
        answer = poll_fds(libc, list(wanted.items()), 0 if ready else timeout_ms(timeout))
        if any(revents & select.POLLNVAL for _, revents in answer):
            raise os_error(errno.EBADF)
        ready.update(answer)
    elif not ready:
        libc.nanosleep(_INT_MAX * 10**9 if timeout is None else int(timeout * 10**9))
    found = [
        [file for file, fd in zip(files, numbers, strict=True) if ready.get(fd, 0) & mask]
        for files, numbers, mask in zip(lists, fds, masks, strict=True)
    ]
    return found[0], found[1], found[2]


class Poll:
    """`select.poll()`."""

    libc: ClassVar[Libc]
    stdio: ClassVar[Stdio]

    def __init__(self) -> None:
        self._events: dict[int, int] = {}

    def register(
        self, fd: Any, eventmask: int = select.POLLIN | select.POLLPRI | select.POLLOUT, /
    ) -> None:
        """Watch a descriptor, or change what is watched."""
        self._events[_fileno(fd)] = eventmask

    def modify(self, fd: Any, eventmask: int, /) -> None:
        """Change what is watched; OSError(ENOENT) when it was not."""
        number = _fileno(fd)
        if number not in self._events:
            raise os_error(errno.ENOENT)
        self._events[number] = eventmask

    def unregister(self, fd: Any, /) -> None:
        """Watch no longer; KeyError when it was not."""
        del self._events[_fileno(fd)]

    def poll(self, timeout: float | None = None, /) -> list[tuple[int, int]]:
        """Wait at most `timeout` ms (None or negative: for ever)."""
        behind = {self.stdio.resolve(fd): fd for fd in self._events}
        ready = [
            (fd, select.POLLNVAL if number < 0 else events)
            for number, fd in behind.items()
            if number < FD_BASE and (events := self._events[fd] & (select.POLLIN | select.POLLOUT))
        ]
        ms = -1 if timeout is None or timeout < 0 else timeout_ms(timeout, 1)
        wanted = [(number, self._events[fd]) for number, fd in behind.items() if number >= FD_BASE]
        if wanted or not ready:
            answer = poll_fds(self.libc, wanted, 0 if ready else ms)
            ready += [(behind[number], revents) for number, revents in answer]
        return ready


class Epoll:
    """`select.epoll`."""

    libc: ClassVar[Libc]
    stdio: ClassVar[Stdio]

    def __init__(self, sizehint: int = -1, flags: int = 0) -> None:
        if sizehint != -1 and sizehint <= 0:
            raise ValueError("negative sizehint")
        if flags & ~select.EPOLL_CLOEXEC:
            raise os_error(errno.EINVAL)
        self._real: dict[int, tuple[int, int]] = {}
        self._fd = self.libc.call("epoll_create1", select.EPOLL_CLOEXEC)

    @classmethod
    def fromfd(cls, fd: int, /) -> Epoll:
        """An epoll object around a descriptor."""
        self = cls.__new__(cls)
        self._real = {}
        self._fd = fd
        return self

    def fileno(self) -> int:
        """The descriptor of the epoll instance."""
        if self._fd < 0:
            raise ValueError("I/O operation on closed epoll object")
        return self._fd

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return self._fd < 0

    def close(self) -> None:
        """Close the descriptor; harmless when that was done."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            self.libc.call("close", fd)

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) >= 0:
            self.libc.close_later(self._fd)

    def __enter__(self) -> Epoll:
        self.fileno()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def register(
        self, fd: Any, eventmask: int = select.EPOLLIN | select.EPOLLPRI | select.EPOLLOUT
    ) -> None:
        """Watch a descriptor."""
        self._control(_EPOLL_CTL_ADD, _fileno(fd), eventmask)

    def modify(self, fd: Any, eventmask: int) -> None:
        """Change what is watched."""
        self._control(_EPOLL_CTL_MOD, _fileno(fd), eventmask)

    def unregister(self, fd: Any) -> None:
        """Watch no longer."""
        self._control(_EPOLL_CTL_DEL, _fileno(fd), 0)

    def _control(self, operation: int, fd: int, events: int) -> None:
        epfd = self.fileno()
        behind = self.stdio.resolve(fd)
        if behind < FD_BASE:
            self._control_real(operation, fd, behind, events)
            return
        addr = self.libc.alloc(EPOLL_EVENT.size)
        try:
            self.libc.mm.write(addr, EPOLL_EVENT.pack(events, fd))
            self.libc.call("epoll_ctl", epfd, operation, behind, addr)
        finally:
            self.libc.free(addr, EPOLL_EVENT.size)

    def _control_real(self, operation: int, fd: int, behind: int, events: int) -> None:
        if behind < 0:
            raise os_error(errno.EBADF)
        if operation == _EPOLL_CTL_ADD and stat.S_IFMT(os.fstat(behind).st_mode) in _NO_POLL:
            raise os_error(errno.EPERM)
        if (fd in self._real) == (operation == _EPOLL_CTL_ADD):
            raise os_error(errno.EEXIST if operation == _EPOLL_CTL_ADD else errno.ENOENT)
        if operation == _EPOLL_CTL_DEL:
            del self._real[fd]
        else:
            self._real[fd] = fd, events & (select.EPOLLIN | select.EPOLLOUT)

    def poll(self, timeout: float | None = None, maxevents: int = -1) -> list[tuple[int, int]]:
        """Wait at most `timeout` seconds (None or negative: for ever) for at most `maxevents`
        events.
        """
        epfd = self.fileno()
        if maxevents == -1:
            maxevents = _FD_SETSIZE - 1
        elif maxevents < 1:
            raise ValueError(f"maxevents must be greater than 0, got {maxevents}")
        ready = [(fd, events) for fd, events in self._real.values() if events]
        ms = -1 if timeout is None or timeout < 0 else timeout_ms(timeout)
        size = EPOLL_EVENT.size * maxevents
        addr = self.libc.alloc(size)
        try:
            count = self.libc.call("epoll_wait", epfd, addr, maxevents, 0 if ready else ms)
            answer = self.libc.mm.read(addr, EPOLL_EVENT.size * count) if count else b""
        finally:
            self.libc.free(addr, size)
        ready += [(fd, events) for events, fd in EPOLL_EVENT.iter_unpack(answer)]
        return ready[:maxevents]
