"""Softirqs: work that follows an interrupt and must not sleep. Linux: kernel/softirq.c."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.kernel.bug import KernelBug
from pyhost.kernel.irq import HARDIRQ_OFFSET

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel

__all__ = [
    "NET_RX_SOFTIRQ",
    "NET_TX_SOFTIRQ",
    "SOFTIRQ_OFFSET",
    "TASKLET_SOFTIRQ",
    "TIMER_SOFTIRQ",
    "Softirq",
    "Tasklet",
]

TIMER_SOFTIRQ = 1
NET_TX_SOFTIRQ = 2
NET_RX_SOFTIRQ = 3
TASKLET_SOFTIRQ = 6

SOFTIRQ_OFFSET = 0x100
"""What softirq context, or BH disabled, adds to preempt_count (include/linux/preempt.h)."""


class Tasklet:
    """A function that runs once in softirq context after it was scheduled. Linux: struct
    tasklet_struct.
    """

    __slots__ = ("_softirq", "fn", "scheduled")

    def __init__(self, softirq: Softirq, fn: Callable[[], None]) -> None:
        self._softirq = softirq
        self.fn = fn
        self.scheduled = False

    def schedule(self) -> None:
        """Linux: tasklet_schedule."""
        if not self.scheduled:
            self.scheduled = True
            self._softirq.tasklets.append(self)
            self._softirq.raise_softirq(TASKLET_SOFTIRQ)


class Softirq:
    """Pending bits and handlers of one CPU. `pending` is a bit mask."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._handlers: dict[int, Callable[[], None]] = {}
        self.pending = 0
        self.tasklets: deque[Tasklet] = deque()
        self.open_softirq(TASKLET_SOFTIRQ, self._run_tasklets)

    def open_softirq(self, nr: int, handler: Callable[[], None]) -> None:
        """Linux: open_softirq."""
        self._handlers[nr] = handler

    def raise_softirq(self, nr: int) -> None:
        """Have softirq `nr` run soon: at irq exit, `local_bh_enable`, or when the CPU next looks.
        Linux: raise_softirq.
        """
        self.pending |= 1 << nr
        self._kernel.sched.kick()

    def do_softirq(self) -> None:
        """Run all pending softirqs, lowest number first. Linux: __do_softirq."""
        sched = self._kernel.sched
        while self.pending:
            pending, self.pending = self.pending, 0
            sched.preempt_count += SOFTIRQ_OFFSET
            try:
                while pending:
                    nr = (pending & -pending).bit_length() - 1
                    pending &= pending - 1
                    self._handlers[nr]()
            finally:
                sched.preempt_count -= SOFTIRQ_OFFSET

    def local_bh_disable(self) -> None:
        """Keep softirqs away until `local_bh_enable`. Linux: local_bh_disable."""
        self._kernel.sched.preempt_count += SOFTIRQ_OFFSET

    def local_bh_enable(self) -> None:
        """Allow softirqs again, and run those that came meanwhile. Linux: local_bh_enable."""
        sched = self._kernel.sched
        sched.preempt_count -= SOFTIRQ_OFFSET
        if sched.preempt_count == 0:
            if self._kernel.irq.pending:
                self._kernel.irq.do_irq()
            if self.pending:
                self.do_softirq()
        elif sched.preempt_count < 0:
            raise KernelBug("local_bh_enable without local_bh_disable")

    def in_softirq(self) -> bool:
        """Whether softirqs are being served or BH is disabled. Linux: in_softirq."""
        return bool(self._kernel.sched.preempt_count & (HARDIRQ_OFFSET - SOFTIRQ_OFFSET))

    def _run_tasklets(self) -> None:
        for _ in range(len(self.tasklets)):
            tasklet = self.tasklets.popleft()
            tasklet.scheduled = False
            tasklet.fn()
