"""Super-packets of any shape, cut in software: what is on the wire, as scapy reads it, is what one
would have sent in many packets.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from pyhost.kernel.clock import VirtualClock
from pyhost.net.core import netdevice as nd
from pyhost.net.core.dev import dev_queue_xmit
from pyhost.net.core.gso import SKB_GSO_TCPV4, SKB_GSO_UDP_L4, qdisc_pkt_len
from pyhost.net.core.skbuff import CHECKSUM_PARTIAL, MAX_SKB_FRAGS, SkBuff
from tests.unit.net.device import B_MAC, DeviceHost

OPTIONS = [("NOP", None), ("NOP", None), ("Timestamp", (7, 9))]
MAX_PAYLOAD = 65000


@dataclass(frozen=True)
class Shape:
    """Where the payload lies: behind the headers, in pages, and in the parts of a frag_list, each
    of them linear or in a page.
    """

    linear: int
    frags: tuple[int, ...]
    parts: tuple[tuple[bool, int], ...]

    @property
    def size(self) -> int:
        return self.linear + sum(self.frags) + sum(size for _, size in self.parts)


SHAPES = st.builds(
    Shape,
    linear=st.integers(0, 3000),
    frags=st.lists(st.integers(1, 4000), max_size=MAX_SKB_FRAGS).map(tuple),
    parts=st.lists(st.tuples(st.booleans(), st.integers(1, 4000)), max_size=4).map(tuple),
).filter(lambda shape: 2 <= shape.size <= MAX_PAYLOAD)


def build(host: DeviceHost, headers: bytes, shape: Shape, payload: bytes, mss: int) -> SkBuff:
    """The super-packet, its pieces at odd addresses."""
    skb = host.packet(headers + payload[: shape.linear])
    at = shape.linear
    for size in shape.frags:
        add_page(host, skb, payload[at : at + size])
        at += size
    for linear, size in shape.parts:
        data = payload[at : at + size]
        part = host.packet(data if linear else b"", headroom=1)
        if not linear:
            add_page(host, part, data)
        skb.shinfo.frag_list = [*(skb.shinfo.frag_list or ()), part]
        skb.len += size
        skb.data_len += size
        skb.truesize += part.truesize
        at += size
    skb.mac_header = skb.data
    skb.network_header = skb.data + 14
    skb.transport_header = skb.csum_start = skb.data + 34
    skb.ip_summed = CHECKSUM_PARTIAL
    skb.shinfo.gso_size, skb.shinfo.gso_segs = mss, -(-shape.size // mss)
    return skb


def add_page(host: DeviceHost, skb: SkBuff, data: bytes) -> None:
    page = host.kernel.mem.alloc_pages(1)
    skb.buf[page.addr + 3 : page.addr + 3 + len(data)] = data
    skb.add_rx_frag(page, 3, len(data), len(data))


def payload_of(size: int) -> bytes:
    return bytes(at * 7 % 251 for at in range(size))


def frames_of(host: DeviceHost) -> list[Packet]:
    """What was sent, without padding; all checksums are as scapy computes them."""
    packets = [Ether(frame[: 14 + Ether(frame)[IP].len]) for _, frame in host.nic.frames]
    for packet in packets:
        again = packet.copy()
        del again[IP].chksum
        del again[2].chksum
        assert bytes(again) == bytes(packet)
    return packets


def sizes_of(total: int, mss: int) -> list[int]:
    """What cutting must give."""
    return [min(mss, total - at) for at in range(0, total, mss)]


FEATURES = [0, nd.NETIF_F_SG, nd.NETIF_F_SG | nd.NETIF_F_HW_CSUM]


@pytest.mark.parametrize("features", FEATURES)
@settings(max_examples=25)
@given(
    shape=SHAPES,
    share=st.integers(1, 40),
    flags=st.lists(st.sampled_from("FPCEU"), unique=True).map("".join),
    seq=st.integers(0, 0xFFFFFFFF),
    ip_id=st.integers(0, 0xFFFF),
)
def test_tcp(features: int, shape: Shape, share: int, flags: str, seq: int, ip_id: int) -> None:
    mss = max(1, shape.size // share - 1)
    payload = payload_of(shape.size)
    header = TCP(sport=1, dport=2, seq=seq, ack=5, flags=flags + "A", options=OPTIONS)
    headers = Ether(dst=B_MAC, src=b"\2" * 6) / IP(id=ip_id, flags="DF") / header
    host = DeviceHost(VirtualClock(), features=features)
    skb = build(host, bytes(headers), shape, payload, mss)
    skb.csum_offset, skb.shinfo.gso_type = 16, SKB_GSO_TCPV4
    wire, segs = qdisc_pkt_len(skb), skb.shinfo.gso_segs
    dev_queue_xmit(skb)

    frames = frames_of(host)
    sizes = sizes_of(shape.size, mss)
    assert b"".join(bytes(frame[TCP].payload) for frame in frames) == payload
    assert [len(frame[TCP].payload) for frame in frames] == sizes
    assert len(frames) == segs
    assert sum(map(len, frames)) == wire
    steps = range(len(frames))
    assert [frame[TCP].seq for frame in frames] == [(seq + step * mss) % 2**32 for step in steps]
    assert [frame[IP].id for frame in frames] == [(ip_id + step) % 2**16 for step in steps]
    for step, frame in enumerate(frames):
        gone = ("" if frame is frames[-1] else "FP") + ("C" if step else "")
        assert set(str(frame[TCP].flags)) == {*flags, "A"} - set(gone)
        assert (frame[TCP].ack, frame[TCP].options) == (5, OPTIONS)
    assert host.net.skbs.alive == 0


@pytest.mark.parametrize("features", FEATURES)
@settings(max_examples=25)
@given(shape=SHAPES, share=st.integers(1, 40), ip_id=st.integers(0, 0xFFFF))
def test_udp(features: int, shape: Shape, share: int, ip_id: int) -> None:
    size = max(1, shape.size // share - 1)
    payload = payload_of(shape.size)
    headers = Ether(dst=B_MAC, src=b"\2" * 6) / IP(id=ip_id) / UDP(sport=1, dport=2)
    host = DeviceHost(VirtualClock(), features=features)
    skb = build(host, bytes(headers), shape, payload, size)
    skb.csum_offset, skb.shinfo.gso_type = 6, SKB_GSO_UDP_L4
    wire, segs = qdisc_pkt_len(skb), skb.shinfo.gso_segs
    dev_queue_xmit(skb)

    frames = frames_of(host)
    assert b"".join(bytes(frame[UDP].payload) for frame in frames) == payload
    assert [frame[UDP].len - 8 for frame in frames] == sizes_of(shape.size, size)
    assert len(frames) == segs
    assert sum(map(len, frames)) == wire
    assert [frame[IP].id for frame in frames] == [
        (ip_id + step) % 2**16 for step in range(len(frames))
    ]
    assert host.net.skbs.alive == 0
