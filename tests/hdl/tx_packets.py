"""Packets for the transmit data path: their segments in memory, the frames they are to become.

The judge of super-packets is scapy: it builds each frame from the headers anew, with all lengths
and checksums. Sums over arbitrary bytes are RFC 1071's, in plain Python.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrHopByHop
from scapy.packet import Packet as ScapyPacket

from pyhost.drivers.net.hnic import hnic_regs as r
from tests.hdl.bench import Item

__all__ = ["FLUSHED", "Buffers", "Super", "TxPacket", "plain", "rfc1071", "super_packet", "tagged"]

FLUSHED = 0xFF
BEAT = 64  # no two segments share a bus word of any width


@dataclass(slots=True)
class TxPacket:
    """One judged packet: what the rings give, and what is to come of it."""

    segs: list[tuple[int, int]]
    sop: int
    frames: list[bytes]
    spans: list[tuple[int, int]]
    """Bytes of memory, counted over all segments, that each frame is made of."""
    cookie: int = 0
    queue: int = 0
    index: int = 0
    status: int = r.STATUS_OK
    enter_status: int = r.STATUS_OK
    enter_index: int | None = None

    @property
    def next(self) -> int:
        return self.index + len(self.segs) & 0xFFFF

    def items(self) -> list[Item]:
        """The segments as `seg_` items; a fault ends the packet with an empty one."""
        out = []
        for i, (addr, size) in enumerate(self.segs):
            last = i == len(self.segs) - 1
            out.append(
                {
                    "queue": self.queue,
                    "addr": addr,
                    "len": 0 if last and self.status else size,
                    "index": self.index + i & 0xFFFF,
                    "first": int(i == 0),
                    "last": int(last),
                    "sop": self.sop | self.cookie << r.TXD_COOKIE_LSB,
                    "status": self.status if last else 0,
                    "next": self.next,
                }
            )
        return out

    def fault(self, status: int) -> None:
        """The last segment is at fault: what was read before it may leave only as whole frames."""
        self.status = self.enter_status = status
        self.enter_index = self.index + len(self.segs) - 1 & 0xFFFF
        read = sum(size for _, size in self.segs[:-1])
        self.frames = [
            frame
            for frame, (_, end) in zip(self.frames, self.spans, strict=True)
            if end <= read and end != self.spans[-1][1]
        ]

    def poison(self, number: int, offset: int, lanes: int) -> int:
        """The read of a byte of a segment fails; returns the address of the bad beat."""
        addr, size = self.segs[number]
        beat = (addr + offset) // lanes * lanes
        before = sum(size for _, size in self.segs[:number])
        first = before + max(beat, addr) - addr
        last = before + min(beat + lanes, addr + size) - addr
        self.frames = self.frames[
            : next(i for i, (begin, end) in enumerate(self.spans) if begin < last and end > first)
        ]
        self.enter_status, self.enter_index = r.STATUS_DMA_ERR, self.index + number & 0xFFFF
        return beat


@dataclass(slots=True)
class Buffers:
    """Memory in which segments are placed, one behind the other with room between them."""

    image: bytearray
    rng: random.Random
    place: int = 0
    used: list[tuple[int, int]] = field(default_factory=list)

    def put(self, data: bytes, sizes: Sequence[int], align: int = 1) -> list[tuple[int, int]]:
        """`data` in segments of the given sizes and one more for the rest."""
        segs, at = [], 0
        for size in [*sizes, len(data)]:
            size = min(size, len(data) - at)
            if not size:
                break
            self.place = -(-self.place // BEAT) * BEAT
            self.place += self.rng.randrange(0, BEAT, align) if align < BEAT else 0
            if self.place + size + BEAT > len(self.image):
                self.place = 0
            self.image[self.place : self.place + size] = data[at : at + size]
            segs.append((self.place, size))
            at += size
            self.place += size
        self.used += segs
        return segs


def rfc1071(data: bytes) -> int:
    """The complemented sum, first byte in bits 15:8."""
    data += b"\0" * (len(data) & 1)
    total = sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def descriptor(**fields: int) -> int:
    """A first descriptor by the generated places."""
    return sum(value << getattr(r, f"TXD_{name.upper()}_LSB") for name, value in fields.items())


def tagged(frame: bytes, tci: int) -> bytes:
    return frame[:12] + b"\x81\0" + tci.to_bytes(2, "big") + frame[12:]


def borders(rng: random.Random, length: int, most: int) -> list[int]:
    """Sizes of segments, many of them odd."""
    return [
        rng.choice([1, 2, 11, 12, 13, 64, rng.randrange(1, length + 1)])
        for _ in range(rng.randrange(most))
    ]


def plain(rng: random.Random, buffers: Buffers, length: int, most: int = 6) -> TxPacket:
    """A frame of random bytes with some of: checksum, IPv4 header checksum, VLAN tag."""
    data = bytearray(rng.randbytes(length))
    csum, ipcsum, vlan = (rng.random() < 0.5 for _ in range(3))
    l3, header, start, offset, tci = 0, 0, 0, 0, rng.randrange(1 << 16)
    ipcsum = ipcsum and length >= 90
    if ipcsum:
        l3, ihl = rng.choice([12, 13, 14, 18, 25]), rng.randrange(5, 16)
        data[l3] = 0x40 | ihl
        header = 4 * ihl
    csum = csum and length >= l3 + header + 4
    if csum:
        start = rng.randrange(l3 + header, length - 1)
        offset = rng.randrange(length - 1 - start)
    wire = bytes(data)
    if ipcsum:
        blank = wire[: l3 + 10] + bytes(2) + wire[l3 + 12 :]
        wire = put(blank, l3 + 10, rfc1071(blank[l3 : l3 + header]))
    shift = 4 if vlan and length > 12 else 0
    if csum and not (shift and start < 12):  # a sum over a tag is nobody's wish
        wire = put(wire, start + offset, rfc1071(wire[start:]) or 0xFFFF)
    else:
        csum = False
    if shift:
        wire = tagged(wire, tci)
    sop = descriptor(
        csum=csum,
        vlan=vlan,
        ipcsum=ipcsum,
        ipv4=ipcsum,
        csum_start=start,
        csum_offset=offset,
        l3_start=l3,
        vlan_tci=tci,
        mss=rng.randrange(1 << 16),
        hdr_len=rng.randrange(1 << 16),
    )
    return TxPacket(
        buffers.put(bytes(data), borders(rng, length, most)), sop, [wire], [(0, length)]
    )


def put(frame: bytes, place: int, value: int) -> bytes:
    return frame[:place] + value.to_bytes(2, "big") + frame[place + 2 :]


@dataclass(slots=True)
class Super:
    """What a super-packet is like."""

    mss: int
    payload: int
    ipv6: bool = False
    vlan: bool = False
    prefix: int = 14
    ip_options: int = 0
    tcp_options: int = 0
    flags: str = "A"


def headers(rng: random.Random, shape: Super) -> Any:
    options: list[Any] = [("NOP", None)] * shape.tcp_options
    tcp = TCP(
        sport=rng.randrange(1 << 16),
        dport=rng.randrange(1 << 16),
        seq=rng.choice([rng.randrange(1 << 32), 0xFFFFFF00]),
        ack=rng.randrange(1 << 32),
        flags=shape.flags,
        window=rng.randrange(1 << 16),
        options=options,
    )
    if shape.ipv6:
        ip: Any = IPv6(src="2001:db8::1", dst="2001:db8::2:3", tc=3, fl=0x12345)
        if shape.ip_options:
            ip /= IPv6ExtHdrHopByHop()
        return ip / tcp
    ident = rng.choice([rng.randrange(1 << 16), 0xFFFE])
    more = [b"\x01"] * shape.ip_options
    return IP(src="10.1.2.3", dst="192.168.4.5", id=ident, ttl=61, tos=2, options=more) / tcp


def with_pseudo_sum(head: bytes, l4: int, pseudo: bytes) -> bytes:
    """CHECKSUM_PARTIAL of a super-packet: the pseudo header's sum, without the length."""
    return put(head, l4 + 16, ~rfc1071(pseudo) & 0xFFFF)


