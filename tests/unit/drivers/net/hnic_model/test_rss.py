"""The Toeplitz hash against the vectors that Microsoft publishes ("Verifying the RSS hash
calculation"), and the queue that it leads to.
"""

from __future__ import annotations

import random

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrHopByHop
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet, Raw

from pyhost.drivers.net.hnic import hnic_regs as regs
from pyhost.drivers.net.hnic_model.rss import toeplitz
from tests.unit.drivers.net.hnic.rig import payload
from tests.unit.drivers.net.hnic_model.card_rig import PROMISC, QUEUES, CardRig, rxq

KEY = bytes.fromhex(
    "6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa"
)
V4 = [
    # destination, port, source, port, hash of the addresses, hash with ports
    ("161.142.100.80", 1766, "66.9.149.187", 2794, 0x323E8FC2, 0x51CCC178),
    ("65.69.140.83", 4739, "199.92.111.2", 14230, 0xD718262A, 0xC626B0EA),
    ("12.22.207.184", 38024, "24.19.198.95", 12898, 0xD2D0A5DE, 0x5C2B394A),
    ("209.142.163.6", 2217, "38.27.205.30", 48228, 0x82989176, 0xAFC7327F),
    ("202.188.127.2", 1303, "153.39.163.191", 44251, 0x5D1809C5, 0x10E828A2),
]
V6 = [
    ("3ffe:2501:200:3::1", 1766, "3ffe:2501:200:1fff::7", 2794, 0x2CC18CD5, 0x40207D3D),
    ("ff02::1", 4739, "3ffe:501:8::260:97ff:fe40:efab", 14230, 0x0F0C461C, 0xDDE51BBF),
    ("fe80::200:f8ff:fe21:67cf", 38024, "3ffe:1900:4545:3:200:f8ff:fe21:67cf", 44251, 0x4B61E985,
     0x02D1FEEF),
]  # fmt: skip


@pytest.fixture
def rig() -> CardRig:
    rig = CardRig()
    rig.enable(*map(rxq, range(QUEUES)))
    for queue in range(QUEUES):
        rig.post_rx(*[(queue * 0x8000 + i * 0x200, 0x200, i) for i in range(64)], block=rxq(queue))
    for index in range(10):
        word = int.from_bytes(KEY[4 * index : 4 * index + 4], "little")
        rig.bus.writel(word, regs.RSS_KEY + 4 * index)
    rig.bus.writel(PROMISC | 1 << regs.RX_CTRL_RSS_LSB, regs.RX_CTRL)
    return rig


def set_table(rig: CardRig, queues: list[int]) -> None:
    for index in range(32):
        word = int.from_bytes(bytes(queues[4 * index : 4 * index + 4]), "little")
        rig.bus.writel(word, regs.RSS_TABLE + 4 * index)


def hash_of(rig: CardRig, packet: Packet) -> tuple[int, int]:
    """(hash, type) in the completion of a frame on queue 0."""
    before = rig.reg(rxq(0) + regs.Q_CPL_HEAD)
    rig.port.receive(bytes(Ether() / packet).ljust(60, b"\0"), 1)
    done = rig.completion(before, "RXC")
    return done["HASH"], done["HASH_TYPE"]


@pytest.mark.parametrize(("dst", "dport", "src", "sport", "addresses", "ports"), V4)
def test_ipv4_vectors(
    rig: CardRig, dst: str, dport: int, src: str, sport: int, addresses: int, ports: int
) -> None:
    ip = IP(src=src, dst=dst)
    assert hash_of(rig, ip / ICMP()) == (addresses, 1)
    assert hash_of(rig, ip / TCP(sport=sport, dport=dport)) == (ports, 2)
    assert hash_of(rig, ip / UDP(sport=sport, dport=dport)) == (ports, 2)


