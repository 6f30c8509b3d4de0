"""The card's clock: 156.25 MHz, one 64-bit word of 10 Gbit/s a cycle."""

from __future__ import annotations

__all__ = ["CYCLE_NS", "cycle_of"]

CYCLE_NS = 7
"""One cycle (6.4 ns), rounded up."""


def cycle_of(ns: int) -> int:
    """The number of the cycle that is under way at `ns`, as the completions' timestamps count."""
    return ns * 5 // 32
