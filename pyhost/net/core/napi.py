"""The receive side and the softirqs of the device layer.

Linux: net/core/dev.c (softnet_data, NAPI, netif_rx, netif_receive_skb).

    interrupt → napi_schedule → NET_RX softirq: net_rx_action → poll(napi, budget) →
    netif_receive_skb → taps, protocol loopback  → netif_rx → backlog queue → the same, with
    `process_backlog` as poll

A NAPI belongs to nobody or is scheduled (SCHED); who sets SCHED polls it until
`napi_complete_done`. An interrupt meanwhile sets MISSED, and the NAPI is polled once more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.kernel.bug import KernelBug
from pyhost.kernel.clock import NSEC_PER_USEC
from pyhost.kernel.softirq import NET_RX_SOFTIRQ, NET_TX_SOFTIRQ
from pyhost.net.core import drop_reason
from pyhost.net.core.gso import GsoSegment
from pyhost.net.core.if_vlan import skb_vlan_untag, vlan_do_receive
from pyhost.net.core.netdevice import NET_RX_DROP, NET_RX_SUCCESS, NetDevice, PacketType
from pyhost.net.core.skbuff import SkBuff, kfree_skb_reason
from pyhost.net.core.ubuf import skb_orphan_frags_rx
from pyhost.net.sched.qdisc import Qdisc, QdiscOps
from pyhost.net.sched.sch_api import pktsched_init
from pyhost.net.sched.sch_generic import qdisc_run
from pyhost.uapi.ethernet import ETH_P_8021Q, ETH_P_ALL

if TYPE_CHECKING:
    from pyhost.net.net_namespace import Net

__all__ = [
    "NAPI_POLL_WEIGHT", "NapiStruct", "Softnet", "dev_add_pack", "dev_remove_pack",
    "napi_complete_done", "napi_disable", "napi_enable", "napi_schedule", "netif_napi_add",
    "netif_napi_del", "netif_receive_skb", "netif_rx",
]  # fmt: skip

NAPI_POLL_WEIGHT = 64

NAPI_DISABLE_POLL_NS = 20 * NSEC_PER_USEC
"""How long `napi_disable` sleeps between two looks. Linux: usleep_range(20, 200)."""

Poll = Callable[["NapiStruct", int], int]


class NapiStruct:
    """One poll function of a device.

    Linux: struct napi_struct. `poll(napi, budget)` returns packets received.
    """

    __slots__ = ("dev", "disabling", "missed", "poll", "scheduled", "softnet", "weight")

    def __init__(self, softnet: Softnet, dev: NetDevice | None, poll: Poll, weight: int) -> None:
        self.softnet = softnet
        self.dev = dev
        self.poll = poll
        self.weight = weight
        self.scheduled = True
        self.missed = False
        self.disabling = False


class Softnet:
    """What one CPU has under way in the network, and the sysctls net.core.*.

    Linux: struct softnet_data.

    `netstamp_needed` sockets want received packets timestamped.
    `qdiscs` are the known disciplines by name; `ptype_specific` the listeners for one protocol
    beside the stack itself; `netdev_chain` those who want to know when a device goes up or down.
    """

    __slots__ = (
        "backlog",
        "default_qdisc",
        "dev_weight",
        "dropped",
        "hashrnd",
        "inet_offloads",
        "input_pkt_queue",
        "net",
        "netdev_budget",
        "netdev_budget_usecs",
        "netdev_chain",
        "netdev_max_backlog",
        "netstamp_needed",
        "next_ifindex",
        "output_queue",
        "packet_offloads",
        "poll_list",
        "processed",
        "ptype_specific",
        "qdiscs",
        "somaxconn",
        "sysctl_optmem_max",
        "sysctl_rmem_default",
        "sysctl_rmem_max",
        "sysctl_tstamp_allow_data",
        "sysctl_wmem_default",
        "sysctl_wmem_max",
        "time_squeeze",
    )  # fmt: skip

    def __init__(self, net: Net) -> None:
        self.net = net
        self.hashrnd = 0
        self.packet_offloads: dict[int, GsoSegment] = {}
        self.inet_offloads: dict[int, GsoSegment] = {}
        self.qdiscs: dict[str, QdiscOps] = {}
        pktsched_init(self)
        self.ptype_specific: dict[int, list[PacketType]] = {}
        self.netdev_chain: list[Callable[[NetDevice, int], None]] = []
        self.next_ifindex = 1
        self.poll_list: deque[NapiStruct] = deque()
        self.output_queue: deque[Qdisc] = deque()
        self.input_pkt_queue: deque[SkBuff] = deque()
        self.processed = self.dropped = self.time_squeeze = 0
        self.sysctl_wmem_default = self.sysctl_rmem_default = 212992
        self.sysctl_wmem_max = self.sysctl_rmem_max = 212992
        self.sysctl_optmem_max = 131072
        self.sysctl_tstamp_allow_data = 1
        self.netstamp_needed = 0
        self.somaxconn = 4096
        self.netdev_budget = 300
        self.netdev_budget_usecs = 8000
        self.netdev_max_backlog = 1000
        self.dev_weight = 64
        self.default_qdisc = "pfifo_fast"
        self.backlog = NapiStruct(self, None, _process_backlog, self.dev_weight)
        self.backlog.scheduled = False
        softirq = net.kernel.softirq
        softirq.open_softirq(NET_TX_SOFTIRQ, self._net_tx_action)
        softirq.open_softirq(NET_RX_SOFTIRQ, self._net_rx_action)

    def netif_schedule(self, q: Qdisc) -> None:
        """Run `q` in NET_TX softirq; once, however often it is asked for.

        Linux: __netif_schedule.
        """
        if not q.scheduled:
            q.scheduled = True
            self.output_queue.append(q)
            self.net.kernel.softirq.raise_softirq(NET_TX_SOFTIRQ)

    def _net_tx_action(self) -> None:
        """Linux: net_tx_action."""
        queue, self.output_queue = self.output_queue, deque()
        for q in queue:
            q.scheduled = False
            if not q.deactivated:
                qdisc_run(q)

    def _net_rx_action(self) -> None:
        """Poll what is scheduled, within netdev_budget packets and netdev_budget_usecs.

        Linux: net_rx_action.
        """
        clock = self.net.kernel.clock
        deadline = clock.now + self.netdev_budget_usecs * NSEC_PER_USEC
        budget = self.netdev_budget
        todo, self.poll_list = self.poll_list, deque()
        repoll: list[NapiStruct] = []
        while todo:
            napi = todo.popleft()
            budget -= _napi_poll(napi, repoll)
            if budget <= 0 or (clock.now >= deadline and (todo or repoll)):
                self.time_squeeze += 1
                break
        self.poll_list = deque([*todo, *self.poll_list, *repoll])
        if self.poll_list:
            self.net.kernel.softirq.raise_softirq(NET_RX_SOFTIRQ)


def _napi_poll(napi: NapiStruct, repoll: list[NapiStruct]) -> int:
    """Poll once; a NAPI that used its whole weight is polled again later. Linux: napi_poll."""
    weight = napi.weight
    work = napi.poll(napi, weight)
    if work > weight:
        raise KernelBug(f"NAPI poll of {napi.dev} returned {work}, budget {weight}")
    if work == weight:
        if napi.disabling:
            napi.scheduled = False
        else:
            repoll.append(napi)
    elif napi.scheduled and napi not in napi.softnet.poll_list:
        raise KernelBug(f"NAPI poll of {napi.dev} returned {work} without napi_complete_done")
    return work


# -- NAPI ------------------------------------------------------------------------------------------


def netif_napi_add(dev: NetDevice, poll: Poll, weight: int = NAPI_POLL_WEIGHT) -> NapiStruct:
    """A NAPI for `dev`, disabled until `napi_enable`. Linux: netif_napi_add."""
    return NapiStruct(dev.net.softnet, dev, poll, weight)


def netif_napi_del(napi: NapiStruct) -> None:
    """Forget a disabled NAPI. Linux: netif_napi_del."""
    if napi in napi.softnet.poll_list:
        raise KernelBug(f"netif_napi_del of {napi.dev}: still scheduled")


def napi_enable(napi: NapiStruct) -> None:
    """Let the NAPI be scheduled. Linux: napi_enable."""
    if not napi.scheduled:
        raise KernelBug(f"napi_enable of {napi.dev}: already enabled")
    napi.disabling = napi.missed = False
    napi.scheduled = False


def napi_disable(napi: NapiStruct) -> None:
    """Wait until nobody polls, and keep it so. May sleep. Linux: napi_disable."""
    napi.disabling = True
    sched = napi.softnet.net.kernel.sched
    while napi.scheduled:
        sched.schedule_timeout(NAPI_DISABLE_POLL_NS)
    napi.scheduled = True
    napi.disabling = False


def napi_schedule(napi: NapiStruct) -> bool:
    """Have the NAPI polled in NET_RX softirq; False when it is scheduled already or disabled.

    Linux: napi_schedule.
    """
    if napi.disabling:
        return False
    if napi.scheduled:
        napi.missed = True
        return False
    napi.scheduled = True
    softnet = napi.softnet
    softnet.poll_list.append(napi)
    softnet.net.kernel.softirq.raise_softirq(NET_RX_SOFTIRQ)
    return True


def napi_complete_done(napi: NapiStruct, work_done: int) -> bool:
    """The poll function found less than its budget. Linux: napi_complete_done.

    True: the driver may unmask its interrupt. False: more came meanwhile, the NAPI is polled again.
    """
    if work_done >= napi.weight:
        raise KernelBug(f"napi_complete_done of {napi.dev} after a full budget")
    napi.scheduled = False
    if napi.missed:
        napi.missed = False
        return not napi_schedule(napi)
    return True


# -- taps ------------------------------------------------------------------------------------------


def _hooks(net: Net, proto: int) -> list[PacketType]:
    if proto == ETH_P_ALL:
        return net.ptype_all
    return net.softnet.ptype_specific.setdefault(proto, [])


def dev_add_pack(net: Net, ptype: PacketType) -> None:
    """Show packets to `ptype` from now on. Linux: dev_add_pack."""
    _hooks(net, ptype.type).append(ptype)


def dev_remove_pack(net: Net, ptype: PacketType) -> None:
    """Linux: dev_remove_pack."""
    hooks = _hooks(net, ptype.type)
    hooks.remove(ptype)
    if not hooks and ptype.type != ETH_P_ALL:
        del net.softnet.ptype_specific[ptype.type]


# -- packets in ------------------------------------------------------------------------------------


def netif_rx(skb: SkBuff) -> int:
    """Queue a received packet for the stack; NET_RX_*. For devices without NAPI.

    Linux: netif_rx, enqueue_to_backlog.
    """
    dev = skb.dev
    assert dev is not None
    softnet = dev.net.softnet
    queue = softnet.input_pkt_queue
    if len(queue) > softnet.netdev_max_backlog:
        softnet.dropped += 1
        dev.stats.rx_dropped += 1
        kfree_skb_reason(skb, drop_reason.CPU_BACKLOG)
        return NET_RX_DROP
    softirq = dev.net.kernel.softirq
    softirq.local_bh_disable()
    queue.append(skb)
    napi_schedule(softnet.backlog)
    softirq.local_bh_enable()
    return NET_RX_SUCCESS


def _process_backlog(napi: NapiStruct, budget: int) -> int:
    """Linux: process_backlog."""
    queue = napi.softnet.input_pkt_queue
    work = 0
    while queue and work < budget:
        netif_receive_skb(queue.popleft())
        work += 1
    if work < budget:
        napi.missed = False
        napi_complete_done(napi, work)
    return work


def netif_receive_skb(skb: SkBuff) -> int:
    """Give a received packet to taps and to its protocol; NET_RX_*.

    Linux: __netif_receive_skb_core.

    `skb.dev`, `protocol` and `mac_header` are set (`eth_type_trans`), `data` is at the network
    header. Softirq context. A packet with a tag goes through once more as one of its VLAN device.
    """
    dev = skb.dev
    assert dev is not None
    net = dev.net
    net.softnet.processed += 1
    if skb.protocol == ETH_P_8021Q and not skb_vlan_untag(skb):
        return _drop_received(skb, dev, drop_reason.NOMEM)
    skb.network_header = skb.transport_header = skb.data
    if net.softnet.netstamp_needed and not skb.tstamp:
        skb.tstamp = net.kernel.clock.now
    if skb.shinfo.uarg is not None and skb_orphan_frags_rx(skb):
        return _drop_received(skb, dev, drop_reason.NOMEM)
    trace = net.kernel.trace
    if trace.on:
        trace.hit("netif_receive_skb", skb.key, dev=dev.name, len=skb.len)
    if net.ptype_all or net.softnet.ptype_specific:
        _deliver_taps(net, skb, dev)
    if skb.vlan_proto:
        found = vlan_do_receive(skb)
        if found is not False:
            return netif_receive_skb(skb) if found else NET_RX_DROP
    handler = net.ptype_base.get(skb.protocol)
    if handler is not None:
        return handler(skb, dev)
    return _drop_received(skb, dev, drop_reason.UNHANDLED_PROTO)


def _drop_received(skb: SkBuff, dev: NetDevice, reason: str) -> int:
    dev.stats.rx_dropped += 1
    kfree_skb_reason(skb, reason)
    return NET_RX_DROP


def _deliver_taps(net: Net, skb: SkBuff, dev: NetDevice) -> None:
    skb.tstamp = skb.tstamp or net.kernel.clock.now
    for ptype in (*net.ptype_all, *net.softnet.ptype_specific.get(skb.protocol, ())):
        if ptype.dev is None or ptype.dev is dev:
            ptype.func(skb.get(), dev)