@pytest.mark.parametrize(("dst", "dport", "src", "sport", "addresses", "ports"), V6)
def test_ipv6_vectors(
    rig: CardRig, dst: str, dport: int, src: str, sport: int, addresses: int, ports: int
) -> None:
    ip = IPv6(src=src, dst=dst)
    assert hash_of(rig, ip / Raw(b"x" * 40)) == (addresses, 3)
    assert hash_of(rig, ip / TCP(sport=sport, dport=dport)) == (ports, 4)
    assert hash_of(rig, ip / UDP(sport=sport, dport=dport)) == (ports, 4)
    assert hash_of(rig, ip / IPv6ExtHdrHopByHop() / UDP(sport=sport)) == (addresses, 3)


def test_the_hash_is_linear() -> None:
    rng = random.Random(2)
    key = rng.randbytes(40)
    for size in (8, 12, 32, 36):
        a, b = rng.randbytes(size), rng.randbytes(size)
        both = bytes(x ^ y for x, y in zip(a, b, strict=True))
        assert toeplitz(key, a) ^ toeplitz(key, b) == toeplitz(key, both)


def test_fragments_have_no_ports_and_other_frames_no_hash(rig: CardRig) -> None:
    dst, _, src, _, addresses, _ = V4[0]
    pieces = fragment(IP(src=src, dst=dst) / UDP() / Raw(payload(600)), 256)
    assert [hash_of(rig, piece) for piece in pieces] == [(addresses, 1)] * len(pieces)
    assert hash_of(rig, ARP()) == (0, 0)
    assert hash_of(rig, Raw(b"\x08\x00" * 30)) == (0, 0)


def test_a_tag_does_not_hide_the_flow(rig: CardRig) -> None:
    dst, dport, src, sport, _, ports = V4[0]
    assert hash_of(rig, Dot1Q(vlan=5) / IP(src=src, dst=dst) / TCP(sport=sport, dport=dport)) == (
        ports,
        2,
    )


def test_without_rss_there_is_no_hash_and_all_goes_to_queue_0(rig: CardRig) -> None:
    set_table(rig, [3] * 128)
    rig.bus.writel(PROMISC, regs.RX_CTRL)
    dst, _, src, _, _, _ = V4[0]
    assert hash_of(rig, IP(src=src, dst=dst) / ICMP()) == (0, 0)


def test_the_table_gives_the_queue(rig: CardRig) -> None:
    rng = random.Random(6)
    queues = [rng.randrange(QUEUES) for _ in range(128)]
    set_table(rig, queues)
    counts = [0] * QUEUES
    for _ in range(100):
        packet = IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=rng.randrange(65536))
        raw = bytes(Ether() / packet).ljust(60, b"\0")
        rig.port.receive(raw, 1)
        value = toeplitz(KEY, raw[26:34] + raw[34:38])
        queue = queues[value % 128]
        done = rig.completion(counts[queue], "RXC", rxq(queue))
        assert (done["HASH"], done["PHASE"]) == (value, 1)
        counts[queue] += 1
    assert [rig.reg(rxq(q) + regs.Q_CPL_HEAD) for q in range(QUEUES)] == counts
    assert min(counts) > 0


def test_what_has_no_hash_goes_to_queue_0(rig: CardRig) -> None:
    set_table(rig, [3] * 128)
    rig.port.receive(bytes(Ether() / ARP()).ljust(60, b"\0"), 1)
    assert rig.reg(rxq(0) + regs.Q_CPL_HEAD) == 1


def test_a_new_key_counts_from_the_next_frame(rig: CardRig) -> None:
    dst, _, src, _, addresses, _ = V4[0]
    packet = IP(src=src, dst=dst) / ICMP()
    assert hash_of(rig, packet)[0] == addresses
    rig.bus.writel(0, regs.RSS_KEY)
    raw = bytes(packet)
    assert hash_of(rig, packet)[0] == toeplitz(bytes(4) + KEY[4:], raw[12:20]) != addresses
