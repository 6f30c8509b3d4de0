"""Super-packets of TCP cut into frames in software, judged by scapy."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from pyhost.kernel.clock import VirtualClock
from pyhost.net.core import netdevice as nd
from pyhost.net.core import skb_segment as module
from pyhost.net.core.dev import dev_queue_xmit
from pyhost.net.core.gso import (
    SKB_GSO_TCP_ECN,
    SKB_GSO_TCP_FIXEDID,
    SKB_GSO_TCPV4,
    SKB_GSO_UDP_L4,
    qdisc_pkt_len,
    skb_gso_segment,
)
from pyhost.net.core.skb_shared_info import SKBFL_SHARED_FRAG, SKBTX_SW_TSTAMP
from pyhost.net.core.skbuff import CHECKSUM_PARTIAL, SkBuff, consume_skb
from pyhost.uapi.errno import EINVAL, EPROTONOSUPPORT
from tests.unit.net.device import B_MAC, DeviceHost

OPTIONS = [("NOP", None), ("NOP", None), ("Timestamp", (7, 9))]


def super_packet(
    host: DeviceHost,
    pieces: list[bytes],
    mss: int,
    flags: str = "PA",
    seq: int = 1000,
    ip_id: int = 1,
) -> SkBuff:
    """Headers in the linear part, each piece in a page of its own at an odd offset."""
    headers = bytes(
        Ether(dst=B_MAC, src=host.dev.addr)
        / IP(src="10.0.0.1", dst="10.0.0.2", id=ip_id, flags="DF")
        / TCP(sport=1, dport=2, seq=seq, ack=5, flags=flags, options=OPTIONS)
    )
    skb = host.packet(headers)
    for data in pieces:
        page = host.kernel.mem.alloc_pages(1)
        skb.buf[page.addr + 3 : page.addr + 3 + len(data)] = data
        skb.add_rx_frag(page, 3, len(data), len(data))
    skb.mac_header = skb.data
    skb.network_header = skb.data + 14
    skb.transport_header = skb.csum_start = skb.data + 34
    skb.csum_offset = 16
    skb.ip_summed = CHECKSUM_PARTIAL
    size = sum(map(len, pieces))
    skb.shinfo.gso_size, skb.shinfo.gso_type = mss, SKB_GSO_TCPV4
    skb.shinfo.gso_segs = -(-size // mss)
    return skb


def with_right_checksums(frame: bytes) -> bytes:
    packet = Ether(frame)
    del packet[IP].chksum
    del packet[TCP].chksum
    return bytes(packet)


def content(packet: Packet) -> bytes:
    return bytes(packet[TCP].payload)


@pytest.mark.parametrize("features", [0, nd.NETIF_F_SG, nd.NETIF_F_SG | nd.NETIF_F_HW_CSUM])
@settings(max_examples=25)
@given(
    sizes=st.lists(st.integers(1449, 4000), min_size=1, max_size=5),
    mss=st.integers(100, 1448),
    seq=st.sampled_from([1000, 0xFFFFFF00]),
    ip_id=st.sampled_from([1, 0xFFFF]),
)
def test_the_frames_carry_the_stream_with_good_headers(
    features: int, sizes: list[int], mss: int, seq: int, ip_id: int
) -> None:
    pieces = [bytes((at + 7 * size) % 251 for at in range(size)) for size in sizes]
    stream = b"".join(pieces)
    host = DeviceHost(VirtualClock(), features=features)
    dev_queue_xmit(super_packet(host, pieces, mss, seq=seq, ip_id=ip_id))
    raw = [frame[: 14 + Ether(frame)[IP].len] for _, frame in host.nic.frames]
    packets = [Ether(frame) for frame in raw]
    assert b"".join(map(content, packets)) == stream
    assert all(len(content(packet)) == mss for packet in packets[:-1])
    assert [p[TCP].seq for p in packets] == [
        seq + at * mss & 0xFFFFFFFF for at in range(len(packets))
    ]
    assert [p[IP].id for p in packets] == [ip_id + at & 0xFFFF for at in range(len(packets))]
    assert raw == [with_right_checksums(frame) for frame in raw]
    assert all(packet[TCP].options == OPTIONS for packet in packets)
    assert len(set(host.nic.keys)) == 1
    assert host.nic.more == [True] * (len(packets) - 1) + [False]
    assert host.net.skbs.alive == 0


def test_fin_and_psh_are_on_the_last_frame_and_cwr_on_the_first() -> None:
    host = DeviceHost(VirtualClock())
    dev_queue_xmit(super_packet(host, [bytes(3000)], 1000, flags="CPAF"))
    assert [str(packet[TCP].flags) for packet in host.sent()] == ["AC", "A", "FPA"]


def test_payload_stays_in_its_pages_when_the_device_gathers() -> None:
    host = DeviceHost(VirtualClock())
    skb = super_packet(host, [b"a" * 1500, b"b" * 1500], 1000)
    pages = {frag.page for frag in skb.shinfo.frags}
    frames = skb_gso_segment(skb, nd.NETIF_F_SG)
    assert isinstance(frames, list)
    assert {frag.page for frame in frames for frag in frame.shinfo.frags} == pages
    assert [frame.data_len for frame in frames] == [1000, 1000, 1000]
    assert [frame.shinfo.nr_frags for frame in frames] == [1, 2, 1]
    for frame in (*frames, skb):
        consume_skb(frame)
    assert all(page.refcount == 0 for page in pages)


def test_frames_that_are_refused_again_and_again_stay_in_order() -> None:
    host = DeviceHost(VirtualClock())
    host.nic.busy = 3
    dev_queue_xmit(super_packet(host, [bytes(4000)], 1000))
    host.clock.run()
    assert [packet[TCP].seq for packet in host.sent()] == [1000, 2000, 3000, 4000]
    assert host.net.skbs.alive == 0


def test_a_device_with_tso_gets_the_super_packet_whole() -> None:
    features = nd.NETIF_F_SG | nd.NETIF_F_HW_CSUM | nd.NETIF_F_TSO
    host = DeviceHost(VirtualClock(), features=features)
    dev_queue_xmit(super_packet(host, [bytes(3000)], 1000))
    assert len(host.nic.frames) == 1
    host.dev.gso_max_segs = 2
    dev_queue_xmit(super_packet(host, [bytes(3000)], 1000))
    assert len(host.nic.frames) == 1 + 3


def test_the_owner_is_charged_for_the_frames_and_paid_back_by_each() -> None:
    class Owner:
        sk_wmem_alloc = 1

    def wfree(skb: SkBuff) -> None:
        owner.sk_wmem_alloc -= skb.truesize

    owner = Owner()
    host = DeviceHost(VirtualClock())
    host.nic.hold = True
    skb = super_packet(host, [bytes(3000)], 1000)
    skb.sk, skb.destructor = owner, wfree  # type: ignore[assignment]
    owner.sk_wmem_alloc += skb.truesize
    dev_queue_xmit(skb)
    assert owner.sk_wmem_alloc == 1 + sum(frame.truesize for frame in host.nic.inflight)
    host.nic.complete(2)
    assert owner.sk_wmem_alloc == 1 + host.nic.inflight[0].truesize
    host.nic.complete()
    assert owner.sk_wmem_alloc == 1


def test_the_wire_length_counts_headers_once_a_frame() -> None:
    host = DeviceHost(VirtualClock())
    skb = super_packet(host, [bytes(3000)], 1000)
    assert qdisc_pkt_len(skb) == 3 * (14 + 20 + 32) + 3000
    skb.shinfo.gso_size = 0
    assert qdisc_pkt_len(skb) == skb.len
    consume_skb(skb)


def test_what_is_not_tcp_over_ipv4_is_not_cut() -> None:
    host = DeviceHost(VirtualClock())
    skb = super_packet(host, [bytes(3000)], 1000)
    skb.protocol = 0x86DD
    assert skb_gso_segment(skb, 0) == -EPROTONOSUPPORT
    skb.protocol = 0x0800
    skb.buf[skb.transport_header + 12] = 0x40
    assert skb_gso_segment(skb, 0) == -EINVAL
    dev_queue_xmit(skb)
    assert host.net.drops == {"SKB_GSO_SEG": 1}
    assert host.net.skbs.alive == 0


# -- what the payload may lie in -------------------------------------------------------------------

SG = nd.NETIF_F_SG
HW = nd.NETIF_F_SG | nd.NETIF_F_HW_CSUM


def frag_list_packet(host: DeviceHost, parts: list[bytes], linear: bool) -> SkBuff:
    """A super-packet whose payload is on a frag_list, in pages or in the parts' linear bytes."""
    skb = super_packet(host, [], 1000)
    skb.shinfo.frag_list = []
    for data in parts:
        part = host.packet(data if linear else b"", headroom=0)
        if not linear:
            page = host.kernel.mem.alloc_pages(1)
            part.buf[page.addr : page.addr + len(data)] = data
            part.add_rx_frag(page, 0, len(data), len(data))
        skb.shinfo.frag_list.append(part)
        skb.len += part.len
        skb.data_len += part.len
        skb.truesize += part.truesize
    skb.shinfo.gso_segs = -(-sum(map(len, parts)) // 1000)
    return skb


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("features", [0, SG, HW, HW | nd.NETIF_F_TSO])
def test_a_frag_list_is_cut_like_everything_else(features: int, linear: bool) -> None:
    host = DeviceHost(VirtualClock(), features=features)
    parts = [b"a" * 1700, b"b" * 1300, b"c" * 2500]
    dev_queue_xmit(frag_list_packet(host, parts, linear))
    assert b"".join(map(content, host.sent())) == b"".join(parts)
    raw = [frame for _, frame in host.nic.frames]
    assert raw == [with_right_checksums(frame) for frame in raw]
    assert host.net.skbs.alive == 0


def test_pages_of_a_frag_list_stay_where_they_are() -> None:
    host = DeviceHost(VirtualClock())
    skb = frag_list_packet(host, [b"a" * 1700, b"b" * 1300], False)
    frames = skb_gso_segment(skb, SG)
    assert isinstance(frames, list)
    assert [[frag.size for frag in frame.shinfo.frags] for frame in frames] == [
        [1000], [700, 300], [1000],
    ]  # fmt: skip
    for frame in (*frames, skb):
        consume_skb(frame)
    assert host.net.skbs.alive == 0


@pytest.mark.parametrize("features", [0, SG, HW])
def test_payload_behind_the_headers_is_copied_and_the_rest_referred_to(features: int) -> None:
    host = DeviceHost(VirtualClock(), features=features)
    skb = super_packet(host, [], 700)
    start = skb.data
    longer = host.packet(bytes(skb.buf[start : start + skb.len]) + b"l" * 1000, headroom=64)
    consume_skb(skb)
    page = host.kernel.mem.alloc_pages(1)
    longer.buf[page.addr : page.addr + 1500] = b"p" * 1500
    longer.add_rx_frag(page, 0, 1500, 1500)
    longer.mac_header = longer.data
    longer.network_header = longer.data + 14
    longer.transport_header = longer.csum_start = longer.data + 34
    longer.csum_offset, longer.ip_summed = 16, CHECKSUM_PARTIAL
    longer.shinfo.gso_size, longer.shinfo.gso_segs = 700, 4
    longer.shinfo.gso_type = SKB_GSO_TCPV4
    dev_queue_xmit(longer)
    assert b"".join(map(content, host.sent())) == b"l" * 1000 + b"p" * 1500
    assert host.net.skbs.alive == 0


def test_a_clone_is_cut_without_harm_to_its_twin() -> None:
    host = DeviceHost(VirtualClock())
    skb = super_packet(host, [b"abcd" * 700], 1000)
    before = skb.to_bytes()
    dev_queue_xmit(skb.clone())
    assert skb.to_bytes() == before
    assert [p[TCP].seq for p in host.sent()] == [1000, 2000, 3000]
    consume_skb(skb)
    assert host.net.skbs.alive == 0


def test_pages_that_may_change_are_copied_before_they_are_summed() -> None:
    host = DeviceHost(VirtualClock(), features=SG)
    host.nic.hold = True
    skb = super_packet(host, [b"abcd" * 700], 1000)
    skb.shinfo.flags |= SKBFL_SHARED_FRAG
    dev_queue_xmit(skb)
    assert all(not frame.shinfo.frags for frame in host.nic.inflight)
    raw = [frame for _, frame in host.nic.frames]
    assert raw == [with_right_checksums(frame) for frame in raw]


def test_no_memory_for_a_segment_drops_the_super_packet_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = DeviceHost(VirtualClock())
    skb = super_packet(host, [bytes(3000)], 1000)
    calls: list[int] = []
    real = module.alloc_skb

    def short(*args: object) -> SkBuff | None:
        calls.append(1)
        return None if len(calls) == 2 else real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "alloc_skb", short)
    dev_queue_xmit(skb)
    assert host.net.drops == {"SKB_GSO_SEG": 2}  # the segment that was made, and the super-packet
    assert host.net.skbs.alive == 0
    assert host.dev.stats.tx_dropped == 1


