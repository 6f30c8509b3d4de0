"""Random frames from the wire: scapy makes them, then something happens to them."""

from __future__ import annotations

import random

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrHopByHop
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet, Raw

from tests.hdl.card import MAC

__all__ = ["random_frame"]

PAUSE = bytes.fromhex("0180c2000001 020000000002 8808 0001")
GROUPS = [bytes.fromhex("01005e0000") + bytes([i]) for i in range(8)] + [b"\xff" * 6]
MIN_FRAME = 60
MAX_FRAME = 9604


def random_frame(rng: random.Random, size: int, jumbo: int) -> bytes:
    """A frame with up to about `size` bytes of payload, now and then up to `jumbo`."""
    kind = rng.random()
    if kind < 0.03:
        opcode = rng.choice([b"", b"\x88\x08\0\2", b"\x88\x08\1\1"])
        frame = PAUSE[: -len(opcode) or None] + opcode + rng.choice([0, 1, 9]).to_bytes(2, "big")
        return rng.choice([frame, MAC + frame[6:], b"\2" * 6 + frame[6:]]).ljust(60, b"\0")
    if kind < 0.06:
        sizes = [MAX_FRAME, MAX_FRAME + 1, MAX_FRAME - 4, 2000] if jumbo >= MAX_FRAME else [jumbo]
        return MAC + rng.randbytes(rng.choice(sizes) - 6)
    if kind < 0.09:
        return MAC + rng.randbytes(rng.choice([2, 10, 40, 52, 53]))
    if kind < 0.15:
        return _length_field(rng)
    raw = bytearray(bytes(_layers(rng, rng.choice([0, 1, 2, 7, 30, rng.randrange(size)]))))
    for _ in range(rng.choice([0, 0, 0, 0, 1, 2])):
        raw[rng.randrange(12, min(len(raw), 90))] ^= 1 << rng.randrange(8)
    cut = rng.choice([0, 0, 0, 0, 1, 20])
    frame = bytes(raw[: len(raw) - cut])
    return frame.ljust(MIN_FRAME, rng.choice([b"\0", b"\0", b"x"])) + rng.choice([b"", b"", b"yz"])


def _dst(rng: random.Random) -> bytes:
    return rng.choice([MAC, MAC, MAC, MAC, rng.choice(GROUPS), b"\2" + rng.randbytes(5)])


def _length_field(rng: random.Random) -> bytes:
    """An 802.3 frame, whose length may be wrong."""
    payload = rng.randrange(60)
    claimed = payload + rng.choice([0, 0, 1, 40, 1500 - payload])
    tag = rng.choice([b"", b"\x81\0\0\5"])
    head = _dst(rng) + rng.randbytes(6) + tag + claimed.to_bytes(2, "big")
    return (head + rng.randbytes(payload)).ljust(60, b"\0")


def _layers(rng: random.Random, size: int) -> Packet:
    ether = Ether(src="02:00:00:00:00:02", dst=_dst(rng).hex(":"))
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2])):
        ether = ether / Dot1Q(vlan=rng.randrange(4096), prio=rng.randrange(8))
    if rng.random() < 0.06:
        return ether / ARP()
    if rng.random() < 0.6:
        net = IP(src=f"10.0.0.{rng.randrange(4)}", dst="10.0.0.2", ttl=rng.randrange(1, 256))
        net.options = rng.choice([[], [], [], [b"\x01" * 4], [b"\x01" * 40]])
        net.frag = rng.choice([0, 0, 0, 0, 7])
        net.flags = rng.choice(["", "DF", "DF", "MF"])
    else:
        net = IPv6(src=f"::{rng.randrange(1, 5)}", dst="::2")
        if rng.random() < 0.1:
            net = net / IPv6ExtHdrHopByHop()
    ports = {"sport": rng.randrange(65536), "dport": rng.choice([7, 80, rng.randrange(65536)])}
    l4 = rng.choice([TCP(**ports), TCP(**ports), UDP(**ports), UDP(**ports), ICMP()])
    if isinstance(l4, UDP) and rng.random() < 0.2:
        l4.chksum = 0
    if isinstance(l4, TCP):
        l4.options = rng.choice([[], [("Timestamp", (1, 2))]])
    return ether / net / l4 / Raw(rng.randbytes(size))
