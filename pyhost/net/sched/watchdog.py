"""The alarm clock of a qdisc that has packets which may not leave yet. Linux: net/sched/sch_api.c
qdisc_watchdog.
"""

from __future__ import annotations

from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.kernel.timer import Timer
from pyhost.net.sched.qdisc import Qdisc, qdisc_root

__all__ = ["QdiscWatchdog", "psched_l2t_ns"]


def psched_l2t_ns(rate: int, size: int) -> int:
    """How long `size` bytes take at `rate` bytes a second, ns. Linux: psched_l2t_ns."""
    return size * NSEC_PER_SEC // rate


class QdiscWatchdog:
    """Linux: struct qdisc_watchdog."""

    __slots__ = ("_qdisc", "_timer")

    def __init__(self, q: Qdisc) -> None:
        self._qdisc = q
        self._timer = Timer(q.net.kernel, self._wake)

    def schedule_ns(self, expires: int) -> None:
        """Have the root qdisc run at `expires`. Linux: qdisc_watchdog_schedule_ns."""
        if not qdisc_root(self._qdisc).deactivated and self._timer.expires != expires:
            self._timer.mod(expires)

    def cancel(self) -> None:
        """Linux: qdisc_watchdog_cancel."""
        self._timer.delete()

    def _wake(self) -> None:
        q = self._qdisc
        q.net.netif_schedule(qdisc_root(q))
