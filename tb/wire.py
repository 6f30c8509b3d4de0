"""The wire: one full-duplex Ethernet link between two MACs.

No cocotb here: the Python model of the NIC sends through the same link when no simulator is there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pyhost.kernel.clock import Clock

__all__ = ["WIRE_OVERHEAD_BYTES", "Capture", "Link", "Port"]

PREAMBLE_BYTES = 8
FCS_BYTES = 4
GAP_BYTES = 12
WIRE_OVERHEAD_BYTES = PREAMBLE_BYTES + FCS_BYTES + GAP_BYTES
"""What each frame takes on the wire beside itself (IEEE 802.3 clause 4.4.2)."""


class Capture(Protocol):
    """Who sees every frame once: `capture(ns, side, frame, key)`.

    `ns` is the time at which the first bit of the preamble left, `side` the index of the sending
    port.
    """

    def __call__(self, ns: int, side: int, frame: bytes, key: int) -> None: ...


class Port:
    """One end of a link. The owner sets `receive`, which gets (frame, key) when the last bit has
    arrived, or `receive_start`, which gets them when the first one has: for a MAC that does its own
    timing.
    """

    __slots__ = ("_far", "_link", "_side", "busy_until", "receive", "receive_start")

    def __init__(self, link: Link, side: int) -> None:
        self._link = link
        self._side = side
        self._far: Port = self
        self.busy_until = 0
        self.receive: Callable[[bytes, int], None] = lambda frame, key: None
        self.receive_start: Callable[[bytes, int], None] | None = None

    def connect(self, far: Port) -> None:
        """Make `far` the other end."""
        self._far = far

    def frame_ns(self, size: int) -> int:
        """How long a frame of `size` bytes (without FCS) keeps the wire, with preamble, FCS and
        gap, rounded up.
        """
        return -(-(size + WIRE_OVERHEAD_BYTES) * 8_000_000_000 // self._link.rate_bps)

    def transmit(self, frame: bytes, key: int) -> int:
        """Put a frame on the wire now; returns the time (ns) at which the next one may start.

        A MAC that calls before the last frame is over would overlap two frames: that is an error of
        the MAC.
        """
        link = self._link
        now = link.clock.now
        if now < self.busy_until:
            raise ValueError(f"frame at {now} ns, the wire is busy until {self.busy_until} ns")
        self.busy_until = now + self.frame_ns(len(frame))
        bits = (PREAMBLE_BYTES + len(frame) + FCS_BYTES) * 8
        self._send(now, now + -(-bits * 1_000_000_000 // link.rate_bps), frame, key)
        return self.busy_until

    def transmitted(self, start_ns: int, frame: bytes, key: int) -> None:
        """A frame whose last bit has just left: for a MAC that does its own timing, as the RTL
        does.
        """
        self._send(start_ns, self._link.clock.now, frame, key)

    def _send(self, start_ns: int, end_ns: int, frame: bytes, key: int) -> None:
        link = self._link
        link.frames += 1
        link.bytes += len(frame)
        link.capture(start_ns, self._side, frame, key)
        far = self._far
        start = far.receive_start
        if start is None:
            link.clock.call_at(end_ns + link.delay_ns, lambda: far.receive(frame, key))
        else:
            when = max(start_ns + link.delay_ns, link.clock.now)
            link.clock.call_at(when, lambda: start(frame, key))


class Link:
    """Two ports, a rate (bits a second) and a propagation delay (ns). `frames` and `bytes` count
    both directions.
    """

    def __init__(self, clock: Clock, rate_bps: int, delay_ns: int, capture: Capture) -> None:
        self.clock = clock
        self.rate_bps = rate_bps
        self.delay_ns = delay_ns
        self.capture = capture
        self.frames = 0
        self.bytes = 0
        self.ports = (Port(self, 0), Port(self, 1))
        self.ports[0].connect(self.ports[1])
        self.ports[1].connect(self.ports[0])
