"""Packets on the wire, as the script sees them: built from what it says, read from what was sent.

`TcpSegment` has the fields that a script may speak of, in numbers of the live connection or, after
mapping by `pyhost.packetdrill.flow`, of the script. IPv4 in Ethernet frames; checksums are made
here when a frame is built, and judged when one is read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct

from pyhost.net.core.checksum import csum_bytes, csum_fold, csum_tcpudp_nofold, ip_compute_csum
from pyhost.packetdrill import ast
from pyhost.packetdrill.errors import ScriptFailure
from pyhost.packetdrill.tcp_options import options_bytes, options_text
from pyhost.uapi.ethernet import ETH_HLEN, ETH_P_IP, EthHeader
from pyhost.uapi.icmp import ICMP_HDR, ICMP_HDR_LEN
from pyhost.uapi.ip import IP_HDR, IP_HDR_LEN, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP
from pyhost.uapi.tcp import TCP_HDR, TCP_HDR_LEN

__all__ = [
    "ECN_BITS", "TCP_FLAG_LETTERS", "Endpoints", "IcmpMessage", "TcpSegment", "UdpDatagram",
    "ethernet", "flag_bits", "ip_header", "parse_frame", "segment_of_script",
]  # fmt: skip

ECN_BITS = {"noecn": 0, "ect1": 1, "ect0": 2, "ce": 3}
"""The ECN field by name (RFC 3168 section 5)."""

_INBOUND_TTL = 255

_OPTIONS_MAX = 40
"""What the data offset can say beyond the fixed header (RFC 9293 section 3.1)."""

TCP_FLAG_LETTERS = {
    "F": 0x001,
    "S": 0x002,
    "R": 0x004,
    "P": 0x008,
    ".": 0x010,
    "U": 0x020,
    "E": 0x040,
    "W": 0x080,
    "A": 0x100,
}
_PRINT_ORDER = "SFRPEWAU."

_UDP_HDR = Struct("!HHHH")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a packet comes from and where it goes: addresses and ports in host order."""

    saddr: int
    sport: int
    daddr: int
    dport: int

    def reversed(self) -> Endpoints:
        """The other direction."""
        return Endpoints(self.daddr, self.dport, self.saddr, self.sport)


@dataclass(slots=True)
class TcpSegment:
    """One segment, or several that were merged. `flags` has twelve bits, with AE and the reserved
    ones; `options` are the bytes of the header after its fixed part.
    """

    seq: int
    ack: int
    flags: int
    window: int
    urgent: int
    options: bytes
    payload: bytes
    tos: int = 0
    ttl: int = _INBOUND_TTL
    ends: Endpoints = field(default_factory=lambda: Endpoints(0, 0, 0, 0))
    time: int = 0
    faults: str = ""

    @property
    def doff(self) -> int:
        """The data offset, in words of 32 bits."""
        return (TCP_HDR_LEN + len(self.options)) // 4

    def has(self, letter: str) -> bool:
        """Whether the flag with that letter is set."""
        return bool(self.flags & TCP_FLAG_LETTERS[letter])

    def packet(self) -> bytes:
        """The IPv4 packet, with its checksums."""
        ends = self.ends
        length = TCP_HDR_LEN + len(self.options) + len(self.payload)
        ports = ends.sport << 16 | ends.dport
        words = self.doff << 12 | self.flags
        fixed = (ports, self.seq, self.ack, words, self.window)
        pseudo = csum_tcpudp_nofold(ends.saddr, ends.daddr, length, IPPROTO_TCP)
        tail = self.options + self.payload
        total = csum_bytes(TCP_HDR.pack(*fixed, 0, self.urgent) + tail, pseudo)
        header = TCP_HDR.pack(*fixed, csum_fold(total), self.urgent)
        return ip_header(ends, IPPROTO_TCP, length, self.tos, self.ttl) + header + tail

    def text(self, *, window: bool = True) -> str:
        """One line, in the script's own notation; `window` is left away where it is not said."""
        letters = "".join(c for c in _PRINT_ORDER if self.has(c)) or "-"
        size = len(self.payload)
        end = self.seq + size & 0xFFFFFFFF
        words = [letters, f"{self.seq}:{end}({size})"]
        if self.has("."):
            words.append(f"ack {self.ack}")
        if window:
            words.append(f"win {self.window}")
        if self.has("U"):
            words.append(f"urg {self.urgent}")
        if self.options:
            words.append(f"<{options_text(self.options)}>")
        return " ".join(words)


