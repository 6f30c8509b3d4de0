"""What the card says of a frame: checksums, the sum over it, the tag. Frames are scapy's."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrHopByHop
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet, Raw

from pyhost.drivers.net.hnic import hnic_regs as regs
from tests.unit.drivers.net.hnic.rig import payload, tcp_frame, udp_frame
from tests.unit.drivers.net.hnic_model.card_rig import PROMISC, CardRig, rxq

STRIP = 1 << regs.RX_CTRL_VLAN_STRIP_LSB
FRAGMENTS = fragment(IP() / UDP() / Raw(payload(600)), 256)
L6 = Ether() / IPv6(src="fd00::1", dst="fd00::2")


def flipped(packet: Packet, at: int) -> bytes:
    raw = bytearray(bytes(packet))
    raw[at] ^= 0x10
    return bytes(raw)


def raw(packet: Packet) -> bytes:
    return bytes(packet).ljust(60, b"\0")


# (frame, CSUM_OK, IP_OK, wrong checksum counted)
FRAMES = {
    "tcp": (bytes(tcp_frame(payload(700))), 1, 1, 0),
    "tcp, odd": (bytes(tcp_frame(payload(701))), 1, 1, 0),
    "tcp, no data": (raw(tcp_frame(b"")), 1, 1, 0),
    "tcp, padding that is not zero": (bytes(tcp_frame(b"")) + b"padding", 1, 1, 0),
    "udp": (bytes(udp_frame(payload(33))), 1, 1, 0),
    "ip options": (raw(Ether() / IP(options=[b"\x01" * 4]) / TCP() / Raw(b"abc")), 1, 1, 0),
    "tcp over ipv6": (bytes(L6 / TCP() / Raw(payload(99))), 1, 0, 0),
    "udp over ipv6": (bytes(L6 / UDP() / Raw(payload(99))), 1, 0, 0),
    "tagged": (bytes(Ether() / Dot1Q(vlan=3) / IP() / TCP() / Raw(payload(50))), 1, 1, 0),
    "tagged, ipv6": (bytes(Ether() / Dot1Q(vlan=3) / IPv6() / UDP() / Raw(payload(5))), 1, 0, 0),
    "ip header": (flipped(tcp_frame(payload(700)), 22), 1, 0, 0),
    "tcp payload": (flipped(tcp_frame(payload(700)), 600), 0, 1, 1),
    "tcp header": (flipped(tcp_frame(payload(700)), 40), 0, 1, 1),
    "pseudo header": (flipped(tcp_frame(payload(700)), 27), 0, 0, 1),
    "udp payload": (flipped(udp_frame(payload(33)), 70), 0, 1, 1),
    "udp over ipv6, wrong": (flipped(L6 / UDP() / Raw(payload(99)), 100), 0, 0, 1),
    "udp without sum": (raw(Ether() / IP() / UDP(chksum=0) / Raw(b"abcd")), 0, 1, 0),
    "udp of another length": (raw(Ether() / IP() / UDP(len=9) / Raw(b"abcd")), 0, 1, 0),
    "icmp": (raw(Ether() / IP() / ICMP()), 0, 1, 0),
    "arp": (raw(Ether() / ARP()), 0, 0, 0),
    "first fragment": (raw(Ether() / FRAGMENTS[0]), 0, 1, 0),
    "last fragment": (raw(Ether() / FRAGMENTS[-1]), 0, 1, 0),
    "extension header": (raw(Ether() / IPv6() / IPv6ExtHdrHopByHop() / UDP()), 0, 0, 0),
    "cut off": (bytes(tcp_frame(payload(700)))[:-1], 0, 0, 0),
    "cut off, ipv6": (bytes(L6 / UDP() / Raw(payload(99)))[:-1], 0, 0, 0),
    "no room for tcp": (raw(Ether() / IP(len=30) / TCP()), 0, 1, 0),
    "header longer than all": (raw(Ether() / IP(ihl=15, len=40) / Raw(b"x")), 0, 0, 0),
    "version 5": (raw(Ether() / IP(version=5) / TCP()), 0, 0, 0),
    "nothing": (b"\0" * 60, 0, 0, 0),
}  # fmt: skip


@pytest.fixture
def rig() -> CardRig:
    rig = CardRig()
    rig.enable(rxq(0))
    rig.post_rx(*[(i * 0x800, 0x800, i) for i in range(8)])
    rig.bus.writel(PROMISC, regs.RX_CTRL)
    return rig


def raw_sum(data: bytes) -> int:
    data += b"\0" * (len(data) & 1)
    total = sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@pytest.mark.parametrize("name", FRAMES)
def test_checksums_are_judged_and_the_sum_is_over_all_behind_the_ethernet_header(
    rig: CardRig, name: str
) -> None:
    frame, csum_ok, ip_ok, wrong = FRAMES[name]
    rig.port.receive(frame, 5)
    done = rig.completion(0, "RXC")
    assert (done["CSUM_OK"], done["IP_OK"]) == (csum_ok, ip_ok)
    assert (done["CSUM"], done["LEN"]) == (raw_sum(frame[14:]), len(frame))
    assert rig.reg(regs.STAT_RX_CSUM_ERRS) == wrong
    assert (done["VLAN"], done["VLAN_TCI"], done["HASH"], done["HASH_TYPE"]) == (0, 0, 0, 0)


@pytest.mark.parametrize("name", FRAMES)
def test_a_tag_is_taken_out_and_everything_else_is_as_without_it(rig: CardRig, name: str) -> None:
    frame, csum_ok, ip_ok, _ = FRAMES[name]
    if frame[12:14] == b"\x81\x00":
        return
    rig.bus.writel(PROMISC | STRIP, regs.RX_CTRL)
    rig.port.receive(frame[:12] + b"\x81\x00\xa1\x23" + frame[12:], 5)
    done = rig.completion(0, "RXC")
    assert (done["VLAN"], done["VLAN_TCI"], done["LEN"]) == (1, 0xA123, len(frame))
    assert (done["CSUM_OK"], done["IP_OK"], done["CSUM"]) == (csum_ok, ip_ok, raw_sum(frame[14:]))
    assert rig.data(0, len(frame)) == frame
    assert rig.reg(regs.STAT_RX_BYTES) == len(frame) + 4


def test_of_two_tags_the_first_is_taken_out(rig: CardRig) -> None:
    rig.bus.writel(PROMISC | STRIP, regs.RX_CTRL)
    frame = bytes(Ether() / Dot1Q(vlan=1) / Dot1Q(vlan=2) / IP() / TCP() / Raw(payload(40)))
    rig.port.receive(frame, 5)
    assert rig.completion(0, "RXC")["VLAN_TCI"] == 1
    assert rig.data(0, len(frame) - 4) == frame[:12] + frame[16:]


@pytest.mark.parametrize("control", [PROMISC, PROMISC | STRIP])
def test_behind_two_tags_nothing_is_claimed(rig: CardRig, control: int) -> None:
    rig.bus.writel(control, regs.RX_CTRL)
    tags = Ether() / Dot1Q(vlan=1) / Dot1Q(vlan=2)
    rig.port.receive(bytes(tags / IP() / TCP() / Raw(payload(40))), 5)
    done = rig.completion(0, "RXC")
    assert (done["IP_OK"], done["CSUM_OK"], done["HASH_TYPE"]) == (0, 0, 0)


def test_untagged_frames_stay_as_they_are(rig: CardRig) -> None:
    rig.bus.writel(PROMISC | STRIP, regs.RX_CTRL)
    rig.port.receive(FRAMES["tcp"][0], 5)
    done = rig.completion(0, "RXC")
    assert (done["VLAN"], done["VLAN_TCI"], done["LEN"]) == (0, 0, len(FRAMES["tcp"][0]))
