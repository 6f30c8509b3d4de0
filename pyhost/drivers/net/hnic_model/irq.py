"""The one-shot interrupt of one queue, with coalescing and moderation.

Hardware: hdl/ring/hnic_irq.v. The driver arms it with the completion index it has consumed up to;
it fires when there are completions behind that index, at once if they are there already, and firing
disarms. While armed it may wait: for COUNT completions or until the first has waited for TIME
(coalescing; not when the queue has stopped at a fault), and until INTERVAL after the last interrupt
(moderation).
"""

from __future__ import annotations

from collections.abc import Callable

from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic_model.cycle import IRQ_UNIT_CYCLES, ns_of_cycles
from pyhost.drivers.net.hnic_model.stats import CardStats
from pyhost.kernel.clock import Clock, Event

__all__ = ["INDEX_MASK", "QueueIrq"]

INDEX_MASK = 0xFFFF
_COUNT_MASK = (1 << regs.Q_COALESCE_COUNT_W) - 1
_TIME_MASK = (1 << regs.Q_COALESCE_TIME_W) - 1
_INTERVAL_MASK = (1 << regs.Q_MODERATION_INTERVAL_W) - 1
_COALESCE_BITS = _COUNT_MASK | _TIME_MASK << regs.Q_COALESCE_TIME_LSB


class QueueIrq:
    """`index` is what the driver armed with, `coalesce` and `moderation` are the registers, `fired`
    counts. Interrupts leave the card from clock events or from `update` alone.
    """

    __slots__ = (
        "_armed", "_clock", "_fire", "_force", "_head", "_next_ns", "_since", "_stats", "_timer",
        "coalesce", "fired", "index", "moderation", "vector",
    )  # fmt: skip

    def __init__(
        self, clock: Clock, fire: Callable[[int], None], vector: int, stats: CardStats
    ) -> None:
        self._clock = clock
        self._fire = fire
        self._stats = stats
        self._timer: Event | None = None
        self.vector = vector
        self.fired = 0
        self.reset()

    def reset(self) -> None:
        """As after reset of the card."""
        self.index = self.coalesce = self.moderation = 0
        self._next_ns = 0
        self.clear()

    def clear(self) -> None:
        """The queue starts anew: its completions count from 0, the interrupt is not armed."""
        self._head = 0
        self._force = False
        self.disarm()

    def disarm(self) -> None:
        """Forget the arming."""
        self._armed = False
        self._since = -1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def arm(self, index: int) -> None:
        """The driver has consumed the completions before `index`."""
        self._armed = True
        self._since = -1
        self.index = index
        if self._head != index or self._force:
            self._clock.call_soon(self._look)

    def set_coalesce(self, value: int) -> None:
        """Write COALESCE."""
        self.coalesce = value & _COALESCE_BITS
        self._clock.call_soon(self._look)

    def set_moderation(self, value: int) -> None:
        """Write MODERATION."""
        self.moderation = value & _INTERVAL_MASK
        self._clock.call_soon(self._look)

    def update(self, head: int, force: bool) -> None:
        """There are completions before `head`; `force`: the queue has stopped at a fault."""
        self._head = head
        self._force = force
        if self._armed:
            self._look()

    def _look(self) -> None:
        """Fire when it is time, else come back then."""
        pending = self._head - self.index & INDEX_MASK
        if not self._armed or not (pending or self._force):
            return
        now = self._clock.now
        if self.coalesce or self._next_ns > now:
            if self._since < 0:
                self._since = now
            due = max(self._next_ns, self._coalesced(pending))
            if due > now:
                self._come_back(due)
                return
        self.disarm()
        if self.moderation:
            self._next_ns = now + ns_of_cycles(self.moderation * IRQ_UNIT_CYCLES)
        self.fired += 1
        self._stats.irqs += 1
        self._fire(self.vector)

    def _coalesced(self, pending: int) -> int:
        """When coalescing lets `pending` completions fire (ns); 0: at once."""
        time = self.coalesce >> regs.Q_COALESCE_TIME_LSB
        count = self.coalesce & _COUNT_MASK
        if count < 2 or not time or pending >= count or self._force:
            return 0
        return self._since + ns_of_cycles(time * IRQ_UNIT_CYCLES)

    def _come_back(self, due: int) -> None:
        timer = self._timer
        if timer is not None:
            if timer.fn is not None and timer.when == due:
                return
            timer.cancel()
        self._timer = self._clock.call_at(due, self._look)
