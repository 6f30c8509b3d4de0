"""poll and epoll of a script: what comes back is compared."""

from __future__ import annotations

from pyhost.packetdrill import ast
from pyhost.packetdrill.errors import ScriptFailure
from pyhost.packetdrill.invocation import Invocation
from pyhost.packetdrill.symbols import flag_names
from pyhost.packetdrill.values import number, packed
from pyhost.uapi.poll import EPOLL_CTL_DEL, EPOLL_EVENT, POLLFD

__all__ = ["call_epoll_create", "call_epoll_ctl", "call_epoll_wait", "call_poll"]


def call_poll(call: Invocation) -> None:
    """poll([{fd=, events=, revents=}], count, timeout)."""
    call.count(3)
    array = call.arg(0)
    entries = array.items if isinstance(array, ast.Items) else ()
    if call.num(1) != len(entries):
        raise ScriptFailure(
            f"nfds {call.num(1)} does not match {len(entries)}-element pollfd array"
        )
    fds = [_pollfd(call, entry) for entry in entries]
    block = call.mem.put(b"".join(packed(POLLFD, fd, events, 0) for fd, events, _ in fds))
    call.enter("poll", block, len(fds), call.num(2))
    call.check()
    for index, (_, _, expected) in enumerate(fds):
        data = call.mem.get(block + index * POLLFD.size, POLLFD.size)
        actual = POLLFD.unpack(data)[2]
        if actual != expected:
            raise ScriptFailure(
                f"Expected revents of {flag_names('POLL', expected)} but got "
                f"{flag_names('POLL', actual)} for pollfd {index}"
            )


def _pollfd(call: Invocation, entry: ast.Expr) -> tuple[int, int, int]:
    if not isinstance(entry, ast.Struct):
        raise ScriptFailure("bad type: {fd=…, events=…} was expected")
    fd, events = entry.get("fd"), entry.get("events")
    if fd is None or events is None:
        raise ScriptFailure("a pollfd has fd and events")
    revents = entry.get("revents")
    expected = 0 if revents is None else number(revents)
    return call.sockets.live_fd(number(fd)), number(events), expected


def call_epoll_create(call: Invocation) -> None:
    """epoll_create(size)."""
    call.count(1)
    fd = call.enter("epoll_create1", 0)
    call.check(is_fd=True)
    if fd >= 0:
        call.sockets.name_fd(number(call.spec.result), fd)


def call_epoll_ctl(call: Invocation) -> None:
    """epoll_ctl(epfd, op, fd, {events=, fd=}); the event is NULL or `...` for EPOLL_CTL_DEL."""
    call.count(4)
    event = 0
    if isinstance(call.arg(3), ast.Struct):
        events, data, _ = _event(call, call.arg(3))
        event = call.mem.put(packed(EPOLL_EVENT, events, data))
    elif call.num(1) != EPOLL_CTL_DEL:
        raise ScriptFailure("bad type: {events=…, fd=…} was expected")
    call.enter("epoll_ctl", call.fd(0), call.num(1), call.fd(2), event)
    call.check()


def call_epoll_wait(call: Invocation) -> None:
    """epoll_wait(epfd, {events=, fd=}, maxevents, timeout): the first event is compared."""
    call.count(4)
    events, data, shown = _event(call, call.arg(1))
    most = call.num(2)
    room = call.mem.room(most * EPOLL_EVENT.size)
    call.enter("epoll_wait", call.fd(0), room, most, call.num(3))
    call.check()
    actual, actual_data = EPOLL_EVENT.unpack(call.mem.get(room, EPOLL_EVENT.size))
    if actual != events:
        raise ScriptFailure(
            "epoll_event->events does not match script: "
            f"expected: {flag_names('EPOLL', events)} actual: {flag_names('EPOLL', actual)}"
        )
    if actual_data != data:
        raise ScriptFailure(
            f"epoll_event->data does not match script: expected: {shown}={data} "
            f"actual: {actual_data}"
        )


def _event(call: Invocation, entry: ast.Expr) -> tuple[int, int, str]:
    """(events, data, what the data is called) of `{events=…, fd=…}`."""
    if not isinstance(entry, ast.Struct):
        raise ScriptFailure("bad type: {events=…, fd=…} was expected")
    events = entry.get("events")
    for name in ("fd", "ptr", "u32", "u64"):
        value = entry.get(name)
        if value is None or events is None:
            continue
        data = number(value)
        if name == "fd":
            data = call.sockets.live_fd(data)
        return number(events), data, name
    raise ScriptFailure("epoll_event specified incorrectly")
