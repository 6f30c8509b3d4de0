"""The driver of hnic: probe, up and down, interrupts, polling.

Linux: drivers/net/ethernet/intel/igb/igb_main.c. One TX and one RX queue, each with its own
interrupt vector and NAPI. The interrupt is one-shot: the handler has nothing to mask, and the poll
arms it again with the index up to which it has looked, so that nothing is lost between the last
look and the arming.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.dma.mapping import dma_set_mask
from pyhost.drivers.net.hnic.hnic_hw import (
    hnic_check_id,
    hnic_disable_queue,
    hnic_enable_queue,
    hnic_has_csum,
    hnic_link_up,
    hnic_max_frame,
    hnic_read_mac,
    hnic_reset_hw,
    hnic_set_enable,
    rx_block,
    tx_block,
)
from pyhost.drivers.net.hnic.hnic_ring import RING_MAX, RING_MIN, RxRing, TxRing
from pyhost.drivers.net.hnic.hnic_rx import (
    hnic_alloc_rx_buffers,
    hnic_clean_rx_irq,
    hnic_clean_rx_ring,
    hnic_rx_buf_size,
)
from pyhost.drivers.net.hnic.hnic_tx import (
    hnic_clean_tx_irq,
    hnic_clean_tx_ring,
    hnic_xmit_frame_ring,
)
from pyhost.kernel.clock import NSEC_PER_MSEC
from pyhost.kernel.timer import Timer
from pyhost.kernel.workqueue import WorkStruct, cancel_work_sync, schedule_work
from pyhost.net.core.dev import (
    NapiStruct,
    napi_complete_done,
    napi_disable,
    napi_enable,
    napi_schedule,
    netif_carrier_off,
    netif_carrier_on,
    netif_napi_add,
    netif_napi_del,
    register_netdevice,
    unregister_netdevice,
)
from pyhost.net.core.drop_reason import DEV_READY
from pyhost.net.core.netdevice import (
    IFF_BROADCAST,
    IFF_UP,
    NETDEV_TX_OK,
    NETIF_F_HW_CSUM,
    NETIF_F_RXCSUM,
    NETIF_F_SG,
    NetDevice,
)
from pyhost.net.core.skbuff import SkBuff, kfree_skb_reason
from pyhost.uapi.errno import EIO, ENOMEM
from pyhost.uapi.ethernet import ETH_HLEN

if TYPE_CHECKING:
    from pyhost.bus.device import BusDevice
    from pyhost.kernel.kernel import Kernel

__all__ = ["HnicAdapter", "HnicProbeError", "hnic_probe", "hnic_remove"]

TX_WORK_LIMIT = 128
"""Completions a poll takes before it lets others go first. Linux: IGB_DEFAULT_TX_WORK."""

DMA_MASK = (1 << 64) - 1
"""The card has 64-bit addresses."""

REFILL_NS = 10 * NSEC_PER_MSEC
"""When memory for receive buffers was short, the next try. Linux: virtio_net's refill_work."""

_TX_VECTOR = 0
_RX_VECTOR = 1


class HnicProbeError(Exception):
    """There is no card that this driver can drive."""


