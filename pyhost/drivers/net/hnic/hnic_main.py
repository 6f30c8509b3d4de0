"""The driver of hnic: probe, removal, and what the stack asks of it.

Linux: drivers/net/ethernet/intel/igb/igb_main.c (igb_probe, igb_netdev_ops). How queues go up and
down and are polled is in hnic_adapter.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.dma.mapping import dma_set_mask
from pyhost.drivers.net.hnic.hnic_adapter import HnicAdapter
from pyhost.drivers.net.hnic.hnic_ethtool import HnicEthtoolOps
from pyhost.drivers.net.hnic.hnic_filter import hnic_set_rx_mode
from pyhost.drivers.net.hnic.hnic_hw import (
    RSS_KEY_BYTES,
    HnicInfo,
    hnic_check_id,
    hnic_identify,
    hnic_read_mac,
    hnic_reset_hw,
    hnic_set_enable,
    hnic_write_mac,
    hnic_write_priority,
    hnic_write_rate,
    tx_block,
)
from pyhost.drivers.net.hnic.hnic_ring import RING_MAX, RING_MIN
from pyhost.drivers.net.hnic.hnic_tx import TSO_HDR_MAX, TSO_PAYLOAD_MAX, hnic_xmit_frame_ring
from pyhost.net.core.dev import netif_napi_del, register_netdevice, unregister_netdevice
from pyhost.net.core.drop_reason import DEV_READY
from pyhost.net.core.gso import skb_tcp_all_headers
from pyhost.net.core.netdevice import (
    IFF_BROADCAST,
    NETDEV_TX_OK,
    NETIF_F_GSO_MASK,
    NETIF_F_HW_CSUM,
    NETIF_F_HW_VLAN_CTAG_RX,
    NETIF_F_HW_VLAN_CTAG_TX,
    NETIF_F_RXCSUM,
    NETIF_F_RXHASH,
    NETIF_F_SG,
    NETIF_F_TSO,
    NETIF_F_TSO6,
    NETIF_F_TSO_ECN,
    NetDevice,
)
from pyhost.net.core.skbuff import SkBuff, kfree_skb_reason
from pyhost.net.core.xps import netif_set_xps_queue
from pyhost.uapi.errno import EINVAL, EIO, EOPNOTSUPP, ERANGE
from pyhost.uapi.ethernet import ETH_HLEN
from pyhost.uapi.net_tstamp import (
    HWTSTAMP_FILTER_ALL,
    HWTSTAMP_FILTER_LAST,
    HWTSTAMP_FILTER_NONE,
    HWTSTAMP_TX_OFF,
    HWTSTAMP_TX_ON,
    HwtstampConfig,
)

if TYPE_CHECKING:
    from pyhost.bus.device import BusDevice
    from pyhost.kernel.kernel import Kernel

__all__ = [
    "HnicAdapter", "HnicNetdevOps", "HnicProbeError", "hnic_probe", "hnic_remove",
    "hnic_set_tx_priority",
]  # fmt: skip

DMA_MASK = (1 << 64) - 1
"""The card has 64-bit addresses."""

_TX_FEATURES = NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_TSO6 | NETIF_F_TSO_ECN
_CARD_FEATURES = NETIF_F_HW_VLAN_CTAG_RX


class HnicProbeError(Exception):
    """There is no card that this driver can drive."""


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
        rings = dev.priv.tx
        if skb.queue_mapping >= len(rings):
            dev.stats.tx_dropped += 1
            kfree_skb_reason(skb, DEV_READY)
            return NETDEV_TX_OK
        return hnic_xmit_frame_ring(rings[skb.queue_mapping], skb, more)

    def ndo_features_check(self, skb: SkBuff, dev: NetDevice, features: int) -> int:
        """NetDeviceOps.ndo_features_check: what is too much for the card is done in software.
        Linux: igb_features_check.
        """
        info: HnicInfo = dev.priv.info
        shinfo = skb.shinfo
        if shinfo.gso_size and features & NETIF_F_GSO_MASK:
            header = skb_tcp_all_headers(skb)
            if (
                header > TSO_HDR_MAX
                or header + shinfo.gso_size > info.max_frame
                or skb.len - header > TSO_PAYLOAD_MAX
            ):
                features &= ~NETIF_F_GSO_MASK
        if len(shinfo.frags) >= info.max_segs:
            features &= ~NETIF_F_SG
        return features

    def ndo_tx_timeout(self, dev: NetDevice, txqueue: int) -> None:
        """NetDeviceOps.ndo_tx_timeout: softirq context."""
        adapter: HnicAdapter = dev.priv
        adapter.recovery.tx_timeout(txqueue)

    def ndo_change_mtu(self, dev: NetDevice, mtu: int) -> int:
        """The size of receive buffers depends on the MTU, so an interface that is up goes down and
        up. Linux: igb_change_mtu.
        """
        adapter: HnicAdapter = dev.priv
        old = dev.mtu

        def change() -> None:
            dev.mtu = mtu

        def undo() -> None:
            dev.mtu = old

        return adapter.reinit(change, undo)

    def ndo_set_features(self, dev: NetDevice, features: int) -> int:
        """NetDeviceOps.ndo_set_features: the card itself must know only whether to take tags out;
        all else the driver decides packet by packet. Linux: igb_set_features.
        """
        changed = dev.features ^ features
        dev.features = features
        if changed & _CARD_FEATURES:
            hnic_set_rx_mode(dev.priv)
        return 0

    def ndo_set_rx_mode(self, dev: NetDevice) -> None:
        """NetDeviceOps.ndo_set_rx_mode."""
        hnic_set_rx_mode(dev.priv)

    def ndo_set_mac_address(self, dev: NetDevice, addr: bytes) -> int:
        """NetDeviceOps.ndo_set_mac_address. Linux: igb_set_mac."""
        adapter: HnicAdapter = dev.priv
        dev.addr = addr
        hnic_write_mac(adapter.bus, addr)
        return 0

    def ndo_set_tx_maxrate(self, dev: NetDevice, queue: int, mbps: int) -> int:
        """NetDeviceOps.ndo_set_tx_maxrate: Mbit/s on the wire, 0 without a limit; -EOPNOTSUPP when
        the card cannot. Linux: ixgbe_tx_maxrate.
        """
        adapter: HnicAdapter = dev.priv
        if not adapter.info.rate:
            return -EOPNOTSUPP
        hnic_write_rate(adapter.bus, tx_block(queue), mbps)
        return 0

    def ndo_hwtstamp_get(self, dev: NetDevice) -> HwtstampConfig | int:
        """NetDeviceOps.ndo_hwtstamp_get. Linux: igb_ptp_get_ts_config."""
        adapter: HnicAdapter = dev.priv
        return adapter.tstamp if adapter.info.time else -EOPNOTSUPP

    def ndo_hwtstamp_set(self, dev: NetDevice, config: HwtstampConfig) -> HwtstampConfig | int:
        """NetDeviceOps.ndo_hwtstamp_set: what the card will do, which may be more than was asked
        for; -EOPNOTSUPP, or -ERANGE for what it cannot. Linux: igb_ptp_set_ts_config.
        """
        adapter: HnicAdapter = dev.priv
        if not adapter.info.time:
            return -EOPNOTSUPP
        if config.tx_type not in (HWTSTAMP_TX_OFF, HWTSTAMP_TX_ON):
            return -ERANGE
        if not HWTSTAMP_FILTER_NONE <= config.rx_filter <= HWTSTAMP_FILTER_LAST:
            return -ERANGE
        rx_filter = HWTSTAMP_FILTER_ALL if config.rx_filter else HWTSTAMP_FILTER_NONE
        adapter.tstamp = HwtstampConfig(config.tx_type, rx_filter)
        adapter.apply_tstamp()
        return adapter.tstamp


def hnic_set_tx_priority(dev: NetDevice, queue: int, priority: int) -> int:
    """Put a TX queue into a class, 0 to 7: queues of a higher one go first. 0, -EINVAL, or
    -EOPNOTSUPP. Linux has this in mqprio's offload alone.
    """
    adapter: HnicAdapter = dev.priv
    if not adapter.info.rate:
        return -EOPNOTSUPP
    if not 0 <= queue < len(dev.tx) or not 0 <= priority <= 7:
        return -EINVAL
    adapter.tx_priority[queue] = priority
    hnic_write_priority(adapter.bus, tx_block(queue), priority)
    return 0


def _features(info: HnicInfo) -> int:
    """Linux: igb_probe."""
    features = NETIF_F_SG | NETIF_F_RXCSUM
    if info.csum:
        features |= NETIF_F_HW_CSUM
    if info.csum and info.tso:
        features |= NETIF_F_TSO | NETIF_F_TSO6 | NETIF_F_TSO_ECN
    if info.vlan:
        features |= NETIF_F_HW_VLAN_CTAG_TX | NETIF_F_HW_VLAN_CTAG_RX
    if info.rss:
        features |= NETIF_F_RXHASH
    return features


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
    info = hnic_identify(bus)
    addr = hnic_read_mac(bus)
    dev = NetDevice(kernel.net, name, HnicNetdevOps(), tx_queues=info.tx_queues, addr=addr)
    _describe(dev, info)
    adapter = dev.priv = HnicAdapter(dev, bus, info, tx_count, rx_count)
    if info.rss:
        adapter.rss_key = kernel.random.randbytes(RSS_KEY_BYTES)
        adapter.spread_rss()
    if register_netdevice(dev):
        raise HnicProbeError(f"{name}: the name is taken")
    for queue in range(info.tx_queues):
        netif_set_xps_queue(dev, [0], queue)
    return dev


def _describe(dev: NetDevice, info: HnicInfo) -> None:
    dev.flags |= IFF_BROADCAST
    dev.features = dev.hw_features = _features(info)
    dev.vlan_features = dev.features & _TX_FEATURES
    dev.max_mtu = min(dev.max_mtu, info.max_frame - ETH_HLEN)
    dev.real_num_rx_queues = info.rx_queues
    dev.ethtool_ops = HnicEthtoolOps()


def hnic_remove(dev: NetDevice) -> None:
    """Take the interface away; the DMA shadow map is empty then. Linux: igb_remove. May sleep."""
    adapter: HnicAdapter = dev.priv
    unregister_netdevice(dev)
    for napi in (*adapter.tx_napi, *adapter.rx_napi):
        netif_napi_del(napi)
    hnic_set_enable(adapter.bus, False)
    adapter.bus.dma.debug.check_unbind()