# -- identification, features, timestamps ----------------------------------------------------------


def test_frames_share_an_identification_when_that_was_asked_for() -> None:
    host = DeviceHost(VirtualClock(), features=HW | nd.NETIF_F_TSO)
    skb = super_packet(host, [bytes(3000)], 1000, ip_id=7)
    skb.shinfo.gso_type |= SKB_GSO_TCP_FIXEDID
    dev_queue_xmit(skb)
    assert [packet[IP].id for packet in host.sent()] == [7, 7, 7]


@pytest.mark.parametrize(
    ("gso_type", "features", "frames"),
    [
        (SKB_GSO_TCPV4, HW | nd.NETIF_F_TSO, 1),
        (SKB_GSO_TCPV4, HW | nd.NETIF_F_TSO_ECN, 3),
        (SKB_GSO_TCPV4 | SKB_GSO_TCP_ECN, HW | nd.NETIF_F_TSO, 3),
        (SKB_GSO_TCPV4 | SKB_GSO_TCP_ECN, HW | nd.NETIF_F_ALL_TSO, 1),
        (SKB_GSO_TCPV4 | SKB_GSO_TCP_FIXEDID, HW | nd.NETIF_F_ALL_TSO, 1),
        (SKB_GSO_TCPV4, nd.NETIF_F_HW_CSUM | nd.NETIF_F_TSO, 3),
        (SKB_GSO_TCPV4, SG | nd.NETIF_F_TSO, 3),
    ],
)
def test_the_device_cuts_what_it_can(gso_type: int, features: int, frames: int) -> None:
    host = DeviceHost(VirtualClock())
    host.dev.features = features
    skb = super_packet(host, [bytes(3000)], 1000)
    skb.shinfo.gso_type = gso_type
    dev_queue_xmit(skb)
    assert len(host.nic.frames) == frames


