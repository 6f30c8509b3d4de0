"""BUG(), WARN_ON(), panic(): what a kernel says when it finds itself in the wrong.

Linux: lib/bug.c, kernel/panic.c. They are exceptions here, so that a run ends where the mistake was
made.
"""

from __future__ import annotations

__all__ = ["KernelBug", "KernelPanic"]


class KernelBug(Exception):
    """BUG(): an invariant of the kernel is broken; the run cannot go on."""


class KernelPanic(KernelBug):
    """panic(): memory may already be corrupted (skb_over_panic, skb_under_panic)."""
