"""What the card does for the stack: segmentation, tags, hashes, checksums. scapy judges."""

from __future__ import annotations

import random

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Packet, Raw

from pyhost.net.core import netdevice as nd
from pyhost.net.core.dev import dev_queue_xmit, netif_skb_features, validate_xmit_skb
from pyhost.net.core.features import dev_set_features
from pyhost.net.core.gso import SKB_GSO_TCP_ECN, SKB_GSO_TCPV4, SKB_GSO_TCPV6
from pyhost.net.core.if_vlan import vlan_hwaccel_put_tag
from pyhost.net.core.skbuff import CHECKSUM_NONE, CHECKSUM_PARTIAL, CHECKSUM_UNNECESSARY, SkBuff
from pyhost.net.ipv4.ip.inet_offload import ipv4_offload_init
from tests.unit.drivers.net.hnic.rig import HOST_MAC, PEER_MAC, Rig, arriving, payload, tcp_frame

MSS = 1448


def partial_sum(packet: Packet, length: int) -> int:
    """The sum of the pseudo-header as the stack leaves it in the checksum field."""
    layer = packet[IPv6] if IPv6 in packet else packet[IP]
    raw = bytes(layer)
    addresses = raw[8:40] if IPv6 in packet else raw[12:20]
    words = (int.from_bytes(addresses[i : i + 2], "big") for i in range(0, len(addresses), 2))
    return (sum(words) + 6 + length) % 0xFFFF or 0xFFFF


