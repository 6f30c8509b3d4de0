"""The header formats: golden bytes, and the same fields as scapy sees."""

from __future__ import annotations

import random

import pytest
from scapy.layers.inet import ICMP, IP, UDP

from pyhost.uapi.icmp import IcmpHeader, IcmpView
from pyhost.uapi.ip import IpHeader, IpView
from pyhost.uapi.udp import UdpHeader, UdpView

RFC1071_STYLE = bytes.fromhex("450000730000400040110000c0a80001c0a800c7")


def test_an_ip_header_has_the_golden_bytes() -> None:
    header = IpHeader(tot_len=115, protocol=17, saddr=0xC0A80001, daddr=0xC0A800C7, frag_off=0x4000)
    assert header.emit() == RFC1071_STYLE
    assert IpHeader.parse(RFC1071_STYLE) == header


def test_ip_view_and_record_agree_with_scapy_on_random_headers() -> None:
    rng = random.Random(7)
    for _ in range(200):
        options = rng.randbytes(4 * rng.randrange(0, 11))
        data = bytearray(rng.randbytes(20) + options)
        data[0] = 0x40 | (5 + len(options) // 4)
        packet = IP(bytes(data))
        record, view = IpHeader.parse(bytes(data)), IpView(b"\xaa" * 3 + bytes(data), 3)
        assert record.emit() == bytes(data)
        for seen in (record, view):
            assert (seen.tos, seen.tot_len, seen.id) == (packet.tos, packet.len, packet.id)
            assert seen.frag_off == int(packet.flags) << 13 | packet.frag
            assert (seen.ttl, seen.protocol, seen.check) == (
                packet.ttl,
                packet.proto,
                packet.chksum,
            )
            assert seen.saddr.to_bytes(4, "big") == bytes(map(int, packet.src.split(".")))
            assert seen.daddr.to_bytes(4, "big") == bytes(map(int, packet.dst.split(".")))
        assert (view.version, view.header_len) == (4, packet.ihl * 4)


@pytest.mark.parametrize(
    "data", [b"", RFC1071_STYLE[:19], b"\x65" + bytes(19), b"\x44" + bytes(19), b"\x46" + bytes(19)]
)
def test_what_is_no_ip_header_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        IpHeader.parse(data)


def test_udp_header_agrees_with_scapy() -> None:
    packet = UDP(sport=1, dport=0xFFFE, len=300, chksum=0xABCD)
    data = bytes.fromhex("0001fffe012cabcd")
    assert bytes(packet) == data
    record = UdpHeader.parse(data)
    assert record == UdpHeader(source=1, dest=0xFFFE, len=300, check=0xABCD)
    assert record.emit() == data
    view = UdpView(b"\0" + data, 1)
    assert (view.source, view.dest, view.len, view.check) == (1, 0xFFFE, 300, 0xABCD)
    with pytest.raises(ValueError):
        UdpHeader.parse(data[:7])
    with pytest.raises(ValueError):
        UdpHeader.parse(b"\0\1\0\2\0\7\0\0")


def test_icmp_header_agrees_with_scapy() -> None:
    packet = ICMP(type=3, code=4, chksum=0x1234, nexthopmtu=1400)
    data = bytes.fromhex("0304123400000578")
    assert bytes(packet) == data
    record = IcmpHeader.parse(data)
    assert record == IcmpHeader(type=3, code=4, check=0x1234, rest=1400)
    assert record.emit() == data
    view = IcmpView(data)
    assert (view.type, view.code, view.check, view.rest, view.mtu) == (3, 4, 0x1234, 1400, 1400)
    with pytest.raises(ValueError):
        IcmpHeader.parse(data[:7])
