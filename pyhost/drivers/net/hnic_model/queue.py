"""The register block of one queue, its indices and its faults; alike for TX and RX.

Hardware: hdl/csr/hnic_csr_queue.v, hdl/ring/hnic_queue.v. Indices are free-running 16-bit counts:
empty is `tail == head`, full is `tail - head == size`.

    off ──ENABLE 1──→ running ──a fault──→ halted (ERROR)
     ↑                   │                    │
     ├─────ENABLE 0──────┘                    │
     └─────────────────RESET──────────────────┘

A register write never calls back into the host: what follows from it is posted to the clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic_model.irq import INDEX_MASK, QueueIrq
from pyhost.drivers.net.hnic_model.stats import CardStats
from pyhost.kernel.clock import Clock

__all__ = ["INDEX_MASK", "QueueBlock", "QueueOwner"]

_U32 = 0xFFFFFFFF
_RING_ALIGN = ~63
_ENABLE = 1 << regs.Q_CTRL_ENABLE_LSB
_RESET = 1 << regs.Q_CTRL_RESET_LSB
_LOG2_MASK = (1 << regs.Q_SIZE_LOG2_W) - 1
_LOG2_MIN = 6
_LOG2_MAX = 12


class QueueOwner(Protocol):
    """The engine behind a queue. It calls `QueueBlock.stopped` when a disabled queue has finished,
    and `QueueBlock.reset_done` when nothing of a queue that is being reset is under way.
    """

    def on_doorbell(self, queue: QueueBlock) -> None:
        """`tail` has moved."""

    def on_disable(self, queue: QueueBlock) -> None:
        """ENABLE has fallen."""

    def on_reset(self, queue: QueueBlock) -> None:
        """RESET was written."""


class QueueBlock:
    """Registers and indices of queue `number`.

    `head` is the first descriptor without a completion, `tail` the producer index, `cpl_head`
    counts completions written, `drops` frames (of a TX queue none). `halted` is ERROR:
    `error_status` and `error_index` say why.
    """

    __slots__ = (
        "_base_hi", "_base_lo", "_cpl_hi", "_cpl_lo", "_log2", "_log2_cpl", "_owner", "_stats",
        "active", "base", "cpl_base", "cpl_head", "cpl_mask", "drops", "enabled", "error_index",
        "error_status", "halted", "head", "irq", "mask", "number", "on_doorbell", "resetting",
        "size", "tail",
    )  # fmt: skip

    def __init__(
        self,
        number: int,
        owner: QueueOwner,
        clock: Clock,
        fire: Callable[[int], None],
        vector: int,
        stats: CardStats,
    ) -> None:
        self.number = number
        self._owner = owner
        self._stats = stats
        self.on_doorbell: Callable[[], None] = lambda: owner.on_doorbell(self)
        self.irq = QueueIrq(clock, fire, vector, stats)
        self.reset()

    def reset(self) -> None:
        """All registers and indices as after reset of the card, DROPS too."""
        self.drops = 0
        self._base_lo = self._base_hi = self._cpl_lo = self._cpl_hi = 0
        self._log2 = regs.Q_SIZE_LOG2_RST
        self._log2_cpl = regs.Q_CPL_SIZE_LOG2_RST
        self.irq.reset()
        self.reset_done()

    def reset_done(self) -> None:
        """The queue's own reset has ended: it is off, without a fault, at index 0; its rings and
        settings stay.
        """
        self.enabled = self.active = self.resetting = self.halted = False
        self.error_status = regs.STATUS_OK
        self.error_index = 0
        self._clear()

    def _clear(self) -> None:
        self.irq.clear()
        self.head = self.tail = self.cpl_head = 0
        self.base = self._base_hi << 32 | self._base_lo
        self.cpl_base = self._cpl_hi << 32 | self._cpl_lo
        self.size = 1 << self._log2
        self.mask = self.size - 1
        self.cpl_mask = (1 << self._log2_cpl) - 1

    # -- registers ---------------------------------------------------------------------------------

    def write(self, offset: int, value: int) -> None:
        """Write the register at `offset` within the block; others are ignored."""
        if offset == regs.Q_DOORBELL:
            self._doorbell(value & INDEX_MASK)
        elif offset == regs.Q_IRQ_ARM:
            self._arm(value & INDEX_MASK)
        elif offset == regs.Q_CTRL:
            self._control(value)
        elif offset == regs.Q_COALESCE:
            self.irq.set_coalesce(value)
        elif offset == regs.Q_MODERATION:
            self.irq.set_moderation(value)
        else:
            self._set_ring(offset, value)

    def _set_ring(self, offset: int, value: int) -> None:
        """Where the rings are: taken when the queue starts."""
        if offset == regs.Q_BASE_LO:
            self._base_lo = value & _RING_ALIGN
        elif offset == regs.Q_BASE_HI:
            self._base_hi = value
        elif offset == regs.Q_SIZE:
            self._log2 = _clamp_log2(value)
        elif offset == regs.Q_CPL_BASE_LO:
            self._cpl_lo = value & _RING_ALIGN
        elif offset == regs.Q_CPL_BASE_HI:
            self._cpl_hi = value
        elif offset == regs.Q_CPL_SIZE:
            self._log2_cpl = _clamp_log2(value)

    def read(self, offset: int) -> int:
        """The register at `offset` within the block; 0 for unknown ones."""
        registers = {
            regs.Q_CTRL: self.enabled << regs.Q_CTRL_ENABLE_LSB
            | self.resetting << regs.Q_CTRL_RESET_LSB,
            regs.Q_STATUS: self.active << regs.Q_STATUS_ACTIVE_LSB
            | self.halted << regs.Q_STATUS_ERROR_LSB,
            regs.Q_BASE_LO: self._base_lo,
            regs.Q_BASE_HI: self._base_hi,
            regs.Q_SIZE: self._log2,
            regs.Q_CPL_BASE_LO: self._cpl_lo,
            regs.Q_CPL_BASE_HI: self._cpl_hi,
            regs.Q_CPL_SIZE: self._log2_cpl,
            regs.Q_DOORBELL: self.tail,
            regs.Q_HEAD: self.head,
            regs.Q_IRQ_ARM: self.irq.index,
            regs.Q_CPL_HEAD: self.cpl_head,
            regs.Q_IRQ_VECTOR: self.irq.vector,
            regs.Q_ERROR: self.error_status << regs.Q_ERROR_STATUS_LSB
            | self.error_index << regs.Q_ERROR_INDEX_LSB,
            regs.Q_COALESCE: self.irq.coalesce,
            regs.Q_MODERATION: self.irq.moderation,
            regs.Q_DROPS: self.drops & _U32,
        }
        return registers.get(offset, 0)

    def _control(self, value: int) -> None:
        was_enabled = self.enabled
        self.enabled = bool(value & _ENABLE)
        if value & _RESET and not self.resetting:
            self.resetting = True
            self.irq.disarm()
            self._owner.on_reset(self)
        elif self.resetting:
            return
        elif self.enabled:
            if not self.active and not self.halted:
                self.active = True
                self._clear()
        elif was_enabled:
            self.irq.disarm()
            self._owner.on_disable(self)

    def _doorbell(self, tail: int) -> None:
        """Beyond the ring, backwards, on a queue that is off or whose completions have no room: an
        error of the driver.
        """
        ahead = tail - self.tail & INDEX_MASK
        if (
            ahead > self.size - (self.tail - self.head & INDEX_MASK)
            or not (self.enabled and self.active)
            or self.resetting
            or self.cpl_mask < self.mask
        ):
            self._stats.doorbell_errs += 1
            return
        self.tail = tail
        self.on_doorbell()

    def _arm(self, index: int) -> None:
        if self.enabled and not self.resetting:
            self.irq.arm(index)
        else:
            self.irq.index = index

    def stopped(self) -> None:
        """A disabled queue has finished: STATUS.ACTIVE falls and the indices go to 0."""
        self.active = False
        self._clear()

    # -- for the engines ---------------------------------------------------------------------------

    @property
    def going(self) -> bool:
        """Whether a packet or frame may begin."""
        return self.active and not self.halted and not self.resetting

    def halt(self, status: int, index: int) -> None:
        """A fault stops the queue; the first one counts."""
        if not self.halted:
            self.halted = True
            self.error_status = status
            self.error_index = index


def _clamp_log2(value: int) -> int:
    """A ring's size as the card takes it: 64 to 4096 entries."""
    return min(max(value & _LOG2_MASK, _LOG2_MIN), _LOG2_MAX)
