"""net_device: a network interface as the stack sees it. Linux: include/linux/netdevice.h."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pyhost.kernel.timer import Timer
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.core.sock import Sock
    from pyhost.net.net_namespace import Net
    from pyhost.net.sched.sch_generic import Qdisc

__all__ = [
    "IFF_BROADCAST", "IFF_LOOPBACK", "IFF_NOARP", "IFF_PROMISC", "IFF_RUNNING", "IFF_UP",
    "NETDEV_TX_BUSY", "NETDEV_TX_OK", "NETIF_F_ALL_CSUM", "NETIF_F_FRAGLIST", "NETIF_F_HW_CSUM",
    "NETIF_F_IP_CSUM", "NETIF_F_RXCSUM", "NETIF_F_SG", "NETIF_F_TSO", "NET_RX_DROP",
    "NET_RX_SUCCESS", "NET_XMIT_CN", "NET_XMIT_DROP", "NET_XMIT_MASK", "NET_XMIT_SUCCESS",
    "NetDevice", "NetDeviceOps", "NetDeviceStats", "NetdevQueue", "PacketType",
]  # fmt: skip

NETDEV_TX_OK = 0x00
NETDEV_TX_BUSY = 0x10
NET_XMIT_SUCCESS = 0
NET_XMIT_DROP = 1
NET_XMIT_CN = 2
NET_XMIT_MASK = 0x0F
NET_RX_SUCCESS = 0
NET_RX_DROP = 1

IFF_UP = 0x1
IFF_BROADCAST = 0x2
IFF_LOOPBACK = 0x8
IFF_RUNNING = 0x40
IFF_NOARP = 0x80
IFF_PROMISC = 0x100

NETIF_F_SG = 1 << 0
NETIF_F_IP_CSUM = 1 << 1
NETIF_F_HW_CSUM = 1 << 3
NETIF_F_FRAGLIST = 1 << 6
NETIF_F_TSO = 1 << 16
NETIF_F_RXCSUM = 1 << 40
NETIF_F_ALL_CSUM = NETIF_F_IP_CSUM | NETIF_F_HW_CSUM

QUEUE_STATE_DRV_XOFF = 1 << 0
QUEUE_STATE_STACK_XOFF = 1 << 1
QUEUE_STATE_FROZEN = 1 << 2


class NetDeviceOps(Protocol):
    """What a driver provides. Linux: struct net_device_ops."""

    def ndo_open(self, dev: NetDevice) -> int:
        """Bring the hardware up: 0 or a negative errno. May sleep."""

    def ndo_stop(self, dev: NetDevice) -> int:
        """Take the hardware down. May sleep."""

    def ndo_start_xmit(self, skb: SkBuff, dev: NetDevice, more: bool) -> int:
        """Send. Owns `skb` when it returns NETDEV_TX_OK; must not have touched it when it returns
        NETDEV_TX_BUSY.

        `more`: another packet follows at once, the doorbell may wait (netdev_xmit_more). Must not
        sleep.
        """


class NetdevQueue:
    """One transmit queue of a device. Linux: struct netdev_queue. `state` is a mask of
    QUEUE_STATE_*.
    """

    __slots__ = (
        "dev",
        "index",
        "qdisc",
        "qdisc_sleeping",
        "state",
        "trans_start",
        "xmit_lock_owner",
    )

    def __init__(self, dev: NetDevice, index: int) -> None:
        self.dev = dev
        self.index = index
        self.state = 0
        self.trans_start = 0
        self.xmit_lock_owner = False
        self.qdisc: Qdisc | None = None
        self.qdisc_sleeping: Qdisc | None = None

    @property
    def stopped(self) -> bool:
        """Whether nobody may hand a packet to the driver on this queue. Linux:
        netif_xmit_frozen_or_stopped.
        """
        return self.state != 0

    def stop_queue(self) -> None:
        """The driver cannot take more; from now on the watchdog looks at the queue. Linux:
        netif_tx_stop_queue.
        """
        dev = self.dev
        self.trans_start = dev.net.kernel.clock.now
        self.state |= QUEUE_STATE_DRV_XOFF
        if dev.watchdog_timer is not None and not dev.watchdog_timer.pending:
            dev.watchdog_timer.mod(self.trans_start + dev.watchdog_timeo)

    def start_queue(self) -> None:
        """Take back `stop_queue` without scheduling anything. Linux: netif_tx_start_queue."""
        self.state &= ~QUEUE_STATE_DRV_XOFF

    def wake_queue(self) -> None:
        """The driver can take more: go on with what waits in the qdisc. Linux:
        netif_tx_wake_queue.
        """
        if self.state & QUEUE_STATE_DRV_XOFF:
            self.state &= ~QUEUE_STATE_DRV_XOFF
            if self.qdisc is not None:
                self.dev.net.netif_schedule(self.qdisc)


class PacketType:
    """Who wants to see packets of a protocol, or all of them. Linux: struct packet_type.

    `func(skb, dev)` owns a reference to a packet that others see too. `dev` limits it to one
    device; packets of `sk` itself are not shown to it.
    """

    __slots__ = ("dev", "func", "sk", "type")

    def __init__(
        self,
        proto: int,
        func: Callable[[SkBuff, NetDevice], int],
        dev: NetDevice | None = None,
        sk: Sock | None = None,
    ) -> None:
        self.type = proto
        self.func = func
        self.dev = dev
        self.sk = sk


class NetDeviceStats:
    """Linux: struct rtnl_link_stats64, the fields in use."""

    __slots__ = (
        "rx_bytes",
        "rx_dropped",
        "rx_errors",
        "rx_packets",
        "tx_bytes",
        "tx_dropped",
        "tx_errors",
        "tx_packets",
    )

    def __init__(self) -> None:
        self.rx_packets = self.tx_packets = self.rx_bytes = self.tx_bytes = 0
        self.rx_dropped = self.tx_dropped = self.rx_errors = self.tx_errors = 0


class NetDevice:
    """Linux: struct net_device. `addr` is the MAC address (6 bytes), `features` a mask of
    NETIF_F_*, `priv` the driver's own state.

    Register it with `register_netdevice` (pyhost/net/core/dev.py), bring it up with `dev_open`.
    """

    def __init__(
        self, net: Net, name: str, ops: NetDeviceOps, *, tx_queues: int = 1, addr: bytes = bytes(6)
    ) -> None:
        self.net = net
        self.name = name
        self.ops = ops
        self.addr = addr
        self.broadcast = b"\xff" * 6
        self.ifindex = 0
        self.flags = 0
        self.mtu = 1500
        self.min_mtu = 68
        self.max_mtu = 9000
        self.hard_header_len = 14
        self.needed_headroom = 0
        self.tx_queue_len = 1000
        self.features = 0
        self.gso_max_size = 65536
        self.gso_max_segs = 65535
        self.carrier = False
        self.priv: Any = None
        self.watchdog_timer: Timer | None = None
        self.watchdog_timeo = 5_000_000_000
        self.qdisc: Qdisc | None = None
        self.tx = [NetdevQueue(self, index) for index in range(tx_queues)]
        self.stats = NetDeviceStats()
        self.in_addr = 0
        self.in_prefixlen = 0

    def __repr__(self) -> str:
        return f"<NetDevice {self.name}>"
