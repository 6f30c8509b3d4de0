"""Random packets to send: what their descriptors say, and the bytes they lie in."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from pyhost.drivers.net.hnic import hnic_regs as r

__all__ = ["WRONG", "Packet", "Scale", "random_packet", "spoil"]

MAX_FRAME = 9600
MAX_SEGS = r.MAX_SEGS_SEGMENTS_RST
MOST_FRAMES = 60
RESERVED = (  # (quadword, lowest bit, bits)
    (1, 27, 5),
    (2, 56, 8),
    (3, 32, 32),
)
FIELDS = ("mss", "hdr_len", "l3_start", "csum_start", "csum_offset", "vlan_tci")
FLAGS = ("csum", "tso", "vlan", "ipv4", "ipcsum")


@dataclass(frozen=True, slots=True)
class Scale:
    """How large things get: bytes of a common packet, of a super-packet, of a jumbo frame."""

    common: int
    super_bytes: int
    jumbo: int
    packets: int
    frames: int


@dataclass(slots=True)
class Packet:
    """`fields` stand in the first descriptor, `cuts` are the lengths of the segments. `extra` is
    or'ed into a descriptor, `sop` and `eop` differ where they are wrong, `bad` are the segments
    that lie in memory that does not answer; `lens` are lengths that are claimed.
    """

    kind: str
    data: bytes
    fields: dict[str, int] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    extra: dict[int, int] = field(default_factory=dict)
    sop: dict[int, int] = field(default_factory=dict)
    eop: dict[int, int] = field(default_factory=dict)
    bad: dict[int, int] = field(default_factory=dict)
    lens: dict[int, int] = field(default_factory=dict)


def random_packet(rng: random.Random, scale: Scale) -> Packet:
    """A packet with nothing wrong, of any kind."""
    kind = rng.choice(["plain", "plain", "csum", "csum", "tso", "tso", "jumbo"])
    if kind == "tso":
        packet = _super_packet(rng, scale)
    else:
        size = rng.choice([rng.randrange(1, 80), rng.randrange(14, scale.common)])
        if kind == "jumbo":
            size = rng.choice([MAX_FRAME, rng.randrange(1500, scale.jumbo)])
            size = min(size, scale.jumbo)
        packet = Packet(kind, _headers(rng, size, rng.random() < 0.7, 14))
        if kind == "csum" or rng.random() < 0.3:
            _ask_sums(rng, packet)
    if rng.random() < 0.4:
        packet.fields |= {"vlan": 1, "vlan_tci": rng.randrange(1 << 16)}
    packet.cuts = _cut(rng, len(packet.data))
    return packet


def _headers(rng: random.Random, size: int, ipv4: bool, l3: int) -> bytes:
    """Bytes that look like IP at `l3`, header lengths included; the rest is noise."""
    data = bytearray(rng.randbytes(size))
    if l3 < size:
        ihl = rng.choice([5, 5, 5, 6, 11, 15])
        data[l3] = 0x40 | ihl if ipv4 else 0x60 | data[l3] & 15
    return bytes(data)


def _ask_sums(rng: random.Random, packet: Packet) -> None:
    size, fields = len(packet.data), packet.fields
    if size >= 3 and rng.random() < 0.9:
        place = rng.randrange(0, min(size - 1, 1200))
        start = rng.randrange(0, place + 1)
        if rng.random() < 0.5 and size >= 54:
            start = rng.choice([14, 34, 34])
            place = start + rng.choice([6, 16])
        fields |= {"csum": 1, "csum_start": start, "csum_offset": place - start}
        if rng.random() < 0.15 and size >= start + 2:
            packet.data = _without_sum(packet.data, start)
    if size >= 34 and rng.random() < 0.5:
        l3 = rng.choice([14, 14, rng.randrange(0, min(size - 20, 255) + 1)])
        data = bytearray(packet.data)
        data[l3] = 0x40 | rng.choice([5, 5, 5, 8, 15])
        if l3 + (data[l3] & 15) * 4 > size:
            data[l3] = 0x45
        packet.data = bytes(data)
        fields |= {"ipcsum": 1, "ipv4": 1, "l3_start": l3}


def _without_sum(data: bytes, start: int) -> bytes:
    """The same with other bytes at `start`, so that the checksum from there on is 0."""
    rest = data[start + 2 :]
    total = sum(rest[::2]) * 256 + sum(rest[1::2])
    return data[:start] + ((-total) % 0xFFFF).to_bytes(2, "big") + rest


def _super_packet(rng: random.Random, scale: Scale) -> Packet:
    ipv4 = rng.random() < 0.5
    l3 = rng.choice([14, 14, 18, rng.randrange(0, 60)])
    ip = 4 * rng.choice([5, 5, 6, 15]) if ipv4 else rng.choice([40, 40, 48, 60])
    l4 = l3 + ip
    tcp = rng.choice([20, 20, 32, 60, 21])
    hdr = min(l4 + tcp, 192)
    mss = rng.choice([rng.randrange(1, 40), rng.randrange(20, 700), 536, 1448, 1460])
    most = min(scale.super_bytes, 65536, mss * 24)
    if rng.random() < 0.7:
        most = min(most, 4000)
    if scale.jumbo >= MAX_FRAME and rng.random() < 0.1:
        mss, most = MAX_FRAME - hdr - rng.randrange(3), scale.super_bytes
    payload = rng.choice([rng.randrange(1, most + 1), mss * max(1, most // mss // 2), most])
    payload = max(1, min(payload, 65536))
    data = bytearray(rng.randbytes(hdr + payload))
    data[l3] = 0x40 | ip // 4 if ipv4 else 0x60 | data[l3] & 15
    fields = {
        "tso": 1, "csum": 1, "ipv4": int(ipv4), "l3_start": l3, "csum_start": l4,
        "csum_offset": 16, "hdr_len": hdr, "mss": mss,
    }  # fmt: skip
    if ipv4 and rng.random() < 0.3:
        fields["ipcsum"] = 1
    return Packet("tso", bytes(data), fields)


def _cut(rng: random.Random, size: int) -> list[int]:
    """Lengths of 1 to 32 segments."""
    count = min(size, rng.choice([1, 1, 2, 2, 3, 5, 17, 31, 32]))
    edges = sorted(rng.sample(range(1, size), count - 1)) if count > 1 else []
    if count > 1 and rng.random() < 0.4:
        edges = edges[: rng.randrange(1, count)]
    return [b - a for a, b in zip([0, *edges], [*edges, size], strict=True)]


# -- wrong ones ------------------------------------------------------------------------------------


def _no_sop(rng: random.Random, packet: Packet) -> None:
    packet.sop[0] = 0


def _sop_twice(rng: random.Random, packet: Packet) -> None:
    packet.sop[rng.randrange(len(packet.cuts))] = 1
    packet.sop[0] = rng.randrange(2)
    packet.eop[len(packet.cuts) - 1] = 0  # the next one begins inside


def _no_eop(rng: random.Random, packet: Packet) -> None:
    packet.eop[len(packet.cuts) - 1] = 0


def _no_length(rng: random.Random, packet: Packet) -> None:
    packet.lens[rng.randrange(len(packet.cuts))] = 0


def _long_segment(rng: random.Random, packet: Packet) -> None:
    packet.lens[rng.randrange(len(packet.cuts))] = rng.choice([65537, 65536, 0xFFFFF, 0x18000])


def _long_frame(rng: random.Random, packet: Packet) -> None:
    over = rng.choice([1, 1, 2, 5000])
    where = rng.randrange(len(packet.cuts))
    rest = len(packet.data) - packet.cuts[where]
    packet.lens[where] = max(1, MAX_FRAME + over - rest)


def _many_segments(rng: random.Random, packet: Packet) -> None:
    packet.data = rng.randbytes(MAX_SEGS + rng.randrange(1, 4))
    packet.cuts = [1] * len(packet.data)
    packet.fields = {}


def _reserved(rng: random.Random, packet: Packet) -> None:
    word, lsb, width = rng.choice(RESERVED)
    which = rng.randrange(len(packet.cuts))
    packet.extra[which] = 1 << 64 * word + lsb + rng.randrange(width)


def _field(rng: random.Random, packet: Packet) -> None:
    name = rng.choice(FIELDS)
    value = rng.choice([0, 1, rng.randrange(1 << 8), rng.randrange(1 << 16)])
    packet.fields[name] = value & (1 << getattr(r, f"TXD_{name.upper()}_W")) - 1


def _near_field(rng: random.Random, packet: Packet) -> None:
    """A field that is wrong by little, or just not."""
    name = rng.choice(FIELDS)
    value = packet.fields.get(name, 0) + rng.choice([-2, -1, 1, 2])
    packet.fields[name] = max(value, 0) & (1 << getattr(r, f"TXD_{name.upper()}_W")) - 1


def _flag(rng: random.Random, packet: Packet) -> None:
    name = rng.choice(FLAGS)
    packet.fields[name] = 1 - packet.fields.get(name, 0)


def _sum_at_end(rng: random.Random, packet: Packet) -> None:
    """A checksum field at the end of the frame: inside, across or behind."""
    size = len(packet.data)
    place = max(0, size - rng.choice([3, 2, 1, 0]))
    start = rng.randrange(place + 1)
    packet.fields |= {"csum": 1, "csum_start": start, "csum_offset": place - start, "tso": 0}


def _header_at_end(rng: random.Random, packet: Packet) -> None:
    """An IPv4 header at the end of the frame, whole or not."""
    l3 = min(max(0, len(packet.data) - rng.choice([24, 21, 20, 19, 10])), 255)
    packet.fields |= {"ipcsum": 1, "ipv4": rng.choice([0, 1, 1]), "l3_start": l3, "tso": 0}


def _little_payload(rng: random.Random, packet: Packet) -> None:
    if packet.fields.get("tso"):
        packet.fields["hdr_len"] = min(len(packet.data) + rng.choice([-1, 0, 1]), 65535)
    else:
        _field(rng, packet)


def _bad_memory(rng: random.Random, packet: Packet) -> None:
    """A segment that does not answer, or not to its end."""
    which = rng.randrange(len(packet.cuts))
    packet.bad[which] = rng.choice([0, 1, packet.cuts[which] - 1, packet.cuts[which] // 2])


WRONG = (
    _no_sop, _sop_twice, _no_eop, _no_length, _long_segment, _long_frame, _many_segments,
    _reserved, _field, _near_field, _flag, _sum_at_end, _header_at_end, _little_payload,
    _bad_memory, _bad_memory, _bad_memory,
)  # fmt: skip


def spoil(rng: random.Random, packet: Packet) -> str:
    """Do something to a packet that is wrong in most cases; what it was."""
    how = rng.choice(WRONG)
    how(rng, packet)
    said = _words(how)
    if rng.random() < 0.15:  # two at once: the order in which the card looks
        more = rng.choice(WRONG[2:])
        more(rng, packet)
        said += f" and {_words(more)}"
    fields, total = packet.fields, sum(packet.cuts) + sum(packet.lens.values())
    if fields.get("tso") and 0 < fields.get("mss", 0) < total // MOST_FRAMES:
        fields["mss"] = total // MOST_FRAMES + 1
    return said


def _words(how: Callable[[random.Random, Packet], None]) -> str:
    return how.__name__.strip("_").replace("_", " ")
