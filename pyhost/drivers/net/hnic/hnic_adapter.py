"""One card and its driver: queues up and down, interrupts, polling.

Linux: drivers/net/ethernet/intel/igb/igb_main.c (igb_up, igb_down, igb_poll). TX queue q has the
interrupt vector 2q and RX queue q the vector 2q + 1, each with a NAPI of its own. The interrupt is
one-shot: the handler has nothing to mask, and the poll arms it again with the index up to which it
has looked, so that nothing is lost between the last look and the arming.

An interrupt without a completion says that the queue has stopped at a fault of which no completion
could tell. Registers are not read in a poll, so a work item looks (hnic_recovery.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.drivers.net.hnic.hnic_filter import hnic_set_rx_mode
from pyhost.drivers.net.hnic.hnic_hw import (
    RSS_KEY_BYTES,
    RSS_TABLE_ENTRIES,
    HnicInfo,
    hnic_disable_queue,
    hnic_enable_queue,
    hnic_link,
    hnic_reset_hw,
    hnic_set_enable,
    hnic_write_coalesce,
    hnic_write_pause,
    hnic_write_priority,
    hnic_write_rate,
    hnic_write_rss,
    rx_block,
    tx_block,
)
from pyhost.drivers.net.hnic.hnic_recovery import Recovery
from pyhost.drivers.net.hnic.hnic_ring import RxQueueStats, RxRing, TxQueueStats, TxRing
from pyhost.drivers.net.hnic.hnic_rx import (
    hnic_alloc_rx_buffers,
    hnic_clean_rx_irq,
    hnic_clean_rx_ring,
    hnic_rx_buf_size,
)
from pyhost.drivers.net.hnic.hnic_tx import hnic_clean_tx_irq, hnic_clean_tx_ring
from pyhost.kernel.clock import NSEC_PER_MSEC
from pyhost.kernel.timer import Timer
from pyhost.net.core.dev import (
    NapiStruct,
    napi_complete_done,
    napi_disable,
    napi_enable,
    napi_schedule,
    netif_carrier_off,
    netif_carrier_on,
    netif_napi_add,
)
from pyhost.net.core.ethtool import EthtoolCoalesce, ethtool_rxfh_indir_default
from pyhost.uapi.errno import ENOMEM
from pyhost.uapi.net_tstamp import HWTSTAMP_FILTER_NONE, HWTSTAMP_TX_OFF, HwtstampConfig

if TYPE_CHECKING:
    from pyhost.bus.device import BusDevice
    from pyhost.net.core.netdevice import NetDevice

__all__ = ["HnicAdapter"]

TX_WORK_LIMIT = 128
"""Completions a poll takes before it lets others go first. Linux: IGB_DEFAULT_TX_WORK."""

REFILL_NS = 10 * NSEC_PER_MSEC
"""When memory for receive buffers was short, the next try. Linux: virtio_net's refill_work."""


