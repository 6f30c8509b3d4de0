"""lo: what is sent comes in again. Linux: drivers/net/loopback.c."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.bug import KernelBug
from pyhost.net.core.dev import dev_open, netif_carrier_on, netif_rx, register_netdevice
from pyhost.net.core.netdevice import (
    IFF_LOOPBACK,
    NET_RX_SUCCESS,
    NETDEV_TX_OK,
    NETIF_F_ALL_TSO,
    NETIF_F_FRAGLIST,
    NETIF_F_GSO_UDP_L4,
    NETIF_F_HW_CSUM,
    NETIF_F_RXCSUM,
    NETIF_F_SG,
    NetDevice,
)
from pyhost.net.core.skbuff import SkBuff
from pyhost.net.core.timestamping import skb_tx_timestamp
from pyhost.net.eth import eth_type_trans
from pyhost.net.ipv4.fib.route import inet_add_addr

if TYPE_CHECKING:
    from pyhost.net.net_namespace import Net

__all__ = ["LOOPBACK_ADDR", "LOOPBACK_MTU", "Loopback", "loopback_init"]

LOOPBACK_MTU = 65536
LOOPBACK_ADDR = 0x7F000001
LOOPBACK_PREFIXLEN = 8


class Loopback:
    """The driver. The packet itself goes round: no copy, no checksum, no cutting."""

    def ndo_open(self, dev: NetDevice) -> int:
        """Nothing to bring up."""
        return 0

    def ndo_stop(self, dev: NetDevice) -> int:
        """Nothing to take down."""
        return 0

    def ndo_start_xmit(self, skb: SkBuff, dev: NetDevice, more: bool) -> int:
        """Linux: loopback_xmit. The sender's charge ends here: the receiver may keep the packet
        as long as it likes.
        """
        if skb.shinfo.tx_flags:
            skb_tx_timestamp(skb)
        skb.orphan()
        skb.tstamp = 0  # when it should leave, not when it came
        length = skb.len
        skb.protocol = eth_type_trans(skb, dev)
        if netif_rx(skb) == NET_RX_SUCCESS:
            stats = dev.stats
            stats.tx_packets += 1
            stats.rx_packets += 1
            stats.tx_bytes += length
            stats.rx_bytes += length
        return NETDEV_TX_OK


def loopback_init(net: Net) -> None:
    """Register lo with 127.0.0.1/8 and bring it up. Linux: loopback_net_init, loopback_setup."""
    dev = NetDevice(net, "lo", Loopback())
    dev.flags |= IFF_LOOPBACK
    dev.mtu = dev.max_mtu = LOOPBACK_MTU
    dev.tx_queue_len = 0
    dev.features = (
        NETIF_F_SG
        | NETIF_F_HW_CSUM
        | NETIF_F_ALL_TSO
        | NETIF_F_GSO_UDP_L4
        | NETIF_F_FRAGLIST
        | NETIF_F_RXCSUM
    )
    dev.hw_features = NETIF_F_ALL_TSO | NETIF_F_GSO_UDP_L4
    netif_carrier_on(dev)
    error = register_netdevice(dev) or dev_open(dev)
    if error:
        raise KernelBug(f"lo: error {error}")
    inet_add_addr(dev, LOOPBACK_ADDR, LOOPBACK_PREFIXLEN)
