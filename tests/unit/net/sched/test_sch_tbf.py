"""tbf: the rate is what was asked for, on the wire."""

from __future__ import annotations

from itertools import accumulate

import pytest
from scapy.layers.inet import TCP

from pyhost.admin.errors import CommandError
from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.net.core import netdevice as nd
from tests.unit.net.core.test_gso import super_packet
from tests.unit.net.sched.sched_host import SchedHost


def rate_after_burst(host: SchedHost, burst: int) -> float:
    """Bits a second between the first packet after the burst and the last."""
    frames = host.nic.frames
    sizes = list(accumulate(len(frame) for _, frame in frames))
    first = next(index for index, size in enumerate(sizes) if size > burst)
    return (sizes[-1] - sizes[first]) * 8 * NSEC_PER_SEC / (frames[-1][0] - frames[first][0])


@pytest.mark.claim("S40")
@pytest.mark.parametrize("mbit", [1, 8, 100])
def test_the_rate_on_the_wire_is_the_rate_that_was_set(mbit: int) -> None:
    host = SchedHost(f"tbf rate {mbit}mbit burst 10kb limit 1mb")
    for tag in range(500):
        assert host.send(host.udp(tag=tag)) == 0
    host.run()
    assert host.tags() == list(range(500))
    assert rate_after_burst(host, 10240) == pytest.approx(mbit * 1e6, rel=0.001)
    assert host.net.skbs.alive == 0


def test_a_burst_leaves_at_once_and_no_more() -> None:
    host = SchedHost("tbf rate 1mbit burst 5000 limit 100kb")
    for tag in range(10):
        host.send(host.udp(tag=tag))
    assert len(host.nic.frames) == 5
    assert host.q.overlimits == 5
    host.run(until=8_000_000 - 1)
    assert len(host.nic.frames) == 5
    host.run(until=8_000_000)  # 1000 bytes at 1 Mbit/s
    assert len(host.nic.frames) == 6
    host.run()
    assert host.times()[5:] == [8_000_000 * index for index in range(1, 6)]


def test_an_idle_bucket_holds_no_more_than_the_burst() -> None:
    host = SchedHost("tbf rate 1mbit burst 3000 limit 100kb")
    for round_ in range(3):
        host.run(until=(round_ + 1) * 100 * NSEC_PER_SEC)
        before = len(host.nic.frames)
        for _ in range(5):
            host.send(host.udp())
        assert len(host.nic.frames) - before == 3


def test_the_peak_rate_spaces_the_packets_of_a_burst() -> None:
    host = SchedHost("tbf rate 1mbit burst 10kb limit 100kb peakrate 8mbit mtu 1500")
    for _ in range(10):
        host.send(host.udp())
    host.run()
    gaps = [later - sooner for sooner, later in zip(host.times(), host.times()[1:], strict=False)]
    assert gaps[0] == 500_000  # the mtu's 500 spare bytes went first
    assert gaps[1:8] == [1_000_000] * 7


def test_what_waits_longer_than_the_latency_is_dropped() -> None:
    host = SchedHost("tbf rate 8mbit burst 2000 latency 10ms")
    for _ in range(30):
        host.send(host.udp())
    host.run()
    # 2 in the burst, 12 000 bytes of limit (10 ms at 1 MB/s, and the burst)
    assert len(host.nic.frames) == 14
    assert host.times()[-1] <= 12_000_000
    assert (host.q.drops, host.net.drops) == (16, {"QDISC_DROP": 16})


def test_a_packet_longer_than_the_burst_can_never_pass() -> None:
    host = SchedHost("tbf rate 1mbit burst 900 limit 10kb")
    assert host.send(host.udp(size=901)) == nd.NET_XMIT_DROP
    assert host.send(host.udp(size=900)) == 0
    assert len(host.nic.frames) == 1


def test_with_a_peak_rate_a_packet_longer_than_its_mtu_can_never_pass() -> None:
    host = SchedHost("tbf rate 1mbit burst 10kb limit 10kb peakrate 8mbit mtu 900")
    assert host.send(host.udp(size=901)) == nd.NET_XMIT_DROP
    assert host.send(host.udp(size=900)) == 0


