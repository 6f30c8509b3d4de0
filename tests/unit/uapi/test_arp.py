"""The ARP packet, against scapy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.l2 import ARP

from pyhost.uapi.arp import ARP_HLEN, ARPOP_REQUEST, ArpPacket, ArpView
from pyhost.uapi.ethernet import mac_text

macs = st.binary(min_size=6, max_size=6)
addrs = st.integers(0, 0xFFFFFFFF)
GOLDEN = bytes.fromhex("0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002")


def dotted(addr: int) -> str:
    return ".".join(map(str, addr.to_bytes(4, "big")))


def test_golden_bytes() -> None:
    packet = ArpPacket(
        ARPOP_REQUEST, bytes.fromhex("020000000001"), 0x0A000001, bytes(6), 0x0A000002
    )
    assert packet.emit() == GOLDEN
    assert len(GOLDEN) == ARP_HLEN
    assert ArpPacket.parse(GOLDEN) == packet


@given(op=st.integers(1, 2), sha=macs, spa=addrs, tha=macs, tpa=addrs)
def test_scapy_reads_what_emit_wrote(op: int, sha: bytes, spa: int, tha: bytes, tpa: int) -> None:
    packet = ArpPacket(op, sha, spa, tha, tpa)
    read = ARP(packet.emit())
    assert (read.op, read.hwsrc, read.psrc) == (op, mac_text(sha), dotted(spa))
    assert (read.hwdst, read.pdst) == (mac_text(tha), dotted(tpa))
    assert ArpPacket.parse(packet.emit()) == packet
    view = ArpView(memoryview(b"?" + packet.emit()), 1)
    assert (view.op, view.sha, view.spa, view.tha, view.tpa) == (op, sha, spa, tha, tpa)
    assert view.is_ipv4_over_ethernet()


@pytest.mark.parametrize("at", [1, 3, 4, 5], ids=["hrd", "pro", "hln", "pln"])
def test_other_hardware_or_protocols_are_not_ours(at: int) -> None:
    data = bytearray(GOLDEN)
    data[at] += 1
    assert not ArpView(memoryview(data)).is_ipv4_over_ethernet()
    with pytest.raises(ValueError, match="not IPv4 over Ethernet"):
        ArpPacket.parse(bytes(data))


def test_twenty_seven_bytes_are_no_packet() -> None:
    with pytest.raises(ValueError, match="27 bytes"):
        ArpPacket.parse(GOLDEN[:27])
