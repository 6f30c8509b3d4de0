"""The kernel log. Linux: kernel/printk/printk.c."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from pyhost.kernel.clock import NSEC_PER_SEC, Clock

__all__ = ["KERN_ERR", "KERN_INFO", "KERN_WARNING", "LogRecord", "PrintkLog"]

KERN_ERR = 3
KERN_WARNING = 4
KERN_INFO = 6


class LogRecord(NamedTuple):
    """One line of the log: time in ns, level as in <linux/kern_levels.h>, text."""

    ns: int
    level: int
    text: str

    def __str__(self) -> str:
        return f"[{self.ns / NSEC_PER_SEC:12.6f}] {self.text}"


class PrintkLog:
    """A ring of log lines, as dmesg shows them."""

    def __init__(self, clock: Clock, lines: int = 4096) -> None:
        self._clock = clock
        self.records: deque[LogRecord] = deque(maxlen=lines)

    def printk(self, text: str, level: int = KERN_INFO) -> None:
        """Add one line."""
        self.records.append(LogRecord(self._clock.now, level, text))
