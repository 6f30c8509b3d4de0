"""The registers that belong to the whole card.

Hardware: hdl/csr/hnic_csr.v.
"""

from __future__ import annotations

from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic_model.cycle import cycle_of
from pyhost.drivers.net.hnic_model.limits import MAX_FRAME, MAX_SEGS
from pyhost.drivers.net.hnic_model.rx_engine import RxEngine
from pyhost.drivers.net.hnic_model.tx_mac import TxMac
from pyhost.kernel.clock import Clock

__all__ = ["CardRegs"]

_U32 = 0xFFFFFFFF
_MAC_HI_MASK = (1 << regs.MAC_HI_OCTETS_W) - 1
_MBIT = 1_000_000
_FEATURES = (
    1 << regs.FEATURES_CSUM_LSB
    | 1 << regs.FEATURES_TSO_LSB
    | 1 << regs.FEATURES_VLAN_LSB
    | 1 << regs.FEATURES_RX_LSB
    | 1 << regs.FEATURES_RSS_LSB
    | 1 << regs.FEATURES_TIME_LSB
    | 1 << regs.FEATURES_PAUSE_LSB
    | 1 << regs.FEATURES_RATE_LSB
)


class CardRegs:
    """Identification, link, station address, time. `tx_queues` and `rx_queues` are how many the
    card has.
    """

    def __init__(
        self, clock: Clock, mac: TxMac, rx: RxEngine, rate_bps: int, tx_queues: int, rx_queues: int
    ) -> None:
        self._clock = clock
        self._mac = mac
        self._rx = rx
        self._cycle_hi = self._time_hi = 0
        self._scratch = 0
        self._constants = {
            regs.ID: regs.ID_RST,
            regs.VERSION: regs.VERSION_RST,
            regs.FEATURES: _FEATURES,
            regs.QUEUES: tx_queues << regs.QUEUES_TXQ_LSB | rx_queues << regs.QUEUES_RXQ_LSB,
            regs.MAX_FRAME: MAX_FRAME,
            regs.MAX_SEGS: MAX_SEGS,
        }
        self._link = 1 << regs.LINK_STATUS_UP_LSB | rate_bps // _MBIT << regs.LINK_STATUS_SPEED_LSB

    def write(self, offset: int, value: int) -> None:
        """Write a register; those that are not here are ignored."""
        station = self._rx.filter
        if offset == regs.LINK_CFG:
            self._mac.set_gap(value)
            self._mac.pause.set_enabled(bool(value >> regs.LINK_CFG_PAUSE_LSB & 1))
        elif offset == regs.MAC_LO:
            station.mac = value.to_bytes(4, "little") + station.mac[4:]
        elif offset == regs.MAC_HI:
            station.mac = station.mac[:4] + (value & _MAC_HI_MASK).to_bytes(2, "little")
        elif offset == regs.SCRATCH:
            self._scratch = value

    def read(self, offset: int) -> int:
        """A register, 0 where there is none. Reading the low half of a counter holds its high
        half.
        """
        if offset in self._constants:
            return self._constants[offset]
        if offset == regs.CYCLE_LO:
            cycle = cycle_of(self._clock.now)
            self._cycle_hi = cycle >> 32
            return cycle & _U32
        if offset == regs.TIME_LO:
            self._time_hi = self._clock.now >> 32 & _U32
            return self._clock.now & _U32
        mac, station = self._mac, self._rx.filter.mac
        registers = {
            regs.LINK_CFG: mac.gap | mac.pause.enabled << regs.LINK_CFG_PAUSE_LSB,
            regs.LINK_STATUS: self._link | mac.paused << regs.LINK_STATUS_PAUSED_LSB,
            regs.MAC_LO: int.from_bytes(station[:4], "little"),
            regs.MAC_HI: int.from_bytes(station[4:], "little"),
            regs.SCRATCH: self._scratch,
            regs.CYCLE_HI: self._cycle_hi,
            regs.TIME_HI: self._time_hi,
        }
        return registers.get(offset, 0)
