"""Received frames: random ones of every kind, and what the card has to say of them.

Frames are scapy's, or bytes at random; checksums are judged by scapy, the flow hash bit by bit as
Microsoft describes it, everything else by arithmetic on the bytes.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption, in4_chksum
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    IPv6,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    in6_chksum,
)
from scapy.layers.l2 import ARP, LLC, Dot1Q, Dot3, Ether
from scapy.packet import Raw
from scapy.utils import checksum

from tests.hdl.bench import Item

__all__ = [
    "BROADCAST",
    "MAC",
    "Config",
    "Datagram",
    "Verdict",
    "datagram",
    "fate",
    "judge",
    "mac_words",
    "network_words",
    "random_frame",
    "split",
    "toeplitz",
]

BROADCAST = b"\xff" * 6
MAC = bytes.fromhex("020000000001")
TAG = b"\x81\x00"
TCP_PROTO, UDP_PROTO = 6, 17


# --- settings -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Config:
    """What the registers say; the defaults let everything through and do nothing to it."""

    enable: bool = True
    mac: bytes = MAC
    promisc: bool = False
    allmulti: bool = True
    broadcast: bool = True
    mc_hash: int = 0
    vlan_strip: bool = False
    rss: bool = True
    rss_key: bytes = bytes(range(1, 41))
    rss_table: Sequence[int] = field(default_factory=lambda: [0] * 128)

    @classmethod
    def random(cls, rng: random.Random, queues: int = 8) -> Config:
        """Any settings with receive on."""
        return cls(
            promisc=rng.random() < 0.3,
            allmulti=rng.random() < 0.3,
            broadcast=rng.random() < 0.7,
            mc_hash=rng.getrandbits(64),
            vlan_strip=rng.random() < 0.5,
            rss=rng.random() < 0.8,
            rss_key=rng.randbytes(40),
            rss_table=[rng.randrange(queues) for _ in range(128)],
        )

    def drive(self, dut: Any) -> None:
        """Set the module's inputs, those that it has."""
        for name in ("enable", "promisc", "allmulti", "broadcast", "mc_hash", "vlan_strip", "rss"):
            if hasattr(dut, f"cfg_{name}"):
                getattr(dut, f"cfg_{name}").value = int(getattr(self, name))
        if hasattr(dut, "cfg_mac"):
            dut.cfg_mac.value = int.from_bytes(self.mac, "little")
        if hasattr(dut, "cfg_rss_key"):
            dut.cfg_rss_key.value = int.from_bytes(self.rss_key, "little")
            width = len(dut.cfg_rss_table) // 128
            dut.cfg_rss_table.value = sum(q << width * i for i, q in enumerate(self.rss_table))


# --- words --------------------------------------------------------------------------------------


def mac_words(frame: bytes, rng: random.Random, **last: int) -> list[Item]:
    """A frame as words of the MAC, noise behind its end; `last` are fields of the last word."""
    words: list[Item] = []
    for pos in range(0, len(frame), 8):
        part = frame[pos : pos + 8]
        noise = part + rng.randbytes(8 - len(part))
        word = {"data": int.from_bytes(noise, "little"), "count": len(part), "last": 0}
        words.append(word | dict.fromkeys(last, 0))
    words[-1] |= {"last": 1, **last}
    return words


