"""Super-packets of TCP cut into frames in software, judged by scapy."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from pyhost.kernel.clock import VirtualClock
from pyhost.net.core import netdevice as nd
from pyhost.net.core.dev import dev_queue_xmit
from pyhost.net.core.gso import SKB_GSO_TCPV4, qdisc_pkt_len, skb_gso_segment
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