@dataclass(slots=True)
class UdpDatagram:
    """One datagram."""

    payload: bytes
    tos: int = 0
    ttl: int = _INBOUND_TTL
    ends: Endpoints = field(default_factory=lambda: Endpoints(0, 0, 0, 0))
    time: int = 0
    faults: str = ""

    def packet(self) -> bytes:
        """The IPv4 packet, with its checksums."""
        ends = self.ends
        length = _UDP_HDR.size + len(self.payload)
        pseudo = csum_tcpudp_nofold(ends.saddr, ends.daddr, length, IPPROTO_UDP)
        bare = _UDP_HDR.pack(ends.sport, ends.dport, length, 0)
        check = csum_fold(csum_bytes(bare + self.payload, pseudo)) or 0xFFFF
        header = _UDP_HDR.pack(ends.sport, ends.dport, length, check)
        return ip_header(ends, IPPROTO_UDP, length, self.tos, self.ttl) + header + self.payload

    def text(self) -> str:
        """One line, in the script's own notation."""
        return f"udp ({len(self.payload)})"


@dataclass(slots=True)
class IcmpMessage:
    """An ICMP message; `rest` is the word after the checksum, `body` what follows."""

    kind: int
    code: int
    rest: int = 0
    body: bytes = b""
    tos: int = 0
    ttl: int = _INBOUND_TTL
    ends: Endpoints = field(default_factory=lambda: Endpoints(0, 0, 0, 0))
    time: int = 0
    faults: str = ""

    def packet(self) -> bytes:
        """The IPv4 packet, with its checksums."""
        bare = ICMP_HDR.pack(self.kind, self.code, 0, self.rest) + self.body
        header = ICMP_HDR.pack(self.kind, self.code, ip_compute_csum(bare), self.rest)
        return (
            ip_header(self.ends, IPPROTO_ICMP, len(bare), self.tos, self.ttl) + header + self.body
        )

    def text(self) -> str:
        """One line."""
        return f"icmp type {self.kind} code {self.code}"


def ip_header(ends: Endpoints, protocol: int, length: int, tos: int, ttl: int) -> bytes:
    """An IPv4 header without options before `length` bytes."""
    total = IP_HDR_LEN + length
    words = (0x45, tos, total, 0, 0, ttl, protocol)
    check = ip_compute_csum(IP_HDR.pack(*words, 0, ends.saddr, ends.daddr))
    return IP_HDR.pack(*words, check, ends.saddr, ends.daddr)


def ethernet(packet: bytes, source: bytes, dest: bytes) -> bytes:
    """The frame around an IPv4 packet."""
    return EthHeader(dest, source, ETH_P_IP).emit() + packet


# -- reading ---------------------------------------------------------------------------------------


def parse_frame(frame: bytes) -> TcpSegment | UdpDatagram | IcmpMessage | None:
    """What a frame carries; None for anything but whole TCP, UDP and ICMP in IPv4.

    What is wrong with its checksums or lengths is noted in `faults`.
    """
    if len(frame) < ETH_HLEN + IP_HDR_LEN or EthHeader.parse(frame).type != ETH_P_IP:
        return None
    packet = frame[ETH_HLEN:]
    first, tos, total, _, frag, ttl, protocol, _, saddr, daddr = IP_HDR.unpack_from(packet)
    ihl = (first & 15) * 4
    if first >> 4 != 4 or frag & 0x3FFF or not ihl <= total <= len(packet):
        return None
    faults = "bad outbound IP checksum" if ip_compute_csum(packet[:ihl]) else ""
    body = packet[ihl:total]
    reader = _READERS.get(protocol)
    found = reader(body, saddr, daddr) if reader else None
    if found is None:
        return None
    found.tos, found.ttl = tos, ttl
    found.faults = faults or found.faults
    return found


