"""A capture in the order of time."""

from __future__ import annotations

from heapq import heappop, heappush

from tb.pcapng import OUTBOUND, PcapngWriter

__all__ = ["WireCapture"]


class WireCapture:
    """Writes the frames of both directions in the order in which they began.

    A MAC that does its own timing reports a frame only when its last bit has left; by then the
    other direction may have begun a frame that is later. So a frame is held back until none that
    began earlier can still come: `longest_ns`, the time of the longest frame on the wire.
    """

    __slots__ = ("_count", "_held", "_longest_ns", "_writer")

    def __init__(self, writer: PcapngWriter, longest_ns: int) -> None:
        self._writer = writer
        self._longest_ns = longest_ns
        self._held: list[tuple[int, int, int, bytes, int]] = []
        self._count = 0

    def write(self, now: int, ns: int, side: int, frame: bytes, key: int) -> None:
        """Take a frame that began at `ns`; `now` is the present time."""
        self._count += 1
        heappush(self._held, (ns, self._count, side, frame, key))
        self._write_until(now - self._longest_ns)

    def close(self) -> None:
        """Write what is held back, and close the file."""
        if self._held:
            self._write_until(max(self._held)[0])
        self._writer.close()

    def _write_until(self, ns: int) -> None:
        held = self._held
        while held and held[0][0] <= ns:
            start, _, side, frame, key = heappop(held)
            self._writer.write(side, start, frame, key=key, direction=OUTBOUND)
