"""Wait queues: how a task sleeps until something is true. Linux: kernel/sched/wait.c."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.kernel.sched import Task

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel

__all__ = ["WaitQueueEntry", "WaitQueueHead"]


class WaitQueueEntry:
    """One who waits: `func(key)` runs at each wake-up and says whether it counts. Linux: struct
    wait_queue_entry.
    """

    __slots__ = ("exclusive", "func")

    def __init__(self, func: Callable[[int], bool], exclusive: bool = False) -> None:
        self.func = func
        self.exclusive = exclusive


class WaitQueueHead:
    """Linux: struct wait_queue_head. `key` is a poll mask (EPOLLIN …), 0 for any event."""

    __slots__ = ("_entries", "kernel")

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._entries: list[WaitQueueEntry] = []

    @property
    def active(self) -> bool:
        """Whether anybody waits. Linux: waitqueue_active."""
        return bool(self._entries)

    def add(self, entry: WaitQueueEntry) -> None:
        """Linux: add_wait_queue; exclusive entries go to the end."""
        if entry.exclusive:
            self._entries.append(entry)
        else:
            self._entries.insert(0, entry)

    def remove(self, entry: WaitQueueEntry) -> None:
        """Linux: remove_wait_queue; harmless when the entry is not there."""
        if entry in self._entries:
            self._entries.remove(entry)

    def wake_up(self, nr_exclusive: int = 1, key: int = 0) -> None:
        """Wake all plain waiters and `nr_exclusive` exclusive ones (0: all). Linux: __wake_up."""
        if not self._entries:
            return
        for entry in tuple(self._entries):
            if entry.func(key) and entry.exclusive:
                nr_exclusive -= 1
                if nr_exclusive == 0:
                    break

    def wake_up_all(self, key: int = 0) -> None:
        """Linux: wake_up_all."""
        self.wake_up(0, key)

    def wait_event(self, condition: Callable[[], bool], exclusive: bool = False) -> None:
        """Sleep until `condition()`; it is looked at after each wake-up. Linux: wait_event."""
        self.wait_event_timeout(condition, None, exclusive)

    def wait_event_timeout(
        self, condition: Callable[[], bool], timeout: int | None, exclusive: bool = False
    ) -> int:
        """Sleep until `condition()` or for `timeout` ns (None: for ever).

        Returns the ns left, at least 1, when the condition came true; 0 when the time ran out.
        Linux: wait_event_timeout.
        """
        if condition():
            return max(1, timeout or 0)
        sched = self.kernel.sched
        task = sched.current
        entry = WaitQueueEntry(_waker(task), exclusive)
        self.add(entry)
        try:
            left = timeout
            while True:
                left_now = sched.schedule_timeout(left)
                if condition():
                    return max(1, left_now)
                if left is not None:
                    left = left_now
                    if left == 0:
                        return 0
        finally:
            self.remove(entry)


def _waker(task: Task | None) -> Callable[[int], bool]:
    def wake(_key: int) -> bool:
        return task is not None and task.sched.wake_up_process(task)

    return wake