def _read_tcp(body: bytes, saddr: int, daddr: int) -> TcpSegment | None:
    if len(body) < TCP_HDR_LEN:
        return None
    ports, seq, ack, words, window, _, urgent = TCP_HDR.unpack_from(body)
    size = words >> 12 << 2
    if not TCP_HDR_LEN <= size <= len(body):
        return None
    pseudo = csum_tcpudp_nofold(saddr, daddr, len(body), IPPROTO_TCP)
    bad = csum_fold(csum_bytes(body, pseudo))
    return TcpSegment(
        seq,
        ack,
        words & 0xFFF,
        window,
        urgent,
        body[TCP_HDR_LEN:size],
        body[size:],
        ends=Endpoints(saddr, ports >> 16, daddr, ports & 0xFFFF),
        faults="bad outbound TCP checksum" if bad else "",
    )


def _read_udp(body: bytes, saddr: int, daddr: int) -> UdpDatagram | None:
    if len(body) < _UDP_HDR.size:
        return None
    sport, dport, length, check = _UDP_HDR.unpack_from(body)
    pseudo = csum_tcpudp_nofold(saddr, daddr, length, IPPROTO_UDP)
    bad = check and csum_fold(csum_bytes(body, pseudo))
    return UdpDatagram(
        body[_UDP_HDR.size : length],
        ends=Endpoints(saddr, sport, daddr, dport),
        faults="bad outbound UDP checksum" if bad else "",
    )


def _read_icmp(body: bytes, saddr: int, daddr: int) -> IcmpMessage | None:
    if len(body) < ICMP_HDR_LEN:
        return None
    kind, code, _, rest = ICMP_HDR.unpack_from(body)
    return IcmpMessage(
        kind,
        code,
        rest,
        body[ICMP_HDR_LEN:],
        ends=Endpoints(saddr, 0, daddr, 0),
        faults="bad outbound ICMP checksum" if ip_compute_csum(body) else "",
    )


_READERS = {IPPROTO_TCP: _read_tcp, IPPROTO_UDP: _read_udp, IPPROTO_ICMP: _read_icmp}


# -- what the script says --------------------------------------------------------------------------


def segment_of_script(packet: ast.TcpPacket) -> TcpSegment:
    """The segment that the script writes down, in its own numbers."""
    flags, ace = flag_bits(packet.flags)
    options = options_bytes(packet.options or ())
    if len(options) > _OPTIONS_MAX:
        raise ScriptFailure(f"TCP option list too long: {len(options)} bytes")
    if len(options) % 4:
        raise ScriptFailure(
            "TCP options are not padded correctly to ensure TCP data offset is a multiple of 4 "
            f"bytes: {len(options) % 4} excess bytes"
        )
    tos = packet.ip.tos
    return TcpSegment(
        packet.seq.start,
        packet.ack,
        flags | (ace or 0) << 6,
        packet.window or 0,
        packet.urgent,
        options,
        bytes(packet.seq.length),
        tos=ECN_BITS.get(packet.ip.ecn or "", 0) if tos is None else tos,
        ttl=packet.ip.ttl or _INBOUND_TTL,
    )


def flag_bits(letters: str) -> tuple[int, int | None]:
    """The flag bits for `SEW`, `P.`, `-`, and the AccECN counter for a digit, None without one."""
    bits = 0
    ace = None
    for letter in letters.removeprefix("-"):
        if letter.isdigit():
            ace = int(letter)
        else:
            bits |= TCP_FLAG_LETTERS[letter]
    return bits, ace
