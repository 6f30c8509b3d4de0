"""A router between two networks."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.packet import Packet, Raw

from pyhost.admin.shell import run_command
from pyhost.net.netfilter.core import NF_DROP, NF_INET_FORWARD, nf_register_net_hook
from tests.unit.net.ipv4.wire import inject, ip_sent, to_b
from tests.unit.net.support import Pair, two_hosts

FAR = "9.9.9.9"


def router(*lines: str, **sysctls: str) -> Pair:
    """Machine b forwards to 9.0.0.0/8 over its second network."""
    pair = two_hosts()
    settings = {"net.ipv4.ip_forward": "1", "net.ipv4.conf.all.send_redirects": "0", **sysctls}
    for name, value in settings.items():
        pair.b.kernel.sysctl[name] = value
    for line in (
        "ip addr add 10.1.0.1/24 dev eth0",
        "ip route add 9.0.0.0/8 via 10.1.0.2",
        "ip neigh add 10.1.0.2 lladdr 02:00:00:00:00:09 dev eth0",
        "ip neigh add 10.0.0.1 lladdr 02:00:00:00:00:01 dev eth0",
        *lines,
    ):
        run_command(pair.b.kernel, line)
    return pair


def packet(**fields: object) -> Packet:
    return IP(src="10.0.0.1", dst=FAR, id=7, **fields) / UDP(sport=1, dport=2) / Raw(b"x" * 20)


def test_a_packet_goes_on_with_one_hop_less_and_a_good_checksum() -> None:
    pair = router()
    inject(pair, to_b(packet(ttl=9, tos=0xB8)))
    (frame,) = [frame for frame in pair.b.sent() if IP in frame]
    sent = frame[IP]
    assert (frame.dst, sent.src, sent.dst, sent.ttl, sent.tos, sent.id) == (
        "02:00:00:00:00:09", "10.0.0.1", FAR, 8, 0xB8, 7,
    )  # fmt: skip
    check = sent.chksum
    del sent.chksum
    assert IP(bytes(sent)).chksum == check
    assert pair.b.net.mib["IpForwDatagrams"] == 1


def test_the_adjusted_checksum_is_good_also_where_it_carries_over() -> None:
    pair = router()
    base = IP(bytes(packet())).chksum + 7
    wanted = [0, 1, 0xFE, 0xFF, *range(0xFD80, 0xFFFF, 15), 0xFEFE, 0xFEFF, 0xFF00, 0xFFFE]
    for check in wanted:
        whole = packet()
        whole.id = (base - check) % 0xFFFF
        inject(pair, to_b(whole))
    sent = ip_sent(pair.b)
    assert len(sent) == len(wanted)
    for each in sent:
        check = each.chksum
        del each.chksum
        assert IP(bytes(each)).chksum == check


def test_without_ip_forward_nothing_is_forwarded_or_answered() -> None:
    pair = router(**{"net.ipv4.ip_forward": "0"})
    inject(pair, to_b(packet()))
    assert ip_sent(pair.b) == []
    assert pair.b.net.mib["IpInAddrErrors"] == 1
    assert pair.b.net.drops == {"IP_INADDRERRORS": 1}


def test_the_setting_holds_at_once_in_both_directions() -> None:
    pair = router()
    for value, count in (("1", 1), ("0", 1), ("1", 2)):
        pair.b.kernel.sysctl["net.ipv4.conf.all.forwarding"] = value
        inject(pair, to_b(packet()))
        assert len(ip_sent(pair.b)) == count


def test_the_last_hop_is_reported_with_the_packets_head() -> None:
    pair = router()
    inject(pair, to_b(packet(ttl=1)))
    (answer,) = ip_sent(pair.b)
    assert (answer[ICMP].type, answer[ICMP].code, answer.src, answer.dst) == (
        11, 0, "10.0.0.2", "10.0.0.1",
    )  # fmt: skip
    assert bytes(answer[ICMP].payload) == bytes(packet(ttl=1))
    assert pair.b.net.drops == {"IP_INHDR": 1}


@pytest.mark.parametrize("dont_fragment", [False, True])
def test_a_packet_too_big_is_fragmented_or_reported(dont_fragment: bool) -> None:
    pair = router("ip route replace 9.0.0.0/8 via 10.1.0.2 mtu 1000")
    big = IP(src="10.0.0.1", dst=FAR, flags="DF" if dont_fragment else 0) / UDP() / Raw(bytes(1400))
    inject(pair, to_b(big))
    sent = ip_sent(pair.b)
    if dont_fragment:
        assert [(each[ICMP].type, each[ICMP].code, each[ICMP].nexthopmtu) for each in sent] == [
            (3, 4, 1000)
        ]
    else:
        assert [(each.len, int(each.flags), each.frag) for each in sent] == [
            (996, 1, 0), (452, 0, 122),
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("ip route add 7.0.0.0/8 dev eth0", None),
        ("ip route add unreachable 8.0.0.0/8", 1),
        ("ip route add prohibit 8.0.0.0/8", 13),
        ("ip route add 7.7.0.0/16 dev eth0", 0),
    ],
)
def test_a_router_that_does_not_know_the_way_says_so(line: str, code: int | None) -> None:
    pair = router(line)
    target = "7.1.1.1" if code is None else "8.8.8.8"
    pair.b.nic.peer = None
    inject(pair, to_b(IP(src="10.0.0.1", dst=target) / UDP()))
    answers = [each for each in ip_sent(pair.b) if ICMP in each]
    assert [each[ICMP].code for each in answers] == ([1] if code is None else [code])


def test_a_blackhole_swallows() -> None:
    pair = router("ip route add blackhole 8.0.0.0/8")
    inject(pair, to_b(IP(src="10.0.0.1", dst="8.8.8.8") / UDP()))
    assert ip_sent(pair.b) == []


def test_a_better_way_is_told_and_the_packet_forwarded_all_the_same() -> None:
    pair = router(
        "ip route add 8.0.0.0/8 via 10.0.0.77",
        "ip neigh add 10.0.0.77 lladdr 02:00:00:00:00:77 dev eth0",
        **{"net.ipv4.conf.all.send_redirects": "1"},
    )
    inject(pair, to_b(IP(src="10.0.0.1", dst="8.8.8.8") / UDP()))
    redirect, forwarded = ip_sent(pair.b)
    assert (redirect[ICMP].type, redirect[ICMP].code, redirect[ICMP].gw) == (5, 1, "10.0.0.77")
    assert forwarded.dst == "8.8.8.8"


def test_hooks_see_forwarded_packets() -> None:
    pair = router()
    nf_register_net_hook(pair.b.net, NF_INET_FORWARD, 0, lambda _skb, _state: NF_DROP)
    inject(pair, to_b(packet()))
    assert ip_sent(pair.b) == []
    assert pair.b.net.drops == {"NETFILTER_DROP": 1}


def test_strict_reverse_path_filtering_drops_what_could_not_be_answered() -> None:
    pair = router(**{"net.ipv4.conf.all.rp_filter": "1"})
    inject(pair, to_b(IP(src="66.6.6.6", dst=FAR) / UDP()))
    assert ip_sent(pair.b) == []
    assert pair.b.net.drops == {"IP_RPFILTER": 1}


@pytest.mark.parametrize(
    ("options", "pointer"),
    [
        (b"\x07\x07\x04\0\0\0\0\0", None),
        (b"\x07\x02\x01\x01", 21),
        (b"\x07\x07\x03\0\0\0\0\0", 22),
        (b"\x99\x09\0\0", 20),
        (2 * b"\x07\x07\x04\0\0\0\0" + b"\x01\x01", 27),
        (b"\x44\x08\x05\0\0\0\0\0", None),
    ],
)
def test_bad_options_are_reported_where_they_are_bad(options: bytes, pointer: int | None) -> None:
    pair = router()
    header = IP(src="10.0.0.1", dst=FAR, options=[Raw(options)])
    inject(pair, to_b(header / UDP()))
    (sent,) = ip_sent(pair.b)
    if pointer is None:
        assert sent.dst == FAR
    else:
        assert (sent[ICMP].type, sent[ICMP].code, sent[ICMP].ptr) == (12, 0, pointer)


def test_a_source_route_is_refused() -> None:
    pair = router()
    header = IP(src="10.0.0.1", dst="10.0.0.2", options=[Raw(b"\x83\x07\x04\x09\x09\x09\x09\0")])
    inject(pair, to_b(header / UDP()))
    assert ip_sent(pair.b) == []
    assert pair.b.net.drops == {"IP_INHDR": 1}
