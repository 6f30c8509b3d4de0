"""The host's event queue on the simulator's time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from heapq import heappop, heappush

import cocotb
from cocotb.simtime import get_sim_time
from cocotb.triggers import Timer

from pyhost.kernel.clock import Event, EventQueue

__all__ = ["SimClock", "sim_time_ps"]

PS_PER_NS = 1000
"""The bench simulates in picoseconds."""


def sim_time_ps() -> int:
    """The simulator's time in picoseconds."""
    return int(get_sim_time("step"))


class SimClock(EventQueue):
    """A `Clock` that the simulator drives.

    An alarm is always set for the next event of the queue. Code that a signal has woken enters the
    host's time with `with clock.running():`, which first brings `now` up to date and at the end
    runs what has become due.

    `after` is called at the end of each such stretch; `on_failure` gets what the host's code
    raised, which must not end up in the simulator's scheduler.
    """

    def __init__(
        self, after: Callable[[], None], on_failure: Callable[[BaseException], None]
    ) -> None:
        super().__init__()
        self._after = after
        self._on_failure = on_failure
        self._running = False
        self._alarms: list[int] = []

    def call_at(self, when: int, fn: Callable[[], None]) -> Event:
        """Run `fn` at `when` (ns of simulated time)."""
        event = super().call_at(when, fn)
        if not self._running:
            self._set_alarm()
        return event

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run host code at the present simulated time, from a callback of the simulator."""
        self.now = max(self.now, sim_time_ps() // PS_PER_NS)
        self._running = True
        try:
            yield
            self.run_due(self.now)
        except (Exception, KeyboardInterrupt) as error:
            self._on_failure(error)
        finally:
            self._running = False
            self._set_alarm()
            self._after()

    def _set_alarm(self) -> None:
        """Have an alarm for the next event, unless one goes off before it anyway."""
        when = self.next_ns()
        if when is not None and (not self._alarms or when < self._alarms[0]):
            heappush(self._alarms, when)
            cocotb.start_soon(self._alarm(when))

    async def _alarm(self, when: int) -> None:
        wait = when * PS_PER_NS - sim_time_ps()
        if wait > 0:
            await Timer(wait, "step")
        heappop(self._alarms)
        with self.running():
            pass
