"""fq_codel: short queues, a queue for each flow."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, UDP

from pyhost.admin.errors import CommandError
from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.net.core.drop_reason import QDISC_DROP
from pyhost.net.core.netdevice import NET_XMIT_CN
from pyhost.net.core.skbuff import SkBuff, kfree_skb_reason
from pyhost.net.sched.codel import Codel, CodelParams, CodelVars
from pyhost.net.sched.qdisc import Qdisc
from tests.unit.net.sched.sched_host import SchedHost

MS = 1_000_000
PACKET_NS = 1_000_000
"""1000 bytes at 8 Mbit/s."""


def slow_link(options: str = "") -> tuple[SchedHost, Qdisc]:
    """fq_codel behind a bottleneck of 8 Mbit/s: a packet of 1000 bytes a millisecond."""
    host = SchedHost("handle 1: tbf rate 8mbit burst 1514 limit 10mb")
    host.tc(f"qdisc add dev eth0 parent 1:1 handle 2: fq_codel {options}")
    child = host.dev.qdisc_hash[2 << 16]
    return host, child


def offer(host: SchedHost, port: int, every: int, until: int, tos: int = 0) -> None:
    """Have a flow send a packet every `every` ns until `until`."""
    sent = [0]

    def send() -> None:
        host.send(host.udp(port=port, tag=sent[0], tos=tos))
        sent[0] += 1
        if host.clock.now + every < until:
            host.clock.call_at(host.clock.now + every, send)

    host.clock.call_at(host.clock.now, send)


def test_a_queue_that_drains_loses_nothing() -> None:
    host, child = slow_link()
    offer(host, 1, every=PACKET_NS, until=NSEC_PER_SEC)
    host.run()
    assert len(host.nic.frames) == 1000
    assert child.drops == 0


def test_a_burst_shorter_than_the_interval_loses_nothing() -> None:
    host, child = slow_link()
    for tag in range(90):
        host.send(host.udp(tag=tag))
    host.run()
    assert host.tags() == list(range(90))
    assert child.drops == 0


def test_the_last_packet_of_a_slow_link_is_kept_however_long_it_waited() -> None:
    host = SchedHost("handle 1: tbf rate 80kbit burst 1514 limit 10mb")
    host.tc("qdisc add dev eth0 parent 1:1 handle 2: fq_codel")
    for _ in range(3):
        host.send(host.udp())
    for tenth in range(1, 30):  # a packet takes a tenth of a second; there is always one waiting
        host.run(until=tenth * NSEC_PER_SEC // 10)
        host.send(host.udp())
    host.run()
    assert len(host.nic.frames) == 32


def test_a_standing_queue_is_cut_down_ever_faster() -> None:
    host, child = slow_link()
    offer(host, 1, every=PACKET_NS * 4 // 5, until=3 * NSEC_PER_SEC)  # 25 % too much
    drops = []
    for second in (1, 2, 3):
        host.run(until=second * NSEC_PER_SEC)
        drops.append(child.drops)
    first, second, third = drops[0], drops[1] - drops[0], drops[2] - drops[1]
    assert 0 < first < second < third
    host.run()
    assert host.net.drops == {"QDISC_CONGESTED": child.drops}
    assert (child.qlen, child.backlog, host.q.qlen, host.q.backlog) == (0, 0, 0, 0)
    assert host.net.skbs.alive == 0


@pytest.mark.parametrize(("tos", "marked"), [(2, True), (1, True), (0, False)])
def test_flows_that_understand_it_are_marked_instead(tos: int, marked: bool) -> None:
    host, child = slow_link()
    offer(host, 1, every=PACKET_NS * 4 // 5, until=NSEC_PER_SEC, tos=tos)
    host.run()
    ce = [packet for packet in host.packets() if packet[IP].tos & 3 == 3]
    assert (len(ce) > 0) == marked
    assert child.priv.cstats.ecn_mark == len(ce)
    assert (child.drops == 0) == marked
    for packet in ce:
        stated = packet[IP].chksum
        del packet[IP].chksum
        assert IP(bytes(packet[IP])).chksum == stated


def test_without_ecn_all_are_dropped() -> None:
    host, child = slow_link("noecn")
    offer(host, 1, every=PACKET_NS * 4 // 5, until=NSEC_PER_SEC, tos=2)
    host.run()
    assert child.drops > 0
    assert not [packet for packet in host.packets() if packet[IP].tos & 3 == 3]


def test_a_sparse_flow_is_not_delayed_by_a_greedy_one() -> None:
    host, child = slow_link()
    offer(host, 1, every=PACKET_NS // 3, until=NSEC_PER_SEC)
    host.run(until=500 * MS)
    assert child.qlen > 100
    host.send(host.udp(port=2))
    asked = host.clock.now
    host.run(until=asked + 4 * MS)
    assert 2 in host.ports()


def test_greedy_flows_share_the_link() -> None:
    host, _ = slow_link()
    for port in (1, 2, 3):
        offer(host, port, every=PACKET_NS // port, until=NSEC_PER_SEC)
    host.run(until=NSEC_PER_SEC)
    counts = [host.ports().count(port) for port in (1, 2, 3)]
    assert sum(counts) == pytest.approx(1000, abs=5)
    assert max(counts) - min(counts) <= 0.1 * sum(counts)


def test_when_there_is_no_room_the_fattest_flow_pays() -> None:
    host, child = slow_link("limit 50")
    for _ in range(45):
        host.send(host.udp(port=1))
    results = [host.send(host.udp(port=2)) for _ in range(10)]
    assert results == [0] * 10
    assert host.net.drops == {"QDISC_OVERLIMIT": child.drops}
    assert (child.qlen, child.priv.drop_overlimit) == (host.q.qlen, child.drops)
    host.run()
    assert host.ports().count(2) == 10


def test_a_flow_that_pays_for_itself_hears_of_congestion() -> None:
    host, child = slow_link("limit 50")
    results = [host.send(host.udp()) for _ in range(60)]
    assert NET_XMIT_CN in results
    assert (host.q.qlen, host.q.backlog) == (child.qlen, child.backlog)
    host.run()
    assert (host.q.qlen, host.q.backlog) == (0, 0)
    assert host.net.skbs.alive == 0


def test_memory_is_limited_too() -> None:
    host, child = slow_link("memory_limit 50kb")
    for _ in range(100):
        host.send(host.udp())
    assert child.priv.memory_usage <= 50 * 1024
    assert child.priv.drop_overmemory > 0
    host.run()
    assert child.priv.memory_usage == 0


def test_a_delay_above_ce_threshold_is_marked_at_once() -> None:
    host, child = slow_link("ce_threshold 3ms")
    for tag in range(10):
        host.send(host.udp(tag=tag, tos=2))
    host.run()
    marked = [packet[IP].tos & 3 == 3 for packet in host.packets()]
    assert child.priv.cstats.ce_mark == marked.count(True) == 5
    assert marked == sorted(marked)


def test_the_drops_are_due_after_the_inverse_square_root_of_their_number() -> None:
    params = CodelParams(mtu=1514)
    due = [params.control_law(0, count) / MS for count in (1, 2, 4, 100)]
    assert due == pytest.approx([100, 70.71, 50, 10], rel=1e-4)


def test_an_empty_fq_codel_is_gone_round() -> None:
    host = SchedHost("fq_codel")
    host.send(host.udp())
    assert host.q.priv.new_flow_count == 0
    assert (host.q.packets, host.q.bytes, len(host.nic.frames)) == (1, 1000, 1)


def test_the_number_of_flows_is_fixed_at_birth() -> None:
    host = SchedHost("fq_codel flows 16")
    with pytest.raises(CommandError, match="Invalid argument"):
        host.tc("qdisc change dev eth0 root fq_codel flows 32")
    for port in range(200):
        host.stop()
        host.send(host.udp(port=port))
    assert len(host.q.priv.flows) == 16
    host.wake()
    assert len({packet[UDP].sport for packet in host.packets()}) == 200


def test_half_of_the_fattest_queue_goes_at_once() -> None:
    host = SchedHost("fq_codel limit 10")
    host.stop()
    for _ in range(11):
        host.send(host.udp())
    # The first has left the flow for the driver already, and is counted with those that wait.
    assert (host.q.drops, host.q.qlen) == (5, 6)


def test_a_flow_that_ran_empty_waits_for_the_old_ones_before_it_is_new_again() -> None:
    host = SchedHost("fq_codel quantum 1000")
    q, ports = host.q, []

    def put(port: int, size: int) -> None:
        assert q.enqueue is not None
        assert q.enqueue(host.udp(port, size), q, []) == 0

    def take() -> None:
        skb = q.dequeue(q)
        assert skb is not None
        ports.append(skb.buf[skb.transport_header + 1])
        kfree_skb_reason(skb, QDISC_DROP)

    for port, size in ((1, 900), (1, 900), (1, 100), (1, 100), (2, 300)):
        put(port, size)
    for _ in range(4):
        take()
    put(2, 300)
    take()
    take()
    assert ports == [1, 1, 2, 1, 1, 2]


class Line(Codel):
    """A queue of packets that have all waited for `delay`, and that is never empty."""

    def __init__(self, host: SchedHost) -> None:
        super().__init__(1514)
        self.cparams.ecn = False
        self.host = host
        self.vars = CodelVars()
        self.now = self.delay = 0

    def take(self, queue: CodelVars) -> tuple[SkBuff, int]:
        return self.host.udp(), self.now - self.delay

    def discard(self, skb: SkBuff) -> None:
        kfree_skb_reason(skb, QDISC_DROP)

    def backlog_bytes(self) -> int:
        return 100_000

    def run(self, ms: int, delay: int) -> None:
        """A packet leaves every millisecond."""
        self.delay = delay
        for _ in range(ms):
            self.now += MS
            skb = self.codel_dequeue(self.vars, self.now)
            assert skb is not None
            kfree_skb_reason(skb, QDISC_DROP)


@pytest.mark.parametrize(("quiet_ms", "goes_on"), [(50, True), (2000, False)])
def test_dropping_goes_on_at_its_rate_when_the_queue_stands_again_soon(
    quiet_ms: int, goes_on: bool
) -> None:
    line = Line(SchedHost())
    line.run(1000, delay=10 * MS)
    reached = line.vars.count
    assert reached > 10
    line.run(quiet_ms, delay=0)
    assert not line.vars.dropping
    line.run(102, delay=10 * MS)
    assert line.vars.dropping
    assert line.vars.count == (reached - 1 if goes_on else 1)
    assert line.host.net.skbs.alive == 0
