"""What a frame on the wire must satisfy, judged by scapy and tshark, never by pyhost's own code."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP, UDP, defragment
from scapy.layers.l2 import ARP
from scapy.packet import Packet

from tests.system.support import HOST, PEER, Frame

RECEIVED, SENT = 1, 2
"""A frame's direction."""

ETHERNET_HEADER = 14
SEQUENCE_SPACE = 1 << 32
TSHARK_OPTIONS = tuple(
    word for name in ("ip", "tcp", "udp") for word in ("-o", f"{name}.check_checksum:TRUE")
)
_EXPERT_WARN = 0x600000
_HARMLESS = ("Running as user",)


def check_frames(frames: Iterable[Frame], *, mtu: int = 1500) -> None:
    """Each frame by itself: sizes, padding, and every checksum computed anew."""
    last_ns = -1
    for number, frame in enumerate(frames, 1):
        where = f"frame {number} of {frame.sender}, skb#{frame.key}"
        assert frame.ns >= last_ns, where
        last_ns = frame.ns
        assert 60 <= len(frame.data) <= ETHERNET_HEADER + mtu, where
        packet = frame.packet
        if IP in packet:
            check_ip(packet, where, mtu)
        else:
            assert ARP in packet, where
            assert not any(frame.data[ETHERNET_HEADER + 28 :]), f"{where}: padding"


def check_ip(packet: Packet, where: str, mtu: int) -> None:
    """Length, padding and checksums of one IP packet."""
    ip = packet[IP]
    assert ip.len <= mtu, where
    wire = bytes(packet)
    assert ETHERNET_HEADER + ip.len <= len(wire), where
    assert len(wire) == max(60, ETHERNET_HEADER + ip.len), where
    assert not any(wire[ETHERNET_HEADER + ip.len :]), f"{where}: padding"
    again = ip.copy()
    del again.chksum
    fragment = bool(ip.frag or ip.flags.MF)
    protocol = None if fragment else next((p for p in (TCP, UDP) if p in again), None)
    if protocol is not None:
        del again[protocol].chksum
    again = IP(bytes(again))
    assert ip.chksum == again.chksum, f"{where}: IP checksum"
    if protocol is not None:
        assert ip[protocol].chksum == again[protocol].chksum, f"{where}: {protocol.__name__}"


def data_segments(frames: Iterable[Frame], sender: str, port: int) -> list[tuple[int, bytes]]:
    """(place in the stream, payload) of each segment of `sender` that carries data, in the order of
    the wire. `port` is one end of the connection, and no other connection may have it.
    """
    segments = _segments(frames, sender, port)
    start = _first_byte(segments)
    placed = [((ip[TCP].seq - start) % SEQUENCE_SPACE, _data(ip)) for ip in segments]
    return [(at, data) for at, data in placed if data]


def tcp_stream(frames: Iterable[Frame], sender: str, port: int) -> bytes:
    """The bytes that `sender` sent on a connection: no gap, nothing twice, a SYN before the first
    byte and a FIN right behind the last.
    """
    frames = list(frames)
    segments = _segments(frames, sender, port)
    stream = b""
    for at, data in data_segments(frames, sender, port):
        assert at == len(stream), f"{len(stream)} bytes are there, the next segment is at {at}"
        stream += data
    behind = (_first_byte(segments) + len(stream)) % SEQUENCE_SPACE
    ends = [(ip[TCP].seq + len(_data(ip))) % SEQUENCE_SPACE for ip in segments if ip[TCP].flags.F]
    assert ends == [behind], "no FIN behind the last byte"
    return stream


def _segments(frames: Iterable[Frame], sender: str, port: int) -> list[Packet]:
    """The IP packets of one direction of a connection."""
    packets = [frame.packet for frame in frames if frame.sender == sender]
    return [p[IP] for p in packets if TCP in p and port in (p[TCP].sport, p[TCP].dport)]


def _first_byte(segments: list[Packet]) -> int:
    """The sequence number behind the SYN."""
    [start] = [ip[TCP].seq for ip in segments if ip[TCP].flags.S]
    return int(start) + 1


def _data(ip: Packet) -> bytes:
    """A segment's payload, without the padding of a short frame."""
    return bytes(ip[TCP].payload)[: ip.len - ip.ihl * 4 - ip[TCP].dataofs * 4]


def udp_datagrams(frames: Iterable[Frame], sender: str) -> list[tuple[int, bytes]]:
    """(destination port, payload) of each datagram of `sender` in the order of the wire, put
    together by scapy and its checksum computed anew.
    """
    packets = [frame.packet for frame in frames if frame.sender == sender]
    packets = [packet for packet in packets if is_udp(packet)]
    order = list(dict.fromkeys(packet[IP].id for packet in packets))
    whole = {packet[IP].id: IP(bytes(packet[IP])) for packet in defragment(packets)}
    assert set(whole) == set(order), "a fragment is missing"
    datagrams = []
    for ip in (whole[ident] for ident in order):
        again = ip.copy()
        del again[UDP].chksum
        assert ip[UDP].chksum == IP(bytes(again))[UDP].chksum, "UDP checksum"
        assert len(ip[UDP]) >= ip[UDP].len
        datagrams.append((ip[UDP].dport, bytes(ip[UDP].payload)[: ip[UDP].len - 8]))
    return datagrams


def is_udp(packet: Packet) -> bool:
    """Whether it is part of a datagram; only the first fragment has a UDP header to see."""
    return IP in packet and packet[IP].proto == 17


def check_addresses(frames: Iterable[Frame]) -> None:
    """Host and peer say who they are in each IP packet."""
    for frame in frames:
        packet = frame.packet
        if IP in packet:
            ends = (HOST, PEER) if frame.sender == "host" else (PEER, HOST)
            assert (packet[IP].src, packet[IP].dst) == ends


def tshark(capture: Path, *args: str) -> str:
    """What tshark prints of a capture; AssertionError when it has something to complain about."""
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    done = subprocess.run(
        ["tshark", "-r", str(capture), *TSHARK_OPTIONS, *args],
        capture_output=True,
        text=True,
        check=False,
    )
    noise = [line for line in done.stderr.splitlines() if not line.startswith(_HARMLESS)]
    assert done.returncode == 0, done.stderr
    assert noise == []
    return done.stdout


def check_with_tshark(capture: Path) -> None:
    """tshark finds nothing malformed, no bad checksum, no hole, in any frame."""
    severe = f"_ws.malformed or _ws.expert.severity >= {_EXPERT_WARN}"
    found = tshark(capture, "-Y", severe, "-T", "fields", "-e", "frame.number", "-e",
                   "_ws.expert.message")  # fmt: skip
    assert found == ""
