"""Sleeping locks. Linux: kernel/locking/mutex.c.

One CPU that is not preempted needs no spinning; what remains of a spinlock is its context rule, and
`local_bh_disable` keeps that.
"""

from __future__ import annotations

from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING

from pyhost.kernel.bug import KernelBug
from pyhost.kernel.sched import Task

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel

__all__ = ["Mutex"]


class Mutex:
    """Linux: struct mutex. First come, first served."""

    __slots__ = ("_kernel", "_waiters", "owner")

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.owner: Task | None = None
        self._waiters: deque[Task] = deque()

    def lock(self) -> None:
        """Linux: mutex_lock."""
        sched = self._kernel.sched
        task = sched.current
        if task is None or sched.preempt_count:
            raise KernelBug("mutex_lock in atomic context")
        if self.owner is task:
            raise KernelBug(f"{task}: mutex taken twice")
        if self.owner is None:
            self.owner = task
            return
        self._waiters.append(task)
        try:
            while self.owner is not task:
                sched.schedule()
        except BaseException:
            if self.owner is task:
                self.unlock()
            else:
                self._waiters.remove(task)
            raise

    def unlock(self) -> None:
        """Linux: mutex_unlock; hands the lock to the first waiter."""
        if self.owner is None:
            raise KernelBug("mutex_unlock of a free mutex")
        self.owner = self._waiters.popleft() if self._waiters else None
        if self.owner is not None:
            self._kernel.sched.wake_up_process(self.owner)

    def __enter__(self) -> None:
        self.lock()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.unlock()
