"""What the parts of a running script share: the machine, the clock, and waiting."""

from __future__ import annotations

from typing import IO

from pyhost.kernel.sched import Task
from pyhost.packetdrill.machine import Machine
from pyhost.packetdrill.settings import Settings
from pyhost.packetdrill.sockets import Sockets
from pyhost.packetdrill.timing import Due, check_time

__all__ = ["RunContext", "Stopped"]


class Stopped(Exception):
    """The script has failed in another task, so this one ends too."""


class RunContext:
    """One run of one script. `previous` is the time of the event before the present one, None at
    the first; `failure` is why the script has failed.
    """

    def __init__(self, path: str, settings: Settings, machine: Machine, output: IO[str]) -> None:
        self.path = path
        self.settings = settings
        self.machine = machine
        self.kernel = machine.kernel
        self.sockets = Sockets(self.kernel, settings)
        self.output = output
        self.previous: Due | None = None
        self.failure: str | None = None
        self._sleeper: Task | None = None

    @property
    def now(self) -> int:
        """Nanoseconds since the start of the script."""
        return self.kernel.clock.now - self.sockets.start

    def fail(self, text: str) -> None:
        """The script has failed; only the first reason counts."""
        if self.failure is None:
            self.failure = text
        self.wake()

    def sleep(self, until: int | None) -> None:
        """Sleep until a time, or until `wake`; None: until `wake` alone. Raises Stopped when the
        script has failed meanwhile.
        """
        sched = self.kernel.sched
        self._sleeper = sched.current
        try:
            sched.schedule_timeout(None if until is None else max(until - self.now, 0))
        finally:
            self._sleeper = None
        if self.failure is not None:
            raise Stopped

    def wake(self) -> None:
        """Wake the script's task out of `sleep`; without effect when it does not sleep there."""
        if self._sleeper is not None:
            self.kernel.sched.wake_up_process(self._sleeper)

    def wait_until(self, due: Due, what: str) -> None:
        """Sleep until an event is due and check that it is not too late for it."""
        while self.now < due.start:
            self.sleep(due.start)
        if self.previous is not None:
            self.check_time(due, self.now, what)

    def check_time(self, due: Due, actual: int, what: str) -> None:
        """Raise ScriptFailure unless `actual` is the time of the present event."""
        last = None if self.previous is None else self.previous.start
        check_time(self.settings, due, actual, last, what)

    def say(self, text: str) -> None:
        """Print a line when the run is to be verbose."""
        if self.settings.verbose:
            self.output.write(text + "\n")
