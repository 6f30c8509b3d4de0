"""The register block of one queue, its indices and its one-shot interrupt; alike for TX and RX.

Hardware: hdl/csr/hnic_csr_queue.v, hdl/ring/hnic_tx_queue.v, hdl/ring/hnic_irq.v. Indices are
free-running 16-bit counts: empty is `tail == head`, full is `tail - head == size`.

A register write never calls back into the host: what follows from it is posted to the clock.
"""

from __future__ import annotations

from collections.abc import Callable

from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.kernel.clock import Clock

__all__ = ["INDEX_MASK", "QueueBlock"]

INDEX_MASK = 0xFFFF
_RING_ALIGN = ~63
_ENABLE = 1 << regs.Q_CTRL_ENABLE_LSB
_LOG2_MASK = (1 << regs.Q_SIZE_LOG2_W) - 1
_LOG2_MIN = 6
_LOG2_MAX = 12


class QueueBlock:
    """Registers and indices of a queue.

    `head` is the first descriptor without a completion, `tail` the producer index, `cpl_head`
    counts completions written. `doorbell_errs` and `irqs` count what the card's registers count.
    `on_doorbell()` is called when `tail` moved, `on_disable()` when ENABLE fell; the owner calls
    `stopped()` when what the doorbell had given is finished.
    """

    __slots__ = (
        "_armed", "_base_hi", "_base_lo", "_clock", "_cpl_hi", "_cpl_lo", "_fire", "_irq_index",
        "_log2", "_log2_cpl", "active", "base", "cpl_base", "cpl_head", "cpl_mask", "doorbell_errs",
        "enabled", "head", "irqs", "mask", "on_disable", "on_doorbell", "size", "tail", "vector",
    )  # fmt: skip

    def __init__(
        self,
        clock: Clock,
        fire: Callable[[int], None],
        vector: int,
        on_doorbell: Callable[[], None],
        on_disable: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._fire = fire
        self.vector = vector
        self.on_doorbell = on_doorbell
        self.on_disable = on_disable
        self.doorbell_errs = 0
        self.irqs = 0
        self.reset()

    def reset(self) -> None:
        """All registers and indices as after reset; the counters stay."""
        self.enabled = self.active = False
        self._base_lo = self._base_hi = self._cpl_lo = self._cpl_hi = 0
        self._log2 = regs.Q_SIZE_LOG2_RST
        self._log2_cpl = regs.Q_CPL_SIZE_LOG2_RST
        self._irq_index = 0
        self._clear()

    def _clear(self) -> None:
        self._armed = False
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
            self._control(bool(value & _ENABLE))
        elif offset == regs.Q_BASE_LO:
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
            regs.Q_CTRL: self.enabled << regs.Q_CTRL_ENABLE_LSB,
            regs.Q_STATUS: self.active << regs.Q_STATUS_ACTIVE_LSB,
            regs.Q_BASE_LO: self._base_lo,
            regs.Q_BASE_HI: self._base_hi,
            regs.Q_SIZE: self._log2,
            regs.Q_CPL_BASE_LO: self._cpl_lo,
            regs.Q_CPL_BASE_HI: self._cpl_hi,
            regs.Q_CPL_SIZE: self._log2_cpl,
            regs.Q_DOORBELL: self.tail,
            regs.Q_HEAD: self.head,
            regs.Q_IRQ_ARM: self._irq_index,
            regs.Q_CPL_HEAD: self.cpl_head,
            regs.Q_IRQ_VECTOR: self.vector,
        }
        return registers.get(offset, 0)

    def _control(self, enable: bool) -> None:
        if enable and not self.active:
            self.enabled = self.active = True
            self._clear()
        elif self.enabled and not enable:
            self.enabled = False
            self._armed = False
            self.on_disable()
        else:
            self.enabled = enable

    def _doorbell(self, tail: int) -> None:
        too_far = (tail - self.head & INDEX_MASK) > self.size
        if not self.enabled or too_far or self.cpl_mask < self.mask:
            self.doorbell_errs += 1
            return
        self.tail = tail
        self.on_doorbell()

    def stopped(self) -> None:
        """A disabled queue has finished: STATUS.ACTIVE falls and the indices go to 0."""
        self.active = False
        self._clear()

    # -- completions and interrupt -----------------------------------------------------------------

    def cpl_phase(self) -> bool:
        """The phase bit of the next completion: true in the first pass over the ring."""
        return not self.cpl_head & self.cpl_mask + 1

    def completed(self, head: int) -> None:
        """The completion of the descriptors before `head` is in memory."""
        self.head = head
        self.cpl_head = self.cpl_head + 1 & INDEX_MASK
        if self._armed:
            self._check_irq()

    def _arm(self, index: int) -> None:
        self._irq_index = index
        if not self.enabled:
            return
        self._armed = True
        if self.cpl_head != index:
            self._clock.call_soon(self._check_irq)

    def _check_irq(self) -> None:
        if self._armed and self.cpl_head != self._irq_index:
            self._armed = False
            self.irqs += 1
            self._fire(self.vector)


def _clamp_log2(value: int) -> int:
    """A ring's size as the card takes it: 64 to 4096 entries."""
    return min(max(value & _LOG2_MASK, _LOG2_MIN), _LOG2_MAX)
