"""Pause frames (IEEE 802.3 annex 31B): the other end asks the transmitter to hold.

Hardware: hdl/mac/hnic_pause.v.
"""

from __future__ import annotations

from collections.abc import Callable

from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.uapi.ethernet import ETH_ALEN

__all__ = ["ETH_P_PAUSE", "PauseTimer"]

ETH_P_PAUSE = 0x8808
"""MAC control frames; none of them ever reaches the host. Linux: ETH_P_PAUSE."""
_ADDRESS = bytes.fromhex("0180c2000001")
_OPCODE_POS = 14
_PAUSE = b"\0\x01"
_QUANTA_POS = 16
_QUANTUM_BITS = 512


class PauseTimer:
    """`until` is the time (ns) up to which no frame may begin; `on_change()` is called when it
    moved. `enabled` is LINK_CFG.PAUSE.
    """

    __slots__ = ("_rate_bps", "enabled", "on_change", "until")

    def __init__(self, rate_bps: int) -> None:
        self._rate_bps = rate_bps
        self.enabled = False
        self.until = 0
        self.on_change: Callable[[], None] = lambda: None

    def set_enabled(self, on: bool) -> None:
        """Write LINK_CFG.PAUSE; without it nothing holds."""
        self.enabled = on
        if not on and self.until:
            self.until = 0
            self.on_change()

    def receive(self, frame: bytes, mac: bytes, now: int) -> bool:
        """A MAC control frame has arrived; whether it is a pause frame for the station `mac`. Each
        one replaces the time that is left.
        """
        if frame[:ETH_ALEN] not in (_ADDRESS, mac) or frame[_OPCODE_POS:_QUANTA_POS] != _PAUSE:
            return False
        if self.enabled:
            quanta = int.from_bytes(frame[_QUANTA_POS : _QUANTA_POS + 2], "big")
            self.until = now + -(-quanta * _QUANTUM_BITS * NSEC_PER_SEC // self._rate_bps)
            self.on_change()
        return True
