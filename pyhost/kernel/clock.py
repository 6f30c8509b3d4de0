"""Time as it comes in from outside.

A `Clock` holds the one event queue of a simulation: all machines, wires and device models in it
share it. The virtual clock jumps from event to event; `tb` runs the same queue on the simulator's
time. Events that fall on the same nanosecond run in the order in which they were asked for, so a
run is the same on either.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Protocol

__all__ = [
    "NSEC_PER_MSEC",
    "NSEC_PER_SEC",
    "NSEC_PER_USEC",
    "Clock",
    "Event",
    "EventQueue",
    "VirtualClock",
]

NSEC_PER_USEC = 1_000
NSEC_PER_MSEC = 1_000_000
NSEC_PER_SEC = 1_000_000_000


class Event:
    """One callback at one time; `cancel()` takes it back."""

    __slots__ = ("fn", "queue", "seq", "when")

    def __init__(self, queue: EventQueue, when: int, seq: int, fn: Callable[[], None]) -> None:
        self.queue = queue
        self.when = when
        self.seq = seq
        self.fn: Callable[[], None] | None = fn

    def __lt__(self, other: Event) -> bool:
        return (self.when, self.seq) < (other.when, other.seq)

    def cancel(self) -> None:
        """Take the event back; without effect once it has run."""
        if self.fn is not None:
            self.fn = None
            self.queue.note_cancelled()


class Clock(Protocol):
    """What the machines see of time. `now` is in nanoseconds since the start of the simulation."""

    now: int

    def call_at(self, when: int, fn: Callable[[], None]) -> Event:
        """Run `fn` at `when` (ns); a time in the past means now."""

    def call_soon(self, fn: Callable[[], None]) -> Event:
        """Run `fn` at the present time, after all that was asked for before."""


class EventQueue:
    """The event heap behind every clock. Cancelled events stay in the heap until half of it is
    dead.
    """

    def __init__(self) -> None:
        self.now = 0
        self._heap: list[tuple[int, int, Event]] = []
        self._seq = 0
        self._dead = 0

    def call_at(self, when: int, fn: Callable[[], None]) -> Event:
        """Run `fn` at `when` (ns); a time in the past means now."""
        if when < self.now:
            when = self.now
        seq = self._seq
        self._seq = seq + 1
        event = Event(self, when, seq, fn)
        heappush(self._heap, (when, seq, event))
        return event

    def call_soon(self, fn: Callable[[], None]) -> Event:
        """Run `fn` at the present time, after all that was asked for before."""
        return self.call_at(self.now, fn)

    def next_ns(self) -> int | None:
        """The time of the earliest live event, None when there is none."""
        heap = self._heap
        while heap and heap[0][2].fn is None:
            heappop(heap)
            self._dead -= 1
        return heap[0][0] if heap else None

    def run_due(self, until: int) -> None:
        """Advance to `until`, running every event up to and including that time in order."""
        heap = self._heap
        while heap and heap[0][0] <= until:
            when, _, event = heappop(heap)
            fn = event.fn
            if fn is None:
                self._dead -= 1
                continue
            self.now = when
            event.fn = None
            fn()
        self.now = max(self.now, until)

    def note_cancelled(self) -> None:
        """Bookkeeping of `Event.cancel`: rebuild the heap when most of it is dead.

        In place: it may be an event that cancels, in the midst of `run_due`.
        """
        self._dead += 1
        if self._dead > 64 and self._dead * 2 > len(self._heap):
            self._heap[:] = [item for item in self._heap if item[2].fn is not None]
            heapify(self._heap)
            self._dead = 0


class VirtualClock(EventQueue):
    """A clock without a simulator: nothing happens between two events, so it jumps."""

    def run(self, until: int | None = None, stop: Callable[[], bool] | None = None) -> None:
        """Run events until the queue is empty, `until` (ns) is reached or `stop()` turns true.

        With `until` the clock ends there even when the queue is empty earlier.
        """
        while stop is None or not stop():
            when = self.next_ns()
            if when is None or (until is not None and when > until):
                break
            self._step(when)
        else:
            return
        if until is not None:
            self.now = max(self.now, until)

    def _step(self, when: int) -> None:
        _, _, event = heappop(self._heap)
        fn = event.fn
        event.fn = None
        self.now = when
        if fn is not None:
            fn()
