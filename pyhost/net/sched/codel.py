"""Controlled delay: which packets of a queue to drop or mark so that none waits for long.

RFC 8289; Linux: include/net/codel.h, codel_impl.h. Times are ns.

A queue whose packets all waited longer than `target` for a whole `interval` is too long. From then
on one packet is dropped (or marked, with ECN) after the other, at intervals that shrink with the
square root of their number, until a packet has waited less than `target` again.
"""

from __future__ import annotations

from math import isqrt

from pyhost.kernel.clock import NSEC_PER_MSEC
from pyhost.net.core.gso import qdisc_pkt_len
from pyhost.net.core.skbuff import SkBuff
from pyhost.net.ipv4.inet_ecn import inet_ecn_set_ce

__all__ = ["Codel", "CodelParams", "CodelStats", "CodelVars", "Entry"]

Entry = tuple[SkBuff, int]
"""A packet and when it was put in."""

RECENT_INTERVALS = 16
"""A queue that was last too long within so many intervals is known to be a bad one."""

_SQRT_SHIFT = 16


class CodelParams:
    """Linux: struct codel_params. `mtu` is the backlog at which nothing is dropped any more;
    `ce_threshold` None: packets are not marked for their own delay.
    """

    __slots__ = ("ce_threshold", "ecn", "interval", "mtu", "target")

    def __init__(self, mtu: int) -> None:
        self.target = 5 * NSEC_PER_MSEC
        self.interval = 100 * NSEC_PER_MSEC
        self.ce_threshold: int | None = None
        self.ecn = True
        self.mtu = mtu

    def control_law(self, when: int, count: int) -> int:
        """When the drop after `count` drops is due, counted from `when`. RFC 8289, 5.5."""
        return when + (self.interval << _SQRT_SHIFT) // isqrt(count << 2 * _SQRT_SHIFT)


class CodelVars:
    """The state of one queue. Linux: struct codel_vars."""

    __slots__ = ("count", "drop_next", "dropping", "first_above_time", "lastcount", "ldelay")

    def __init__(self) -> None:
        self.count = self.lastcount = 0
        self.dropping = False
        self.first_above_time = self.drop_next = self.ldelay = 0


class CodelStats:
    """Linux: struct codel_stats."""

    __slots__ = ("ce_mark", "drop_count", "drop_len", "ecn_mark", "maxpacket")

    def __init__(self) -> None:
        self.maxpacket = self.drop_count = self.drop_len = self.ecn_mark = self.ce_mark = 0


class Codel:
    """Codel over queues that a discipline keeps; the discipline fills in `take`, `discard` and
    `backlog_bytes`. A queue is known by its `CodelVars`.
    """

    __slots__ = ("cparams", "cstats")

    def __init__(self, mtu: int) -> None:
        self.cparams = CodelParams(mtu)
        self.cstats = CodelStats()

    def take(self, queue: CodelVars) -> Entry | None:
        """The oldest entry of a queue. Linux: codel_skb_dequeue_t."""
        raise NotImplementedError

    def discard(self, skb: SkBuff) -> None:
        """Throw a packet away. Linux: codel_skb_drop_t."""
        raise NotImplementedError

    def backlog_bytes(self) -> int:
        """Bytes that wait in all queues together."""
        raise NotImplementedError

    def codel_dequeue(self, queue: CodelVars, now: int) -> SkBuff | None:
        """The next packet that may leave. RFC 8289, 5.5; Linux: codel_dequeue."""
        entry = self.take(queue)
        if entry is None:
            queue.dropping = False
            return None
        drop = self._should_drop(entry, queue, now)
        if queue.dropping:
            entry = self._go_on_dropping(entry, drop, queue, now)
        elif drop:
            entry = self._begin_dropping(entry, queue, now)
        if entry is None:
            return None
        threshold = self.cparams.ce_threshold
        if threshold is not None and queue.ldelay > threshold:
            self.cstats.ce_mark += inet_ecn_set_ce(entry[0])
        return entry[0]

    def _should_drop(self, entry: Entry | None, queue: CodelVars, now: int) -> bool:
        """Whether the delay has been above the target for a whole interval. RFC 8289, 5.6; Linux:
        codel_should_drop.
        """
        if entry is None:
            queue.first_above_time = 0
            return False
        skb, since = entry
        params, stats = self.cparams, self.cstats
        queue.ldelay = now - since
        stats.maxpacket = max(stats.maxpacket, qdisc_pkt_len(skb))
        if queue.ldelay < params.target or self.backlog_bytes() <= params.mtu:
            queue.first_above_time = 0
            return False
        if not queue.first_above_time:
            queue.first_above_time = now + params.interval
            return False
        return now > queue.first_above_time

    def _shed(self, skb: SkBuff) -> bool:
        """Mark a packet, or drop it when it cannot be marked; whether it was dropped."""
        stats = self.cstats
        if self.cparams.ecn and inet_ecn_set_ce(skb):
            stats.ecn_mark += 1
            return False
        stats.drop_len += qdisc_pkt_len(skb)
        stats.drop_count += 1
        self.discard(skb)
        return True

    def _go_on_dropping(
        self, entry: Entry | None, drop: bool, queue: CodelVars, now: int
    ) -> Entry | None:
        """In the dropping state: shed a packet for each time that has come."""
        if not drop:
            queue.dropping = False
            return entry
        law = self.cparams.control_law
        while queue.dropping and now >= queue.drop_next:
            assert entry is not None
            queue.count += 1
            if not self._shed(entry[0]):
                queue.drop_next = law(queue.drop_next, queue.count)
                return entry
            entry = self.take(queue)
            if self._should_drop(entry, queue, now):
                queue.drop_next = law(queue.drop_next, queue.count)
            else:
                queue.dropping = False
        return entry

    def _begin_dropping(self, entry: Entry, queue: CodelVars, now: int) -> Entry | None:
        """Enter the dropping state; soon after the last time it goes on at the rate it had."""
        left: Entry | None = entry
        if self._shed(entry[0]):
            left = self.take(queue)
            self._should_drop(left, queue, now)
        queue.dropping = True
        delta = queue.count - queue.lastcount
        recent = now - queue.drop_next < RECENT_INTERVALS * self.cparams.interval
        queue.count = delta if delta > 1 and recent else 1
        queue.lastcount = queue.count
        queue.drop_next = self.cparams.control_law(now, queue.count)
        return left
