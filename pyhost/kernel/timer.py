"""Timers that expire in softirq context. Linux: kernel/time/timer.c.

Times are nanoseconds, not jiffies: a timer here is as exact as Linux's hrtimer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.kernel.clock import Event
from pyhost.kernel.softirq import TIMER_SOFTIRQ

if TYPE_CHECKING:
    from pyhost.kernel.kernel import Kernel

__all__ = ["Timer", "TimerBase"]


class TimerBase:
    """The timers of one CPU that have expired and wait for TIMER_SOFTIRQ."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.active = 0
        self._expired: list[Timer] = []
        kernel.softirq.open_softirq(TIMER_SOFTIRQ, self._run_timer_softirq)

    def expire(self, timer: Timer) -> None:
        """A timer's time has come."""
        self._expired.append(timer)
        self.kernel.softirq.raise_softirq(TIMER_SOFTIRQ)

    def _run_timer_softirq(self) -> None:
        expired, self._expired = self._expired, []
        for timer in expired:
            timer.run()


class Timer:
    """One timer. Linux: struct timer_list.

    It may be set later cheaply: a timer that is moved away from the present keeps its old event,
    which then re-arms itself, as TCP moves its retransmission timer with every ACK.
    """

    __slots__ = ("_base", "_event", "_queued", "expires", "fn")

    def __init__(self, kernel: Kernel, fn: Callable[[], None]) -> None:
        self._base = kernel.timers
        self.fn = fn
        self.expires: int | None = None
        self._event: Event | None = None
        self._queued = False

    @property
    def pending(self) -> bool:
        """Whether the timer will run. Linux: timer_pending."""
        return self.expires is not None

    def mod(self, expires: int) -> None:
        """Have the timer run at `expires` (ns). Linux: mod_timer."""
        base = self._base
        if self.expires is None:
            base.active += 1
        self.expires = expires
        event = self._event
        if event is not None:
            if event.when <= expires:
                return
            event.cancel()
        self._event = base.kernel.clock.call_at(expires, self._fire)

    def delete(self) -> bool:
        """Take the timer back; whether it was pending. Linux: timer_delete."""
        if self.expires is None:
            return False
        self.expires = None
        self._base.active -= 1
        if self._event is not None:
            self._event.cancel()
            self._event = None
        return True

    def _fire(self) -> None:
        self._event = None
        expires = self.expires
        if expires is None:
            return
        clock = self._base.kernel.clock
        if expires > clock.now:
            self._event = clock.call_at(expires, self._fire)
        elif not self._queued:
            self._queued = True
            self._base.expire(self)

    def run(self) -> None:
        """Run the function, unless the timer was deleted or moved while it waited for the
        softirq.
        """
        self._queued = False
        expires = self.expires
        if expires is None or expires > self._base.kernel.clock.now:
            return
        if self._event is not None:
            self._event.cancel()
            self._event = None
        self.expires = None
        self._base.active -= 1
        self.fn()
