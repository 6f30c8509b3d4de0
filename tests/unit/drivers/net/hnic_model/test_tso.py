"""Segmentation, judged by scapy: each frame must be what scapy itself would build."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Packet, Raw

from pyhost.drivers.net.hnic import hnic_regs as regs
from tests.unit.drivers.net.hnic.rig import HOST_MAC, PEER_MAC, payload
from tests.unit.drivers.net.hnic_model.card_rig import DATA, CardRig

ETHER = Ether(src=HOST_MAC, dst=PEER_MAC)
OPTIONS = [("NOP", None), ("NOP", None), ("Timestamp", (123456, 654321))]


def network(version: int, **more: object) -> Packet:
    if version == 4:
        return IP(src="10.0.0.1", dst="10.0.0.2", id=more.pop("id", 7), **more)
    return IPv6(src="fd00::1", dst="fd00::2", **more)


def pseudo_sum(packet: Packet) -> int:
    """The sum of addresses and protocol, without the length."""
    raw = bytes(packet)
    part = raw[26:34] if packet.haslayer(IP) else raw[22:54]
    total = 6 + sum(int.from_bytes(part[i : i + 2], "big") for i in range(0, len(part), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def super_packet(version: int, data: bytes, options: list[object], **tcp: object) -> Packet:
    """A super-packet as the stack hands it down."""
    size = {"len": 0} if version == 4 else {"plen": 0}
    header = TCP(sport=1, dport=2, options=options, **tcp)
    packet = ETHER / network(version, **size) / header / Raw(data)
    packet[TCP].chksum = pseudo_sum(packet)
    if version == 4:
        packet[IP].chksum = 0
    return packet


def shape(packet: Packet, mss: int) -> dict[str, int]:
    raw = bytes(packet)
    l4 = 34 if packet.haslayer(IP) else 54
    return {
        "TSO": 1, "CSUM": 1, "IPV4": int(packet.haslayer(IP)), "L3_START": 14, "CSUM_START": l4,
        "CSUM_OFFSET": 16, "HDR_LEN": l4 + (raw[l4 + 12] >> 4) * 4, "MSS": mss,
    }  # fmt: skip


def send(rig: CardRig, packet: Packet, mss: int, cuts: tuple[int, ...] = (), **more: int) -> None:
    raw = bytes(packet)
    rig.fill(raw, 1)
    edges = [0, *cuts, len(raw)]
    descs = [{"ADDR": DATA + 1 + a, "LEN": b - a, "COOKIE": 5} for a, b in pairwise(edges)]
    descs[0] |= {"SOP": 1, **shape(packet, mss), **more}
    descs[-1]["EOP"] = 1
    rig.post(*descs)
    rig.run()


def expected(
    version: int, data: bytes, options: list[object], mss: int, **tcp: object
) -> list[bytes]:
    """The frames, built by scapy one by one."""
    frames = []
    chunks = [data[at : at + mss] for at in range(0, len(data), mss)]
    flags = str(tcp.pop("flags"))
    seq = int(str(tcp.pop("seq")))
    for number, chunk in enumerate(chunks):
        kept = flags
        if number:
            kept = kept.replace("C", "")
        if number < len(chunks) - 1:
            kept = kept.replace("P", "").replace("F", "")
        ip = network(version, id=7 + number & 0xFFFF) if version == 4 else network(version)
        header = TCP(
            sport=1,
            dport=2,
            options=options,
            flags=kept,
            seq=seq + number * mss & 0xFFFFFFFF,
            **tcp,
        )
        frames.append(bytes(ETHER / ip / header / Raw(chunk)).ljust(60, b"\0"))
    return frames


@pytest.fixture
def rig() -> CardRig:
    rig = CardRig()
    rig.enable()
    return rig


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("options", [[], OPTIONS], ids=["plain", "timestamps"])
@pytest.mark.parametrize(
    ("size", "mss"), [(1, 1), (1448, 1448), (1449, 1448), (9001, 536), (65536, 9000)]
)
def test_a_super_packet_becomes_the_frames_that_scapy_would_build(
    rig: CardRig, version: int, options: list[object], size: int, mss: int
) -> None:
    data = payload(size)
    packet = super_packet(version, data, options, seq=0xFFFFF000, ack=9, flags="CPFA")
    send(rig, packet, mss, (shape(packet, mss)["HDR_LEN"],))
    want = expected(version, data, options, mss, seq=0xFFFFF000, ack=9, flags="CPFA")
    assert rig.port.frames() == want
    assert rig.completion(0)["STATUS"] == 0
    assert rig.completion(0)["TIMESTAMP"] == rig.port.sent[-1][0]
    assert {key for _, _, key in rig.port.sent} == {5}
    assert rig.reg(regs.STAT_TX_TSO) == 1
    assert rig.reg(regs.STAT_TX_CSUMS) == rig.reg(regs.STAT_TX_FRAMES) == len(want)
    assert rig.reg(regs.TXQ_BASE + regs.Q_CPL_HEAD) == 1


def test_segments_may_be_cut_anywhere_in_memory(rig: CardRig) -> None:
    data = payload(20000)
    rng = random.Random(4)
    packet = super_packet(4, data, [], seq=1, ack=9, flags="A")
    cuts = tuple(sorted(rng.sample(range(1, len(bytes(packet))), 20)))
    send(rig, packet, 1460, cuts)
    assert rig.port.frames() == expected(4, data, [], 1460, seq=1, ack=9, flags="A")


@pytest.mark.parametrize("version", [4, 6])
def test_every_frame_of_a_super_packet_gets_the_tag(rig: CardRig, version: int) -> None:
    packet = super_packet(version, payload(3000), [], seq=1, ack=9, flags="A")
    send(rig, packet, 1000, VLAN=1, VLAN_TCI=0x6123)
    bare = expected(version, payload(3000), [], 1000, seq=1, ack=9, flags="A")
    for frame, plain in zip(rig.port.frames(), bare, strict=True):
        judged = Ether(frame)
        assert (judged[Dot1Q].prio, judged[Dot1Q].dei, judged[Dot1Q].vlan) == (3, 0, 0x123)
        assert frame[:12] + frame[16:] == plain


def test_the_frames_of_a_super_packet_follow_each_other_with_the_gap(rig: CardRig) -> None:
    send(rig, super_packet(4, payload(3000), [], seq=1, ack=9, flags="A"), 1000)
    starts = [start for start, _, _ in rig.port.sent]
    wire_ns = -(-(1054 + 24) * 8 // 10)
    assert [b - a for a, b in pairwise(starts)] == [wire_ns, wire_ns]
