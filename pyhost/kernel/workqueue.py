"""Work that may sleep, asked for by code that may not. Linux: kernel/workqueue.c.

There is one queue, served by a kernel thread that lives while there is work: an idle machine has
no sleeping task. Work runs one after the other in the order it was queued.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.kernel.bug import KernelBug
from pyhost.kernel.wait import WaitQueueHead

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel
    from pyhost.kernel.sched import Task

__all__ = ["WorkStruct", "Workqueue", "cancel_work_sync", "flush_work", "schedule_work"]


class WorkStruct:
    """A function that may sleep, run in a kernel thread. Linux: struct work_struct."""

    __slots__ = ("fn", "pending", "wq")

    def __init__(self, kernel: Kernel, fn: Callable[[], None]) -> None:
        self.wq = kernel.system_wq
        self.fn = fn
        self.pending = False


class Workqueue:
    """Linux: struct workqueue_struct, the one called system_wq."""

    __slots__ = ("_kernel", "_queue", "_thread", "_waiters", "running")

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._queue: deque[WorkStruct] = deque()
        self._waiters = WaitQueueHead(kernel)
        self._thread: Task | None = None
        self.running: WorkStruct | None = None

    def queue_work(self, work: WorkStruct) -> bool:
        """Have the work done; False when it waits already. Any context. Linux: queue_work."""
        if work.pending:
            return False
        work.pending = True
        self._queue.append(work)
        if self._thread is None:
            self._thread = self._kernel.sched.spawn(self._worker_thread, "kworker/0:0")
        return True

    def _worker_thread(self) -> None:
        """Linux: worker_thread, process_one_work."""
        while self._queue:
            work = self._queue.popleft()
            work.pending = False
            self.running = work
            try:
                work.fn()
            finally:
                self.running = None
                self._waiters.wake_up()
        self._thread = None

    def cancel(self, work: WorkStruct) -> None:
        """Take work back that has not begun."""
        if work.pending:
            work.pending = False
            self._queue.remove(work)

    def wait_for(self, work: WorkStruct, pending: bool) -> None:
        """Sleep until the work does not run, nor waits if `pending`."""
        if self.running is work and self._kernel.sched.current is self._thread:
            raise KernelBug("a work item waits for its own end")
        self._waiters.wait_event(
            lambda: self.running is not work and not (pending and work.pending)
        )


def schedule_work(work: WorkStruct) -> bool:
    """Have `work` done in process context; False when it waits already. Linux: schedule_work."""
    return work.wq.queue_work(work)


def cancel_work_sync(work: WorkStruct) -> None:
    """Take `work` back; if it has begun, wait for its end. May sleep. Linux: cancel_work_sync."""
    work.wq.cancel(work)
    work.wq.wait_for(work, False)


def flush_work(work: WorkStruct) -> None:
    """Wait until `work` is done. May sleep. Linux: flush_work."""
    work.wq.wait_for(work, True)
