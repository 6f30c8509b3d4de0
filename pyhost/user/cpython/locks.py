"""Locks of a program's threads, on the kernel's wait queues. CPython: Modules/_threadmodule.c
(lock, RLock); Linux: futex.
"""

from __future__ import annotations

import _thread
from typing import ClassVar

from pyhost.kernel.wait import WaitQueueHead
from pyhost.user.libc import Libc

__all__ = ["Lock", "RLock", "timeout_ns"]

_NSEC_PER_SEC = 1_000_000_000


def timeout_ns(blocking: bool, timeout: float) -> int | None:
    """The ns that `acquire(blocking, timeout)` may take, None for ever; CPython's errors. CPython:
    lock_acquire_parse_args.
    """
    # A real lock that is free checks the arguments, and complains in the words of this CPython.
    _thread.allocate_lock().acquire(blocking, timeout)
    if timeout == -1:
        return None if blocking else 0
    return -int(-timeout * _NSEC_PER_SEC // 1)


class Lock:
    """`_thread.lock`; each program has a subclass that knows its `libc`."""

    __slots__ = ("__weakref__", "_locked", "_waiters")

    libc: ClassVar[Libc]

    def __init__(self) -> None:
        self._locked = False
        self._waiters: WaitQueueHead | None = None

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, waiting at most `timeout` seconds for it; False when that was in vain."""
        if not self._locked and timeout == -1:
            self._locked = True
            return True
        limit = timeout_ns(blocking, timeout)
        if self._locked and not self._wait(limit):
            return False
        self._locked = True
        return True

    def _wait(self, limit: int | None) -> bool:
        libc = self.libc
        if limit == 0:
            # Whoever polls a lock lets time pass, or nobody could ever release it.
            libc.now()
            return not self._locked
        if self._waiters is None:
            self._waiters = WaitQueueHead(libc.kernel)
        wait = self._waiters.wait_event_timeout
        return bool(libc.sleeping(wait, self._is_free, limit, True))

    def _is_free(self) -> bool:
        return not self._locked

    def release(self) -> None:
        """Give the lock back, by whichever thread."""
        if not self._locked:
            raise RuntimeError("release unlocked lock")
        self._locked = False
        if self._waiters is not None:
            self._waiters.wake_up()

    def locked(self) -> bool:
        """Whether somebody holds the lock."""
        return self._locked

    def _at_fork_reinit(self) -> None:
        self.__init__()  # type: ignore[misc]

    acquire_lock = acquire
    release_lock = release
    locked_lock = locked

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def __repr__(self) -> str:
        state = "locked" if self._locked else "unlocked"
        return f"<{state} _thread.lock object at {id(self):#x}>"


class RLock:
    """`_thread.RLock`; each program has a subclass that knows its lock type."""

    __slots__ = ("__weakref__", "_block", "_count", "_owner")

    lock_type: ClassVar[type[Lock]]

    def __init__(self) -> None:
        self._block = self.lock_type()
        self._owner = 0
        self._count = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, once more when this thread holds it already."""
        me = self._block.libc.current.pid
        if self._owner == me:
            self._count += 1
            return True
        if not self._block.acquire(blocking, timeout):
            return False
        self._owner = me
        self._count = 1
        return True

    def release(self) -> None:
        """Undo one `acquire`."""
        if self._owner != self._block.libc.current.pid:
            raise RuntimeError("cannot release un-acquired lock")
        self._count -= 1
        if not self._count:
            self._owner = 0
            self._block.release()

    def locked(self) -> bool:
        """Whether somebody holds the lock."""
        return self._count > 0

    def _is_owned(self) -> bool:
        return self._owner == self._block.libc.current.pid

    def _recursion_count(self) -> int:
        return self._count if self._is_owned() else 0

    def _release_save(self) -> tuple[int, int]:
        if not self._count:
            raise RuntimeError("cannot release un-acquired lock")
        state = self._count, self._owner
        self._count = self._owner = 0
        self._block.release()
        return state

    def _acquire_restore(self, state: tuple[int, int]) -> None:
        self._block.acquire()
        self._count, self._owner = state

    def _at_fork_reinit(self) -> None:
        self.__init__()  # type: ignore[misc]

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def __repr__(self) -> str:
        state = "locked" if self._count else "unlocked"
        where = f"owner={self._owner} count={self._count} at {id(self):#x}"
        return f"<{state} _thread.RLock object {where}>"
