"""When an event has to happen, and whether it did.

Times here are nanoseconds since the start of the script. An event's time may be relative to the
present when its turn comes; `Due` is what has become of it then.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyhost.packetdrill import ast
from pyhost.packetdrill.errors import ScriptError, ScriptFailure
from pyhost.packetdrill.settings import Settings

__all__ = ["Due", "check_order", "check_time", "make_due"]

_RANGES = (ast.ABSOLUTE_RANGE, ast.RELATIVE_RANGE)
_SINCE_NOW = (ast.RELATIVE, ast.RELATIVE_RANGE, ast.ANY)
_ABSOLUTE = (ast.ABSOLUTE, ast.ABSOLUTE_RANGE)


@dataclass(frozen=True, slots=True)
class Due:
    """The time of one event: `offset` is what it was relative to, 0 for an absolute one."""

    kind: str
    start: int
    end: int
    offset: int = 0


def make_due(time: ast.Time, now: int, previous: Due | None, *, anchored: bool) -> Due:
    """The time of the event whose turn it is.

    `anchored`: this event and the one before are both inbound packets; then a relative time counts
    from the scripted time of the one before, so that errors do not add up.
    """
    if time.kind not in _SINCE_NOW:
        return Due(time.kind, time.start, time.end)
    offset = previous.start if anchored and previous is not None else now
    return Due(time.kind, time.start + offset, time.end + offset, offset)


def check_order(script: ast.Script) -> None:
    """Raise ScriptError for a script that does not start at 0, or whose absolute times go back."""
    first = script.events[0]
    if first.time.start != 0:
        raise ScriptError(script.path, first.line, "the first event must be at time 0")
    for before, event in zip(script.events, script.events[1:], strict=False):
        if before.time.kind not in _ABSOLUTE or event.time.kind not in _ABSOLUTE:
            continue
        if event.time.start < before.time.start:
            what = f"time goes backward, from {_sec(before.time.start)} to {_sec(event.time.start)}"
            raise ScriptError(script.path, event.line, what)


def check_time(settings: Settings, due: Due, actual: int, last: int | None, what: str) -> None:
    """Raise ScriptFailure unless `actual` is the time that was due, within the tolerance.

    `last` is the time of the event before, None at the first one. The tolerance is a fixed one, or
    a share of the time since then, whichever is larger.
    """
    if due.kind == ast.ANY:
        return
    tolerance = settings.tolerance_ns
    if last is not None:
        tolerance = max(tolerance, int(settings.tolerance_percent / 100 * (due.start - last)))
    if due.start - tolerance <= actual <= due.end + tolerance:
        return
    if due.kind not in _RANGES:
        raise ScriptFailure(
            f"timing error: expected {what} at {_sec(due.start)} sec but happened at "
            f"{_sec(actual)} sec; tolerance {_sec(tolerance)} sec"
        )
    where = "relative time range " if due.kind == ast.RELATIVE_RANGE else "time range "
    sign = "+" if due.kind == ast.RELATIVE_RANGE else ""
    at = due.offset
    raise ScriptFailure(
        f"timing error: expected {what} in {where}{sign}{_sec(due.start - at)}~"
        f"{sign}{_sec(due.end - at)} sec but happened at {sign}{_sec(actual - at)} sec"
    )


def _sec(ns: int) -> str:
    return f"{ns / 1e9:.6f}"
