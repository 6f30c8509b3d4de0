"""The receiving half of the MAC: what a frame must be before anyone looks into it.

Hardware: hdl/mac/hnic_rx_mac.v, hdl/mac/hnic_pause.v, hdl/rx/hnic_rx_filter.v.
"""

from __future__ import annotations

from collections.abc import Callable

from pyhost.drivers.net.hnic_model.limits import (
    ETH_TAG,
    FCS_BYTES,
    MAX_FRAME,
    MIN_FRAME,
    PREAMBLE_BYTES,
)
from pyhost.drivers.net.hnic_model.pause import ETH_P_PAUSE, PauseTimer
from pyhost.drivers.net.hnic_model.rx_filter import RxFilter
from pyhost.drivers.net.hnic_model.stats import CardStats
from pyhost.kernel.clock import NSEC_PER_SEC, Clock
from pyhost.uapi.ethernet import (
    ETH_DATA_LEN,
    ETH_HLEN,
    ETH_P_8021Q,
    OFF_TYPE,
    VLAN_HLEN,
)

__all__ = ["RxMac"]


class RxMac:
    """`sink(frame, key, start_ns)` gets every good frame that the host wants, with the time at
    which it began. `card_enabled` is CTRL.ENABLE.
    """

    def __init__(
        self,
        clock: Clock,
        rate_bps: int,
        wanted: RxFilter,
        pause: PauseTimer,
        stats: CardStats,
        sink: Callable[[bytes, int, int], None],
    ) -> None:
        self._clock = clock
        self._rate_bps = rate_bps
        self._filter = wanted
        self._pause = pause
        self._stats = stats
        self._sink = sink
        self.card_enabled = False

    def receive(self, frame: bytes, key: int, good: bool = True) -> None:
        """The last bit of a frame (without preamble and FCS) has arrived; not `good`: with a wrong
        FCS or an error inside.
        """
        stats = self._stats
        size = len(frame)
        if not MIN_FRAME <= size <= MAX_FRAME + ETH_TAG:
            stats.rx_len_errs += 1
            return
        if not good:
            stats.rx_fcs_errs += 1
            return
        now = self._clock.now
        kind = frame[OFF_TYPE] << 8 | frame[OFF_TYPE + 1]
        if kind == ETH_P_PAUSE:
            if self._pause.receive(frame, self._filter.mac, now):
                stats.rx_pauses += 1
            stats.rx_filtered += self.card_enabled
            return
        if not self.card_enabled:
            return
        if not self._filter.wants(frame):
            stats.rx_filtered += 1
            return
        if _too_short(frame, kind, size):
            stats.rx_len_errs += 1
            return
        bits = (PREAMBLE_BYTES + size + FCS_BYTES) * 8
        start = now - -(-bits * NSEC_PER_SEC // self._rate_bps)
        self._sink(frame, key, max(start, 0))


def _too_short(frame: bytes, kind: int, size: int) -> bool:
    """Whether an 802.3 length field (IEEE 802.3 clause 3.2.6), also one behind a tag, says more
    than the frame has.
    """
    header = ETH_HLEN
    if kind == ETH_P_8021Q:
        header += VLAN_HLEN
        kind = frame[OFF_TYPE + VLAN_HLEN] << 8 | frame[OFF_TYPE + VLAN_HLEN + 1]
    return kind <= ETH_DATA_LEN and kind > size - header
