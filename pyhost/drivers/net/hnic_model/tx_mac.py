"""The sending half of the MAC: one frame after the other, with the gap between them, and none while
a pause frame holds.

Hardware: hdl/mac/hnic_tx_mac.v. One clock event a frame.
"""

from __future__ import annotations

from collections.abc import Callable

from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic_model.limits import FCS_BYTES, PREAMBLE_BYTES
from pyhost.drivers.net.hnic_model.pause import PauseTimer
from pyhost.drivers.net.hnic_model.stats import CardStats
from pyhost.drivers.net.hnic_model.wire_port import WirePort
from pyhost.kernel.clock import NSEC_PER_SEC, Clock, Event
from pyhost.kernel.trace import Tracer

__all__ = ["TxMac"]

_IFG_MIN = 12
_IFG_MAX = 252
_BYTE_BITS = 8 * NSEC_PER_SEC


class TxMac:
    """`gap` is the inter-frame gap in bytes (LINK_CFG.IFG)."""

    def __init__(
        self, clock: Clock, port: WirePort, rate_bps: int, stats: CardStats, trace: Tracer
    ) -> None:
        self._clock = clock
        self._port = port
        self._rate_bps = rate_bps
        self._stats = stats
        self._trace = trace
        self._waiting: Callable[[], None] | None = None
        self._wake: Event | None = None
        self.pause = PauseTimer(rate_bps)
        self.pause.on_change = self._pause_changed
        self.gap = regs.LINK_CFG_IFG_RST

    def set_gap(self, value: int) -> None:
        """Write LINK_CFG.IFG."""
        self.gap = min(max(value & (1 << regs.LINK_CFG_IFG_W) - 1, _IFG_MIN), _IFG_MAX)

    @property
    def paused(self) -> bool:
        """Whether no frame may begin now."""
        return self.pause.until > self._clock.now

    def send(self, frame: bytes, key: int, done: Callable[[], None]) -> None:
        """Begin a frame now; `done` is called when the next one may begin."""
        clock, stats = self._clock, self._stats
        size = len(frame)
        stats.tx_frames += 1
        stats.tx_bytes += size
        if self._trace.on:
            self._trace.hit("nic_tx", key, len=size)
        self._port.transmit(frame, key)
        bits = (size + PREAMBLE_BYTES + FCS_BYTES + self.gap) * _BYTE_BITS
        clock.call_at(clock.now + -(-bits // self._rate_bps), done)

    # -- pause -------------------------------------------------------------------------------------

    def wait(self, then: Callable[[], None]) -> None:
        """A pause frame holds: call `then` when it does so no more."""
        self._waiting = then
        self._wake = self._clock.call_at(self.pause.until, self._resume)

    def stop_waiting(self) -> Callable[[], None] | None:
        """Forget what waits for the end of the pause; returns it."""
        then, self._waiting = self._waiting, None
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        return then

    def _pause_changed(self) -> None:
        then = self.stop_waiting()
        if then is not None:
            self.wait(then)

    def _resume(self) -> None:
        then = self.stop_waiting()
        if then is not None:
            then()