def test_a_driver_may_object_to_a_packet() -> None:
    host = DeviceHost(VirtualClock(), features=HW | nd.NETIF_F_TSO)
    host.nic.ndo_features_check = (  # type: ignore[attr-defined]
        lambda skb, dev, features: features & ~nd.NETIF_F_TSO
    )
    dev_queue_xmit(super_packet(host, [bytes(3000)], 1000))
    assert len(host.nic.frames) == 3


def test_a_timestamp_is_of_the_frame_with_the_byte_it_was_asked_for() -> None:
    host = DeviceHost(VirtualClock())
    skb = super_packet(host, [bytes(3000)], 1000, seq=0xFFFFFF00)
    skb.shinfo.tx_flags, skb.shinfo.tskey = SKBTX_SW_TSTAMP, (0xFFFFFF00 + 1999) & 0xFFFFFFFF
    frames = skb_gso_segment(skb, SG)
    assert isinstance(frames, list)
    assert [frame.shinfo.tx_flags for frame in frames] == [0, SKBTX_SW_TSTAMP, 0]


# -- UDP_SEGMENT -----------------------------------------------------------------------------------


def udp_super_packet(host: DeviceHost, data: bytes, size: int, ip_id: int = 3) -> SkBuff:
    headers = bytes(
        Ether(dst=B_MAC, src=host.dev.addr)
        / IP(src="10.0.0.1", dst="10.0.0.2", id=ip_id, flags="DF")
        / UDP(sport=1, dport=2)
    )
    skb = host.packet(headers)
    page = host.kernel.mem.alloc_pages(3)
    skb.buf[page.addr + 1 : page.addr + 1 + len(data)] = data
    skb.add_rx_frag(page, 1, len(data), len(data))
    skb.mac_header = skb.data
    skb.network_header = skb.data + 14
    skb.transport_header = skb.csum_start = skb.data + 34
    skb.csum_offset, skb.ip_summed = 6, CHECKSUM_PARTIAL
    shinfo = skb.shinfo
    shinfo.gso_size, shinfo.gso_type = size, SKB_GSO_UDP_L4
    shinfo.gso_segs = -(-len(data) // size)
    return skb


@pytest.mark.parametrize("features", [0, SG, HW])
def test_a_udp_super_packet_becomes_whole_datagrams(features: int) -> None:
    host = DeviceHost(VirtualClock(), features=features)
    data = bytes(at % 251 for at in range(3500))
    dev_queue_xmit(udp_super_packet(host, data, 1000))
    packets = [Ether(frame[: 14 + Ether(frame)[IP].len]) for _, frame in host.nic.frames]
    assert [packet[UDP].len for packet in packets] == [1008, 1008, 1008, 508]
    assert [packet[IP].id for packet in packets] == [3, 4, 5, 6]
    assert b"".join(bytes(packet[UDP].payload) for packet in packets) == data
    for packet in packets:
        raw = bytes(packet)
        del packet[IP].chksum
        del packet[UDP].chksum
        assert bytes(packet) == raw
    assert host.net.skbs.alive == 0


def test_a_device_that_cuts_udp_gets_it_whole() -> None:
    host = DeviceHost(VirtualClock(), features=HW | nd.NETIF_F_GSO_UDP_L4)
    dev_queue_xmit(udp_super_packet(host, bytes(3500), 1000))
    assert len(host.nic.frames) == 1


def test_a_udp_super_packet_of_one_datagram_is_none() -> None:
    host = DeviceHost(VirtualClock())
    dev_queue_xmit(udp_super_packet(host, bytes(900), 1000))
    assert host.net.drops == {"SKB_GSO_SEG": 1}


def test_the_wire_length_of_udp_counts_headers_once_a_datagram() -> None:
    host = DeviceHost(VirtualClock())
    skb = udp_super_packet(host, bytes(3500), 1000)
    assert qdisc_pkt_len(skb) == 4 * 42 + 3500
    consume_skb(skb)


def test_a_frame_of_more_pieces_than_a_packet_may_have_is_copied() -> None:
    host = DeviceHost(VirtualClock())
    parts = [bytes([at]) * 40 for at in range(60)]
    skb = frag_list_packet(host, parts, False)
    frames = skb_gso_segment(skb, SG)
    assert isinstance(frames, list)
    assert [frame.shinfo.nr_frags for frame in frames] == [0, 0, 10]
    assert b"".join(content(Ether(frame.to_bytes())) for frame in frames) == b"".join(parts)
    for frame in (*frames, skb):
        consume_skb(frame)
    assert host.net.skbs.alive == 0