def super_packet(
    rng: random.Random, buffers: Buffers, shape: Super, sizes: Sequence[int] | None = None
) -> TxPacket:
    """A super-packet and its frames as scapy builds them."""
    prefix, payload = rng.randbytes(shape.prefix), rng.randbytes(shape.payload)
    packet = headers(rng, shape)
    network = bytes(packet)
    inner = len(network) - 20 - shape.tcp_options
    if shape.ipv6:
        pseudo = network[8:40] + (6).to_bytes(4, "big")
    else:
        pseudo = network[12:20] + (6).to_bytes(4, "big")
    head = with_pseudo_sum(prefix + network, shape.prefix + inner, pseudo)
    junk = rng.randbytes(2)  # length fields of a super-packet mean nothing
    place = shape.prefix + (4 if shape.ipv6 else 2)
    head = head[:place] + junk + head[place + 2 :]
    frames, spans, at, tci = [], [], 0, rng.randrange(1 << 16)
    for number, begin in enumerate(range(0, shape.payload, shape.mss)):
        part = payload[begin : begin + shape.mss]
        final = begin + shape.mss >= shape.payload
        frame = prefix + bytes(segment(packet, number, shape, part, final))
        field = shape.prefix + inner + 16
        if not any(frame[field : field + 2]):  # as Linux does; both mean the same
            frame = put(frame, field, 0xFFFF)
        frames.append(tagged(frame, tci) if shape.vlan else frame)
        spans.append((at, len(head) + begin + len(part)))
        at = spans[-1][1]
    sop = descriptor(
        csum=1,
        tso=1,
        vlan=shape.vlan,
        ipv4=not shape.ipv6,
        ipcsum=rng.randrange(2) if not shape.ipv6 else 0,
        csum_start=shape.prefix + inner,
        csum_offset=16,
        l3_start=shape.prefix,
        vlan_tci=tci,
        mss=shape.mss,
        hdr_len=len(head),
    )
    data = head + payload
    if sizes is None:
        sizes = borders(rng, len(data), 6)
    return TxPacket(buffers.put(data, sizes), sop, frames, spans)


def segment(packet: Any, number: int, shape: Super, payload: bytes, final: bool) -> ScapyPacket:
    """The frame of that number, behind its link header."""
    copy = packet.copy()
    tcp = copy[TCP]
    tcp.seq = tcp.seq + number * shape.mss & 0xFFFFFFFF
    flags = set(shape.flags)
    if not final:
        flags -= set("FP")
    if number:
        flags -= set("C")
    tcp.flags = "".join(sorted(flags))
    if not shape.ipv6:
        copy[IP].id = copy[IP].id + number & 0xFFFF
    built: ScapyPacket = copy / payload
    return built
