"""ARP on the wire: who asks, who answers, what is learned."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP
from scapy.layers.l2 import ARP, Ether

from pyhost.kernel.clock import VirtualClock
from pyhost.net.core.dev import dev_close, dev_open
from pyhost.net.core.neighbour import NUD_REACHABLE, NUD_STALE, neigh_lookup
from pyhost.net.core.netdevice import NetDevice
from pyhost.net.ipv4.fib.devinet import InIfaddr
from pyhost.uapi.rtnetlink import RT_SCOPE_HOST, RT_SCOPE_UNIVERSE
from tests.unit.net.device import A_ADDR, A_MAC, B_ADDR, B_MAC, DeviceHost, device_pair, seconds

A_IP, B_IP = "10.0.0.1", "10.0.0.2"
A_HW, B_HW = "02:00:00:00:00:01", "02:00:00:00:00:02"
OTHER_HW = "02:00:00:00:00:99"


def arp_frame(**fields: object) -> bytes:
    dst = fields.pop("dst", "ff:ff:ff:ff:ff:ff")
    return bytes(Ether(src=fields["hwsrc"], dst=dst) / ARP(**fields)).ljust(60, b"\0")


@pytest.mark.claim("S38")
def test_an_unknown_neighbour_is_asked_for_and_the_reply_releases_the_packet() -> None:
    clock, a, b = device_pair()
    assert a.output(B_ADDR, b"waits") == 0
    assert b.received == []
    assert len(a.nic.frames) == 1
    clock.run(until=seconds(0.1))
    request, data = a.sent()
    (reply,) = b.sent()
    assert (request.dst, request[ARP].op) == ("ff:ff:ff:ff:ff:ff", 1)
    assert (request[ARP].psrc, request[ARP].hwsrc) == (A_IP, A_HW)
    assert (request[ARP].pdst, request[ARP].hwdst) == (B_IP, "00:00:00:00:00:00")
    assert (reply.dst, reply.src, reply[ARP].op) == (A_HW, B_HW, 2)
    assert (reply[ARP].psrc, reply[ARP].hwsrc, reply[ARP].pdst) == (B_IP, B_HW, A_IP)
    assert (data.dst, data.src, data.type) == (B_HW, A_HW, 0x0800)
    assert b.received[0].startswith(b"waits")
    assert a.net.skbs.alive == b.net.skbs.alive == 0


@pytest.mark.claim("S38")
def test_a_known_neighbour_is_sent_to_at_once() -> None:
    clock, a, b = device_pair()
    a.output(B_ADDR, b"first")
    clock.run(until=seconds(0.1))
    frames = len(a.nic.frames)
    a.output(B_ADDR, b"second")
    assert len(a.nic.frames) == frames + 1
    assert a.nic.frames[-1][1][:14] == B_MAC + A_MAC + b"\x08\x00"
    clock.run(until=seconds(0.2))
    assert [packet[:6] for packet in b.received] == [b"first\0", b"second"]


def test_a_request_has_42_bytes_before_the_nic_pads_it() -> None:
    _, a, _ = device_pair()
    a.output(B_ADDR)
    assert a.dev.stats.tx_bytes == 42
    assert len(a.nic.frames[0][1]) == 60


def test_all_packets_that_waited_go_out_in_order() -> None:
    clock, a, b = device_pair()
    for index in range(20):
        a.output(B_ADDR, b"%02d" % index)
    clock.run(until=seconds(0.1))
    assert [packet[:2] for packet in b.received] == [b"%02d" % index for index in range(20)]


def test_who_asks_is_learned_as_stale_by_who_is_asked() -> None:
    clock, a, b = device_pair()
    a.output(B_ADDR)
    clock.run(until=seconds(0.1))
    of_b = neigh_lookup(b.net.arp_tbl, A_ADDR, b.dev)
    of_a = neigh_lookup(a.net.arp_tbl, B_ADDR, a.dev)
    assert of_b is not None
    assert of_a is not None
    assert (of_b.ha, of_b.nud_state) == (A_MAC, NUD_STALE)
    assert (of_a.ha, of_a.nud_state) == (B_MAC, NUD_REACHABLE)


def test_a_request_for_another_address_is_not_answered_and_teaches_nothing() -> None:
    clock = VirtualClock()
    a = DeviceHost(clock)
    a.nic.inject(arp_frame(op=1, hwsrc=OTHER_HW, psrc="10.0.0.9", pdst="10.0.0.7"))
    clock.run()
    assert a.nic.frames == []
    assert neigh_lookup(a.net.arp_tbl, 0x0A000009, a.dev) is None


def test_a_probe_for_a_free_address_is_answered_without_learning() -> None:
    clock = VirtualClock()
    a = DeviceHost(clock)
    a.nic.inject(arp_frame(op=1, hwsrc=OTHER_HW, psrc="0.0.0.0", pdst=A_IP))
    clock.run()
    (reply,) = a.sent()
    assert (reply[ARP].op, reply[ARP].psrc, reply.dst) == (2, A_IP, OTHER_HW)
    assert not a.net.arp_tbl.entries


def test_an_unasked_reply_from_a_stranger_makes_no_entry() -> None:
    clock = VirtualClock()
    a = DeviceHost(clock)
    a.nic.inject(arp_frame(op=2, hwsrc=OTHER_HW, psrc="10.0.0.9", pdst=A_IP, hwdst=A_HW, dst=A_HW))
    clock.run()
    assert not a.net.arp_tbl.entries


def test_gratuitous_arp_changes_a_known_address_at_once() -> None:
    clock, a, _ = device_pair()
    a.output(B_ADDR)
    clock.run(until=seconds(0.1))
    a.nic.inject(arp_frame(op=1, hwsrc=OTHER_HW, psrc=B_IP, pdst=B_IP))
    clock.run(until=seconds(0.2))
    a.output(B_ADDR)
    assert a.sent()[-1].dst == OTHER_HW


def test_the_first_of_two_answers_wins_for_a_second() -> None:
    clock, a, _ = device_pair()
    a.output(B_ADDR)
    clock.run(until=seconds(0.1))
    second = arp_frame(op=2, hwsrc=OTHER_HW, psrc=B_IP, pdst=A_IP, hwdst=A_HW, dst=A_HW)
    a.nic.inject(second)
    clock.run(until=seconds(0.2))
    neigh = neigh_lookup(a.net.arp_tbl, B_ADDR, a.dev)
    assert neigh is not None
    assert neigh.ha == B_MAC
    clock.run(until=seconds(2))
    a.nic.inject(second)
    clock.run(until=seconds(2.1))
    assert neigh.ha.hex(":") == OTHER_HW


@pytest.mark.parametrize(
    "frame",
    [
        arp_frame(op=1, hwsrc=OTHER_HW, psrc="10.0.0.9", pdst=A_IP)[:20].ljust(30, b"\0"),
        arp_frame(op=1, hwsrc=OTHER_HW, psrc="10.0.0.9", pdst=A_IP, hwtype=6),
        arp_frame(op=1, hwsrc=OTHER_HW, psrc="10.0.0.9", pdst=A_IP, plen=16),
        arp_frame(op=8, hwsrc=OTHER_HW, psrc="10.0.0.9", pdst=A_IP),
        arp_frame(op=1, hwsrc=OTHER_HW, psrc="10.0.0.9", pdst=A_IP, dst=OTHER_HW),
    ],
    ids=["truncated", "hardware type", "protocol length", "operation", "for another host"],
)
def test_what_is_not_arp_for_us_is_dropped_without_a_leak(frame: bytes) -> None:
    clock = VirtualClock()
    a = DeviceHost(clock)
    a.nic.inject(frame)
    clock.run()
    assert a.nic.frames == []
    assert not a.net.arp_tbl.entries
    assert a.net.skbs.alive == 0


@pytest.mark.parametrize(
    ("next_hop", "mac"),
    [
        (0xFFFFFFFF, "ff:ff:ff:ff:ff:ff"),
        (0x0A0000FF, "ff:ff:ff:ff:ff:ff"),
        (0xE0000001, "01:00:5e:00:00:01"),
        (0xEF81FF02, "01:00:5e:01:ff:02"),
    ],
    ids=["limited broadcast", "subnet broadcast", "multicast", "multicast of 23 bits"],
)
def test_broadcast_and_multicast_need_no_question(next_hop: int, mac: str) -> None:
    a = DeviceHost(VirtualClock())
    a.output(next_hop)
    (frame,) = a.sent()
    assert (frame.dst, frame.type) == (mac, 0x0800)


def test_closing_the_device_forgets_its_neighbours_and_what_waited() -> None:
    clock = VirtualClock()
    a = DeviceHost(clock)
    a.output(B_ADDR)
    a.spawn(lambda: dev_close(a.dev))
    clock.run(until=seconds(0.5))
    assert not a.net.arp_tbl.entries
    assert a.net.skbs.alive == 0
    clock.run()
    assert clock.now < seconds(1)


# -- settings ------------------------------------------------------------------------------------


def conf(host: DeviceHost, **settings: int) -> None:
    for name, value in settings.items():
        host.kernel.sysctl[f"net.ipv4.conf.all.{name}"] = value


def second_address(host: DeviceHost, addr: int, scope: int = RT_SCOPE_UNIVERSE) -> None:
    host.dev.ifa_list.append(InIfaddr(addr, 24, addr, 0, scope, False))


def asks(host: DeviceHost, sip: str, tip: str) -> int:
    """How many answers a request brings."""
    before = len(host.nic.frames)
    host.nic.inject(arp_frame(op=1, hwsrc=OTHER_HW, psrc=sip, pdst=tip))
    host.clock.run(until=host.clock.now + seconds(0.1))
    return len(host.nic.frames) - before


@pytest.mark.parametrize(
    ("mode", "answers"),
    [(0, [1, 1, 1, 1]), (1, [1, 1, 1, 1]), (2, [1, 0, 1, 1]), (3, [1, 1, 1, 0]), (8, [0, 0, 0, 0])],
)
def test_arp_ignore_says_which_requests_are_answered(mode: int, answers: list[int]) -> None:
    _, a, _ = device_pair()
    second_address(a, 0x0B000001)
    second_address(a, 0x0C000001, RT_SCOPE_HOST)
    conf(a, arp_ignore=mode)
    assert [
        asks(a, "10.0.0.77", A_IP),
        asks(a, "11.0.0.77", A_IP),
        asks(a, "11.0.0.77", "11.0.0.1"),
        asks(a, "12.0.0.77", "12.0.0.1"),
    ] == answers


def test_addresses_of_other_interfaces_are_answered_for_unless_arp_ignore_says_no() -> None:
    _, a, _ = device_pair()
    lo = NetDevice(a.net, "lo", a.nic)
    lo.ifa_list = [InIfaddr(0x0D000001, 32, 0x0D000001, 0, RT_SCOPE_UNIVERSE, False)]
    a.net.devices["lo"] = lo
    assert asks(a, "10.0.0.77", "13.0.0.1") == 1
    conf(a, arp_ignore=1)
    assert asks(a, "10.0.0.77", "13.0.0.1") == 0


def test_with_arp_accept_a_gratuitous_arp_makes_an_entry() -> None:
    clock, a, _ = device_pair()
    conf(a, arp_accept=1)
    a.nic.inject(arp_frame(op=1, hwsrc=OTHER_HW, psrc="10.0.0.50", pdst="10.0.0.50"))
    a.nic.inject(arp_frame(op=2, hwsrc=OTHER_HW, psrc="10.0.0.51", pdst=A_IP, hwdst=A_HW))
    clock.run(until=seconds(0.1))
    assert neigh_lookup(a.net.arp_tbl, 0x0A000032, a.dev) is not None
    assert neigh_lookup(a.net.arp_tbl, 0x0A000033, a.dev) is None


@pytest.mark.parametrize(("mode", "asker"), [(0, "11.0.0.1"), (1, A_IP), (2, A_IP)])
def test_arp_announce_says_in_whose_name_to_ask(mode: int, asker: str) -> None:
    _, a, _ = device_pair()
    second_address(a, 0x0B000001)
    conf(a, arp_announce=mode)
    header = bytes(IP(src="11.0.0.1", dst=B_IP))
    a.output(B_ADDR, header)
    assert a.sent()[-1][ARP].psrc == asker


def test_with_arp_notify_a_device_that_comes_up_tells_its_addresses() -> None:
    clock, a, _ = device_pair()
    second_address(a, 0x0B000001)
    conf(a, arp_notify=1)

    def restart() -> None:
        dev_close(a.dev)
        dev_open(a.dev)

    a.spawn(restart)
    clock.run(until=seconds(0.1))
    told = [frame[ARP] for frame in a.sent()]
    assert [(each.op, each.psrc, each.pdst) for each in told] == [
        (1, A_IP, A_IP), (1, "11.0.0.1", "11.0.0.1"),
    ]  # fmt: skip
