"""net_device: a network interface as the stack sees it. Linux: include/linux/netdevice.h.

A transmit queue is stopped by its driver (DRV_XOFF, no room in the ring), by the byte queue limits
(STACK_XOFF, enough under way) or by the watchdog for a moment (FROZEN). Whoever hands packets down
looks at all of them at once: `txq.state` must be 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from pyhost.net.core.dynamic_queue_limits import Dql

if TYPE_CHECKING:
    from pyhost.kernel.timer import Timer
    from pyhost.net.core.ethtool import EthtoolOps
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.core.sock import Sock
    from pyhost.net.ipv4.fib.devinet import InIfaddr
    from pyhost.net.net_namespace import Net
    from pyhost.net.sched.qdisc import Qdisc

__all__ = [
    "GSO_MAX_SEGS", "GSO_MAX_SIZE", "IFF_ALLMULTI", "IFF_BROADCAST", "IFF_LOOPBACK", "IFF_NOARP",
    "IFF_NO_QUEUE", "IFF_PROMISC", "IFF_RUNNING", "IFF_UP", "NETDEV_TX_BUSY", "NETDEV_TX_OK",
    "NETIF_F_ALL_CSUM", "NETIF_F_ALL_TSO", "NETIF_F_FRAGLIST", "NETIF_F_GRO", "NETIF_F_GSO",
    "NETIF_F_GSO_MASK", "NETIF_F_GSO_SHIFT", "NETIF_F_GSO_UDP_L4", "NETIF_F_HW_CSUM",
    "NETIF_F_HW_VLAN_CTAG_RX", "NETIF_F_HW_VLAN_CTAG_TX", "NETIF_F_IP_CSUM", "NETIF_F_RXCSUM",
    "NETIF_F_RXHASH", "NETIF_F_SG", "NETIF_F_TSO", "NETIF_F_TSO6", "NETIF_F_TSO_ECN",
    "NETIF_F_TSO_MANGLEID", "NET_RX_DROP", "NET_RX_SUCCESS", "NET_XMIT_CN", "NET_XMIT_DROP",
    "NET_XMIT_MASK", "NET_XMIT_SUCCESS", "QUEUE_STATE_ANY_XOFF", "QUEUE_STATE_DRV_XOFF",
    "QUEUE_STATE_FROZEN",
    "QUEUE_STATE_STACK_XOFF", "NetDevice", "NetDeviceOps", "NetDeviceStats", "NetdevQueue",
    "PacketType",
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
IFF_ALLMULTI = 0x200

IFF_NO_QUEUE = 1 << 21
"""`NetDevice.priv_flags`: packets go straight to the driver, whatever `tx_queue_len` says."""

NETIF_F_SG = 1 << 0
NETIF_F_IP_CSUM = 1 << 1
NETIF_F_HW_CSUM = 1 << 3
NETIF_F_FRAGLIST = 1 << 6
NETIF_F_HW_VLAN_CTAG_TX = 1 << 7
NETIF_F_HW_VLAN_CTAG_RX = 1 << 8
NETIF_F_GSO = 1 << 11
NETIF_F_GRO = 1 << 14
NETIF_F_GSO_SHIFT = 16
"""`gso_type << NETIF_F_GSO_SHIFT` are the features that a device needs to cut a packet itself."""
NETIF_F_TSO = 1 << 16
NETIF_F_TSO_ECN = 1 << 18
NETIF_F_TSO_MANGLEID = 1 << 19
NETIF_F_TSO6 = 1 << 20
NETIF_F_GSO_UDP_L4 = 1 << 33
NETIF_F_RXHASH = 1 << 39
NETIF_F_RXCSUM = 1 << 40
NETIF_F_ALL_CSUM = NETIF_F_IP_CSUM | NETIF_F_HW_CSUM
NETIF_F_ALL_TSO = NETIF_F_TSO | NETIF_F_TSO6 | NETIF_F_TSO_ECN | NETIF_F_TSO_MANGLEID
NETIF_F_GSO_MASK = (1 << 35) - (1 << NETIF_F_GSO_SHIFT)

QUEUE_STATE_DRV_XOFF = 1 << 0
QUEUE_STATE_STACK_XOFF = 1 << 1
QUEUE_STATE_FROZEN = 1 << 2
QUEUE_STATE_ANY_XOFF = QUEUE_STATE_DRV_XOFF | QUEUE_STATE_STACK_XOFF

GSO_MAX_SIZE = 65536
"""Linux: GSO_LEGACY_MAX_SIZE."""
GSO_MAX_SEGS = 65535


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
    QUEUE_STATE_*; `trans_start` when a packet last went or the queue stopped, ns. `tx_maxrate` is
    the most it may send, Mbit/s (Linux: /sys/class/net/DEV/queues/tx-N/tx_maxrate).
    """

    __slots__ = (
        "dev", "dql", "index", "qdisc", "qdisc_sleeping", "state", "trans_start", "trans_timeout",
        "tx_maxrate", "xmit_lock_owner",
    )  # fmt: skip

    def __init__(self, dev: NetDevice, index: int) -> None:
        self.dev = dev
        self.index = index
        self.state = 0
        self.trans_start = 0
        self.trans_timeout = 0
        self.tx_maxrate = 0
        self.xmit_lock_owner = False
        self.dql = Dql(dev.net.kernel.clock)
        self.qdisc: Qdisc | None = None
        self.qdisc_sleeping: Qdisc | None = None

    @property
    def stopped(self) -> bool:
        """Whether nobody may hand a packet to the driver on this queue. Linux:
        netif_xmit_frozen_or_stopped.
        """
        return self.state != 0

    # -- the driver --------------------------------------------------------------------------------

    def stop_queue(self) -> None:
        """The driver cannot take more; from now on the watchdog looks at the queue. Linux:
        netif_tx_stop_queue.
        """
        self.trans_start = self.dev.net.kernel.clock.now
        self.state |= QUEUE_STATE_DRV_XOFF
        self.arm_watchdog()

    def start_queue(self) -> None:
        """Take back `stop_queue` without scheduling anything. Linux: netif_tx_start_queue."""
        self.state &= ~QUEUE_STATE_DRV_XOFF

    def wake_queue(self) -> None:
        """The driver can take more: go on with what waits in the qdisc. Linux:
        netif_tx_wake_queue.
        """
        if self.state & QUEUE_STATE_DRV_XOFF:
            self.state &= ~QUEUE_STATE_DRV_XOFF
            self._schedule()

    # -- byte queue limits -------------------------------------------------------------------------

    def sent_queue(self, size: int) -> None:
        """The driver put `size` bytes into its ring; with enough under way the queue stops. Linux:
        netdev_tx_sent_queue.
        """
        dql = self.dql
        dql.queued(size)
        if dql.adj_limit < dql.num_queued:
            self.state |= QUEUE_STATE_STACK_XOFF
            self.arm_watchdog()

    def sent_queue_more(self, size: int, xmit_more: bool) -> bool:
        """`sent_queue`, and whether the driver must ring its doorbell now: no packet follows, or
        the queue is stopped. Linux: __netdev_tx_sent_queue.
        """
        if xmit_more:
            self.dql.queued(size)
            return self.state != 0
        self.sent_queue(size)
        return True

    def completed_queue(self, packets: int, size: int) -> None:
        """The card is done with `packets` of `size` bytes together; goes on if the limit allows.

        Linux: netdev_tx_completed_queue.
        """
        if not size:
            return
        dql = self.dql
        dql.completed(size)
        if self.state & QUEUE_STATE_STACK_XOFF and dql.avail() >= 0:
            self.state &= ~QUEUE_STATE_STACK_XOFF
            self._schedule()

    def reset_queue(self) -> None:
        """The ring was emptied without completions. Linux: netdev_tx_reset_queue."""
        self.state &= ~QUEUE_STATE_STACK_XOFF
        self.dql.reset()

    def avail(self) -> int:
        """Bytes that may be handed down before the limit is reached; negative beyond it. Linux:
        dql_avail.
        """
        return self.dql.avail()

    # -- watchdog ----------------------------------------------------------------------------------

    def arm_watchdog(self) -> None:
        """Have the watchdog look at the queue when it has been stopped for long enough."""
        dev = self.dev
        timer = dev.watchdog_timer
        if timer is not None and timer.expires is None and dev.carrier:
            timer.mod(self.trans_start + dev.watchdog_timeo)

    def freeze(self) -> None:
        """Linux: netif_freeze_queues."""
        self.state |= QUEUE_STATE_FROZEN

    def unfreeze(self) -> None:
        """Linux: netif_unfreeze_queues."""
        self.state &= ~QUEUE_STATE_FROZEN
        self._schedule()

    def _schedule(self) -> None:
        """Linux: netif_schedule_queue."""
        if self.qdisc is not None and not self.state:
            self.dev.net.netif_schedule(self.qdisc)


