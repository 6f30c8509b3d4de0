"""Packets of a script as bytes: what is built is judged by scapy, what is read was built by it."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

from pyhost.packetdrill.errors import ScriptFailure
from pyhost.packetdrill.packets import (
    Endpoints,
    IcmpMessage,
    TcpSegment,
    UdpDatagram,
    ethernet,
    flag_bits,
    parse_frame,
    segment_of_script,
)
from tests.unit.packetdrill.support import packet

ENDS = Endpoints(0xC0000201, 40000, 0xC0A80001, 8080)


def segment(text: str) -> TcpSegment:
    return segment_of_script(packet(text))


def frame(layer: object) -> bytes:
    return bytes(Ether(dst="02:00:00:00:00:02") / layer)


def seen(data: bytes) -> IP:
    """What scapy makes of a packet; its checksums must be those that scapy reckons."""
    parsed = IP(data)
    again = parsed.copy()
    for layer in (IP, TCP, UDP, ICMP):
        if again.haslayer(layer):
            del again[layer].chksum
    assert bytes(again) == data
    return parsed


def test_a_segment_of_the_script_is_a_good_packet() -> None:
    built = segment("< [ce] PU. 1:101(100) ack 7 win 257 urg 9 <mss 1460,nop,nop,sack 1:2>")
    built.ends = ENDS
    ip = seen(built.packet())
    assert (ip.src, ip.dst, ip.tos) == ("192.0.2.1", "192.168.0.1", 3)
    tcp = ip[TCP]
    assert (tcp.sport, tcp.dport, tcp.seq, tcp.ack) == (40000, 8080, 1, 7)
    assert (str(tcp.flags), tcp.window, tcp.urgptr) == ("PAU", 257, 9)
    assert tcp.options == [("MSS", 1460), ("NOP", None), ("NOP", None), ("SAck", (1, 2))]
    assert bytes(tcp.payload) == bytes(100)


def test_ae_and_the_accecn_counter_are_flags() -> None:
    assert flag_bits("SEWA") == (0x1C2, None)
    assert flag_bits("-") == (0, None)
    assert flag_bits("5.") == (0x10, 5)
    assert segment("> S5. 0:0(0) ack 1").flags == 0x152


def test_options_must_fill_whole_words() -> None:
    with pytest.raises(ScriptFailure, match="1 excess bytes"):
        segment("> . 1:1(0) ack 1 <nop>")


def test_datagrams_and_messages_are_good_packets() -> None:
    udp = seen(UdpDatagram(bytes(11), ends=ENDS).packet())
    assert (udp[UDP].sport, udp[UDP].len) == (40000, 19)
    icmp = seen(IcmpMessage(3, 4, 800, b"quoted text!", ends=ENDS).packet())
    assert (icmp[ICMP].type, icmp[ICMP].code, icmp[ICMP].nexthopmtu) == (3, 4, 800)


def test_a_frame_has_the_addresses_given() -> None:
    eth = Ether(ethernet(UdpDatagram(b"", ends=ENDS).packet(), b"\x02" * 6, b"\x04" * 6))
    assert (eth.src, eth.dst, eth.type) == ("02:02:02:02:02:02", "04:04:04:04:04:04", 0x800)


def test_a_segment_is_read() -> None:
    tcp = TCP(sport=1, dport=2, seq=3, ack=4, flags="SEC", window=5, options=[("MSS", 600)])
    found = parse_frame(frame(IP(src="192.0.2.1", dst="192.168.0.1", tos=2, ttl=9) / tcp / b"xyz"))
    assert isinstance(found, TcpSegment)
    assert (found.seq, found.ack, found.window) == (3, 4, 5)
    assert (found.flags, found.options, found.payload) == (0x0C2, b"\x02\x04\x02\x58", b"xyz")
    assert (found.tos, found.ttl, found.faults) == (2, 9, "")
    assert found.ends == Endpoints(0xC0000201, 1, 0xC0A80001, 2)


def test_padding_of_a_short_frame_is_no_payload() -> None:
    found = parse_frame(frame(IP() / TCP()) + bytes(10))
    assert isinstance(found, TcpSegment)
    assert found.payload == b""


@pytest.mark.parametrize(
    ("layer", "fault"),
    [
        (IP(chksum=1) / TCP(), "bad outbound IP checksum"),
        (IP() / TCP(chksum=1), "bad outbound TCP checksum"),
        (IP() / UDP(chksum=1), "bad outbound UDP checksum"),
        (IP() / ICMP(chksum=1), "bad outbound ICMP checksum"),
    ],
)
def test_a_bad_checksum_is_noted(layer: IP, fault: str) -> None:
    found = parse_frame(frame(layer))
    assert found is not None
    assert found.faults == fault


@pytest.mark.parametrize(
    "data",
    [
        frame(ARP()),
        frame(IP(proto=47) / Raw(b"x" * 30)),
        frame(IP(flags="MF") / TCP()),
        frame(IP() / TCP())[:30],
        b"",
    ],
)
def test_whatever_else_is_on_the_wire_is_passed_over(data: bytes) -> None:
    assert parse_frame(data) is None


def test_a_segment_is_shown_in_the_scripts_notation() -> None:
    line = "SP. 5:7(2) ack 3 win 4 <mss 1460,nop,wscale 7,sackOK,TS val 1 ecr 2,sack 8:9,nop,nop>"
    assert segment(f"< {line}").text() == line
    assert segment("> . 1:1(0)").text(window=False) == ". 1:1(0) ack 0"
