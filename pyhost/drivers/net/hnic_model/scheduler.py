"""Which TX queue goes next: strict priority, round robin within a class, rate limits.

Hardware: hdl/ring/hnic_tx_sched.v. Sets of queues are bit masks, so that choosing costs the same
with one queue as with 32.
"""

from __future__ import annotations

from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic_model.bucket import TokenBucket
from pyhost.drivers.net.hnic_model.limits import WIRE_OVERHEAD

__all__ = ["TxScheduler"]

_CLASS_MASK = (1 << regs.Q_PRIORITY_CLASS_W) - 1


class TxScheduler:
    """`ready` and `idle` say which queues may have a packet; `pick` chooses, and leaves in
    `wake_ns` when a limited queue may go if there was nobody else (0: never).
    """

    __slots__ = ("_classes", "_limited", "_priority", "_ready", "buckets", "wake_ns")

    def __init__(self, count: int) -> None:
        self.buckets = [TokenBucket() for _ in range(count)]
        self.reset()

    def reset(self) -> None:
        """As after reset of the card."""
        self._priority = [0] * len(self.buckets)
        self._ready = 0
        for bucket in self.buckets:
            bucket.reset()
        self._limited = 0
        self.wake_ns = 0
        self._sort()

    # -- registers ---------------------------------------------------------------------------------

    def write(self, queue: int, offset: int, value: int, now: int) -> bool:
        """Write RATE, BURST or PRIORITY of a queue; False for another register."""
        bucket = self.buckets[queue]
        if offset == regs.Q_RATE:
            bucket.set_rate(value, now)
            self._limited &= ~(1 << queue)
            self._limited |= bool(bucket.rate) << queue
        elif offset == regs.Q_BURST:
            bucket.set_burst(value, now)
        elif offset == regs.Q_PRIORITY:
            self._priority[queue] = value & _CLASS_MASK
            self._sort()
        else:
            return False
        return True

    def read(self, queue: int, offset: int) -> int | None:
        """RATE, BURST or PRIORITY of a queue; None for another register."""
        if offset == regs.Q_RATE:
            return self.buckets[queue].rate
        if offset == regs.Q_BURST:
            return self.buckets[queue].burst
        if offset == regs.Q_PRIORITY:
            return self._priority[queue]
        return None

    def _sort(self) -> None:
        """The classes that have queues, highest first: [mask, queue that went last] each."""
        masks = dict.fromkeys(sorted(set(self._priority), reverse=True), 0)
        for queue, priority in enumerate(self._priority):
            masks[priority] |= 1 << queue
        self._classes = [[mask, -1] for mask in masks.values()]

    # -- choosing ----------------------------------------------------------------------------------

    def ready(self, queue: int) -> None:
        """The queue may have a packet."""
        self._ready |= 1 << queue

    def idle(self, queue: int) -> None:
        """The queue has none."""
        self._ready &= ~(1 << queue)

    def pick(self, now: int) -> int:
        """The queue that goes next, -1 for none."""
        self.wake_ns = 0
        ready = self._ready
        if ready & self._limited:
            ready = self._unlimited(now)
        if not ready:
            return -1
        for turn in self._classes:
            if members := ready & turn[0]:
                break
        members = members >> turn[1] + 1 << turn[1] + 1 or members
        turn[1] = (members & -members).bit_length() - 1
        return turn[1]

    def _unlimited(self, now: int) -> int:
        """The ready queues that no limit holds back."""
        ready = self._ready
        held = ready & self._limited
        while held:
            bit = held & -held
            held ^= bit
            when = self.buckets[bit.bit_length() - 1].ready_ns(now)
            if when > now:
                ready ^= bit
                self.wake_ns = min(self.wake_ns or when, when)
        return ready

    def charge(self, queue: int, frames: list[bytes]) -> None:
        """A packet of the queue takes the wire for its frames."""
        if self._limited >> queue & 1:
            self.buckets[queue].charge(sum(map(len, frames)) + len(frames) * WIRE_OVERHEAD)
