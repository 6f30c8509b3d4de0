"""Frames made by scapy, put on a machine's wire."""

from __future__ import annotations

from scapy.layers.inet import IP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw

from tests.unit.net.support import Host, Pair

A_MAC = "02:00:00:00:00:01"
B_MAC = "02:00:00:00:00:02"


def to_b(packet: Packet) -> bytes:
    """A frame from host a to host b."""
    return bytes(Ether(src=A_MAC, dst=B_MAC) / packet)


def inject(pair: Pair, *frames: bytes) -> None:
    """Let frames arrive at `b`, and let time pass until nothing happens."""
    for frame in frames:
        pair.b.nic.inject(frame)
    pair.run()


def ip_sent(host: Host) -> list[Packet]:
    """The IP packets that a host has sent, without padding."""
    packets = [frame[IP] for frame in host.sent() if IP in frame and ARP not in frame]
    return [IP(bytes(packet)[: packet.len]) for packet in packets]


def pieces(payload: bytes, sizes: list[int], **fields: object) -> list[Packet]:
    """A UDP payload as IP fragments of the given sizes (multiples of 8 but for the last)."""
    out, at = [], 0
    for index, size in enumerate(sizes):
        more = "MF" if index < len(sizes) - 1 else 0
        header = IP(
            src="10.0.0.1", dst="10.0.0.2", proto=17, id=77, frag=at // 8, flags=more, **fields
        )
        out.append(header / Raw(payload[at : at + size]))
        at += size
    assert at == len(payload)
    return out
