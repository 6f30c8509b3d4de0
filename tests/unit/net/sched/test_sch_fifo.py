"""pfifo and bfifo."""

from __future__ import annotations

import pytest

from pyhost.net.core.netdevice import NET_XMIT_DROP, NET_XMIT_SUCCESS
from tests.unit.net.sched.sched_host import SchedHost


def filled(host: SchedHost, count: int, size: int = 1000) -> list[int]:
    """Send while the queue is stopped; the results."""
    host.stop()
    return [host.send(host.udp(size=size, tag=tag)) for tag in range(count)]


def test_pfifo_takes_limit_packets_and_drops_the_newest() -> None:
    host = SchedHost("pfifo limit 3")
    # The first goes round the empty qdisc and is put back at its head.
    assert filled(host, 6) == [NET_XMIT_SUCCESS] * 3 + [NET_XMIT_DROP] * 3
    assert (host.q.qlen, host.q.backlog, host.q.drops) == (3, 3000, 3)
    assert host.net.drops == {"QDISC_DROP": 3}
    host.wake()
    assert host.tags() == [0, 1, 2]
    assert host.net.skbs.alive == 0


@pytest.mark.claim("S39")
def test_a_pfifo_of_zero_packets_drops_everything_and_says_so() -> None:
    host = SchedHost("pfifo limit 0")
    assert host.send(host.udp()) == NET_XMIT_DROP
    assert host.nic.frames == []
    assert host.net.drops == {"QDISC_DROP": 1}


def test_bfifo_counts_bytes() -> None:
    host = SchedHost("bfifo limit 2500")
    assert filled(host, 3) == [NET_XMIT_SUCCESS, NET_XMIT_SUCCESS, NET_XMIT_DROP]
    assert host.send(host.udp(size=500, tag=9)) == NET_XMIT_SUCCESS
    host.wake()
    assert host.tags() == [0, 1, 9]


def test_the_limits_are_the_devices_queue_length_when_not_given() -> None:
    assert SchedHost("pfifo").q.limit == 1000
    assert SchedHost("bfifo").q.limit == 1000 * 1514


def test_a_lower_limit_holds_for_what_comes_later() -> None:
    host = SchedHost("pfifo limit 5")
    filled(host, 4)
    host.tc("qdisc change dev eth0 root pfifo limit 2")
    assert host.q.qlen == 4
    assert host.send(host.udp()) == NET_XMIT_DROP


@pytest.mark.parametrize("kind", ["pfifo", "bfifo", "pfifo_fast", "prio", "fq", "fq_codel"])
def test_taking_a_qdisc_out_frees_what_waits_in_it(kind: str) -> None:
    host = SchedHost(kind)
    filled(host, 10)
    host.tc(f"qdisc replace dev eth0 root {'prio' if kind == 'pfifo' else 'pfifo'}")
    assert host.net.skbs.alive == 0
    assert sum(host.net.drops.values()) == 10
    host.wake()
    assert host.send(host.udp(tag=77)) == NET_XMIT_SUCCESS
    host.run()
    assert host.tags() == [77]
