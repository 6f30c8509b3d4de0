"""The card's clock: 156.25 MHz, one 64-bit word of 10 Gbit/s a cycle."""

from __future__ import annotations

__all__ = ["CYCLE_NS", "IRQ_UNIT_CYCLES", "cycle_of", "ns_of_cycles"]

CYCLE_NS = 7
"""One cycle (6.4 ns), rounded up."""

IRQ_UNIT_CYCLES = 64
"""The unit of COALESCE.TIME and MODERATION.INTERVAL."""


def cycle_of(ns: int) -> int:
    """The number of the cycle that is under way at `ns`."""
    return ns * 5 // 32


def ns_of_cycles(cycles: int) -> int:
    """How long `cycles` cycles last, rounded up to nanoseconds."""
    return -(-cycles * 32 // 5)
