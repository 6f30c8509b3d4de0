"""The header that `ip_queue_xmit` pushes, its neighbours, and fragmentation by copying."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from scapy.layers.inet import IP, TCP
from scapy.packet import Packet, Raw

from pyhost.net.core.gso import SKB_GSO_TCPV4
from pyhost.net.core.skbuff import CHECKSUM_PARTIAL, SkBuff, alloc_skb
from pyhost.net.core.sock import InetSock
from pyhost.net.ipv4.fib.route import ip_route_add, ip_route_output, ip_rt_update_pmtu
from pyhost.net.ipv4.ip.ip_output import ip_build_and_send_pkt, ip_queue_xmit, ip_send_unicast_reply
from pyhost.net.ipv4.udp.udp import udp_prot
from pyhost.net.netfilter.core import (
    NF_ACCEPT,
    NF_INET_LOCAL_OUT,
    NfHookState,
    nf_register_net_hook,
)
from pyhost.uapi.errno import EHOSTUNREACH, EMSGSIZE
from pyhost.uapi.ip import (
    IP_PMTUDISC_DO,
    IP_PMTUDISC_DONT,
    IP_PMTUDISC_INTERFACE,
    IP_PMTUDISC_OMIT,
    IP_PMTUDISC_PROBE,
    IP_PMTUDISC_WANT,
    IPPROTO_TCP,
)
from pyhost.uapi.socket import AF_INET, SOCK_STREAM
from tests.unit.net.ipv4.udp.udp_host import in_task
from tests.unit.net.ipv4.wire import ip_sent
from tests.unit.net.support import A_ADDR, B_ADDR, Pair, two_hosts


class Sender:
    """A connected sock on `a` that sends ready-made TCP segments."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.sk = InetSock(pair.a.net, AF_INET, SOCK_STREAM, IPPROTO_TCP, udp_prot)
        self.sk.inet_saddr, self.sk.inet_daddr, self.sk.inet_id = A_ADDR, B_ADDR, 0xFFFF

    def segment(self, size: int) -> SkBuff:
        data = bytes(TCP(sport=1, dport=2, chksum=0x1234) / Raw(bytes(range(256)) * 8))[: 20 + size]
        skb = alloc_skb(self.pair.a.net.skbs, 128 + len(data))
        assert skb is not None
        skb.reserve(128)
        skb.transport_header = skb.data
        skb.put_data(data)
        self.sk.set_owner_w(skb)
        return skb

    def send(self, size: int = 100) -> int:
        return self.run(lambda: ip_queue_xmit(self.sk, self.segment(size)))

    def run(self, fn: Callable[[], int]) -> int:
        result = in_task(self.pair.a.kernel, fn, self.pair.run)[0]
        assert isinstance(result, int)
        return result

    def sent(self) -> list[Packet]:
        return [packet for packet in ip_sent(self.pair.a) if packet.proto == 6]


@pytest.fixture
def sender() -> Sender:
    return Sender(two_hosts())


def header_checksum_good(packet: Packet) -> bool:
    again = IP(bytes(packet))
    del again.chksum
    return bool(IP(bytes(again)).chksum == packet.chksum)


@pytest.mark.claim("S34")
def test_the_header_is_version_4_ihl_5_ttl_64_with_a_good_checksum(sender: Sender) -> None:
    assert sender.send() == 0
    (packet,) = sender.sent()
    assert (packet.version, packet.ihl, packet.tos, packet.len) == (4, 5, 0, 140)
    assert (packet.id, str(packet.flags), packet.frag, packet.ttl, packet.proto) == (
        0xFFFF,
        "DF",
        0,
        64,
        6,
    )
    assert (packet.src, packet.dst) == ("10.0.0.1", "10.0.0.2")
    assert header_checksum_good(packet)
    assert bytes(packet[TCP].payload) == bytes(range(100))


def test_header_checksums_are_good_for_every_identification(sender: Sender) -> None:
    for ident in range(0, 0x10000, 257):
        sender.sk.inet_id = ident
        sender.sk.tos = ident & 0xFC
        sender.send(ident & 63)
    assert len(sender.sent()) == 256
    assert all(header_checksum_good(packet) for packet in sender.sent())


def test_a_header_whose_sum_is_all_ones_has_checksum_0(sender: Sender) -> None:
    sender.sk.inet_id = 0
    sender.send()
    sender.sk.inet_id = sender.sent()[0].chksum
    sender.send()
    assert sender.sent()[1].chksum == 0
    assert header_checksum_good(sender.sent()[1])


