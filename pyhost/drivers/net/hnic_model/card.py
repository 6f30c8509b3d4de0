"""The whole card: the register window over the transmit and the receive engine.

Hardware: hdl/top/hnic_top.v, hdl/csr/, hdl/csr/hnic_soft_reset.v. Register writes act on the card's
state at once; whatever they set going runs from the clock. A read is answered `READ_LATENCY_NS`
later.
"""

from __future__ import annotations

from collections.abc import Callable

from pyhost.bus.device import BusDevice
from pyhost.bus.master import BusMaster
from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic_model.card_regs import CardRegs
from pyhost.drivers.net.hnic_model.limits import MAX_QUEUES, QUEUES, READ_LATENCY_NS
from pyhost.drivers.net.hnic_model.rx_engine import RxEngine
from pyhost.drivers.net.hnic_model.stats import CardStats
from pyhost.drivers.net.hnic_model.tx_engine import TxEngine
from pyhost.drivers.net.hnic_model.tx_mac import TxMac
from pyhost.drivers.net.hnic_model.wire_port import WirePort
from pyhost.kernel.clock import Clock
from pyhost.kernel.kernel import Kernel

__all__ = ["HnicModel"]

_ENABLE = 1 << regs.CTRL_ENABLE_LSB
_RESET = 1 << regs.CTRL_RESET_LSB


class HnicModel:
    """A card in the slot of `kernel`'s machine, `device` is what its driver sees. `port` is the
    wire, `mac` six octets. Vector 2q belongs to TX queue q, 2q + 1 to RX queue q.
    """

    def __init__(
        self,
        kernel: Kernel,
        clock: Clock,
        port: WirePort,
        mac: bytes,
        rate_bps: int,
        tx_queues: int = QUEUES,
        rx_queues: int = QUEUES,
    ) -> None:
        if not 1 <= tx_queues <= MAX_QUEUES or not 1 <= rx_queues <= MAX_QUEUES:
            raise ValueError(f"{tx_queues} TX and {rx_queues} RX queues: 1 to {MAX_QUEUES} each")
        self._clock = clock
        self.device = BusDevice(kernel, "hnic", self, 2 * max(tx_queues, rx_queues))
        self.master = BusMaster(self.device.dma)
        self.stats = CardStats()
        fire, trace = self.device.fire, kernel.trace
        self.mac = TxMac(clock, port, rate_bps, self.stats, trace)
        self.tx = TxEngine(clock, self.master, fire, self.mac, tx_queues, self.stats, trace)
        self.rx = RxEngine(
            clock,
            BusMaster(self.device.dma),
            fire,
            self.mac.pause,
            mac,
            rate_bps,
            rx_queues,
            self.stats,
            trace,
        )
        self.regs = CardRegs(clock, self.mac, self.rx, rate_bps, tx_queues, rx_queues)
        port.receive = self.rx.mac.receive
        self._resetting = False

    # -- MmioPort ----------------------------------------------------------------------------------

    def write(self, offset: int, value: int) -> None:
        """MmioPort.write."""
        if offset >= regs.TXQ_BASE:
            self._write_queue(offset, value)
        elif offset == regs.CTRL:
            self._control(value)
        elif not self.rx.write(offset, value):
            self.regs.write(offset, value)

    def _write_queue(self, offset: int, value: int) -> None:
        if offset >= regs.RXQ_BASE:
            number, offset = divmod(offset - regs.RXQ_BASE, regs.RXQ_STRIDE)
            if number < len(self.rx.queues):
                self.rx.queues[number].write(offset, value)
        else:
            number, offset = divmod(offset - regs.TXQ_BASE, regs.TXQ_STRIDE)
            if number < len(self.tx.queues):
                self.tx.write(number, offset, value)

    def read(self, offset: int, done: Callable[[int], None]) -> None:
        """MmioPort.read."""
        self._clock.call_at(self._clock.now + READ_LATENCY_NS, lambda: done(self.register(offset)))

    def register(self, offset: int) -> int:
        """The register at `offset`, 0 where there is none."""
        if offset >= regs.TXQ_BASE:
            return self._read_queue(offset)
        if offset == regs.CTRL:
            return self.tx.card_enabled << regs.CTRL_ENABLE_LSB | (
                self._resetting << regs.CTRL_RESET_LSB
            )
        if offset == regs.STATUS:
            return (self.tx.busy or self._resetting) << regs.STATUS_BUSY_LSB
        for value in (self.stats.read(offset), self.rx.read(offset)):
            if value is not None:
                return value
        return self.regs.read(offset)

    def _read_queue(self, offset: int) -> int:
        if offset >= regs.RXQ_BASE:
            number, offset = divmod(offset - regs.RXQ_BASE, regs.RXQ_STRIDE)
            return self.rx.queues[number].read(offset) if number < len(self.rx.queues) else 0
        number, offset = divmod(offset - regs.TXQ_BASE, regs.TXQ_STRIDE)
        return self.tx.read(number, offset) if number < len(self.tx.queues) else 0

    # -- control -----------------------------------------------------------------------------------

    def _control(self, value: int) -> None:
        self.tx.card_enabled = self.rx.mac.card_enabled = bool(value & _ENABLE)
        if value & _RESET and not self._resetting:
            self._resetting = True
            self.tx.reset(self._reset_done)
        elif value & _ENABLE:
            self.tx.kick()

    def _reset_done(self) -> None:
        self.rx.reset()
        self._resetting = False
