"""One script on one machine.

The script runs in a task of its own on the machine under test, as the original does: it sleeps
until an event's time, makes the system call, injects the packet, or waits for the packet that has
to come.
"""

from __future__ import annotations

from typing import IO

from pyhost.packetdrill import ast
from pyhost.packetdrill.code import CodeBlocks
from pyhost.packetdrill.commands import run_script_command
from pyhost.packetdrill.context import RunContext, Stopped
from pyhost.packetdrill.errors import ScriptFailure
from pyhost.packetdrill.machine import Machine
from pyhost.packetdrill.packet_events import PacketEvents
from pyhost.packetdrill.settings import Settings
from pyhost.packetdrill.syscall_thread import SyscallThread
from pyhost.packetdrill.timing import Due, make_due

__all__ = ["ScriptRun"]

SETTLE_NS = 100_000
"""How long the machine runs on after the last packet."""


class ScriptRun:
    """A script under way; over when `finished`. `failure` is None when it has passed, else the text
    that tells why not.
    """

    def __init__(
        self, script: ast.Script, settings: Settings, machine: Machine, output: IO[str]
    ) -> None:
        self.finished = False
        self._script = script
        self._context = RunContext(script.path, settings, machine, output)
        self._packets = PacketEvents(self._context)
        self._thread = SyscallThread(self._context)
        self._code = CodeBlocks(script.path, self._context.sockets)

    @property
    def failure(self) -> str | None:
        """Why the script has failed."""
        return self._context.failure

    def start(self) -> None:
        """Make the script's task; the rest happens as the clock runs."""
        self._context.machine.process.spawn(self._run, "packetdrill")

    def _run(self) -> None:
        try:
            self._prepare()
            self._play()
        except ScriptFailure as failure:
            self._context.fail(str(failure))
        except Stopped:
            pass
        self._clean_up()
        self.finished = True

    def _prepare(self) -> None:
        """The machine is brought up, the init command carried out; then time begins."""
        context, script = self._context, self._script
        context.machine.bring_up(context.settings)
        if script.init is not None:
            try:
                run_script_command(context.kernel, script.init)
            except ScriptFailure as failure:
                text = f"{script.path}: error executing init command: {failure}"
                raise ScriptFailure(text) from None
        context.sockets.start = context.kernel.clock.now
        context.machine.wire.receive = self._packets.arrived

    def _play(self) -> None:
        context, path = self._context, self._script.path
        before: ast.Event | None = None
        for event in self._script.events:
            anchored = before is not None and _is_inbound(event) and _is_inbound(before)
            due = make_due(event.time, context.now, context.previous, anchored=anchored)
            self._event(event, due)
            context.previous = due
            before = event
        self._code.execute(context.output)
        self._thread.await_idle()
        if self._thread.busy is not None:
            raise ScriptFailure(
                f"{path}:{self._thread.busy.line}: runtime error: exiting while "
                "a blocking system call is in progress"
            )

    def _event(self, event: ast.Event, due: Due) -> None:
        action = event.action
        if isinstance(action, ast.Syscall):
            self._thread.event(event, action, due)
            return
        what = ""
        try:
            if isinstance(action, ast.Command):
                self._context.wait_until(due, "command")
                what = "error executing command: "
                run_script_command(self._context.kernel, action.text)
            elif isinstance(action, ast.Code):
                self._context.wait_until(due, "data collection for code")
                what = "runtime error in code: "
                self._code.collect(event.line, action.text)
            else:
                what = "error handling packet: "
                self._packets.packet_event(action, due)
        except ScriptFailure as failure:
            raise ScriptFailure(f"{self._script.path}:{event.line}: {what}{failure}") from None

    def _clean_up(self) -> None:
        """Close all descriptors; reset what is still connected, unless that is not wanted."""
        context = self._context
        context.machine.process.exit(0)
        if context.settings.send_omit_free or context.machine.netdev is None:
            return
        for flow in context.sockets.flows:
            segment = flow.reset_segment()
            if segment is not None:
                self._packets.send(segment)
        context.kernel.sched.schedule_timeout(SETTLE_NS)


def _is_inbound(event: ast.Event) -> bool:
    return isinstance(event.action, ast.Packet) and event.action.inbound