@pytest.mark.claim("S34")
def test_the_route_is_looked_up_once_and_kept_on_the_socket_until_routes_change(
    sender: Sender,
) -> None:
    sender.send()
    kept = sender.sk.sk_dst_cache
    assert kept is not None
    sender.send()
    assert sender.sk.sk_dst_cache is kept
    ip_route_add(sender.pair.a.net, 0, 0, gateway=B_ADDR)
    sender.send()
    assert sender.sk.sk_dst_cache is not kept
    assert len(sender.sent()) == 3


def test_identifications_count_up_and_wrap(sender: Sender) -> None:
    for _ in range(3):
        sender.send()
    assert [packet.id for packet in sender.sent()] == [0xFFFF, 0, 1]


def test_socket_options_show_in_the_header(sender: Sender) -> None:
    sender.sk.tos, sender.sk.uc_ttl, sender.sk.pmtudisc = 0xB8, 3, IP_PMTUDISC_DONT
    sender.send()
    (packet,) = sender.sent()
    assert (packet.tos, packet.ttl, str(packet.flags)) == (0xB8, 3, "")


def test_without_a_route_the_packet_is_dropped_and_the_caller_told(sender: Sender) -> None:
    sender.sk.inet_daddr = 0x08080808
    assert sender.send() == -EHOSTUNREACH
    assert sender.pair.a.net.drops == {"IP_OUTNOROUTES": 1}
    assert sender.sk.sk_wmem_alloc == 1


def test_a_gateway_gets_the_frame_for_a_host_behind_it(sender: Sender) -> None:
    ip_route_add(sender.pair.a.net, 0x08000000, 8, gateway=B_ADDR)
    sender.sk.inet_daddr = 0x08080808
    sender.send()
    frame = next(frame for frame in sender.pair.a.sent() if TCP in frame)
    assert (frame.dst, frame[IP].dst) == ("02:00:00:00:00:02", "8.8.8.8")


@pytest.mark.claim("S37")
def test_df_is_never_cut_but_refused_with_emsgsize(sender: Sender) -> None:
    sender.sk.pmtudisc = IP_PMTUDISC_DO
    assert sender.send(1461) == -EMSGSIZE
    assert sender.sent() == []
    assert sender.pair.a.net.mib["IpFragFails"] == 1
    assert sender.pair.a.net.mib["IcmpMsgOutType3"] == 1
    assert sender.send(1460) == 0


@pytest.mark.claim("S37")
@pytest.mark.parametrize("size", [1461, 1480, 2000])
def test_a_packet_without_df_is_cut_by_copying(sender: Sender, size: int) -> None:
    sender.sk.pmtudisc = IP_PMTUDISC_DONT
    assert sender.send(size) == 0
    packets = sender.sent()
    assert len(packets) == 2
    assert all(packet.len <= 1500 and header_checksum_good(packet) for packet in packets)
    assert [(packet.frag, str(packet.flags)) for packet in packets] == [(0, "MF"), (185, "")]
    body = b"".join(bytes(packet)[20:] for packet in packets)
    assert bytes(TCP(body).payload) == (bytes(range(256)) * 8)[:size]
    assert sender.sk.sk_wmem_alloc == 1


def test_options_without_the_copy_bit_stay_in_the_first_fragment(sender: Sender) -> None:
    sender.sk.pmtudisc = IP_PMTUDISC_DONT

    def add_options(skb: SkBuff, _state: NfHookState) -> int:
        packet = IP(skb.to_bytes())
        packet.options = []
        packet = (
            IP(src=packet.src, dst=packet.dst, id=9, options=b"\x07\x03\x04\x94\x04\0\0\0")
            / packet.payload
        )
        skb.push(8)
        skb.network_header = skb.data
        skb.buf[skb.data : skb.data + skb.len] = bytes(packet)
        return NF_ACCEPT

    nf_register_net_hook(sender.pair.a.net, NF_INET_LOCAL_OUT, 0, add_options)
    assert sender.send(1800) == 0
    first, second = (bytes(packet) for packet in sender.sent())
    assert first[20:28] == b"\x07\x03\x04\x94\x04\0\0\0"
    assert second[20:28] == b"\x01\x01\x01\x94\x04\0\0\0"
    assert all(header_checksum_good(packet) for packet in sender.sent())