class HnicAdapter:
    """What the driver knows of one card; `dev.priv`. Linux: struct igb_adapter. Rings exist while
    the interface is up.
    """

    def __init__(self, dev: NetDevice, bus: BusDevice, tx_count: int, rx_count: int) -> None:
        self.dev = dev
        self.bus = bus
        self.tx_count = tx_count
        self.rx_count = rx_count
        self.tx: TxRing | None = None
        self.rx: RxRing | None = None
        self.tx_napi = netif_napi_add(dev, self._poll_tx)
        self.rx_napi = netif_napi_add(dev, self._poll_rx)
        self.tx_timeout_count = 0
        self._reset_task = WorkStruct(bus.kernel, self._reset)
        self._refill = Timer(bus.kernel, lambda: _schedule(self.rx_napi))

    # -- up and down -------------------------------------------------------------------------------

    def open(self) -> int:
        """Linux: __igb_open."""
        try:
            self._alloc_rings()
        except MemoryError:
            return -ENOMEM
        tx, rx, bus = self.tx, self.rx, self.bus
        assert tx is not None
        assert rx is not None
        irq = bus.kernel.irq
        irq.request_irq(
            bus.irqs[_TX_VECTOR], lambda _: _schedule(self.tx_napi), f"{self.dev.name}-tx-0"
        )
        irq.request_irq(
            bus.irqs[_RX_VECTOR], lambda _: _schedule(self.rx_napi), f"{self.dev.name}-rx-0"
        )
        hnic_enable_queue(bus, tx_block(0), tx.desc.place(), tx.cpl.place())
        hnic_enable_queue(bus, rx_block(0), rx.desc.place(), rx.cpl.place())
        hnic_set_enable(bus, True)
        if not hnic_alloc_rx_buffers(rx):
            self.close()
            return -ENOMEM
        napi_enable(self.tx_napi)
        napi_enable(self.rx_napi)
        bus.writel(tx.cpl_next, tx.arm_reg)
        bus.writel(rx.next_to_clean, rx.arm_reg)
        tx.txq.start_queue()
        if hnic_link_up(bus):
            netif_carrier_on(self.dev)
        return 0

    def stop(self) -> None:
        """Linux: __igb_close, igb_close; waits for a reset that is under way."""
        cancel_work_sync(self._reset_task)
        self._down()

    def _down(self) -> None:
        """Linux: igb_down."""
        netif_carrier_off(self.dev)
        self.dev.tx[0].stop_queue()
        napi_disable(self.tx_napi)
        napi_disable(self.rx_napi)
        self._refill.delete()
        self.close()

    def close(self) -> None:
        """Stop the card and give back everything that `open` took, polling being off."""
        tx, rx, bus = self.tx, self.rx, self.bus
        assert tx is not None
        assert rx is not None
        idle = hnic_disable_queue(bus, rx_block(0)) and hnic_disable_queue(bus, tx_block(0))
        if not idle and not hnic_reset_hw(bus):
            bus.kernel.warn(f"{self.dev.name}: the card does not stop")
        hnic_set_enable(bus, False)
        for number in bus.irqs:
            bus.kernel.irq.free_irq(number)
        hnic_clean_tx_ring(tx)
        hnic_clean_rx_ring(rx)
        tx.free()
        rx.free()
        self.tx = self.rx = None

    def tx_timeout(self) -> None:
        """The card has not completed anything for too long: reset it from a task, as that takes
        time. Linux: igb_tx_timeout.
        """
        self.tx_timeout_count += 1
        schedule_work(self._reset_task)

    def _reset(self) -> None:
        """Take the card down and up again; what it had is lost. Linux: igb_reset_task,
        igb_reinit_locked.
        """
        if self.tx is None:
            return
        self.bus.kernel.warn(f"{self.dev.name}: Reset adapter")
        self._down()
        error = self.open()
        if error:
            self.bus.kernel.warn(f"{self.dev.name}: the card does not come up again ({error})")

    def _alloc_rings(self) -> None:
        self.tx = TxRing(self.dev, self.bus, self.tx_count, 0)
        try:
            self.rx = RxRing(self.dev, self.bus, self.rx_count, 0, hnic_rx_buf_size(self.dev.mtu))
        except MemoryError:
            self.tx.free()
            self.tx = None
            raise

    # -- polling -----------------------------------------------------------------------------------

    def _poll_tx(self, napi: NapiStruct, budget: int) -> int:
        """Linux: igb_poll, its transmit half."""
        ring = self.tx
        assert ring is not None
        if not hnic_clean_tx_irq(ring, TX_WORK_LIMIT):
            return budget
        if napi_complete_done(napi, 0):
            ring.bus.writel(ring.cpl_next, ring.arm_reg)
        return 0

    def _poll_rx(self, napi: NapiStruct, budget: int) -> int:
        """Linux: igb_poll, its receive half."""
        ring = self.rx
        assert ring is not None
        work = hnic_clean_rx_irq(ring, budget)
        if not hnic_alloc_rx_buffers(ring):
            self._refill.mod(ring.bus.kernel.clock.now + REFILL_NS)
        if work < budget and napi_complete_done(napi, work):
            ring.bus.writel(ring.next_to_clean, ring.arm_reg)
        return work


