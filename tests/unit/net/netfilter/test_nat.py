"""Network address translation, as scapy sees it on the wire and programs see it at both ends."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether

from pyhost.net.core.dev import dev_close
from pyhost.net.core.netdevice import NETIF_F_HW_CSUM, NETIF_F_SG, NETIF_F_TSO
from pyhost.uapi.errno import ECONNREFUSED
from tests.unit.net.ipv4.tcp import tcp_apps
from tests.unit.net.ipv4.udp.udp_host import Udp, in_task
from tests.unit.net.netfilter.traffic import Traffic, checksums_are_good
from tests.unit.net.support import A_ADDR, B_ADDR

SNAT_ADDR = "10.0.0.77"
ALIAS = "02:00:00:00:00:01"


def echo_arp(traffic: Traffic) -> None:
    """Answer ARP for the translated address as a router in front of us would."""
    send = traffic.b.nic.transmit

    def transmit(frame: bytes) -> None:
        send(frame)
        packet = Ether(frame)
        if ARP in packet and packet[ARP].pdst == SNAT_ADDR:
            answer = Ether(src=ALIAS, dst=packet.src) / ARP(
                op=2, hwsrc=ALIAS, psrc=SNAT_ADDR, hwdst=packet.src, pdst=packet[ARP].psrc
            )
            traffic.b.nic.inject(bytes(answer))

    traffic.b.nic.transmit = transmit  # type: ignore[method-assign]


def translating(*commands: str, **options: Any) -> Traffic:
    traffic = Traffic(*commands, **options)
    echo_arp(traffic)
    return traffic


SNAT = f"iptables -t nat -A POSTROUTING -o eth0 -j SNAT --to-source {SNAT_ADDR}"


@pytest.mark.claim("S36")
def test_snat_rewrites_every_frame_of_a_connection_on_the_wire_and_back() -> None:
    traffic = translating(SNAT)
    sk, got = traffic.tcp(data=b"d" * 20000)
    assert got == b"d" * 20000
    frames = traffic.on_the_wire(TCP)
    assert {frame[IP].src for frame in frames} == {SNAT_ADDR}
    assert {frame[IP].dst for frame in traffic.on_the_wire(TCP, traffic.b)} == {SNAT_ADDR}
    assert all(checksums_are_good(frame) for frame in frames)
    assert sk.inet_saddr == A_ADDR


@pytest.mark.parametrize(
    "features", [0, NETIF_F_SG | NETIF_F_HW_CSUM, NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_TSO]
)
def test_checksums_are_right_whoever_computes_them(features: int) -> None:
    traffic = translating(SNAT, features=features & ~NETIF_F_TSO)
    _, got = traffic.tcp(data=b"e" * 9000)
    assert got == b"e" * 9000
    assert all(checksums_are_good(frame) for frame in traffic.on_the_wire(TCP))


def test_snat_of_a_datagram_and_its_answer() -> None:
    traffic = translating(SNAT)
    server = Udp(traffic.b.kernel, 5000)
    client = traffic.senders[1234] = Udp(traffic.a.kernel, 1234)
    traffic.udp(b"question")
    assert server.recv() == (b"question", (0x0A00004D, 1234))
    in_task(traffic.b.kernel, lambda: server.send(b"answer", (0x0A00004D, 1234)), traffic.soon)
    assert client.recv() == (b"answer", (B_ADDR, 5000))
    assert all(checksums_are_good(frame) for frame in traffic.on_the_wire(UDP))


def test_rules_can_ask_whether_a_connection_is_translated() -> None:
    traffic = translating(
        SNAT,
        "iptables -A INPUT -m conntrack --ctstate SNAT",
        "iptables -A INPUT -m conntrack --ctstate DNAT",
    )
    traffic.tcp()
    (translated, _), (other, _) = traffic.counters()["INPUT"]
    assert translated == len(traffic.on_the_wire(TCP, traffic.b))
    assert other == 0


def test_a_port_range_is_kept_to_and_two_sources_never_share_a_port() -> None:
    traffic = translating(
        "iptables -t nat -A POSTROUTING -p udp -j SNAT --to-source 10.0.0.77:2000-2003"
    )
    for sport in range(1230, 1234):
        traffic.udp(sport=sport)
    ports = [frame[UDP].sport for frame in traffic.on_the_wire(UDP)]
    assert sorted(ports) == [2000, 2001, 2002, 2003]


def test_a_source_keeps_its_port_when_that_is_free() -> None:
    traffic = translating(SNAT)
    traffic.udp(sport=4321, port=1)
    traffic.udp(sport=4321, port=2)
    assert [frame[UDP].sport for frame in traffic.on_the_wire(UDP)] == [4321, 4321]


def test_random_ports_come_from_the_seed() -> None:
    def ports(seed: int) -> list[int]:
        traffic = translating(f"{SNAT} --random", seed=seed)
        for sport in (1, 2, 3):
            traffic.udp(sport=sport)
        return [frame[UDP].sport for frame in traffic.on_the_wire(UDP)]

    assert ports(3) == ports(3)
    assert ports(3) != ports(4)
    assert ports(3) != [1, 2, 3]


def test_masquerade_takes_the_devices_address_until_that_goes_down() -> None:
    traffic = Traffic("iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE")
    traffic.udp()
    assert [frame[IP].src for frame in traffic.on_the_wire(UDP)] == ["10.0.0.1"]
    assert traffic.a.net.ct.count == 1
    traffic.a.spawn(lambda: dev_close(traffic.a.dev))
    traffic.soon()
    assert traffic.a.net.ct.count == 0


def test_dnat_at_output_changes_destination_and_route() -> None:
    traffic = Traffic(
        "iptables -t nat -A OUTPUT -d 10.0.0.9 -p tcp --dport 80 "
        "-j DNAT --to-destination 10.0.0.2:8080"
    )
    server = tcp_apps.listener(traffic.b, 8080)
    got: list[bytes] = []
    traffic.b.spawn(lambda: got.append(tcp_apps.read_all(tcp_apps.accept(server))))

    def client() -> None:
        sk = tcp_apps.connect(traffic.a, 0x0A000009, 80)
        assert not isinstance(sk, int)
        tcp_apps.write(sk, b"to another place")
        tcp_apps.close(sk)

    traffic.a.spawn(client)
    traffic.soon()
    assert got == [b"to another place"]
    frames = traffic.on_the_wire(TCP)
    assert {(frame[IP].dst, frame[TCP].dport) for frame in frames} == {("10.0.0.2", 8080)}
    assert all(checksums_are_good(frame) for frame in frames)


def test_redirect_at_prerouting_leads_to_a_local_port() -> None:
    traffic = Traffic()
    command = "iptables -t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080"
    traffic.admin(command, traffic.b)
    server = tcp_apps.listener(traffic.b, 8080)
    got: list[bytes] = []
    traffic.b.spawn(lambda: got.append(tcp_apps.read_all(tcp_apps.accept(server))))

    def client() -> None:
        sk = tcp_apps.connect(traffic.a, B_ADDR, 80)
        tcp_apps.write(sk, b"redirected")
        tcp_apps.close(sk)

    traffic.a.spawn(client)
    traffic.soon()
    assert got == [b"redirected"]
    answers = traffic.on_the_wire(TCP, traffic.b)
    assert {frame[TCP].sport for frame in answers} == {80}
    assert all(checksums_are_good(frame) for frame in answers)


def test_an_icmp_error_about_a_translated_packet_is_translated_with_its_inner_headers() -> None:
    traffic = translating(SNAT)
    client = Udp(traffic.a.kernel, 1234)
    traffic.senders[1234] = client
    in_task(traffic.a.kernel, lambda: client.connect(B_ADDR, 9999), traffic.soon)
    in_task(traffic.a.kernel, lambda: client.send(b"x"), traffic.soon)
    (error,) = traffic.on_the_wire(ICMP, traffic.b)
    assert error[IP].dst == SNAT_ADDR
    # The socket hears of it: so the address in the quoted packet was changed back.
    assert in_task(traffic.a.kernel, lambda: client.send(b"y"), traffic.soon) == [-ECONNREFUSED]


def test_what_a_router_answers_to_a_translated_ping_finds_its_way_back() -> None:
    traffic = translating(SNAT, "iptables -A INPUT -p icmp -j LOG")
    ping = Ether(src="02:00:00:00:00:02", dst=ALIAS) / IP(src="10.0.0.2", dst="10.0.0.1") / ICMP()
    traffic.a.nic.inject(bytes(ping))
    traffic.soon()
    (answer,) = traffic.on_the_wire(ICMP)
    # The connection began outside: its answers keep the address that was asked.
    assert (answer[IP].src, answer[ICMP].type) == ("10.0.0.1", 0)
    assert checksums_are_good(answer)


@pytest.mark.parametrize(("option", "fewest", "most"), [("--persistent", 1, 1), ("", 3, 30)])
def test_a_client_keeps_its_address_whatever_it_talks_to_when_that_was_asked_for(
    option: str, fewest: int, most: int
) -> None:
    rule = f"iptables -t nat -A POSTROUTING -j SNAT --to-source 10.0.0.70-10.0.0.99 {option}"
    traffic = Traffic(rule)
    for host in range(100, 110):
        sender = Udp(traffic.a.kernel, 2000 + host)
        target = (B_ADDR & ~0xFF | host, 9)
        in_task(traffic.a.kernel, partial(sender.send, b"x", target), traffic.soon)
    conns = {ct for ct, _ in traffic.a.net.ct.hash.values()}
    assert len(conns) == 10
    assert fewest <= len({ct.tuples[1].dst for ct in conns}) <= most


def test_a_source_is_translated_to_the_same_address_and_port_for_every_destination() -> None:
    """So that its peers can reach it (RFC 4787 section 4.1)."""
    rule = "iptables -t nat -A POSTROUTING -p udp -j SNAT --to-source 10.0.0.70-10.0.0.99:3000-3999"
    traffic = Traffic(rule)
    sender = Udp(traffic.a.kernel, 2000)
    for host in range(100, 110):
        target = (B_ADDR & ~0xFF | host, 9)
        in_task(traffic.a.kernel, partial(sender.send, b"x", target), traffic.soon)
    conns = {ct for ct, _ in traffic.a.net.ct.hash.values()}
    assert len(conns) == 10
    assert len({(ct.tuples[1].dst, ct.tuples[1].dport) for ct in conns}) == 1