def test_a_reply_without_a_socket_has_df_and_identification_0(sender: Sender) -> None:
    net = sender.pair.a.net
    assert sender.run(lambda: ip_send_unicast_reply(net, sender.segment(0), A_ADDR, B_ADDR)) == 0
    assert (
        sender.run(lambda: ip_send_unicast_reply(net, sender.segment(0), A_ADDR, 0x08080808))
        == -EHOSTUNREACH
    )
    (packet,) = sender.sent()
    assert (packet.id, str(packet.flags), packet.ttl, packet.len) == (0, "DF", 64, 40)


def test_a_syn_ack_follows_its_listener(sender: Sender) -> None:
    sender.sk.uc_ttl = 7

    def send() -> int:
        skb = sender.segment(0)
        dst = ip_route_output(sender.pair.a.net, B_ADDR)
        assert not isinstance(dst, int)
        skb.dst = dst
        return ip_build_and_send_pkt(skb, sender.sk, A_ADDR, B_ADDR, 0x20)

    assert sender.run(send) == 0
    (packet,) = sender.sent()
    assert (packet.id, str(packet.flags), packet.ttl, packet.tos) == (0, "DF", 7, 0x20)
    assert header_checksum_good(packet)


# -- path MTU modes and super-packets ------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "df", "cut"),
    [
        (IP_PMTUDISC_DONT, 0, True),
        (IP_PMTUDISC_WANT, 2, True),
        (IP_PMTUDISC_DO, 2, True),
        (IP_PMTUDISC_PROBE, 0, False),
        (IP_PMTUDISC_INTERFACE, 0, False),
        (IP_PMTUDISC_OMIT, 0, False),
    ],
)
def test_each_mode_has_its_own_df_and_belief_in_path_mtus(
    sender: Sender, mode: int, df: int, cut: bool
) -> None:
    """Linux: ip_dont_fragment, ip_sk_use_pmtu. `cut`: an 800 byte packet meets a path of 600."""
    sender.sk.pmtudisc = mode
    ip_rt_update_pmtu(sender.pair.a.net, B_ADDR, 600)
    sender.send(10)
    assert int(sender.sent()[0].flags) == df
    sender.send(800)
    refused = bool(df)
    assert len(sender.sent()) - 1 == (0 if refused else 2 if cut else 1)


def gso(sender: Sender, size: int, mss: int) -> SkBuff:
    skb = sender.segment(size)
    skb.shinfo.gso_size, skb.shinfo.gso_type = mss, SKB_GSO_TCPV4
    skb.shinfo.gso_segs = -(-size // mss)
    skb.ip_summed = CHECKSUM_PARTIAL
    skb.csum_start, skb.csum_offset = skb.transport_header, 16
    return skb


@pytest.mark.parametrize(("pmtu", "pieces"), [(1500, 3), (576, 5)])
def test_a_super_packet_is_cut_below_unless_its_segments_must_be_fragmented(
    sender: Sender, pmtu: int, pieces: int
) -> None:
    sender.sk.pmtudisc = IP_PMTUDISC_DONT
    ip_rt_update_pmtu(sender.pair.a.net, B_ADDR, pmtu)
    skb = gso(sender, 1800, 700)
    skb.ignore_df = True
    assert sender.run(lambda: ip_queue_xmit(sender.sk, skb)) == 0
    sent = sender.sent()
    assert len(sent) == pieces
    assert all(packet.len <= pmtu and header_checksum_good(packet) for packet in sent)
    data = b"".join(bytes(packet)[20 if packet.frag else 40 : packet.len] for packet in sent)
    assert data == (bytes(range(256)) * 8)[:1800]
    assert sender.sk.sk_wmem_alloc == 1
    assert sender.pair.a.net.skbs.alive == 0


def test_segments_with_df_that_do_not_fit_are_refused(sender: Sender) -> None:
    ip_rt_update_pmtu(sender.pair.a.net, B_ADDR, 600)
    result = sender.run(lambda: ip_queue_xmit(sender.sk, gso(sender, 1800, 700)))
    assert result == -EMSGSIZE
    assert sender.sent() == []
    assert sender.sk.sk_wmem_alloc == 1
    assert sender.pair.a.net.skbs.alive == 0


def test_new_sockets_do_without_path_mtu_discovery_when_the_system_says_so() -> None:
    pair = two_hosts(sysctls={"net.ipv4.ip_no_pmtu_disc": "1"})
    assert Sender(pair).sk.pmtudisc == IP_PMTUDISC_DONT