@pytest.mark.parametrize("tso", [0, nd.NETIF_F_TSO])
def test_a_super_packet_longer_than_the_burst_goes_as_segments(tso: int) -> None:
    host = SchedHost(
        "tbf rate 8mbit burst 3000 limit 100kb", features=nd.NETIF_F_SG | nd.NETIF_F_HW_CSUM | tso
    )
    assert host.send(super_packet(host, [bytes(8000)], 1000)) == 0
    assert host.q.qlen == 8 - len(host.nic.frames)
    host.run()
    assert [packet[TCP].seq for packet in host.packets()] == list(range(1000, 9000, 1000))
    assert rate_after_burst(host, 3000) == pytest.approx(8e6, rel=0.001)
    assert (host.q.qlen, host.q.backlog) == (0, 0)
    assert host.net.skbs.alive == 0


def test_a_parent_counts_the_segments_and_not_the_super_packet() -> None:
    host = SchedHost("handle 1: prio", features=nd.NETIF_F_SG)
    host.tc("qdisc add dev eth0 parent 1:2 handle 2: tbf rate 8mbit burst 2000 limit 100kb")
    host.stop()
    host.send(super_packet(host, [bytes(8000)], 1000))
    child = host.dev.qdisc_hash[2 << 16]
    assert (host.q.qlen, host.q.backlog) == (child.qlen, child.backlog)
    host.wake()
    assert (host.q.qlen, host.q.backlog, len(host.nic.frames)) == (0, 0, 8)


def test_segments_that_are_too_long_as_well_are_dropped() -> None:
    host = SchedHost("tbf rate 8mbit burst 900 limit 100kb", features=nd.NETIF_F_SG)
    assert host.send(super_packet(host, [bytes(8000)], 1000)) == nd.NET_XMIT_DROP
    assert host.net.skbs.alive == 0


def test_another_qdisc_can_stand_below() -> None:
    host = SchedHost("handle 1: tbf rate 8mbit burst 2000 limit 100kb")
    host.tc("qdisc add dev eth0 parent 1:1 handle 2: pfifo limit 3")
    results = [host.send(host.udp()) for _ in range(7)]
    assert results == [0] * 5 + [nd.NET_XMIT_DROP] * 2
    assert host.q.qlen == 3
    host.run()
    assert len(host.nic.frames) == 5


def test_a_qdisc_that_is_taken_out_wakes_nobody() -> None:
    host = SchedHost("tbf rate 1mbit burst 1000 limit 100kb")
    for _ in range(3):
        host.send(host.udp())
    host.tc("qdisc del dev eth0 root")
    host.run()
    assert len(host.nic.frames) == 1
    assert host.clock.now == 0
    assert host.net.skbs.alive == 0


@pytest.mark.parametrize(
    "size", ["rate 1mbit burst 0 limit 1", "rate 1mbit", "rate 1mbit burst 1k"]
)
def test_rate_burst_and_limit_are_required(size: str) -> None:
    with pytest.raises(CommandError, match="required"):
        SchedHost(f"tbf {size}")


@pytest.mark.parametrize("qdisc", ["tbf rate 8kbit burst 1514 limit 10mb", "prio"])
def test_what_a_grafted_child_throws_away_is_counted_by_no_ancestor(qdisc: str) -> None:
    host = SchedHost("handle 1: prio")
    host.tc(f"qdisc add dev eth0 parent 1:2 handle 2: {qdisc}")
    host.stop()
    for _ in range(6):
        host.send(host.udp())
    assert host.q.qlen >= 4
    host.tc("qdisc replace dev eth0 parent 2:1 handle 3: pfifo")
    host.tc("qdisc replace dev eth0 parent 2:2 handle 4: pfifo") if qdisc == "prio" else None
    root = host.q
    held = len(root.gso_skb)
    assert (root.qlen, host.dev.qdisc_hash[2 << 16].qlen) == (held, 0)
