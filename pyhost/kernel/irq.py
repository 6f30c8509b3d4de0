"""Interrupts. Linux: kernel/irq/."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel

__all__ = ["HARDIRQ_OFFSET", "IrqController"]

HARDIRQ_OFFSET = 0x10000
"""What a hardirq adds to preempt_count (include/linux/preempt.h)."""


class IrqController:
    """Numbers, handlers and counters of interrupts, and those that wait for the CPU."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._actions: dict[int, tuple[str, Callable[[int], None]]] = {}
        self._next = 16
        self.pending: deque[int] = deque()
        self.counts: dict[int, int] = {}

    def alloc_irq(self) -> int:
        """A free interrupt number. Linux: irq_alloc_desc."""
        irq = self._next
        self._next += 1
        return irq

    def request_irq(self, irq: int, handler: Callable[[int], None], name: str) -> None:
        """Have `handler(irq)` run in hardirq context on each interrupt `irq`. Linux:
        request_irq.
        """
        self._actions[irq] = (name, handler)
        self.counts.setdefault(irq, 0)

    def free_irq(self, irq: int) -> None:
        """Forget the handler of `irq`. Linux: free_irq."""
        del self._actions[irq]

    def raise_irq(self, irq: int) -> None:
        """The line `irq` fires: called by devices, at any time."""
        self.pending.append(irq)
        self._kernel.sched.kick()

    def do_irq(self) -> None:
        """Run the handlers of all pending interrupts. Linux: common_interrupt."""
        sched = self._kernel.sched
        while self.pending:
            irq = self.pending.popleft()
            action = self._actions.get(irq)
            if action is None:
                self._kernel.printk(f"irq {irq}: nobody cared")
                continue
            self.counts[irq] += 1
            sched.preempt_count += HARDIRQ_OFFSET
            try:
                action[1](irq)
            finally:
                sched.preempt_count -= HARDIRQ_OFFSET
