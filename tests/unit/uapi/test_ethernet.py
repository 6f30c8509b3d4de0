"""The Ethernet header, against scapy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.l2 import Ether

from pyhost.uapi.ethernet import EthHeader, EthView, mac_text

macs = st.binary(min_size=6, max_size=6)
GOLDEN = bytes.fromhex("020000000002 020000000001 0800")


def test_golden_bytes() -> None:
    header = EthHeader(bytes.fromhex("020000000002"), bytes.fromhex("020000000001"), 0x0800)
    assert header.emit() == GOLDEN
    assert EthHeader.parse(GOLDEN + b"payload") == header


@given(dest=macs, source=macs, proto=st.integers(0x600, 0xFFFF))
def test_scapy_reads_what_emit_wrote(dest: bytes, source: bytes, proto: int) -> None:
    header = EthHeader(dest, source, proto)
    packet = Ether(header.emit())
    assert (packet.dst, packet.src, packet.type) == (mac_text(dest), mac_text(source), proto)
    assert EthHeader.parse(header.emit()) == header


def test_the_view_reads_and_writes_in_place() -> None:
    buf = memoryview(bytearray(b"??" + GOLDEN))
    view = EthView(buf, 2)
    assert (view.dest, view.source, view.type) == (GOLDEN[:6], GOLDEN[6:12], 0x0800)
    view.dest, view.source, view.type = b"\xff" * 6, b"\x0a" * 6, 0x0806
    packet = Ether(bytes(buf[2:]))
    assert (packet.dst, packet.src, packet.type) == ("ff:" * 5 + "ff", "0a:" * 5 + "0a", 0x0806)


@pytest.mark.parametrize(
    "header",
    [
        EthHeader(b"short", bytes(6), 0),
        EthHeader(bytes(6), bytes(7), 0),
        EthHeader(bytes(6), bytes(6), 1 << 16),
    ],
)
def test_what_does_not_fit_is_refused(header: EthHeader) -> None:
    with pytest.raises(ValueError):
        header.emit()


def test_thirteen_bytes_are_no_header() -> None:
    with pytest.raises(ValueError, match="13 bytes"):
        EthHeader.parse(GOLDEN[:13])