class HnicAdapter:
    """What the driver knows of one card; `dev.priv`. Linux: struct igb_adapter.

    `tx` and `rx` are the rings, which exist while the interface is up; what is set for them
    (`num_tx` queues of `tx_count` descriptors, `coalesce`, ...) lasts. `tx_priority` is the class
    of each TX queue, 7 first.
    """

    def __init__(
        self, dev: NetDevice, bus: BusDevice, info: HnicInfo, tx_count: int, rx_count: int
    ) -> None:
        self.dev = dev
        self.bus = bus
        self.info = info
        self.tx_count = tx_count
        self.rx_count = rx_count
        self.num_tx = info.tx_queues
        self.num_rx = info.rx_queues
        self.tx: list[TxRing] = []
        self.rx: list[RxRing] = []
        self.tx_napi = [
            netif_napi_add(dev, self._tx_poller(queue)) for queue in range(info.tx_queues)
        ]
        self.rx_napi = [
            netif_napi_add(dev, self._rx_poller(queue)) for queue in range(info.rx_queues)
        ]
        self.tx_stats = [TxQueueStats() for _ in range(info.tx_queues)]
        self.rx_stats = [RxQueueStats() for _ in range(info.rx_queues)]
        self.tx_timeout_count = 0
        self.reset_count = 0
        self.coalesce = EthtoolCoalesce()
        self.rx_pause = info.pause
        self.tx_priority = [0] * info.tx_queues
        self.rss_key = bytes(RSS_KEY_BYTES)
        self.rss_table = [0] * RSS_TABLE_ENTRIES
        self.tstamp = HwtstampConfig(HWTSTAMP_TX_OFF, HWTSTAMP_FILTER_NONE)
        self.recovery = Recovery(self)
        self._irqs: list[int] = []
        self._refill = [
            Timer(bus.kernel, _scheduler(self.rx_napi[queue])) for queue in range(info.rx_queues)
        ]

    # -- up and down -------------------------------------------------------------------------------

    def open(self) -> int:
        """Linux: __igb_open."""
        try:
            self._alloc_rings()
        except MemoryError:
            self._free_rings()
            return -ENOMEM
        self._request_irqs()
        self._configure()
        for ring in self._rings():
            hnic_enable_queue(self.bus, ring.block, ring.desc.place(), ring.cpl.place())
        hnic_set_enable(self.bus, True)
        if not all(hnic_alloc_rx_buffers(ring) for ring in self.rx):
            self.close()
            return -ENOMEM
        for napi in self._napis():
            napi_enable(napi)
        for ring in self._rings():
            ring.arm()
        for txq in self.dev.tx:
            txq.start_queue()
        if hnic_link(self.bus)[0]:
            netif_carrier_on(self.dev)
        return 0

    def stop(self) -> None:
        """Linux: __igb_close, igb_close; waits for a reset that is under way."""
        self.recovery.cancel()
        self.down()

    def down(self) -> None:
        """Linux: igb_down."""
        netif_carrier_off(self.dev)
        for tx in self.tx:
            tx.txq.stop_queue()
        for napi in self._napis():
            napi_disable(napi)
        for timer in self._refill:
            timer.delete()
        self.close()

    def close(self) -> None:
        """Stop the card and give back everything that `open` took, polling being off."""
        bus = self.bus
        idle = all(hnic_disable_queue(bus, ring.block) for ring in self._rings())
        if not idle and not hnic_reset_hw(bus):
            bus.kernel.warn(f"{self.dev.name}: the card does not stop")
        hnic_set_enable(bus, False)
        while self._irqs:
            bus.kernel.irq.free_irq(self._irqs.pop())
        for tx in self.tx:
            hnic_clean_tx_ring(tx)
        for rx in self.rx:
            hnic_clean_rx_ring(rx)
        self._free_rings()

    def reinit(self, change: Callable[[], None], undo: Callable[[], None]) -> int:
        """Change something that rings are made of. An interface that is up goes down and up; if it
        does not come up, it does so as it was, and the answer is a negative errno. May sleep.
        Linux: igb_reinit_locked, igb_set_ringparam.
        """
        if not self.tx:
            change()
            return 0
        self.stop()
        change()
        error = self.open()
        if error:
            undo()
            if self.open():
                self.bus.kernel.warn(f"{self.dev.name}: the interface does not come up again")
        return error

    def _rings(self) -> list[TxRing | RxRing]:
        return [*self.tx, *self.rx]

    def _napis(self) -> list[NapiStruct]:
        return [*self.tx_napi[: len(self.tx)], *self.rx_napi[: len(self.rx)]]

    def _alloc_rings(self) -> None:
        """Raises MemoryError with some of them made."""
        dev, bus = self.dev, self.bus
        for queue in range(self.num_tx):
            tx = TxRing(dev, bus, self.tx_count, queue, self.tx_stats[queue])
            self.tx.append(tx)
        size = hnic_rx_buf_size(dev.mtu)
        for queue in range(self.num_rx):
            rx = RxRing(dev, bus, self.rx_count, queue, self.rx_stats[queue], size)
            self.rx.append(rx)
        self.apply_tstamp()

    def _free_rings(self) -> None:
        for ring in self._rings():
            ring.free()
        self.tx.clear()
        self.rx.clear()

    def _request_irqs(self) -> None:
        """Linux: igb_request_msix."""
        vectors = [(2 * tx.index, f"tx-{tx.index}", self.tx_napi[tx.index]) for tx in self.tx]
        vectors += [(2 * rx.index + 1, f"rx-{rx.index}", self.rx_napi[rx.index]) for rx in self.rx]
        for vector, what, napi in vectors:
            number = self.bus.irqs[vector]
            handler = _interrupt(napi)
            self.bus.kernel.irq.request_irq(number, handler, f"{self.dev.name}-{what}")
            self._irqs.append(number)

    # -- what lasts over a reset of the card -------------------------------------------------------

    def _configure(self) -> None:
        """Linux: igb_configure."""
        bus = self.bus
        if self.info.rss:
            self.apply_rss()
        if self.info.pause:
            hnic_write_pause(bus, self.rx_pause)
        self.apply_coalesce()
        for queue in range(self.num_tx if self.info.rate else 0):
            hnic_write_rate(bus, tx_block(queue), self.dev.tx[queue].tx_maxrate)
            hnic_write_priority(bus, tx_block(queue), self.tx_priority[queue])
        hnic_set_rx_mode(self)

    def apply_rss(self) -> None:
        """Tell the card key and table."""
        hnic_write_rss(self.bus, self.rss_key, self.rss_table)

    def spread_rss(self) -> None:
        """Spread the hashes evenly over the queues. Linux: igb_init_reta."""
        count = self.num_rx
        self.rss_table = [ethtool_rxfh_indir_default(i, count) for i in range(RSS_TABLE_ENTRIES)]

    def apply_coalesce(self) -> None:
        """Tell the card how late interrupts may be."""
        wanted = self.coalesce
        for queue in range(self.num_tx):
            block = tx_block(queue)
            hnic_write_coalesce(self.bus, block, wanted.tx_usecs, wanted.tx_frames)
        for queue in range(self.num_rx):
            block = rx_block(queue)
            hnic_write_coalesce(self.bus, block, wanted.rx_usecs, wanted.rx_frames)

    def apply_tstamp(self) -> None:
        """Have the rings pass timestamps on, or not."""
        for tx in self.tx:
            tx.tstamp = self.tstamp.tx_type != HWTSTAMP_TX_OFF
        for rx in self.rx:
            rx.tstamp = self.tstamp.rx_filter != HWTSTAMP_FILTER_NONE

    # -- polling -----------------------------------------------------------------------------------

    def _tx_poller(self, queue: int) -> Callable[[NapiStruct, int], int]:
        return lambda napi, budget: self._poll_tx(self.tx[queue], napi, budget)

    def _rx_poller(self, queue: int) -> Callable[[NapiStruct, int], int]:
        return lambda napi, budget: self._poll_rx(self.rx[queue], napi, budget)

    def _poll_tx(self, ring: TxRing, napi: NapiStruct, budget: int) -> int:
        """Linux: igb_poll, its transmit half."""
        if not hnic_clean_tx_irq(ring, TX_WORK_LIMIT):
            return budget
        if napi_complete_done(napi, 0):
            if ring.failed is not None or ring.cpl_next == ring.armed:
                self.recovery.look_at(ring)
            else:
                ring.arm()
        return 0

    def _poll_rx(self, ring: RxRing, napi: NapiStruct, budget: int) -> int:
        """Linux: igb_poll, its receive half."""
        work = hnic_clean_rx_irq(ring, budget)
        if ring.failed is None and not hnic_alloc_rx_buffers(ring):
            self._refill[ring.index].mod(ring.bus.kernel.clock.now + REFILL_NS)
        if work < budget and napi_complete_done(napi, work):
            if ring.failed is not None or ring.cpl_next == ring.armed:
                self.recovery.look_at(ring)
            else:
                ring.arm()
        return work


def _scheduler(napi: NapiStruct) -> Callable[[], None]:
    def schedule() -> None:
        napi_schedule(napi)

    return schedule


def _interrupt(napi: NapiStruct) -> Callable[[int], None]:
    """Linux: igb_msix_ring."""

    def handler(_: int) -> None:
        napi_schedule(napi)

    return handler
