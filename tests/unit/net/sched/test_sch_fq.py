"""fq: fair between sockets, and no packet before its time."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pyhost.admin.errors import CommandError
from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.net.core.netdevice import NET_XMIT_DROP
from pyhost.net.core.sock import SK_PACING_FQ
from tests.unit.net.sched.sched_host import Owner, SchedHost

MS = 1_000_000


def gaps(host: SchedHost) -> list[int]:
    return [later - sooner for sooner, later in pairwise(host.times())]


@pytest.mark.claim("S40")
@pytest.mark.parametrize("rate", [125_000, 1_250_000, 12_500_000])
def test_a_socket_is_paced_at_its_rate(rate: int) -> None:
    host = SchedHost("fq")
    owner = Owner(rate)
    owner.sk_max_pacing_rate = rate
    for tag in range(100):
        host.send(owner.own(host.udp(tag=tag)))
    host.run()
    assert host.tags() == list(range(100))
    later = [(ns, len(frame)) for ns, frame in host.nic.frames][20:]
    measured = sum(size for _, size in later[1:]) * NSEC_PER_SEC / (later[-1][0] - later[0][0])
    assert measured == pytest.approx(rate, rel=0.05)
    assert owner.sk_wmem_alloc == 1


def test_the_qdiscs_maxrate_holds_for_sockets_that_ask_for_more() -> None:
    host = SchedHost("fq maxrate 8mbit")
    owner = Owner(rate=100_000_000)
    owner.sk_max_pacing_rate = 100_000_000
    for tag in range(50):
        host.send(owner.own(host.udp(tag=tag)))
    host.run()
    span = host.times()[-1] - host.times()[20]
    assert span == pytest.approx(29_000 * 1000, rel=0.1)


def test_a_packet_leaves_at_the_time_its_transport_gave_it() -> None:
    host = SchedHost("fq")
    owner = Owner()
    for tag, when in enumerate([3 * MS, 5 * MS, 5 * MS, 9 * MS]):
        skb = owner.own(host.udp(tag=tag))
        skb.tstamp = when
        host.send(skb)
    host.run()
    assert host.times() == [3 * MS, 5 * MS, 5 * MS, 9 * MS]
    assert host.tags() == [0, 1, 2, 3]


def test_a_packet_with_a_time_of_its_own_is_not_paced_again() -> None:
    host = SchedHost("fq")
    owner = Owner(rate=1000)
    for tag in range(5):
        skb = owner.own(host.udp(tag=tag))
        skb.tstamp = MS + tag
        host.send(skb)
    host.run()
    assert host.times() == [MS, MS + 1, MS + 2, MS + 3, MS + 4]


def test_a_packet_that_came_later_but_may_leave_sooner_goes_first() -> None:
    host = SchedHost("fq")
    owner = Owner()
    for tag, when in enumerate([8 * MS, 2 * MS, 4 * MS]):
        skb = owner.own(host.udp(tag=tag))
        skb.tstamp = when
        host.send(skb)
    host.run()
    # The watchdog is set for the head of the flow as it was when the flow was put off.
    assert host.tags() == [1, 2, 0]


def test_a_socket_hears_that_it_is_paced_here() -> None:
    host = SchedHost("fq")
    owner = Owner()
    host.send(owner.own(host.udp()))
    assert owner.sk_pacing_status == SK_PACING_FQ
    other = Owner()
    host.tc("qdisc change dev eth0 root fq nopacing")
    host.send(other.own(host.udp()))
    assert other.sk_pacing_status == 0


def test_two_sockets_share_the_link_quantum_by_quantum() -> None:
    host = SchedHost("fq quantum 2000 initial_quantum 2000")
    host.stop()
    greedy, modest = Owner(), Owner()
    for _ in range(30):
        host.send(greedy.own(host.udp(port=1)))
    for _ in range(10):
        host.send(modest.own(host.udp(port=2)))
    host.wake()
    ports = host.ports()[9:]  # the first packets found nothing in their way
    assert set(ports) == {1, 2}
    while 2 in ports:
        ahead = ports[:4]
        assert abs(ahead.count(1) - ahead.count(2)) <= 2
        ports = ports[4:]


def test_a_packet_with_nothing_in_its_way_takes_the_fast_path() -> None:
    host = SchedHost("fq")
    for tag in range(5):
        host.send(Owner().own(host.udp(tag=tag)))
    assert host.tags() == list(range(5))
    assert host.q.priv.stats["fastpath"] == 5
    assert host.q.priv.flows == {}


def test_a_flow_has_room_for_flow_limit_packets() -> None:
    host = SchedHost("fq flow_limit 10")
    owner = Owner()
    results = []
    for _ in range(15):
        skb = owner.own(host.udp())
        skb.tstamp = 5 * MS
        results.append(host.send(skb))
    assert results == [0] * 10 + [NET_XMIT_DROP] * 5
    assert host.q.priv.stats["flows_plimit"] == 5
    other = Owner().own(host.udp(port=2))
    other.tstamp = 5 * MS
    assert host.send(other) == 0


def test_all_flows_of_a_band_have_room_for_limit_packets() -> None:
    host = SchedHost("fq limit 4")
    results = []
    for port in range(6):
        skb = Owner().own(host.udp(port=port))
        skb.tstamp = 5 * MS
        results.append(host.send(skb))
    assert results == [0] * 4 + [NET_XMIT_DROP] * 2
    assert host.q.priv.stats["band1_drops"] == 2
    assert host.net.drops == {"QDISC_DROP": 2}


@pytest.mark.parametrize(("mode", "sent_at"), [("horizon_drop", None), ("horizon_cap", 20 * MS)])
def test_a_packet_of_the_far_future_is_dropped_or_comes_sooner(
    mode: str, sent_at: int | None
) -> None:
    host = SchedHost(f"fq horizon 20ms {mode}")
    skb = Owner().own(host.udp())
    skb.tstamp = NSEC_PER_SEC
    assert host.send(skb) == (NET_XMIT_DROP if sent_at is None else 0)
    host.run()
    assert host.times() == ([] if sent_at is None else [sent_at])


def test_packets_without_a_socket_are_told_apart_by_addresses_and_ports() -> None:
    host = SchedHost("fq quantum 1000 initial_quantum 1000")
    host.stop()
    for _ in range(20):
        host.send(host.udp(port=1))
    for _ in range(5):
        host.send(host.udp(port=2))
    host.wake()
    ports = host.ports()
    assert 2 in ports[:14]
    assert len(host.q.priv.flows) == 2


def test_bands_share_by_weight_and_none_starves() -> None:
    host = SchedHost("fq weights 60000 20000 20000 quantum 1500 initial_quantum 1500")
    host.stop()
    owners = {priority: Owner() for priority in (6, 0, 2)}
    for _ in range(90):
        for priority, owner in owners.items():
            host.send(owner.own(host.udp(port=priority + 1, priority=priority)))
    host.wake()
    ports = host.ports()[8:108]
    assert ports.count(7) == pytest.approx(60, abs=6)
    assert ports.count(1) == pytest.approx(20, abs=6)
    assert ports.count(3) == pytest.approx(20, abs=6)


def test_a_socket_below_the_low_rate_threshold_sends_one_packet_at_a_time() -> None:
    host = SchedHost("fq")
    owner = Owner(rate=10_000)
    owner.sk_max_pacing_rate = 10_000
    for _ in range(4):
        host.send(owner.own(host.udp()))
    host.run()
    assert gaps(host) == [100 * MS] * 3


def test_a_rate_may_rise_so_nothing_waits_for_more_than_a_second() -> None:
    host = SchedHost("fq")
    owner = Owner(rate=100)
    owner.sk_max_pacing_rate = 100
    for _ in range(3):
        host.send(owner.own(host.udp()))
    host.run()
    assert gaps(host) == [1000 * MS] * 2
    assert host.q.priv.stats["pkts_too_long"] == 3


def test_delay_beyond_the_threshold_is_marked() -> None:
    host = SchedHost("fq ce_threshold 1ms")
    host.stop()
    for index in range(20):
        host.send(Owner().own(host.udp(port=index, tos=2)))
    host.clock.run(until=2 * MS)
    host.wake()
    marked = [packet.getlayer("IP").tos & 3 == 3 for packet in host.packets()]
    assert marked.count(True) == host.q.priv.stats["ce_mark"] > 0


def test_idle_flows_are_forgotten() -> None:
    host = SchedHost("fq")
    for port in range(30):
        skb = Owner().own(host.udp(port=port))
        skb.tstamp = host.clock.now + MS
        host.send(skb)
    host.run()
    assert len(host.q.priv.flows) == 30
    host.run(until=10 * NSEC_PER_SEC)
    skb = Owner().own(host.udp())
    skb.tstamp = host.clock.now + MS
    host.send(skb)
    assert len(host.q.priv.flows) == 23
    assert host.q.priv.stats["gc"] == 8


def test_a_lower_limit_throws_out_what_is_too_much() -> None:
    host = SchedHost("fq")
    owner = Owner()
    for _ in range(20):
        skb = owner.own(host.udp())
        skb.tstamp = 5 * MS
        host.send(skb)
    host.tc("qdisc change dev eth0 root fq limit 5")
    assert host.q.qlen == 5
    assert host.net.drops == {"QDISC_OVERLIMIT": 15}
    host.run()
    assert len(host.nic.frames) == 5
    assert owner.sk_wmem_alloc == 1


@pytest.mark.parametrize("options", ["quantum 0", "buckets 3", "priomap 9", "weights 1 2 3"])
def test_values_out_of_bounds_are_refused(options: str) -> None:
    with pytest.raises(CommandError, match="Invalid argument"):
        SchedHost(f"fq {options}")


def test_tcp_paces_its_packets_itself_so_they_may_take_the_fast_path() -> None:
    host = SchedHost("fq")
    owner = Owner(1_000_000, protocol=6)
    owner.sk_max_pacing_rate = 1_000_000
    host.send(owner.own(host.udp()))
    assert host.q.priv.stats["fastpath"] == 1


def test_the_fast_path_is_shut_while_a_flow_waits_whose_time_has_come() -> None:
    host = SchedHost("fq")
    due = Owner().own(host.udp(tag=1))
    due.tstamp = MS
    host.send(due)
    host.stop()
    host.run(until=2 * MS)
    host.send(Owner().own(host.udp(port=2, tag=2)))
    assert host.q.priv.stats["fastpath"] == 0
    host.wake()
    assert sorted(host.tags()) == [1, 2]


@pytest.mark.parametrize(("woken", "next_at"), [(1_300_000, 2_000_000), (6_000_000, 6_500_000)])
def test_who_left_late_makes_up_for_it_by_half_of_the_gap_at_most(woken: int, next_at: int) -> None:
    host = SchedHost("fq quantum 1000 initial_quantum 1000")
    owner = Owner(1_000_000)
    owner.sk_max_pacing_rate = 1_000_000
    for _ in range(3):
        host.send(owner.own(host.udp()))
    host.stop()
    host.run(until=woken)
    host.wake()
    assert host.times() == [0, woken, next_at]


@pytest.mark.parametrize(("idle", "in_a_row"), [(10 * MS, 2), (50 * MS, 4)])
def test_a_flow_that_was_idle_for_long_begins_with_a_whole_quantum(
    idle: int, in_a_row: int
) -> None:
    """It went 1500 bytes beyond its 1000 and had 500 left after two rounds."""
    host = SchedHost("fq quantum 1000 initial_quantum 1000")
    now = 0

    def send(owner: Owner, port: int, size: int, wait: int) -> None:
        skb = owner.own(host.udp(port, size))
        skb.tstamp = now + wait
        host.send(skb)

    first, second = Owner(), Owner()
    send(Owner(), 3, 300, NSEC_PER_SEC)
    send(first, 1, 2500, 1)
    now = idle
    host.run(until=now)
    host.stop()
    for _ in range(5):
        send(first, 1, 300, 1)
    send(second, 2, 300, 1)
    host.run(until=now + 1)
    host.wake()
    assert host.ports() == [1] + [1] * in_a_row + [2] + [1] * (5 - in_a_row) + [3]
