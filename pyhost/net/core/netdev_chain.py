"""Who wants to know when a device changes. Linux: net/core/dev.c (netdev_chain),
include/linux/netdevice.h (enum netdev_cmd).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyhost.net.core.netdevice import NetDevice
    from pyhost.net.net_namespace import Net

__all__ = [
    "NETDEV_CHANGE", "NETDEV_CHANGEADDR", "NETDEV_CHANGEMTU", "NETDEV_DOWN", "NETDEV_FEAT_CHANGE",
    "NETDEV_UNREGISTER", "NETDEV_UP", "call_netdevice_notifiers", "register_netdevice_notifier",
]  # fmt: skip

NETDEV_UP = 1
NETDEV_DOWN = 2
NETDEV_CHANGE = 4
NETDEV_UNREGISTER = 6
NETDEV_CHANGEMTU = 7
NETDEV_CHANGEADDR = 8
NETDEV_FEAT_CHANGE = 11


def register_netdevice_notifier(net: Net, notifier: Callable[[NetDevice, int], None]) -> None:
    """Call `notifier(dev, NETDEV_*)` when a device changes. Linux: register_netdevice_notifier."""
    net.softnet.netdev_chain.append(notifier)


def call_netdevice_notifiers(dev: NetDevice, event: int) -> None:
    """Tell everybody who wants to know. Routes that were looked up before are obsolete. Linux:
    call_netdevice_notifiers.
    """
    dev.net.rt_genid += 1
    for notifier in dev.net.softnet.netdev_chain:
        notifier(dev, event)
