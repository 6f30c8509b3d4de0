"""Which frames the card takes. Linux: igb_set_rx_mode, igb_write_mc_addr_list."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic.hnic_hw import hnic_write_filter
from pyhost.net.core.netdevice import IFF_ALLMULTI, IFF_PROMISC, NETIF_F_HW_VLAN_CTAG_RX

if TYPE_CHECKING:
    from pyhost.drivers.net.hnic.hnic_adapter import HnicAdapter

__all__ = ["hnic_mc_hash", "hnic_set_rx_mode"]

_HASH_SHIFT = 26


def hnic_mc_hash(addr: bytes) -> int:
    """The bit of the multicast filter that an address has: the upper six of the card's CRC-32
    register after the address, which zlib inverts.
    """
    return (crc32(addr) ^ 0xFFFFFFFF) >> _HASH_SHIFT


def hnic_set_rx_mode(adapter: HnicAdapter) -> None:
    """Bring the card's filter in line with the device's flags and groups. Any context. Linux:
    igb_set_rx_mode.
    """
    dev = adapter.dev
    control = 1 << regs.RX_CTRL_BROADCAST_LSB
    if dev.flags & IFF_PROMISC:
        control |= 1 << regs.RX_CTRL_PROMISC_LSB
    if dev.flags & IFF_ALLMULTI:
        control |= 1 << regs.RX_CTRL_ALLMULTI_LSB
    if dev.features & NETIF_F_HW_VLAN_CTAG_RX:
        control |= 1 << regs.RX_CTRL_VLAN_STRIP_LSB
    if adapter.info.rss:
        control |= 1 << regs.RX_CTRL_RSS_LSB
    groups = 0
    for addr in dev.mc:
        groups |= 1 << hnic_mc_hash(addr)
    hnic_write_filter(adapter.bus, control, groups)
