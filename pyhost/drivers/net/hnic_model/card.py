"""The whole card: the register window over the transmit and the receive engine.

Hardware: hdl/csr/hnic_csr.v, hdl/csr/hnic_soft_reset.v, hdl/top/. Register writes act on the card's
state at once; whatever they set going runs from the clock. A read is answered `READ_LATENCY_NS`
later.
"""

from __future__ import annotations

from collections.abc import Callable

from pyhost.bus.device import BusDevice
from pyhost.bus.master import BusMaster
from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic_model.cycle import cycle_of
from pyhost.drivers.net.hnic_model.rx_engine import RxEngine
from pyhost.drivers.net.hnic_model.stats import CardStats
from pyhost.drivers.net.hnic_model.tx_engine import MAX_FRAME, TxEngine, WirePort
from pyhost.kernel.clock import Clock
from pyhost.kernel.kernel import Kernel

__all__ = ["READ_LATENCY_NS", "VECTORS", "HnicModel"]

READ_LATENCY_NS = 300
"""A register read over the bus and back."""

VECTORS = 2

_U32 = 0xFFFFFFFF
_IFG_MIN = 12
_IFG_MAX = 252
_MBIT = 1_000_000


class HnicModel:
    """A card in the slot of `kernel`'s machine, `device` is what its driver sees. `port` is the
    wire, `mac` six octets.
    """

    def __init__(
        self, kernel: Kernel, clock: Clock, port: WirePort, mac: bytes, rate_bps: int
    ) -> None:
        self._clock = clock
        self._rate_bps = rate_bps
        self.device = BusDevice(kernel, "hnic", self, VECTORS)
        self.master = BusMaster(self.device.dma)
        self.stats = CardStats()
        self.tx = TxEngine(
            clock, self.master, self.device.fire, port, rate_bps, self.stats, kernel.trace
        )
        self.rx = RxEngine(self.device, clock)
        port.receive = self.rx.receive
        self._mac_lo = int.from_bytes(mac[:4], "little")
        self._mac_hi = int.from_bytes(mac[4:], "little")
        self._scratch = 0
        self._resetting = False
        self._cycle_hi = 0

    # -- MmioPort ----------------------------------------------------------------------------------

    def write(self, offset: int, value: int) -> None:
        """MmioPort.write."""
        if regs.TXQ_BASE <= offset < regs.TXQ_BASE + regs.TXQ_STRIDE:
            self.tx.queue.write(offset - regs.TXQ_BASE, value)
        elif self.rx.owns(offset):
            self.rx.write(offset, value)
        elif offset == regs.CTRL:
            self._control(value)
        elif offset == regs.LINK_CFG:
            self.tx.gap = min(max(value & (1 << regs.LINK_CFG_IFG_W) - 1, _IFG_MIN), _IFG_MAX)
        elif offset == regs.MAC_LO:
            self._mac_lo = value
        elif offset == regs.MAC_HI:
            self._mac_hi = value & (1 << regs.MAC_HI_OCTETS_W) - 1
        elif offset == regs.SCRATCH:
            self._scratch = value

    def read(self, offset: int, done: Callable[[int], None]) -> None:
        """MmioPort.read."""
        self._clock.call_at(self._clock.now + READ_LATENCY_NS, lambda: done(self.register(offset)))

    def register(self, offset: int) -> int:
        """The register at `offset`, 0 where there is none."""
        if regs.TXQ_BASE <= offset < regs.TXQ_BASE + regs.TXQ_STRIDE:
            return self.tx.queue.read(offset - regs.TXQ_BASE)
        if self.rx.owns(offset):
            return self.rx.read(offset)
        count = self.stats.read(offset)
        return self._global(offset) if count is None else count

    def _global(self, offset: int) -> int:
        if offset == regs.CYCLE_LO:
            cycle = cycle_of(self._clock.now)
            self._cycle_hi = cycle >> 32
            return cycle & _U32
        queues = (self.tx.queue, self.rx.queue)
        registers = {
            regs.ID: regs.ID_RST,
            regs.VERSION: regs.VERSION_RST,
            regs.FEATURES: 1 << regs.FEATURES_CSUM_LSB | 1 << regs.FEATURES_RX_LSB,
            regs.QUEUES: regs.QUEUES_RST,
            regs.CTRL: self.tx.card_enabled << regs.CTRL_ENABLE_LSB
            | self._resetting << regs.CTRL_RESET_LSB,
            regs.STATUS: (self.tx.busy or self._resetting) << regs.STATUS_BUSY_LSB,
            regs.LINK_CFG: self.tx.gap,
            regs.LINK_STATUS: 1 << regs.LINK_STATUS_UP_LSB
            | self._rate_bps // _MBIT << regs.LINK_STATUS_SPEED_LSB,
            regs.MAC_LO: self._mac_lo,
            regs.MAC_HI: self._mac_hi,
            regs.MAX_FRAME: MAX_FRAME,
            regs.SCRATCH: self._scratch,
            regs.CYCLE_HI: self._cycle_hi,
            regs.STAT_DOORBELL_ERRS: sum(queue.doorbell_errs for queue in queues) & _U32,
            regs.STAT_IRQS: sum(queue.irqs for queue in queues) & _U32,
        }
        return registers.get(offset, 0)

    # -- control -----------------------------------------------------------------------------------

    def _control(self, value: int) -> None:
        self.tx.card_enabled = bool(value & 1 << regs.CTRL_ENABLE_LSB)
        if value & 1 << regs.CTRL_RESET_LSB:
            self._resetting = True
            self.tx.reset(self._reset_done)
        elif self.tx.card_enabled:
            self.tx.kick()

    def _reset_done(self) -> None:
        self.rx.queue.reset()
        self._resetting = False
