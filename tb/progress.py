"""The progress line: simulated time, frames and bytes while a run goes on."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

from tqdm import tqdm

__all__ = ["Progress", "describe"]

_PERIOD_S = 0.1
_CALLS_BETWEEN_CLOCK_LOOKS = 32
"""Reading the wall clock for every frame would cost more than the line is worth."""


class Progress:
    """One line on `stream`, rewritten a few times a second; nothing at all when no one watches.

    `update` may be called for every frame: most calls only count.
    """

    __slots__ = ("_calls", "_clock", "_due_s", "_line", "active")

    def __init__(
        self, stream: TextIO | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Show on `stream` (standard error unless given) if that is a terminal."""
        stream = sys.stderr if stream is None else stream
        self.active = stream.isatty()
        """Whether anything is shown: callers may skip gathering the numbers."""
        self._clock = clock
        self._calls = 0
        self._due_s = 0.0
        # The cursor goes back to the margin, so that what the program prints replaces the line.
        self._line = tqdm(file=stream, bar_format="{desc}\r", leave=False) if self.active else None

    def update(self, sim_time_ns: int, frames: int, size: int) -> None:
        """Show the state of the run: simulated time, frames and bytes on the wire so far."""
        if self._line is None:
            return
        self._calls += 1
        if self._calls % _CALLS_BETWEEN_CLOCK_LOOKS != 1:
            return
        now = self._clock()
        if now >= self._due_s:
            self._due_s = now + _PERIOD_S
            self._line.set_description_str(describe(sim_time_ns, frames, size))

    def close(self) -> None:
        """Take the line away; harmless when there is none."""
        if self._line is not None:
            self._line.close()
            self._line = None


def describe(sim_time_ns: int, frames: int, size: int) -> str:
    """The text of the line."""
    return f"{sim_time_ns / 1e6:.3f} ms simulated, {frames:,} frames, {size:,} bytes"
