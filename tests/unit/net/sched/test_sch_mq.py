"""mq: a qdisc for each transmit queue; and one qdisc over several queues."""

from __future__ import annotations

import pytest

from pyhost.admin.errors import CommandError
from pyhost.admin.shell import run_command
from pyhost.net.core import netdevice as nd
from pyhost.net.core.dev import (
    dev_close,
    dev_open,
    dev_queue_xmit,
    netif_carrier_on,
    register_netdevice,
    unregister_netdevice,
)
from pyhost.net.core.netdevice import NetDevice
from pyhost.net.core.skbuff import SkBuff, consume_skb
from tests.unit.net.sched.sched_host import SchedHost


class ManyQueues:
    """A card with several transmit queues; the packet's priority chooses. It takes packets while
    the queue is not stopped.
    """

    def __init__(self, host: SchedHost, queues: int = 4) -> None:
        self.host = host
        self.sent: list[tuple[int, int]] = []
        self.more: list[bool] = []
        self.dev = NetDevice(host.net, "eth1", self, tx_queues=queues)
        assert register_netdevice(self.dev) == 0
        netif_carrier_on(self.dev)
        assert dev_open(self.dev) == 0

    def ndo_open(self, dev: NetDevice) -> int:
        return 0

    def ndo_stop(self, dev: NetDevice) -> int:
        return 0

    def ndo_select_queue(self, dev: NetDevice, skb: SkBuff) -> int:
        return skb.priority

    def ndo_start_xmit(self, skb: SkBuff, dev: NetDevice, more: bool) -> int:
        assert not dev.tx[skb.queue_mapping].stopped
        self.sent.append((skb.queue_mapping, skb.len))
        self.more.append(more)
        consume_skb(skb)
        return nd.NETDEV_TX_OK

    def send(self, queue: int, size: int = 100) -> int:
        skb = self.host.udp(size=size, priority=queue)
        skb.dev = self.dev
        return dev_queue_xmit(skb)

    def wake(self) -> None:
        for txq in self.dev.tx:
            txq.wake_queue()
        self.host.run()


@pytest.fixture
def card() -> ManyQueues:
    return ManyQueues(SchedHost())


def tc(card: ManyQueues, line: str) -> str:
    return run_command(card.host.kernel, f"tc {line}")


def test_a_device_with_several_queues_gets_mq_with_a_default_qdisc_for_each(
    card: ManyQueues,
) -> None:
    lines = tc(card, "qdisc show dev eth1").splitlines()
    assert lines[0] == "qdisc mq 0: dev eth1 root refcnt 5"
    assert [line.split(" bands")[0] for line in lines[1:]] == [
        f"qdisc pfifo_fast 0: dev eth1 parent :{index}" for index in (1, 2, 3, 4)
    ]
    assert len({id(txq.qdisc) for txq in card.dev.tx}) == 4


def test_the_default_qdisc_is_the_one_of_the_sysctl() -> None:
    host = SchedHost()
    host.kernel.sysctl["net.core.default_qdisc"] = "fq"
    card = ManyQueues(host)
    assert [txq.qdisc.ops.id for txq in card.dev.tx if txq.qdisc is not None] == ["fq"] * 4


def test_a_default_that_cannot_be_made_falls_back_to_none() -> None:
    host = SchedHost()
    host.kernel.sysctl["net.core.default_qdisc"] = "tbf"
    card = ManyQueues(host)
    assert [txq.qdisc.ops.id for txq in card.dev.tx if txq.qdisc is not None] == ["noqueue"] * 4
    assert card.send(2) == 0
    assert card.sent == [(2, 100)]


def test_a_stopped_queue_holds_back_its_own_packets_alone(card: ManyQueues) -> None:
    card.dev.tx[1].stop_queue()
    for queue in (0, 1, 2, 1, 3):
        card.send(queue)
    assert card.sent == [(0, 100), (2, 100), (3, 100)]
    card.wake()
    assert card.sent[3:] == [(1, 100)] * 2
    assert card.host.net.skbs.alive == 0


