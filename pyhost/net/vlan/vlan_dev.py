"""The driver of a VLAN device: what is sent through it gets its tag and goes to the device below.

Linux: net/8021q/vlan_dev.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core.dev import dev_queue_xmit, netif_carrier_off, netif_carrier_on
from pyhost.net.core.dev_addr import (
    dev_mc_add,
    dev_mc_del,
    dev_set_allmulti,
    dev_set_promiscuity,
)
from pyhost.net.core.features import NETIF_F_SOFT_FEATURES
from pyhost.net.core.if_vlan import VLAN_PRIO_SHIFT, vlan_hwaccel_put_tag
from pyhost.net.core.netdevice import (
    IFF_ALLMULTI,
    IFF_BROADCAST,
    IFF_NO_QUEUE,
    IFF_PROMISC,
    IFF_UP,
    NET_XMIT_CN,
    NET_XMIT_SUCCESS,
    NETIF_F_RXCSUM,
    NetDevice,
)
from pyhost.uapi.errno import EINVAL, ENETDOWN, EOPNOTSUPP, ERANGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyhost.net.core.skbuff import SkBuff
    from pyhost.uapi.net_tstamp import HwtstampConfig

__all__ = ["VlanDev", "vlan_setup"]


class VlanDev:
    """One VLAN device, its `dev.ops` and `dev.priv`. Linux: struct vlan_dev_priv, vlan_netdev_ops.

    `ingress` maps the priority of a tag to that of a packet, `egress` the other way; what is not in
    them is 0.
    """

    def __init__(
        self,
        real_dev: NetDevice,
        vlan_id: int,
        ingress: Mapping[int, int],
        egress: Mapping[int, int],
    ) -> None:
        self.real_dev = real_dev
        self.vlan_id = vlan_id
        self.ingress = dict(ingress)
        self.egress = dict(egress)
        self._mc: set[bytes] = set()

    def ndo_open(self, dev: NetDevice) -> int:
        """-ENETDOWN while the device below is down. Linux: vlan_dev_open."""
        real_dev = self.real_dev
        if not real_dev.flags & IFF_UP:
            return -ENETDOWN
        if dev.flags & IFF_ALLMULTI:
            dev_set_allmulti(real_dev, 1)
        if dev.flags & IFF_PROMISC or dev.addr != real_dev.addr:
            dev_set_promiscuity(real_dev, 1)
        self._sync(set(dev.mc))
        if real_dev.carrier:
            netif_carrier_on(dev)
        return 0

    def ndo_stop(self, dev: NetDevice) -> int:
        """Linux: vlan_dev_stop."""
        real_dev = self.real_dev
        self._sync(set())
        if dev.flags & IFF_ALLMULTI:
            dev_set_allmulti(real_dev, -1)
        if dev.flags & IFF_PROMISC or dev.addr != real_dev.addr:
            dev_set_promiscuity(real_dev, -1)
        netif_carrier_off(dev)
        return 0

    def ndo_start_xmit(self, skb: SkBuff, dev: NetDevice, more: bool) -> int:
        """Linux: vlan_dev_hard_start_xmit."""
        priority = self.egress.get(skb.priority, 0)
        vlan_hwaccel_put_tag(skb, self.vlan_id | priority << VLAN_PRIO_SHIFT)
        skb.dev = self.real_dev
        length = skb.len
        rc = dev_queue_xmit(skb)
        if rc in (NET_XMIT_SUCCESS, NET_XMIT_CN):
            dev.stats.tx_packets += 1
            dev.stats.tx_bytes += length
        else:
            dev.stats.tx_dropped += 1
        return rc

    def received(self, skb: SkBuff) -> None:
        """A packet comes in through the device: its priority. Linux: vlan_get_ingress_priority."""
        if self.ingress:
            skb.priority = self.ingress.get(skb.vlan_tci >> VLAN_PRIO_SHIFT, 0)

    def ndo_change_mtu(self, dev: NetDevice, mtu: int) -> int:
        """-ERANGE above the MTU of the device below. Linux: vlan_dev_change_mtu."""
        return -ERANGE if mtu > self.real_dev.mtu else 0

    def ndo_set_rx_mode(self, dev: NetDevice) -> None:
        """The device below must hear what this one wants to. Linux: vlan_dev_set_rx_mode."""
        self._sync(set(dev.mc))

    def _sync(self, wanted: set[bytes]) -> None:
        """Linux: dev_mc_sync."""
        for addr in sorted(wanted - self._mc):
            dev_mc_add(self.real_dev, addr)
        for addr in sorted(self._mc - wanted):
            dev_mc_del(self.real_dev, addr)
        self._mc = wanted

    def ndo_change_rx_flags(self, dev: NetDevice, flag: int) -> None:
        """Linux: vlan_dev_change_rx_flags."""
        inc = 1 if dev.flags & flag else -1
        if flag == IFF_ALLMULTI:
            dev_set_allmulti(self.real_dev, inc)
        else:
            dev_set_promiscuity(self.real_dev, inc)

    def ndo_set_mac_address(self, dev: NetDevice, addr: bytes) -> int:
        """An address of its own is not in the filter of the device below, which then takes every
        frame (Linux knows cards that filter several). -EINVAL while the device is up. Linux:
        vlan_dev_set_mac_address.
        """
        return -EINVAL if dev.flags & IFF_UP else 0

    def ndo_hwtstamp_get(self, dev: NetDevice) -> HwtstampConfig | int:
        """What the device below does. Linux: vlan_hwtstamp_get."""
        getter = getattr(self.real_dev.ops, "ndo_hwtstamp_get", None)
        if getter is None:
            return -EOPNOTSUPP
        config: HwtstampConfig | int = getter(self.real_dev)
        return config

    def ndo_hwtstamp_set(self, dev: NetDevice, config: HwtstampConfig) -> HwtstampConfig | int:
        """The device below takes the timestamps. Linux: vlan_hwtstamp_set."""
        setter = getattr(self.real_dev.ops, "ndo_hwtstamp_set", None)
        if setter is None:
            return -EOPNOTSUPP
        done: HwtstampConfig | int = setter(self.real_dev, config)
        return done

    def ndo_fix_features(self, dev: NetDevice, features: int) -> int:
        """No more than the device below can do for tagged packets. Linux: vlan_dev_fix_features."""
        real_dev = self.real_dev
        lower = real_dev.features & (real_dev.vlan_features | NETIF_F_RXCSUM)
        return features & lower | features & NETIF_F_SOFT_FEATURES


def vlan_setup(dev: NetDevice, real_dev: NetDevice) -> None:
    """What a VLAN device takes over from the one below. Linux: vlan_setup, vlan_dev_init."""
    dev.flags |= real_dev.flags & IFF_BROADCAST
    dev.priv_flags |= IFF_NO_QUEUE
    dev.mtu = real_dev.mtu
    dev.max_mtu = 65535
    dev.min_mtu = 0
    dev.needed_headroom = real_dev.needed_headroom
    dev.hw_features = real_dev.vlan_features | NETIF_F_RXCSUM
    dev.features = dev.hw_features
    dev.gso_max_size = real_dev.gso_max_size
    dev.gso_max_segs = real_dev.gso_max_segs
