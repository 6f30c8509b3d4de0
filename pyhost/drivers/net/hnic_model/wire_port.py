"""What the card's MAC stands on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

__all__ = ["WirePort"]


class WirePort(Protocol):
    """One end of a link. The MAC sets `receive(frame, key)`, which is called for each frame that
    has arrived.
    """

    receive: Callable[[bytes, int], None]

    def transmit(self, frame: bytes, key: int) -> object:
        """The first bit of a frame (without preamble and FCS) leaves now."""
