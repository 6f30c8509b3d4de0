"""System calls of a script, the blocking ones on a task of their own."""

from __future__ import annotations

from pyhost.packetdrill import ast
from pyhost.packetdrill.caller import Caller
from pyhost.packetdrill.errors import ScriptFailure
from pyhost.packetdrill.stage import Stage, Stopped
from pyhost.packetdrill.syscalls import SYSCALLS
from pyhost.packetdrill.timing import Due, check_time
from pyhost.packetdrill.usermem import Frame

__all__ = ["SyscallThread"]

IDLE_LIMIT_NS = 1_000_000_000
"""How long a system call waits for the blocking one before it."""


class SyscallThread:
    """Makes the script's system calls. At most one blocking call is under way: `busy`."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.busy: ast.Event | None = None

    def event(self, event: ast.Event, call: ast.Syscall, due: Due) -> None:
        """Wait for the one before, then for the time of this one, and make it."""
        self.await_idle()
        if call.returns_at is None:
            self._invoke(event, call, due)
            return
        if self.busy is not None:
            raise self._error(
                event,
                call,
                "blocking system call while another blocking system call is already in progress",
            )
        self._start(event, call, due)

    def await_idle(self) -> None:
        """Let the blocking call come back, for at most a second."""
        stage = self._stage
        limit = stage.now + IDLE_LIMIT_NS
        while self.busy is not None and stage.now < limit:
            stage.sleep(limit)

    def _error(self, event: ast.Event, call: ast.Syscall, what: object) -> ScriptFailure:
        where = f"{self._stage.path}:{event.line}"
        return ScriptFailure(f"{where}: runtime error in {call.name} call: {what}")

    def _invoke(self, event: ast.Event, call: ast.Syscall, due: Due) -> int:
        """Make the call at its time and compare; returns when it came back."""
        stage = self._stage
        try:
            stage.wait_until(due, "system call start")
        except ScriptFailure as failure:
            raise ScriptFailure(f"{stage.path}:{event.line}: {failure}") from None
        function = SYSCALLS.get(call.name)
        if function is None:
            raise self._error(event, call, f"Unknown system call: '{call.name}'")
        with Frame(stage.machine.process.mm) as frame:
            caller = Caller(stage.sockets, call, frame)
            try:
                function(caller)
            except ScriptFailure as failure:
                raise self._error(event, call, failure) from None
        stage.say(f"{call.name} syscall: {stage.now / 1e9:9.6f}")
        return caller.returned_at - stage.sockets.start

    # -- blocking calls ----------------------------------------------------------------------------

    def _start(self, event: ast.Event, call: ast.Syscall, due: Due) -> None:
        """Begin the call on its own task and come back when that one sleeps."""
        stage = self._stage
        while stage.now < due.start:
            stage.sleep(due.start)
        self.busy = event
        stage.machine.process.spawn(lambda: self._run(event, call, due), call.name)
        stage.kernel.sched.cond_resched()

    def _run(self, event: ast.Event, call: ast.Syscall, due: Due) -> None:
        assert call.returns_at is not None
        stage = self._stage
        end = call.returns_at + due.offset
        try:
            returned = self._invoke(event, call, due)
            expected = Due(due.kind, end, end, due.offset)
            self._check_return(event, expected, returned, due.start)
        except ScriptFailure as failure:
            stage.fail(str(failure))
        except Stopped:
            return
        self.busy = None
        stage.wake()

    def _check_return(self, event: ast.Event, due: Due, returned: int, started: int) -> None:
        stage = self._stage
        try:
            check_time(stage.settings, due, returned, started, "system call return")
        except ScriptFailure as failure:
            raise ScriptFailure(f"{stage.path}:{event.line}: {failure}") from None
