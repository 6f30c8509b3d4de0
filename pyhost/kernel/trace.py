"""Tracepoints: the walk of a packet, written down as it happens.

Linux: include/linux/tracepoint.h. A tracepoint is a name and the key of the packet; it costs one
attribute test while nobody listens: `if trace.on: trace.hit("tcp_sendmsg", key, len=n)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pyhost.kernel.clock import Clock

__all__ = ["TraceEvent", "Tracer"]


class TraceEvent(NamedTuple):
    """One hit: time in ns, tracepoint, packet key (0: no packet yet) and the values given there."""

    ns: int
    name: str
    key: int
    fields: dict[str, object]


class Tracer:
    """The tracepoints of one machine. `on` is true while at least one listener is registered."""

    __slots__ = ("_clock", "_listeners", "on")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._listeners: list[Callable[[TraceEvent], None]] = []
        self.on = False

    def register(self, listener: Callable[[TraceEvent], None]) -> None:
        """Call `listener` for every tracepoint from now on."""
        self._listeners.append(listener)
        self.on = True

    def unregister(self, listener: Callable[[TraceEvent], None]) -> None:
        """Stop calling `listener`."""
        self._listeners.remove(listener)
        self.on = bool(self._listeners)

    def hit(self, name: str, key: int = 0, /, **fields: object) -> None:
        """Report that the code has come to tracepoint `name` with the packet `key`."""
        event = TraceEvent(self._clock.now, name, key, fields)
        for listener in self._listeners:
            listener(event)