class PacketType:
    """Who wants to see packets of a protocol, or all of them. Linux: struct packet_type.

    `func(skb, dev)` owns a reference to a packet that others see too. `dev` limits it to one
    device; packets of `sk` itself are not shown to it. One that `keeps` packets must not be given
    a program's own pages (MSG_ZEROCOPY): they are copied for it.
    """

    __slots__ = ("dev", "func", "keeps", "sk", "type")

    def __init__(
        self,
        proto: int,
        func: Callable[[SkBuff, NetDevice], int],
        dev: NetDevice | None = None,
        sk: Sock | None = None,
        keeps: bool = True,
    ) -> None:
        self.keeps = keeps
        self.type = proto
        self.func = func
        self.dev = dev
        self.sk = sk


class NetDeviceStats:
    """Linux: struct rtnl_link_stats64, the fields in use."""

    __slots__ = (
        "multicast",
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
        self.multicast = 0


class NetDevice:
    """Linux: struct net_device. `addr` is the MAC address (6 bytes), `features` a mask of
    NETIF_F_*, `priv` the driver's own state. Of the features an administrator may change
    `hw_features` and has asked for `wanted_features` (pyhost/net/core/features.py); `vlan_features`
    hold for packets with a tag too. `qdisc_hash` are the qdiscs that have a handle; `xps_cpus_map`
    the transmit queues that the CPU shall use. Of the queues in `tx` the first
    `real_num_tx_queues` are used, of those that the driver has for packets coming in
    `real_num_rx_queues`. `gflags` are the flags that an administrator has set. `mc` are the
    multicast addresses it listens to, `mc_list` the groups behind them; `vlan_info` the VLAN
    devices on top of it. `rxfh_configured`: an administrator has set how flows are spread.

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
        self.features = self.hw_features = self.wanted_features = self.vlan_features = 0
        self.gso_max_size = GSO_MAX_SIZE
        self.gso_max_segs = GSO_MAX_SEGS
        self.carrier = False
        self.priv: Any = None
        self.watchdog_timer: Timer | None = None
        self.watchdog_timeo = 5_000_000_000
        self.qdisc: Qdisc | None = None
        self.qdisc_hash: dict[int, Qdisc] = {}
        self.xps_cpus_map: list[int] = []
        self.tx = [NetdevQueue(self, index) for index in range(tx_queues)]
        self.real_num_tx_queues = tx_queues
        self.real_num_rx_queues = 1
        self.stats = NetDeviceStats()
        self.gflags = self.priv_flags = 0
        self.promiscuity = self.allmulti = 0
        self.ifa_list: list[InIfaddr] = []
        self.mc_list: dict[int, int] = {}
        self.mc: dict[bytes, int] = {}
        self.vlan_info: dict[int, NetDevice] = {}
        self.ethtool_ops: EthtoolOps | None = None
        self.rxfh_configured = False
        self.in_addr = 0
        self.in_prefixlen = 0

    def __repr__(self) -> str:
        return f"<NetDevice {self.name}>"
