"""ICMP: echo, errors sent and received, limits."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import ARP
from scapy.packet import Packet, Raw

from pyhost.admin.shell import run_command
from pyhost.kernel.clock import NSEC_PER_MSEC, NSEC_PER_SEC
from pyhost.net.core.dst import DstEntry
from pyhost.net.ipv4 import icmp
from pyhost.net.ipv4.fib.route import ip_route_output
from pyhost.uapi.errno import ECONNREFUSED, EHOSTUNREACH, EMSGSIZE, ENOPROTOOPT
from pyhost.uapi.ip import IP_RECVERR
from pyhost.uapi.socket import SOL_IP
from tests.unit.net.ipv4.udp.udp_host import Udp, in_task
from tests.unit.net.ipv4.wire import inject, ip_sent, to_b
from tests.unit.net.support import A_ADDR, Pair, two_hosts

PORT = 5000


@pytest.fixture
def pair() -> Pair:
    return two_hosts()


def from_a(payload: Packet, **fields: object) -> bytes:
    return to_b(IP(src="10.0.0.1", dst="10.0.0.2", **fields) / payload)


def icmp_checksum_good(packet: Packet) -> bool:
    again = packet.copy()
    del again.chksum
    del again[ICMP].chksum
    rebuilt = IP(bytes(again))
    return bool(rebuilt.chksum == packet.chksum and rebuilt[ICMP].chksum == packet[ICMP].chksum)


@pytest.mark.parametrize("size", [0, 1, 56, 1472])
def test_an_echo_request_comes_back_with_its_data(pair: Pair, size: int) -> None:
    data = bytes(range(256)) * 6
    inject(pair, from_a(ICMP(id=7, seq=9) / Raw(data[:size]), tos=0x10))
    (reply,) = ip_sent(pair.b)
    assert (reply.src, reply.dst, reply.tos) == ("10.0.0.2", "10.0.0.1", 0x10)
    assert (reply[ICMP].type, reply[ICMP].code, reply[ICMP].id, reply[ICMP].seq) == (0, 0, 7, 9)
    assert bytes(reply[ICMP].payload) == data[:size]
    assert icmp_checksum_good(reply)


def test_a_big_echo_is_put_together_and_answered_in_fragments(pair: Pair) -> None:
    data = bytes(4000)
    whole = bytes(IP(bytes(IP(src="10.0.0.1", dst="10.0.0.2") / ICMP(id=1) / Raw(data)))[ICMP])
    for at in range(0, len(whole), 1480):
        more = "MF" if at + 1480 < len(whole) else 0
        pair.b.nic.inject(
            from_a(Raw(whole[at : at + 1480]), proto=1, id=5, flags=more, frag=at // 8)
        )
    pair.run()
    answers = ip_sent(pair.b)
    assert [(packet.frag, str(packet.flags)) for packet in answers] == [
        (0, "MF"),
        (185, "MF"),
        (370, ""),
    ]
    body = b"".join(bytes(packet)[20:] for packet in answers)
    assert bytes(ICMP(body).payload) == data


def test_echo_can_be_switched_off_and_broadcasts_are_ignored() -> None:
    pair = two_hosts(sysctls={"net.ipv4.icmp_echo_ignore_all": "1"})
    inject(pair, from_a(ICMP()))
    assert ip_sent(pair.b) == []
    other = two_hosts()
    frame = to_b(IP(src="10.0.0.1", dst="10.0.0.255") / ICMP())
    inject(other, b"\xff" * 6 + frame[6:])
    assert ip_sent(other.b) == []


def test_padding_of_the_frame_is_not_part_of_the_echo(pair: Pair) -> None:
    inject(pair, from_a(ICMP() / Raw(b"abc")) + bytes(20))
    assert bytes(ip_sent(pair.b)[0][ICMP].payload) == b"abc"


def test_a_damaged_echo_is_dropped(pair: Pair) -> None:
    frame = bytearray(from_a(ICMP() / Raw(b"data")))
    frame[-1] ^= 1
    inject(pair, bytes(frame))
    assert ip_sent(pair.b) == []
    assert pair.b.net.drops == {"ICMP_CSUM": 1}


def test_port_unreachable_quotes_at_most_576_bytes_in_all(pair: Pair) -> None:
    frame = from_a(UDP(dport=1) / Raw(bytes(1000)), tos=0x10)
    inject(pair, frame)
    (answer,) = ip_sent(pair.b)
    assert (answer[ICMP].type, answer[ICMP].code, answer.len) == (3, 3, 576)
    assert answer.tos == 0xC0 | 0x10
    assert str(answer.flags) == ""
    assert bytes(answer)[28:] == frame[14 : 14 + 548]
    assert icmp_checksum_good(answer)


@pytest.mark.parametrize(
    "payload",
    [UDP(dport=1), ICMP(type=3, code=1) / IP() / UDP(), Raw(b"12345678")],
    ids=["UDP", "ICMP error", "rest"],
)
def test_errors_answer_no_errors_no_broadcasts_and_no_later_fragments(
    pair: Pair, payload: Packet
) -> None:
    frame = to_b(IP(src="10.0.0.1", dst="10.0.0.255") / payload)
    inject(pair, b"\xff" * 6 + frame[6:])
    inject(pair, from_a(ICMP(type=3, code=3) / IP(src="10.0.0.2", dst="10.0.0.1") / UDP()))
    inject(pair, to_b(IP(src="10.0.0.1", dst="10.0.0.2", frag=4, proto=200) / Raw(bytes(16))))
    assert ip_sent(pair.b) == []


def test_errors_to_one_host_come_in_a_burst_of_six_then_one_a_second(pair: Pair) -> None:
    frame = from_a(UDP(dport=1) / Raw(b"x"))
    for _ in range(20):
        pair.b.nic.inject(frame)
    pair.run(until=100 * NSEC_PER_MSEC)
    assert len(ip_sent(pair.b)) == 6
    for _ in range(5):
        pair.b.nic.inject(frame)
    pair.run(until=900 * NSEC_PER_MSEC)
    assert len(ip_sent(pair.b)) == 6
    pair.clock.call_at(
        3 * NSEC_PER_SEC, lambda: [pair.b.nic.inject(frame) for _ in range(5)] and None
    )
    pair.run(until=4 * NSEC_PER_SEC)
    assert len(ip_sent(pair.b)) == 9
    assert pair.b.net.mib["IcmpOutRateLimitHost"] == 30 - 9


def test_errors_to_many_hosts_share_one_limit(pair: Pair) -> None:
    for index in range(80):
        packet = IP(src=f"10.0.0.{100 + index}", dst="10.0.0.2") / UDP(dport=1)
        pair.b.nic.inject(to_b(packet))
    pair.run(until=NSEC_PER_MSEC)
    assert pair.b.net.mib["IcmpMsgOutType3"] == 50
    assert pair.b.net.mib["IcmpOutRateLimitGlobal"] == 30


def unreachable(pair: Pair, code: int, recverr: bool, **fields: object) -> tuple[int, Udp]:
    """What a connected socket of `b` has as its error after an ICMP error about its datagram."""
    sock = Udp(pair.b.kernel, PORT)
    in_task(pair.b.kernel, lambda: sock.connect(A_ADDR, 9), pair.run)
    sock.setsockopt(SOL_IP, IP_RECVERR, recverr)
    quoted = IP(src="10.0.0.2", dst="10.0.0.1") / UDP(sport=PORT, dport=9) / Raw(b"quoted")
    inject(pair, from_a(ICMP(type=3, code=code, **fields) / quoted))
    return sock.sk.sk_err, sock


@pytest.mark.parametrize(
    ("code", "plain", "with_recverr"),
    [
        (0, 0, 101),
        (1, 0, EHOSTUNREACH),
        (2, ENOPROTOOPT, ENOPROTOOPT),
        (3, ECONNREFUSED, ECONNREFUSED),
        (13, 113, 113),
    ],
)
def test_fatal_errors_reach_a_connected_socket_and_the_rest_who_asked(
    code: int, plain: int, with_recverr: int
) -> None:
    assert unreachable(two_hosts(), code, False)[0] == plain
    assert unreachable(two_hosts(), code, True)[0] == with_recverr


@pytest.mark.claim("S37")
def test_fragmentation_needed_lowers_the_path_mtu_and_later_datagrams_are_cut(pair: Pair) -> None:
    error, sock = unreachable(pair, 4, False, nexthopmtu=1000)
    assert error == EMSGSIZE
    sock.sk.sk_err = 0
    in_task(pair.b.kernel, lambda: sock.send(bytes(1200)), pair.run)
    sent = [packet for packet in ip_sent(pair.b) if packet.proto == 17]
    assert [(packet.len, packet.frag) for packet in sent] == [(996, 0), (252, 122)]


def test_an_error_for_a_stranger_changes_nothing(pair: Pair) -> None:
    quoted = IP(src="10.0.0.2", dst="10.0.0.1") / UDP(sport=4444, dport=9)
    inject(pair, from_a(ICMP(type=3, code=3) / quoted))
    assert pair.b.net.mib["IcmpInErrors"] == 1
    inject(pair, from_a(ICMP(type=3, code=3) / Raw(b"short")))
    assert pair.b.net.mib["IcmpInErrors"] == 2


def test_the_time_is_told_in_milliseconds_since_midnight(pair: Pair) -> None:
    pair.run(until=86_400 * NSEC_PER_SEC + 1234 * NSEC_PER_MSEC)
    inject(pair, from_a(ICMP(type=13, id=7, seq=9, ts_ori=5)))
    (reply,) = ip_sent(pair.b)
    times = (reply[ICMP].ts_ori, reply[ICMP].ts_rx, reply[ICMP].ts_tx)
    assert (reply[ICMP].type, reply[ICMP].id, reply[ICMP].seq, times) == (14, 7, 9, (5, 1234, 1234))
    assert icmp_checksum_good(reply)
    inject(pair, from_a(Raw(bytes(ICMP(type=13))[:8]), proto=1))
    assert pair.b.net.mib["IcmpInErrors"] == 1
    assert len(ip_sent(pair.b)) == 1


def test_the_limit_of_each_destination_is_remembered_for_a_bounded_number(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(icmp, "PEER_THRESHOLD", 3)
    for host in range(3, 9):
        inject(pair, to_b(IP(src=f"10.0.0.{host}", dst="10.0.0.2") / UDP(dport=9)))
    assert [addr & 0xFF for addr in pair.b.net.icmp._peers] == [6, 7, 8]


# -- redirects -----------------------------------------------------------------------------------


def redirect(gateway: str, router: str = "10.0.0.1", about: str = "8.8.8.8") -> bytes:
    quoted = IP(src="10.0.0.2", dst=about) / UDP(sport=1, dport=2)
    return to_b(IP(src=router, dst="10.0.0.2") / ICMP(type=5, code=1, gw=gateway) / quoted)


def first_hop(pair: Pair, daddr: int = 0x08080808) -> int:
    dst = ip_route_output(pair.b.net, daddr)
    assert isinstance(dst, DstEntry)
    return dst.gateway


@pytest.fixture
def with_default(pair: Pair) -> Pair:
    for line in (
        "ip route add default via 10.0.0.1",
        "ip neigh add 10.0.0.7 lladdr 02:00:00:00:00:07 dev eth0",
    ):
        run_command(pair.b.kernel, line)
    return pair


def test_a_redirect_from_the_router_in_use_changes_the_way_to_one_destination(
    with_default: Pair,
) -> None:
    pair = with_default
    held = ip_route_output(pair.b.net, 0x08080808)
    assert isinstance(held, DstEntry)
    inject(pair, redirect("10.0.0.7"))
    assert first_hop(pair) == 0x0A000007
    assert held.gateway == 0x0A000007, "who holds the entry follows too"
    assert first_hop(pair, 0x08080809) == A_ADDR
    run_command(pair.b.kernel, "ip route flush cache")
    assert first_hop(pair) == A_ADDR


@pytest.mark.parametrize(
    ("gateway", "router", "setting"),
    [
        ("10.0.0.7", "10.0.0.9", 1),
        ("10.0.0.255", "10.0.0.1", 1),
        ("10.0.0.2", "10.0.0.1", 1),
        ("10.0.0.7", "10.0.0.1", 0),
    ],
)
def test_other_redirects_are_not_believed(
    with_default: Pair, gateway: str, router: str, setting: int
) -> None:
    with_default.b.kernel.sysctl["net.ipv4.conf.all.accept_redirects"] = setting
    inject(with_default, redirect(gateway, router))
    assert first_hop(with_default) == A_ADDR


def test_a_gateway_that_is_not_known_yet_is_asked_for_first(with_default: Pair) -> None:
    pair = with_default
    inject(pair, redirect("10.0.0.66"))
    assert first_hop(pair) == A_ADDR
    assert pair.b.sent()[0][ARP].pdst == "10.0.0.66"
