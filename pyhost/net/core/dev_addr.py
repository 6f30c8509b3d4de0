"""Which frames a device takes, and its own address.

Linux: net/core/dev.c (dev_set_promiscuity, dev_set_mac_address), net/core/dev_addr_lists.c.

A driver with a filter is told by `ndo_set_rx_mode` when flags or multicast addresses have changed;
one without takes everything, and the stack sorts out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core.netdev_chain import NETDEV_CHANGEADDR, call_netdevice_notifiers
from pyhost.net.core.netdevice import IFF_ALLMULTI, IFF_PROMISC, IFF_UP
from pyhost.uapi.errno import EADDRNOTAVAIL, EINVAL, ENOENT, EOPNOTSUPP
from pyhost.uapi.ethernet import ETH_ALEN

if TYPE_CHECKING:
    from pyhost.net.core.netdevice import NetDevice

__all__ = [
    "dev_mc_add", "dev_mc_del", "dev_set_allmulti", "dev_set_mac_address", "dev_set_promiscuity",
    "dev_set_rx_mode", "dev_set_tx_maxrate", "is_valid_ether_addr",
]  # fmt: skip


def dev_set_rx_mode(dev: NetDevice) -> None:
    """Have the driver of a device that is up bring its filter in line. Linux: dev_set_rx_mode."""
    setter = getattr(dev.ops, "ndo_set_rx_mode", None)
    if setter is not None and dev.flags & IFF_UP:
        setter(dev)


def dev_set_promiscuity(dev: NetDevice, inc: int) -> None:
    """One more, or one less, wants to see every frame. Linux: dev_set_promiscuity."""
    dev.promiscuity += inc
    _set_flag(dev, IFF_PROMISC, dev.promiscuity > 0, inc)


def dev_set_allmulti(dev: NetDevice, inc: int) -> None:
    """One more, or one less, wants to see every multicast frame. Linux: dev_set_allmulti."""
    dev.allmulti += inc
    _set_flag(dev, IFF_ALLMULTI, dev.allmulti > 0, inc)


def _set_flag(dev: NetDevice, flag: int, on: bool, inc: int) -> None:
    """Linux: dev_change_rx_flags."""
    flags = dev.flags | flag if on else dev.flags & ~flag
    if flags == dev.flags:
        return
    dev.flags = flags
    change = getattr(dev.ops, "ndo_change_rx_flags", None)
    if change is not None and dev.flags & IFF_UP:
        change(dev, flag)
    dev_set_rx_mode(dev)


def dev_mc_add(dev: NetDevice, addr: bytes) -> None:
    """Listen to a multicast address; each call wants one `dev_mc_del`. Linux: dev_mc_add."""
    users = dev.mc.get(addr, 0)
    dev.mc[addr] = users + 1
    if not users:
        dev_set_rx_mode(dev)


def dev_mc_del(dev: NetDevice, addr: bytes) -> int:
    """0, or -ENOENT when nobody listens. Linux: dev_mc_del."""
    users = dev.mc.get(addr, 0)
    if not users:
        return -ENOENT
    if users > 1:
        dev.mc[addr] = users - 1
    else:
        del dev.mc[addr]
        dev_set_rx_mode(dev)
    return 0


def is_valid_ether_addr(addr: bytes) -> bool:
    """Whether one station can have the address. Linux: is_valid_ether_addr."""
    return len(addr) == ETH_ALEN and not addr[0] & 1 and any(addr)


def dev_set_mac_address(dev: NetDevice, addr: bytes) -> int:
    """Give a device another address: 0, -EINVAL, -EADDRNOTAVAIL for one that no station can have,
    or what the driver says. What neighbours were told before is obsolete. Linux:
    dev_set_mac_address, eth_mac_addr.
    """
    if len(addr) != ETH_ALEN:
        return -EINVAL
    if not is_valid_ether_addr(addr):
        return -EADDRNOTAVAIL
    setter = getattr(dev.ops, "ndo_set_mac_address", None)
    if setter is not None:
        error: int = setter(dev, addr)
        if error:
            return error
    dev.addr = addr
    call_netdevice_notifiers(dev, NETDEV_CHANGEADDR)
    return 0


def dev_set_tx_maxrate(dev: NetDevice, index: int, mbps: int) -> int:
    """The most a transmit queue may send, Mbit/s; 0: no limit. 0, -EINVAL, -EOPNOTSUPP, or what the
    driver says. Linux: tx_maxrate_store (/sys/class/net/DEV/queues/tx-N/tx_maxrate).
    """
    setter = getattr(dev.ops, "ndo_set_tx_maxrate", None)
    if setter is None:
        return -EOPNOTSUPP
    if not 0 <= index < len(dev.tx) or mbps < 0:
        return -EINVAL
    error: int = setter(dev, index, mbps)
    if not error:
        dev.tx[index].tx_maxrate = mbps
    return error