def _schedule(napi: NapiStruct) -> None:
    napi_schedule(napi)


class HnicNetdevOps:
    """Linux: igb_netdev_ops."""

    def ndo_open(self, dev: NetDevice) -> int:
        """NetDeviceOps.ndo_open: 0 or -ENOMEM."""
        adapter: HnicAdapter = dev.priv
        return adapter.open()

    def ndo_stop(self, dev: NetDevice) -> int:
        """NetDeviceOps.ndo_stop."""
        adapter: HnicAdapter = dev.priv
        adapter.stop()
        return 0

    def ndo_start_xmit(self, skb: SkBuff, dev: NetDevice, more: bool) -> int:
        """NetDeviceOps.ndo_start_xmit."""
        ring: TxRing | None = dev.priv.tx
        if ring is None:
            dev.stats.tx_dropped += 1
            kfree_skb_reason(skb, DEV_READY)
            return NETDEV_TX_OK
        return hnic_xmit_frame_ring(ring, skb, more)

    def ndo_tx_timeout(self, dev: NetDevice, txqueue: int) -> None:
        """NetDeviceOps.ndo_tx_timeout: softirq context."""
        adapter: HnicAdapter = dev.priv
        adapter.tx_timeout()

    def ndo_change_mtu(self, dev: NetDevice, mtu: int) -> int:
        """Receive buffers have the size of the MTU, so an interface that is up goes down and up.
        Linux: igb_change_mtu.
        """
        if not dev.flags & IFF_UP:
            return 0
        adapter: HnicAdapter = dev.priv
        adapter.stop()
        old, dev.mtu = dev.mtu, mtu
        error = adapter.open()
        if error:
            dev.mtu = old
        return error


def hnic_probe(
    kernel: Kernel, bus: BusDevice, name: str, *, tx_count: int = 256, rx_count: int = 256
) -> NetDevice:
    """Find the card on `bus` and register `name` for it, down. Linux: igb_probe. In a task, as
    register reads take time.

    `tx_count`, `rx_count`: descriptors a ring, powers of two from 64 to 4096. Raises
    `HnicProbeError`.
    """
    for count in (tx_count, rx_count):
        if not RING_MIN <= count <= RING_MAX or count & count - 1:
            raise HnicProbeError(
                f"{name}: {count} descriptors: a power of two from {RING_MIN} to {RING_MAX} wanted"
            )
    dma_set_mask(bus.dma, DMA_MASK)
    if not hnic_check_id(bus):
        raise HnicProbeError(f"{name}: no hnic answers on {bus.name}")
    if not hnic_reset_hw(bus):
        raise HnicProbeError(f"{name}: the card does not come out of reset (errno {EIO})")
    dev = NetDevice(kernel.net, name, HnicNetdevOps(), addr=hnic_read_mac(bus))
    dev.flags |= IFF_BROADCAST
    dev.features = NETIF_F_SG | NETIF_F_RXCSUM | (NETIF_F_HW_CSUM if hnic_has_csum(bus) else 0)
    dev.hw_features = dev.features
    dev.max_mtu = min(dev.max_mtu, hnic_max_frame(bus) - ETH_HLEN)
    dev.priv = HnicAdapter(dev, bus, tx_count, rx_count)
    if register_netdevice(dev):
        raise HnicProbeError(f"{name}: the name is taken")
    return dev


def hnic_remove(dev: NetDevice) -> None:
    """Take the interface away; the DMA shadow map is empty then. Linux: igb_remove. May sleep."""
    adapter: HnicAdapter = dev.priv
    unregister_netdevice(dev)
    netif_napi_del(adapter.tx_napi)
    netif_napi_del(adapter.rx_napi)
    hnic_set_enable(adapter.bus, False)
    adapter.bus.dma.debug.check_unbind()