def test_the_counters_of_mq_are_the_sums_of_its_children(card: ManyQueues) -> None:
    card.dev.tx[1].stop_queue()
    for queue in (0, 1, 2, 1, 3):
        card.send(queue, 200)
    text = tc(card, "-s qdisc show dev eth1").split("qdisc pfifo_fast")[0]
    # The first packet of the stopped queue went round its qdisc, and came back to its head.
    assert "Sent 800 bytes 4 pkt" in text
    assert "backlog 400b 2p requeues 1" in text


def test_a_queue_can_be_given_another_qdisc(card: ManyQueues) -> None:
    tc(card, "qdisc replace dev eth1 root handle 1: mq")
    tc(card, "qdisc add dev eth1 parent 1:2 handle 20: tbf rate 800kbit burst 200 limit 10kb")
    for _ in range(4):
        card.send(1)
        card.send(2)
    assert card.sent == [(1, 100), (2, 100), (1, 100), (2, 100), (2, 100), (2, 100)]
    card.host.run()
    assert card.host.clock.now == 2_000_000
    tc(card, "qdisc del dev eth1 parent 1:2")
    assert card.dev.tx[1].qdisc is not None
    assert card.send(1) == nd.NET_XMIT_CN
    assert "leaf" not in tc(card, "class show dev eth1")


def test_mq_is_for_devices_with_several_queues_and_for_the_root(card: ManyQueues) -> None:
    with pytest.raises(CommandError, match="Operation not supported"):
        card.host.tc("qdisc add dev eth0 root mq")
    tc(card, "qdisc replace dev eth1 root handle 1: prio")
    with pytest.raises(CommandError, match="Operation not supported"):
        tc(card, "qdisc add dev eth1 parent 1:1 mq")


def test_one_qdisc_over_all_queues_sets_aside_what_is_for_a_stopped_one(card: ManyQueues) -> None:
    tc(card, "qdisc replace dev eth1 root pfifo")
    root = card.dev.qdisc
    assert root is not None
    assert all(txq.qdisc is root for txq in card.dev.tx)
    for txq in card.dev.tx:
        txq.stop_queue()
    for queue in (0, 0, 1, 1, 0):
        card.send(queue)
    assert root.qlen == 5
    card.dev.tx[0].wake_queue()
    card.host.run()
    assert card.sent == [(0, 100), (0, 100)]
    assert (root.qlen, len(root.skb_bad_txq)) == (3, 1)
    assert root.requeues == 1  # the first, which went round the empty qdisc
    card.send(0)
    assert (root.qlen, len(root.skb_bad_txq), root.requeues) == (4, 1, 1)
    card.wake()
    assert [queue for queue, _ in card.sent] == [0, 0, 1, 1, 0, 0]
    assert card.host.net.skbs.alive == 0


def test_packets_of_one_queue_are_handed_down_together(card: ManyQueues) -> None:
    tc(card, "qdisc replace dev eth1 root pfifo")
    card.dev.tx[0].stop_queue()
    for _ in range(4):
        card.send(0)
    card.wake()
    assert card.more == [False, True, True, False]


def test_what_is_set_aside_is_freed_with_the_qdisc(card: ManyQueues) -> None:
    tc(card, "qdisc replace dev eth1 root pfifo")
    for txq in card.dev.tx:
        txq.stop_queue()
    for queue in (0, 0, 1, 1, 0):
        card.send(queue)
    card.dev.tx[0].wake_queue()
    card.host.run()
    tc(card, "qdisc del dev eth1 root")
    assert card.host.net.skbs.alive == 0
    assert card.dev.qdisc is not None
    assert card.dev.qdisc.ops.id == "mq"


def test_down_drops_and_up_begins_anew(card: ManyQueues) -> None:
    card.dev.tx[3].stop_queue()
    card.send(3)
    card.send(3)
    card.host.spawn(lambda: dev_close(card.dev))
    card.host.run()
    assert card.host.net.drops == {"QDISC_DROP": 2}
    assert card.send(0) == nd.NET_XMIT_CN
    assert dev_open(card.dev) == 0
    assert card.send(0) == nd.NET_XMIT_SUCCESS
    card.host.spawn(lambda: unregister_netdevice(card.dev))
    card.host.run()
    assert card.host.net.skbs.alive == 0