def network_words(data: bytes, rng: random.Random, **all_: int) -> list[Item]:
    """What lies behind the Ethernet header as words in network order; an empty one may end it."""
    size = max(1, -(-len(data) // 8))
    if data and rng.random() < 0.5:
        size += 1
    words: list[Item] = []
    for index in range(size):
        part = data[8 * index : 8 * index + 8]
        noise = part + rng.randbytes(8 - len(part))
        words.append(
            {
                "data": int.from_bytes(noise, "big"),
                "count": len(part),
                "first": int(index == 0),
                "last": int(index == size - 1),
                **all_,
            }
        )
    return words


# --- what is right ------------------------------------------------------------------------------


def toeplitz(key: bytes, data: bytes) -> int:
    """The hash bit by bit: where the input has a 1, the 32 bits of the key from there on."""
    bits = int.from_bytes(key, "big")
    result = 0
    for place in range(8 * len(data)):
        if data[place // 8] >> (7 - place % 8) & 1:
            result ^= bits >> (8 * len(key) - 32 - place) & 0xFFFFFFFF
    return result


def split(frame: bytes) -> tuple[int, int, int | None]:
    """Where the network header begins, the type, the VLAN tag."""
    if frame[12:14] == TAG and len(frame) >= 18:
        return 18, int.from_bytes(frame[16:18], "big"), int.from_bytes(frame[14:16], "big")
    return 14, int.from_bytes(frame[12:14], "big"), None


def fate(frame: bytes, good: bool, config: Config) -> str:
    """kept, or why not: "bad", "off", "filtered", "length"."""
    if not good:
        return "bad"
    if not config.enable:
        return "off"
    if len(frame) < 14 or frame[12:14] == b"\x88\x08":
        return "filtered"
    dest = frame[:6]
    if dest == BROADCAST:
        wanted = config.broadcast
    elif dest[0] & 1:
        wanted = config.allmulti or bool(
            config.mc_hash >> ((zlib.crc32(dest) ^ 0xFFFFFFFF) >> 26) & 1
        )
    else:
        wanted = dest == config.mac
    if not wanted and not config.promisc:
        return "filtered"
    l3, kind, _ = split(frame)
    return "length" if kind <= 1500 and kind > len(frame) - l3 else "kept"


@dataclass
class Verdict:
    """What a completion has to say, `error` beside it, and the frame as the host gets it."""

    frame: bytes = b""
    queue: int = 0
    csum: int = 0
    hash: int = 0
    hash_type: int = 0
    vlan: int = 0
    vlan_tci: int = 0
    ip_ok: int = 0
    csum_ok: int = 0
    error: int = 0  # the checksum is judged and wrong


@dataclass
class Datagram:
    """A whole IP datagram."""

    v4: bool
    proto: int
    src: bytes
    dst: bytes
    l4: bytes
    fragment: bool = False
    header_ok: bool = False

    @property
    def whole_l4(self) -> bool:
        need = {TCP_PROTO: 20, UDP_PROTO: 8}.get(self.proto)
        return need is not None and not self.fragment and len(self.l4) >= need

    @property
    def judged(self) -> bool:
        if not self.whole_l4 or self.proto == TCP_PROTO:
            return self.whole_l4
        return int.from_bytes(self.l4[4:6], "big") == len(self.l4) and self.l4[6:8] != b"\0\0"

    def sum_is_right(self) -> bool:
        if self.v4:
            head = IP(src=dotted(self.src), dst=dotted(self.dst), ihl=5, len=20 + len(self.l4))
            return in4_chksum(self.proto, head, self.l4) == 0
        head6 = IPv6(src=coloned(self.src), dst=coloned(self.dst))
        return in6_chksum(self.proto, head6, self.l4) == 0


def dotted(raw: bytes) -> str:
    return ".".join(str(b) for b in raw)


def coloned(raw: bytes) -> str:
    return ":".join(raw[i : i + 2].hex() for i in range(0, 16, 2))


def datagram(kind: int, data: bytes) -> Datagram | None:
    """The datagram in `data`, if it is whole and its length fields fit."""
    if kind == 0x0800 and len(data) >= 20 and data[0] >> 4 == 4:
        header, total = (data[0] & 15) * 4, int.from_bytes(data[2:4], "big")
        if not 20 <= header <= total <= len(data):
            return None
        return Datagram(
            v4=True,
            proto=data[9],
            src=data[12:16],
            dst=data[16:20],
            l4=data[header:total],
            fragment=int.from_bytes(data[6:8], "big") & 0x3FFF != 0,
            header_ok=checksum(data[:header]) == 0,
        )
    if kind == 0x86DD and len(data) >= 40 and data[0] >> 4 == 6:
        stop = 40 + int.from_bytes(data[4:6], "big")
        if stop > len(data):
            return None
        return Datagram(v4=False, proto=data[6], src=data[8:24], dst=data[24:40], l4=data[40:stop])
    return None


def judge(frame: bytes, config: Config) -> Verdict:
    """What the card has to say of a kept frame."""
    l3, kind, tci = split(frame)
    verdict = Verdict(frame=frame)
    if config.vlan_strip and tci is not None:
        verdict.frame = frame[:12] + frame[16:]
        verdict.vlan, verdict.vlan_tci = 1, tci
    verdict.csum = checksum(verdict.frame[14:]) ^ 0xFFFF
    packet = datagram(kind, frame[l3:])
    if packet is None:
        return verdict
    verdict.ip_ok = int(packet.v4 and packet.header_ok)
    if packet.judged:
        verdict.csum_ok = int(packet.sum_is_right())
        verdict.error = 1 - verdict.csum_ok
    if config.rss:
        ports = packet.l4[:4] if packet.whole_l4 else b""
        verdict.hash = toeplitz(config.rss_key, packet.src + packet.dst + ports)
        verdict.hash_type = (1 if packet.v4 else 3) + bool(ports)
        verdict.queue = config.rss_table[verdict.hash & 127]
    return verdict


# --- frames -------------------------------------------------------------------------------------


def random_frame(rng: random.Random, *, longest: int = 300) -> bytes:
    """A frame of some kind, perhaps spoilt, perhaps cut off; at least 14 bytes."""
    frame = bytearray(rng.choice(MAKERS)(rng, rng.randrange(longest)))
    if rng.random() < 0.25:
        frame[rng.randrange(12, len(frame))] ^= 1 << rng.randrange(8)
    if rng.random() < 0.15:
        frame = frame[: rng.randrange(14, min(len(frame), 100) + 1)]
    if rng.random() < 0.8:
        frame += rng.randbytes(max(0, rng.choice([60, 60, 61, 64, 71]) - len(frame)))
    return bytes(frame)


def destination(rng: random.Random) -> bytes:
    other = bytes([MAC[0]]) + rng.randbytes(5)
    group = b"\x01\x00\x5e" + rng.randbytes(3)
    return rng.choice([MAC, MAC, MAC, MAC, BROADCAST, group, other])


def ether(rng: random.Random, kind: int) -> Any:
    """An Ethernet header, one tag, or two."""
    head = Ether(dst=destination(rng).hex(":"), src="02:00:00:00:00:02", type=kind)
    if rng.random() < 0.35:
        tag = {"vlan": rng.randrange(4096), "prio": rng.randrange(8)}
        head.type = 0x8100
        head = head / Dot1Q(**tag, type=kind)
        if rng.random() < 0.1:
            head[Dot1Q].type = 0x8100
            head = head / Dot1Q(**tag, type=kind)
    return head


def payload(rng: random.Random, size: int) -> Any:
    """TCP, UDP with and without checksum, ICMP, or something else, and the right protocol."""
    ports = {"sport": rng.getrandbits(16), "dport": rng.getrandbits(16)}
    data = Raw(rng.randbytes(size))
    return rng.choice(
        [
            TCP(**ports, seq=rng.getrandbits(32), flags=rng.getrandbits(8)) / data,
            TCP(**ports, options=[("MSS", 1460), ("NOP", None), ("NOP", None)]) / data,
            UDP(**ports) / data,
            UDP(**ports, chksum=0) / data,
            UDP(**ports, chksum=rng.getrandbits(16)) / data,
            UDP(**ports, len=rng.choice([8, size, size + 8, size + 9, 0])) / data,
            ICMP() / data,
            data,
        ]
    )


def ipv4(rng: random.Random, size: int) -> bytes:
    fields: dict[str, Any] = {}
    if rng.random() < 0.3:
        fields["options"] = [IPOption(b"\x01" * 4 * rng.randrange(1, 11))]
    if rng.random() < 0.15:
        fields |= {"flags": rng.randrange(8), "frag": rng.choice([0, 1, 185, 8191])}
    if rng.random() < 0.1:
        fields["len"] = rng.choice([0, 19, 20, 28, size, size + 21, size + 41, 65535])
    if rng.random() < 0.05:
        fields["ihl"] = rng.randrange(16)
    if rng.random() < 0.05:
        fields["version"] = rng.randrange(16)
    addresses = {"src": dotted(rng.randbytes(4)), "dst": dotted(rng.randbytes(4))}
    if rng.random() < 0.05:
        fields["proto"] = rng.choice([TCP_PROTO, UDP_PROTO])
    return bytes(ether(rng, 0x0800) / IP(**addresses, **fields) / payload(rng, size))


def ipv6(rng: random.Random, size: int) -> bytes:
    fields: dict[str, Any] = {}
    if rng.random() < 0.1:
        fields["plen"] = rng.choice([0, 1, 7, 8, 19, 20, size, size + 9, size + 21, 65535])
    addresses = {"src": coloned(rng.randbytes(16)), "dst": coloned(rng.randbytes(16))}
    head = ether(rng, 0x86DD) / IPv6(**addresses, tc=rng.getrandbits(8), **fields)
    if rng.random() < 0.1:
        head = head / rng.choice([IPv6ExtHdrFragment(offset=0, m=1), IPv6ExtHdrHopByHop()])
    if rng.random() < 0.1:
        return bytes(head / ICMPv6EchoRequest(data=rng.randbytes(size)))
    return bytes(head / payload(rng, size))


def arp(rng: random.Random, size: int) -> bytes:
    return bytes(ether(rng, 0x0806) / ARP(op=rng.choice([1, 2]), psrc=dotted(rng.randbytes(4))))


def llc(rng: random.Random, size: int) -> bytes:
    """802.3, with a length that is right, less, or more."""
    length = rng.choice([size + 3, size + 3, size, 0, size + 4, 46, 47, 1500, 1501, 1535, 1536])
    dest = destination(rng).hex(":")
    return bytes(Dot3(dst=dest, src="02:00:00:00:00:02", len=length) / LLC() / rng.randbytes(size))


def garbage(rng: random.Random, size: int) -> bytes:
    kinds = [b"\x08\x00\x45", b"\x08\x00", b"\x86\xdd\x60", b"\x86\xdd", TAG, b"\x88\x08", b""]
    start = destination(rng) + rng.randbytes(6) + rng.choice(kinds)
    return start + rng.randbytes(max(size, 4))


MAKERS: list[Callable[[random.Random, int], bytes]] = [
    ipv4, ipv4, ipv4, ipv4, ipv6, ipv6, ipv6, arp, llc, garbage,
]  # fmt: skip
