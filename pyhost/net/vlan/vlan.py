"""Making and removing VLAN devices, and what the device below means for them.

Linux: net/8021q/vlan.c, vlan_netlink.c.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pyhost.net.core.dev import (
    dev_change_mtu,
    dev_close,
    dev_open,
    netif_carrier_off,
    netif_carrier_on,
    register_netdevice,
    unregister_netdevice,
)
from pyhost.net.core.extack import NetlinkExtAck
from pyhost.net.core.features import netdev_update_features
from pyhost.net.core.if_vlan import VLAN_N_VID
from pyhost.net.core.netdev_chain import (
    NETDEV_CHANGE,
    NETDEV_CHANGEMTU,
    NETDEV_DOWN,
    NETDEV_FEAT_CHANGE,
    NETDEV_UNREGISTER,
    NETDEV_UP,
    register_netdevice_notifier,
)
from pyhost.net.core.netdevice import IFF_LOOPBACK, IFF_UP, NetDevice
from pyhost.net.vlan.vlan_dev import VlanDev, vlan_setup
from pyhost.uapi.errno import EEXIST, EINVAL, EOPNOTSUPP, ERANGE

if TYPE_CHECKING:
    from pyhost.net.net_namespace import Net

__all__ = ["is_vlan_dev", "unregister_vlan_dev", "vlan_init", "vlan_newlink"]


def is_vlan_dev(dev: NetDevice) -> bool:
    """Linux: is_vlan_dev."""
    return isinstance(dev.ops, VlanDev)


def vlan_newlink(
    real_dev: NetDevice,
    name: str,
    vlan_id: int,
    extack: NetlinkExtAck,
    *,
    ingress: Mapping[int, int] | None = None,
    egress: Mapping[int, int] | None = None,
) -> int:
    """A device `name` for VLAN `vlan_id` on top of `real_dev`; it is down. 0, -ERANGE: no such id,
    -EEXIST: the name or the id is taken, -EOPNOTSUPP: nothing can stand on that device. Linux:
    vlan_newlink, register_vlan_dev.
    """
    if not 0 <= vlan_id < VLAN_N_VID - 1:
        extack.msg = "8021q: Invalid VLAN id"
        return -ERANGE
    if real_dev.flags & IFF_LOOPBACK:
        extack.msg = "8021q: VLANs not supported on device"
        return -EOPNOTSUPP
    if vlan_id in real_dev.vlan_info:
        extack.msg = "8021q: VLAN device already exists"
        return -EEXIST
    ops = VlanDev(real_dev, vlan_id, ingress or {}, egress or {})
    dev = NetDevice(real_dev.net, name, ops, addr=real_dev.addr)
    dev.priv = ops
    vlan_setup(dev, real_dev)
    error = register_netdevice(dev)
    if error:
        return error
    real_dev.vlan_info[vlan_id] = dev
    netdev_update_features(dev)
    return 0


def unregister_vlan_dev(dev: NetDevice) -> int:
    """Take a VLAN device away: 0, or -EINVAL when it is none. May sleep. Linux:
    unregister_vlan_dev.
    """
    if not isinstance(dev.ops, VlanDev):
        return -EINVAL
    unregister_netdevice(dev)
    del dev.ops.real_dev.vlan_info[dev.ops.vlan_id]
    return 0


def vlan_init(net: Net) -> None:
    """Linux: vlan_proto_init."""
    register_netdevice_notifier(net, _vlan_device_event)


def _vlan_device_event(dev: NetDevice, event: int) -> None:
    """The device below has changed. Linux: vlan_device_event."""
    for vlan_dev in tuple(dev.vlan_info.values()):
        if event == NETDEV_UP:
            dev_open(vlan_dev)
        elif event == NETDEV_DOWN:
            dev_close(vlan_dev)
        elif event == NETDEV_CHANGE:
            if vlan_dev.flags & IFF_UP:
                (netif_carrier_on if dev.carrier else netif_carrier_off)(vlan_dev)
        elif event == NETDEV_CHANGEMTU:
            if vlan_dev.mtu > dev.mtu:
                dev_change_mtu(vlan_dev, dev.mtu)
        elif event == NETDEV_FEAT_CHANGE:
            netdev_update_features(vlan_dev)
        elif event == NETDEV_UNREGISTER:
            unregister_vlan_dev(vlan_dev)
