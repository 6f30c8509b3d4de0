"""The rate limit of one TX queue: a token bucket.

Hardware: hdl/ring/hnic_tx_sched.v. RATE tokens, each 1/65536 byte, come in a cycle up to BURST
bytes. A packet takes its bytes on the wire when it is granted, and the bucket may go below zero
with it; a queue with less than nothing waits.
"""

from __future__ import annotations

from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic_model.cycle import cycle_of, ns_of_cycles

__all__ = ["TokenBucket"]

_RATE_MASK = (1 << regs.Q_RATE_VALUE_W) - 1
_BURST_MASK = (1 << regs.Q_BURST_BYTES_W) - 1
_SHIFT = 16


class TokenBucket:
    """`rate` 0 is no limit: the bucket stays full."""

    __slots__ = ("_level", "_seen", "burst", "rate")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """As after reset of the card."""
        self.rate = 0
        self.burst = regs.Q_BURST_RST
        self._level = self.burst << _SHIFT
        self._seen = 0

    def set_rate(self, value: int, now: int) -> None:
        """Write RATE at `now` (ns)."""
        self._fill(now)
        self.rate = value & _RATE_MASK

    def set_burst(self, value: int, now: int) -> None:
        """Write BURST at `now` (ns)."""
        self._fill(now)
        self.burst = value & _BURST_MASK
        self._fill(now)

    def ready_ns(self, now: int) -> int:
        """When the bucket lets a packet go: `now`, or the time (ns) at which it is no longer below
        zero.
        """
        self._fill(now)
        if self._level >= 0:
            return now
        return ns_of_cycles(self._seen + -(self._level // self.rate))

    def charge(self, size: int) -> None:
        """A packet takes `size` bytes."""
        self._level -= size << _SHIFT

    def _fill(self, now: int) -> None:
        cycle = cycle_of(now)
        full = self.burst << _SHIFT
        if self.rate:
            self._level = min(self._level + (cycle - self._seen) * self.rate, full)
        else:
            self._level = full
        self._seen = cycle
