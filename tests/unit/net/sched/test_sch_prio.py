"""prio: bands in strict order."""

from __future__ import annotations

import pytest

from pyhost.admin.errors import CommandError
from pyhost.net.core.netdevice import NET_XMIT_DROP
from tests.unit.net.sched.sched_host import SchedHost

INTERACTIVE, BEST_EFFORT, BULK = 6, 0, 2


@pytest.mark.claim("S40")
def test_bands_leave_in_strict_order_and_each_in_order_of_arrival() -> None:
    host = SchedHost("prio")
    host.stop()
    for tag, priority in enumerate(
        [BULK, BEST_EFFORT, INTERACTIVE, BULK, INTERACTIVE, BEST_EFFORT]
    ):
        host.send(host.udp(tag=tag, priority=priority))
    assert (host.q.qlen, host.q.backlog) == (6, 6000)
    host.wake()
    assert host.tags() == [2, 4, 1, 5, 0, 3]
    assert (host.q.qlen, host.q.backlog, host.q.packets, host.q.bytes) == (0, 0, 6, 6000)


@pytest.mark.claim("S40")
def test_a_packet_of_a_higher_band_overtakes_what_is_held_back_below_it() -> None:
    """On a link that tbf makes slow, a backlog of bulk does not delay interactive packets."""
    host = SchedHost("handle 1: tbf rate 8mbit burst 2kb limit 1mb")
    host.tc("qdisc add dev eth0 parent 1:1 handle 10: prio")
    for tag in range(20):
        host.send(host.udp(tag=tag, priority=BULK))
    host.run(until=5_500_000)
    before = len(host.tags())
    host.send(host.udp(tag=99, priority=INTERACTIVE))
    host.run()
    # One packet was already shown to tbf as the next.
    assert host.tags().index(99) in (before, before + 1)
    assert len(host.tags()) == 21


def test_the_priomap_says_which_band() -> None:
    host = SchedHost("prio bands 4 priomap 3 2 1 0 3 3 3 3 3 3 3 3 3 3 3 3")
    host.stop()
    for tag in range(4):
        host.send(host.udp(tag=tag, priority=tag))
    host.wake()
    assert host.tags() == [3, 2, 1, 0]


def test_a_priority_that_is_a_class_id_names_the_class() -> None:
    host = SchedHost("handle 1: prio")
    host.stop()
    for tag, priority in enumerate([0x1_0003, 0x1_0001, 0x1_0009, 0x2_0001]):
        host.send(host.udp(tag=tag, priority=priority))
    assert [leaf.qlen for leaf in host.q.priv.queues] == [1, 2, 1]


def test_each_band_has_a_qdisc_of_its_own_and_its_limit_is_its_own() -> None:
    host = SchedHost("handle 1: prio")
    host.tc("qdisc add dev eth0 parent 1:3 handle 30: pfifo limit 2")
    host.stop()
    results = [host.send(host.udp(priority=BULK)) for _ in range(3)]
    assert results == [0, 0, NET_XMIT_DROP]
    assert (host.q.qlen, host.q.drops) == (2, 1)
    assert host.send(host.udp(priority=BEST_EFFORT)) == 0
    host.tc("qdisc del dev eth0 parent 1:3")
    assert (host.q.qlen, host.q.backlog) == (1, 1000)
    assert host.net.drops == {"QDISC_DROP": 3}
    host.wake()
    assert host.net.skbs.alive == 0


def test_fewer_bands_lose_what_waits_in_those_that_go() -> None:
    host = SchedHost("handle 1: prio")
    host.stop()
    for priority in (BULK, BEST_EFFORT):
        host.send(host.udp(priority=priority))
    host.tc(f"qdisc change dev eth0 root handle 1: prio bands 2 priomap {'1 ' * 16}")
    assert (host.q.qlen, host.q.backlog, len(host.q.priv.queues)) == (1, 1000, 2)
    assert host.net.drops == {"QDISC_DROP": 1}


@pytest.mark.parametrize("options", ["bands 1", "bands 17", "bands 2", "priomap 1 2"])
def test_bands_and_priomap_must_fit(options: str) -> None:
    with pytest.raises(CommandError, match="Invalid argument"):
        SchedHost(f"prio {options}")
