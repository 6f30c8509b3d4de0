"""How many bytes a transmit queue needs under way so that the card never runs dry, and no more.

Linux: lib/dynamic_queue_limits.c, include/linux/dynamic_queue_limits.h.

The limit is learned from completions:

- The card finished all it had while the stack was held back by the limit: the limit was too small
  and grows by what was missing.
- The queue was never empty between two completions: what of the limit was not needed is slack. The
  smallest slack of `slack_hold_time` is taken off the limit.

Counters of bytes run on for ever; `adj_limit` is the count up to which more may be queued.
"""

from __future__ import annotations

from pyhost.kernel.bug import KernelBug
from pyhost.kernel.clock import NSEC_PER_SEC, Clock

__all__ = ["DQL_MAX_LIMIT", "Dql"]

_UINT_MAX = (1 << 32) - 1
DQL_MAX_OBJECT = _UINT_MAX // 16
DQL_MAX_LIMIT = _UINT_MAX // 2 - DQL_MAX_OBJECT

SLACK_HOLD_TIME = NSEC_PER_SEC


class Dql:
    """Linux: struct dql. `limit`, `min_limit`, `max_limit` are bytes, `slack_hold_time` ns: what
    Linux shows in /sys/class/net/*/queues/tx-*/byte_queue_limits.
    """

    __slots__ = (
        "_clock", "adj_limit", "last_obj_cnt", "limit", "lowest_slack", "max_limit", "min_limit",
        "num_completed", "num_queued", "prev_last_obj_cnt", "prev_num_queued", "prev_ovlimit",
        "slack_hold_time", "slack_start_time",
    )  # fmt: skip

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.min_limit = 0
        self.max_limit = DQL_MAX_LIMIT
        self.slack_hold_time = SLACK_HOLD_TIME
        self.reset()

    def reset(self) -> None:
        """Begin anew with an empty queue. Linux: dql_reset."""
        self.limit = self.adj_limit = 0
        self.num_queued = self.num_completed = self.last_obj_cnt = 0
        self.prev_num_queued = self.prev_last_obj_cnt = self.prev_ovlimit = 0
        self.lowest_slack = _UINT_MAX
        self.slack_start_time = self._clock.now

    @property
    def inflight(self) -> int:
        """Bytes queued and not completed."""
        return self.num_queued - self.num_completed

    def avail(self) -> int:
        """Bytes that may still be queued; negative beyond the limit. Linux: dql_avail."""
        return self.adj_limit - self.num_queued

    def queued(self, count: int) -> None:
        """Bytes were given to the card. Linux: dql_queued."""
        self.num_queued += count
        self.last_obj_cnt = count

    def completed(self, count: int) -> None:
        """The card is done with bytes: learn from it. Linux: dql_completed."""
        completed = self.num_completed + count
        if completed > self.num_queued:
            raise KernelBug(f"dql: {count} bytes completed, {self.inflight} under way")
        ovlimit = max(0, self.inflight - self.limit)
        inprogress = self.num_queued - completed
        prev_inprogress = self.prev_num_queued - self.num_completed
        all_prev_completed = completed >= self.prev_num_queued
        limit = self.limit
        if (ovlimit and not inprogress) or (self.prev_ovlimit and all_prev_completed):
            limit += max(0, completed - self.prev_num_queued) + self.prev_ovlimit
            self._restart_slack()
        elif inprogress and prev_inprogress > 0 and not all_prev_completed:
            limit = self._without_slack(limit, count)
        limit = min(max(limit, self.min_limit), self.max_limit)
        if limit != self.limit:
            self.limit = limit
            ovlimit = 0
        self.adj_limit = limit + completed
        self.prev_ovlimit = ovlimit
        self.prev_last_obj_cnt = self.last_obj_cnt
        self.num_completed = completed
        self.prev_num_queued = self.num_queued

    def _restart_slack(self) -> None:
        self.slack_start_time = self._clock.now
        self.lowest_slack = _UINT_MAX

    def _without_slack(self, limit: int, count: int) -> int:
        """The queue was busy all the time: note what was too much; when the time is up, take it
        off.
        """
        surplus = limit + self.prev_ovlimit - 2 * count
        beyond = self.prev_last_obj_cnt - self.prev_ovlimit if self.prev_ovlimit else 0
        self.lowest_slack = min(self.lowest_slack, max(0, surplus, beyond))
        if self._clock.now > self.slack_start_time + self.slack_hold_time:
            limit = max(0, limit - self.lowest_slack)
            self._restart_slack()
        return limit