def super_packet(rig: Rig, head: Packet, data: bytes, cuts: tuple[int, ...] = ()) -> SkBuff:
    """`head` with `data` behind it as TCP hands it down: to be cut into MSS bytes each."""
    raw = bytearray(bytes(head / Raw(data)))
    v6 = IPv6 in head
    th = len(head[Ether]) - len(head[TCP])
    raw[th + 16 : th + 18] = partial_sum(head, len(raw) - th).to_bytes(2, "big")
    header = len(raw) - len(data)
    skb = rig.skb(bytes(raw), (header, *cuts) if data else ())
    skb.protocol = 0x86DD if v6 else 0x0800
    skb.mac_header = skb.data
    skb.network_header, skb.transport_header = skb.data + 14, skb.data + th
    skb.ip_summed, skb.csum_start, skb.csum_offset = CHECKSUM_PARTIAL, skb.transport_header, 16
    shinfo = skb.shinfo
    shinfo.gso_size, shinfo.gso_segs = MSS, -(-len(data) // MSS)
    shinfo.gso_type = SKB_GSO_TCPV6 if v6 else SKB_GSO_TCPV4
    return skb


def tcp_head(flags: str = "PA", options: list[tuple[str, object]] | None = None) -> Packet:
    head = tcp_frame(b"")
    del head[TCP].payload
    head[TCP].flags = flags
    head[TCP].options = options or []
    head[IP].flags = "DF"
    return Ether(bytes(head))


def tcp6_head() -> Packet:
    ip = IPv6(src="2001:db8::1", dst="2001:db8::2")
    return Ether(bytes(Ether(src=HOST_MAC, dst=PEER_MAC) / ip / TCP(seq=77, flags="PA")))


def judge(frames: list[bytes], data: bytes, head: Packet) -> None:
    """Whether `frames` are what scapy builds of the super-packet's parts."""
    wanted = []
    for index, start in enumerate(range(0, len(data), MSS)):
        part = head.copy()
        last = start + MSS >= len(data)
        part[TCP].seq = (head[TCP].seq + start) & 0xFFFFFFFF
        flags = str(head[TCP].flags)
        for flag, keep in (("F", last), ("P", last), ("C", index == 0)):
            flags = flags if keep else flags.replace(flag, "")
        part[TCP].flags = flags
        if IPv6 in part:
            part[IPv6].plen = None
        else:
            part[IP].id = (head[IP].id + index) & 0xFFFF
            part[IP].len = part[IP].chksum = None
        part[TCP].chksum = None
        wanted.append(bytes(part / Raw(data[start : start + MSS])).ljust(60, b"\0"))
    assert frames == wanted


# -- segmentation ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [MSS + 1, 2 * MSS, 5 * MSS + 7, 45 * MSS])
@pytest.mark.parametrize("kind", ["v4", "v6", "options"])
def test_a_super_packet_leaves_as_the_frames_that_scapy_would_build(size: int, kind: str) -> None:
    rig = Rig()
    options = [("NOP", None), ("NOP", None), ("Timestamp", (123, 456))]
    head = tcp6_head() if kind == "v6" else tcp_head(options=options if kind == "options" else None)
    data = payload(size)
    cuts = tuple(54 + cut for cut in sorted(random.Random(size).sample(range(60, size), 5)))
    skb = super_packet(rig, head, data, cuts)
    assert netif_skb_features(skb, rig.dev) & nd.NETIF_F_ALL_TSO
    assert validate_xmit_skb(skb, rig.dev) == [skb]
    rig.xmit(skb)
    rig.run()
    judge(rig.port.frames(), data, head)
    segs, header = len(rig.port.sent), len(rig.port.frames()[0]) - MSS
    assert (rig.dev.stats.tx_packets, rig.tx.stats.tso) == (segs, 1)
    assert rig.dev.stats.tx_bytes == size + segs * header
    assert (rig.dev.net.skbs.alive, rig.tx.txq.dql.inflight) == (0, 0)


def test_congestion_flags_are_on_the_first_and_last_segment_alone() -> None:
    rig = Rig()
    head, data = tcp_head("FPACE"), payload(4 * MSS)
    skb = super_packet(rig, head, data)
    skb.shinfo.gso_type |= SKB_GSO_TCP_ECN
    assert validate_xmit_skb(skb, rig.dev) == [skb]
    rig.xmit(skb)
    rig.run()
    judge(rig.port.frames(), data, head)


def test_the_limit_counts_the_bytes_on_the_wire() -> None:
    rig = Rig(bql=True)
    rig.xmit(super_packet(rig, tcp_head(), payload(10 * MSS)))
    assert rig.tx.txq.dql.num_queued == 10 * (MSS + 54)
    rig.run()
    assert rig.tx.txq.dql.inflight == 0


def test_the_headers_of_a_clone_are_copied_before_the_driver_writes_to_them() -> None:
    rig = Rig()
    skb = super_packet(rig, tcp_head(), payload(3 * MSS))
    before = skb.to_bytes()
    twin = skb.clone()
    twin.ip_summed, twin.dev = CHECKSUM_PARTIAL, rig.dev
    rig.xmit(twin)
    rig.run()
    assert skb.to_bytes() == before
    judge(rig.port.frames(), payload(3 * MSS), tcp_head())


@pytest.mark.parametrize("what", ["off", "long header", "big frame", "too many parts"])
def test_what_is_too_much_for_the_card_is_done_in_software(what: str) -> None:
    rig = Rig()
    ipv4_offload_init(rig.dev.net)
    head, data = tcp_head(), payload(4 * MSS)
    skb = super_packet(rig, head, data, (2000, 3000))
    if what == "off":
        dev_set_features(rig.dev, nd.NETIF_F_ALL_TSO, 0)
    elif what == "long header":
        rig.adapter.info.max_frame = MSS + 53
    elif what == "big frame":
        skb.shinfo.gso_size = 60_000
        assert not netif_skb_features(skb, rig.dev) & nd.NETIF_F_ALL_TSO
        skb.shinfo.gso_size = MSS
        return
    else:
        rig.adapter.info.max_segs = 3
    frames = validate_xmit_skb(skb, rig.dev)
    assert len(frames) == 4
    if what == "too many parts":
        assert not any(frame.shinfo.frags for frame in frames)
    for frame in frames:
        rig.xmit(frame)
    rig.run()
    judge(rig.port.frames(), data, head)
    assert rig.tx.stats.tso == 0


def test_a_super_packet_without_memory_for_its_header_is_dropped() -> None:
    rig = Rig()
    skb = super_packet(rig, tcp_head(), payload(3 * MSS))
    twin = skb.clone()
    hoard = []
    for order in range(10, -1, -1):
        while rig.kernel.mem.free_area[order]:
            hoard.append(rig.kernel.mem.alloc_pages(order))
    while True:
        try:
            hoard_of = rig.dev.net.skbs.small_heads.alloc()
        except MemoryError:
            break
        assert hoard_of
    rig.xmit(twin)
    rig.run()
    assert (rig.port.frames(), rig.dev.stats.tx_dropped) == ([], 1)


# -- tags ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["card", "stack"])
@pytest.mark.parametrize("size", [1, 100, 1400])
def test_a_tag_is_put_in_by_the_card_or_the_stack(by: str, size: int) -> None:
    rig = Rig()
    if by == "stack":
        dev_set_features(rig.dev, nd.NETIF_F_HW_VLAN_CTAG_TX, 0)
    frame = tcp_frame(payload(size))
    skb = rig.skb(bytes(frame))
    vlan_hwaccel_put_tag(skb, 5 << 13 | 42)
    dev_queue_xmit(skb)
    rig.run()
    (sent,) = rig.port.frames()
    tag = Dot1Q(prio=5, vlan=42)
    wanted = Ether(src=HOST_MAC, dst=PEER_MAC) / tag / frame[IP]
    assert sent == bytes(wanted).ljust(60, b"\0")


@pytest.mark.parametrize("by", ["card", "stack"])
def test_a_tagged_super_packet_is_cut_with_the_tag_in_every_frame(by: str) -> None:
    rig = Rig()
    if by == "stack":
        dev_set_features(rig.dev, nd.NETIF_F_HW_VLAN_CTAG_TX, 0)
    head, data = tcp_head(), payload(3 * MSS)
    skb = super_packet(rig, head, data)
    vlan_hwaccel_put_tag(skb, 7)
    (only,) = validate_xmit_skb(skb, rig.dev)
    rig.xmit(only)
    rig.run()
    sent = [Ether(frame) for frame in rig.port.frames()]
    assert [frame[Dot1Q].vlan for frame in sent] == [7, 7, 7]
    plain = [bytes(Ether(src=HOST_MAC, dst=PEER_MAC) / frame[IP]) for frame in sent]
    judge(plain, data, head)
    assert rig.tx.stats.tso == 1


def test_what_a_device_cannot_for_tagged_packets_is_done_in_software() -> None:
    rig = Rig()
    ipv4_offload_init(rig.dev.net)
    rig.dev.vlan_features = 0
    head, data = tcp_head(), payload(3 * MSS)
    skb = super_packet(rig, head, data)
    vlan_hwaccel_put_tag(skb, 7)
    frames = validate_xmit_skb(skb, rig.dev)
    assert [frame.ip_summed for frame in frames] == [CHECKSUM_NONE] * 3
    for frame in frames:
        rig.xmit(frame)
    rig.run()
    sent = [Ether(frame) for frame in rig.port.frames()]
    assert [frame[Dot1Q].vlan for frame in sent] == [7, 7, 7]
    judge([bytes(Ether(src=HOST_MAC, dst=PEER_MAC) / frame[IP]) for frame in sent], data, head)


@pytest.mark.parametrize("strip", [True, False])
def test_a_received_tag_is_taken_out_by_the_card_if_it_shall(strip: bool) -> None:
    rig = Rig()
    dev_set_features(rig.dev, nd.NETIF_F_HW_VLAN_CTAG_RX, strip * nd.NETIF_F_HW_VLAN_CTAG_RX)
    seen: list[tuple[int, int, int]] = []

    def tap(skb: SkBuff, dev: nd.NetDevice) -> int:
        seen.append((skb.protocol, skb.vlan_proto, skb.vlan_tci))
        return 0

    rig.dev.net.ptype_all.append(nd.PacketType(3, tap, rig.dev))
    plain = arriving(payload(300))
    tagged = Ether(src=PEER_MAC, dst=HOST_MAC) / Dot1Q(prio=3, vlan=9) / plain[IP]
    rig.port.receive(bytes(tagged), 1)
    rig.run()
    # The stack takes a tag out that the card left in, and nobody here is VLAN 9.
    assert seen == [(0x0800, 0x8100, 3 << 13 | 9)]
    assert rig.received[0].pkt_type == 3
    assert rig.received[0].to_bytes() == bytes(plain)[14:]


# -- what the card says of a frame -----------------------------------------------------------------


def test_the_hash_of_the_card_becomes_that_of_the_packet() -> None:
    rig = Rig(queues=2)
    for index in range(4):
        rig.port.receive(bytes(arriving(payload(300), sport=1000 + index)), index + 1)
    rig.run()
    hashes = {skb.hash for skb in rig.received}
    assert len(hashes) == 4
    assert 0 not in hashes
    dev_set_features(rig.dev, nd.NETIF_F_RXHASH, 0)
    rig.port.receive(bytes(arriving(payload(300))), 9)
    rig.run()
    assert rig.received[-1].hash == 0


@pytest.mark.parametrize("broken", ["", "ip", "tcp"])
def test_a_checksum_is_trusted_only_if_both_are_right(broken: str) -> None:
    rig = Rig()
    raw = bytearray(bytes(arriving(payload(300))))
    if broken:
        raw[24 if broken == "ip" else 50] ^= 1
    rig.port.receive(bytes(raw), 1)
    rig.run()
    wanted = CHECKSUM_NONE if broken else CHECKSUM_UNNECESSARY
    assert rig.received[0].ip_summed == wanted
    assert rig.rx.stats.csum_errors == (broken == "ip")


@pytest.mark.parametrize("size", [2048, 2049, 4096, 4097, 8192, 8193, 9014])
def test_a_jumbo_frame_lies_in_pages_that_become_fragments(size: int) -> None:
    rig = Rig(mtu=9000, rx_count=64)
    assert rig.rx.buf_size == 4096
    for key in range(1, 60):
        frame = bytes(arriving(payload(size - 54, seed=key)))
        rig.port.receive(frame, key)
        rig.run()
        skb = rig.received[0]
        assert skb.to_bytes() == frame[14:]
        assert len(skb.shinfo.frags) == -(-size // 4096)
        rig.free_received()
    assert rig.rx.unused() == 0


def test_a_frame_for_which_the_buffers_end_is_thrown_away() -> None:
    rig = Rig(mtu=9000, rx_count=64)
    for key in range(1, 23):
        rig.port.receive(bytes(arriving(payload(8900))), key)
    rig.run()
    assert len(rig.received) == 21
    assert (rig.rx.stats.no_desc, rig.dev.stats.rx_errors, rig.rx.stats.resets) == (1, 1, 0)
    rig.port.receive(bytes(arriving(payload(8900))), 99)
    rig.run()
    assert rig.received[-1].key == 99
