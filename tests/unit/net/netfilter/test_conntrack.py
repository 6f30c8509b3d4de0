"""Connection tracking: what a connection's packets are called, and how long it is remembered."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether

from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.net.netfilter.nf_conntrack_proto_tcp import STATE_NAMES, TCP_CONNTRACKS
from pyhost.net.netfilter.nf_conntrack_tuple import IPS_ASSURED, NfConn
from pyhost.uapi.errno import ECONNREFUSED, EPERM
from tests.unit.net.ipv4.tcp import tcp_apps
from tests.unit.net.ipv4.udp.udp_host import Udp, in_task
from tests.unit.net.netfilter.traffic import Traffic
from tests.unit.net.support import A_ADDR, B_ADDR

TRACK = "iptables -A OUTPUT -m conntrack --ctstate INVALID"
"""A rule that does nothing but have connections tracked."""

LINK = Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01")


def connections(traffic: Traffic) -> list[NfConn]:
    return [ct for ct, direction in traffic.a.net.ct.hash.values() if direction == 0]


def state(traffic: Traffic) -> str:
    (ct,) = connections(traffic)
    return STATE_NAMES[ct.proto.state]


def left(traffic: Traffic) -> float:
    """Seconds until the only connection ends."""
    (ct,) = connections(traffic)
    return (ct.timeout - traffic.pair.clock.now) / NSEC_PER_SEC


def from_b(traffic: Traffic, packet: Any) -> None:
    traffic.a.nic.inject(bytes(LINK / packet))
    traffic.soon()


def test_nothing_is_tracked_until_a_rule_needs_it_nor_after_it_has_gone() -> None:
    traffic = Traffic("iptables -A OUTPUT -p udp -j ACCEPT")
    traffic.udp()
    assert connections(traffic) == []
    hooks = [len(each) for each in traffic.a.net.nf.hooks]
    traffic.admin(TRACK)
    traffic.udp()
    assert len(connections(traffic)) == 1
    traffic.admin("iptables -D OUTPUT 2")
    assert [len(each) for each in traffic.a.net.nf.hooks] == hooks


def test_a_stateful_filter_lets_answers_in_and_nothing_else() -> None:
    traffic = Traffic(
        "iptables -P INPUT DROP",
        "iptables -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
    )
    _, got = traffic.tcp()
    assert got == b"hello"
    before = traffic.a.net.drops.get("NETFILTER_DROP", 0)
    from_b(traffic, IP(src="10.0.0.2", dst="10.0.0.1") / UDP(sport=1, dport=2) / b"uninvited")
    assert traffic.a.net.drops["NETFILTER_DROP"] == before + 1


def test_an_icmp_error_is_related_to_the_datagram_that_it_quotes() -> None:
    traffic = Traffic(
        "iptables -A INPUT -p icmp -m conntrack --ctstate RELATED -j LOG --log-prefix related:",
        "iptables -A INPUT -p icmp -m conntrack ! --ctstate RELATED -j LOG --log-prefix other:",
    )
    traffic.udp(port=9999)
    assert [text.partition(":")[0] for text in traffic.log()] == ["related"]
    quoted = IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=4, dport=5)
    from_b(traffic, IP(src="10.0.0.2", dst="10.0.0.1") / ICMP(type=3, code=3) / quoted)
    assert [text.partition(":")[0] for text in traffic.log()] == ["related", "other"]


def test_a_ping_is_a_connection_by_its_id() -> None:
    traffic = Traffic("iptables -A INPUT -p icmp -m conntrack --ctstate NEW")
    ping = IP(src="10.0.0.2", dst="10.0.0.1") / ICMP(id=77, seq=1)
    from_b(traffic, ping)
    from_b(traffic, ping)
    (ct,) = connections(traffic)
    assert ct.tuples[0].sport == 77
    # Every request is NEW until an answer has gone out.
    assert traffic.counters()["INPUT"][0][0] == 1
    from_b(traffic, IP(src="10.0.0.2", dst="10.0.0.1") / ICMP(type=0, id=5))
    assert traffic.a.net.ct.stat["invalid"] == 1


def test_a_tcp_connection_goes_through_the_states_and_is_assured() -> None:
    traffic = Traffic(TRACK)
    states: list[str] = []
    seen = traffic.a.nic.transmit

    def watch(frame: bytes) -> None:
        seen(frame)
        if connections(traffic):
            states.append(state(traffic))

    traffic.a.nic.transmit = watch  # type: ignore[method-assign]
    traffic.tcp()
    assert list(dict.fromkeys(states)) == ["SYN_SENT", "ESTABLISHED", "FIN_WAIT", "TIME_WAIT"]
    (ct,) = connections(traffic)
    assert ct.status & IPS_ASSURED
    assert 118 < left(traffic) <= 120


def test_the_state_table_has_the_ways_of_rfc_9293() -> None:
    table = [
        [[STATE_NAMES[s] if s < 10 else "--" for s in row] for row in direction]
        for direction in TCP_CONNTRACKS
    ]
    syn, synack, fin, ack, rst, none = range(6)
    no, sent, received, established, wait = range(5)
    assert table[0][syn][no] == "SYN_SENT"
    assert table[1][synack][sent] == "SYN_RECV"
    assert table[0][ack][received] == "ESTABLISHED"
    assert table[1][fin][established] == table[0][fin][established] == "FIN_WAIT"
    assert table[1][ack][wait] == "CLOSE_WAIT"
    assert table[1][syn][sent] == "SYN_SENT2"
    assert {way for direction in table for way in direction[rst][1:]} == {"CLOSE"}
    assert {way for direction in table for way in direction[none]} == {"--"}


def test_a_refused_connection_is_forgotten_at_once() -> None:
    traffic = Traffic(TRACK)
    results: list[object] = []
    traffic.a.spawn(lambda: results.append(tcp_apps.connect(traffic.a, B_ADDR, 81)))
    traffic.soon()
    assert results == [-ECONNREFUSED]
    assert connections(traffic) == []


@pytest.mark.parametrize(
    "segment",
    [
        TCP(sport=80, flags="A", seq=1 << 30, ack=1),
        TCP(sport=80, flags="SF", seq=1),
        TCP(sport=80, flags="", seq=1),
    ],
)
def test_a_segment_that_cannot_be_is_invalid(segment: TCP) -> None:
    traffic = Traffic(
        "iptables -A INPUT -m conntrack --ctstate INVALID -j DROP",
        sysctls={"net.netfilter.nf_conntrack_tcp_loose": "0"},
    )
    traffic.tcp()
    port = traffic.on_the_wire(TCP)[0][TCP].sport
    segment = segment.copy()
    segment.dport = port
    from_b(traffic, IP(src="10.0.0.2", dst="10.0.0.1") / segment)
    assert traffic.counters()["INPUT"][0][0] == 1


def test_a_bad_checksum_is_invalid_unless_it_is_not_to_be_looked_at() -> None:
    traffic = Traffic("iptables -A INPUT -m conntrack --ctstate INVALID -j DROP")
    packet = IP(src="10.0.0.2", dst="10.0.0.1") / UDP(sport=1, dport=2, chksum=0x1234) / b"x"
    from_b(traffic, packet)
    assert traffic.counters()["INPUT"][0][0] == 1
    traffic.admin("sysctl net.netfilter.nf_conntrack_checksum=0")
    from_b(traffic, packet)
    assert traffic.counters()["INPUT"][0][0] == 1


def test_an_untracked_packet_is_seen_as_such() -> None:
    traffic = Traffic(
        "iptables -t raw -A OUTPUT -p udp -j CT --notrack",
        "iptables -A OUTPUT -m conntrack --ctstate UNTRACKED -j DROP",
    )
    assert traffic.udp() == -EPERM
    assert connections(traffic) == []


def test_a_dropped_first_packet_leaves_no_connection() -> None:
    traffic = Traffic("iptables -A OUTPUT -m conntrack --ctstate NEW -j DROP")
    assert traffic.udp() == -EPERM
    assert connections(traffic) == []


def test_udp_lives_thirty_seconds_and_a_stream_two_minutes() -> None:
    traffic = Traffic(TRACK)
    echo = Udp(traffic.b.kernel, 5000)
    traffic.udp()
    assert 29 < left(traffic) <= 30
    for _ in range(2):
        traffic.pair.run(traffic.pair.clock.now + 3 * NSEC_PER_SEC)
        in_task(traffic.b.kernel, lambda: echo.send(b"answer", (A_ADDR, 1234)), traffic.soon)
    assert 119 < left(traffic) <= 120


def test_the_timer_removes_what_is_over_and_stops_when_all_is() -> None:
    traffic = Traffic(TRACK)
    traffic.udp(port=1)
    traffic.pair.run(traffic.pair.clock.now + 10 * NSEC_PER_SEC)
    traffic.udp(port=2)
    traffic.pair.run(25 * NSEC_PER_SEC)
    assert len(connections(traffic)) == 2
    traffic.pair.run(35 * NSEC_PER_SEC)
    assert [ct.tuples[0].dport for ct in connections(traffic)] == [2]
    traffic.pair.run()
    assert traffic.a.net.ct.count == 0
    assert traffic.pair.clock.now < 120 * NSEC_PER_SEC


def test_a_full_table_drops_what_is_new_and_counts_it() -> None:
    traffic = Traffic(TRACK, sysctls={"net.netfilter.nf_conntrack_max": "1"})
    traffic.tcp()
    assert traffic.udp() == -EPERM
    assert traffic.a.net.ct.stat["drop"] == 1
    assert traffic.log() == ["nf_conntrack: nf_conntrack: table full, dropping packet"]


def test_in_a_full_table_the_oldest_that_nothing_depends_on_makes_room() -> None:
    traffic = Traffic(TRACK, sysctls={"net.netfilter.nf_conntrack_max": "2"})
    for port in (1, 2, 3):
        assert traffic.udp(port=port) == 4
    assert [ct.tuples[0].dport for ct in connections(traffic)] == [2, 3]
    assert traffic.a.net.ct.stat["early_drop"] == 1


def test_a_datagram_in_fragments_is_tracked_as_a_whole() -> None:
    traffic = Traffic()
    traffic.admin("iptables -A INPUT -p udp --dport 5000 -m conntrack --ctstate NEW", traffic.b)
    receiver = Udp(traffic.b.kernel, 5000)
    assert traffic.udp(b"z" * 4000) == 4000
    assert receiver.recv() == (b"z" * 4000, (A_ADDR, 1234))
    rule = traffic.b.net.xt.tables["filter"].chains["INPUT"].rules[0]
    assert (rule.packets, rule.bytes) == (1, 4028)


def test_a_new_connection_may_take_the_ports_of_one_in_time_wait() -> None:
    traffic = Traffic(TRACK)
    traffic.tcp()
    port = traffic.on_the_wire(TCP)[0][TCP].sport
    assert state(traffic) == "TIME_WAIT"
    (old,) = connections(traffic)
    traffic.pair.run(traffic.pair.clock.now + 5 * NSEC_PER_SEC)
    syn = IP(src="10.0.0.2", dst="10.0.0.1") / TCP(sport=80, dport=port, flags="S", seq=1)
    from_b(traffic, syn)
    (new,) = connections(traffic)
    assert new is not old
    assert STATE_NAMES[new.proto.state] == "SYN_SENT"


def test_a_datagram_without_a_checksum_is_tracked_and_one_with_a_wrong_one_is_not() -> None:
    traffic = Traffic("iptables -A INPUT -m conntrack --ctstate INVALID")
    receiver = Udp(traffic.a.kernel, 7)
    bare = IP(src="10.0.0.2", dst="10.0.0.1") / UDP(sport=9, dport=7, chksum=0) / b"bare"
    from_b(traffic, bare)
    assert len(connections(traffic)) == 1
    assert receiver.recv()[0] == b"bare"
    wrong = IP(src="10.0.0.2", dst="10.0.0.1") / UDP(sport=10, dport=7, chksum=1) / b"wrong"
    from_b(traffic, wrong)
    assert len(connections(traffic)) == 1
