"""System calls of a script, the blocking ones on a task of their own."""

from __future__ import annotations

from pyhost.packetdrill import ast
from pyhost.packetdrill.context import RunContext, Stopped
from pyhost.packetdrill.errors import ScriptFailure
from pyhost.packetdrill.invocation import Invocation
from pyhost.packetdrill.syscalls import SYSCALLS
from pyhost.packetdrill.timing import Due, check_time
from pyhost.packetdrill.usermem import Frame

__all__ = ["SyscallThread"]

IDLE_LIMIT_NS = 1_000_000_000
"""How long a system call waits for the blocking one before it."""


class SyscallThread:
    """Makes the script's system calls. At most one blocking call is under way: `busy`."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
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
        context = self._context
        limit = context.now + IDLE_LIMIT_NS
        while self.busy is not None and context.now < limit:
            context.sleep(limit)

    def _error(self, event: ast.Event, call: ast.Syscall, what: object) -> ScriptFailure:
        where = f"{self._context.path}:{event.line}"
        return ScriptFailure(f"{where}: runtime error in {call.name} call: {what}")

    def _invoke(self, event: ast.Event, call: ast.Syscall, due: Due) -> int:
        """Make the call at its time and compare; returns when it came back."""
        context = self._context
        try:
            context.wait_until(due, "system call start")
        except ScriptFailure as failure:
            raise ScriptFailure(f"{context.path}:{event.line}: {failure}") from None
        function = SYSCALLS.get(call.name)
        if function is None:
            raise self._error(event, call, f"Unknown system call: '{call.name}'")
        with Frame(context.machine.process.mm) as frame:
            invocation = Invocation(context.sockets, call, frame)
            try:
                function(invocation)
            except ScriptFailure as failure:
                raise self._error(event, call, failure) from None
        context.say(f"{call.name} syscall: {context.now / 1e9:9.6f}")
        return invocation.returned_at - context.sockets.start

    # -- blocking calls ----------------------------------------------------------------------------

    def _start(self, event: ast.Event, call: ast.Syscall, due: Due) -> None:
        """Begin the call on its own task and come back when that one sleeps."""
        context = self._context
        while context.now < due.start:
            context.sleep(due.start)
        self.busy = event
        context.machine.process.spawn(lambda: self._run(event, call, due), call.name)
        context.kernel.sched.cond_resched()

    def _run(self, event: ast.Event, call: ast.Syscall, due: Due) -> None:
        assert call.returns_at is not None
        context = self._context
        end = call.returns_at + due.offset
        try:
            returned = self._invoke(event, call, due)
            expected = Due(due.kind, end, end, due.offset)
            self._check_return(event, expected, returned, due.start)
        except ScriptFailure as failure:
            context.fail(str(failure))
        except Stopped:
            return
        self.busy = None
        context.wake()

    def _check_return(self, event: ast.Event, due: Due, returned: int, started: int) -> None:
        context = self._context
        try:
            check_time(context.settings, due, returned, started, "system call return")
        except ScriptFailure as failure:
            raise ScriptFailure(f"{context.path}:{event.line}: {failure}") from None
