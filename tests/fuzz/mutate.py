"""Frames that nobody should send: live ones with something wrong, and noise."""

from __future__ import annotations

import random
from collections.abc import Callable

__all__ = ["Mutator", "with_checksums"]

ETH_HLEN = 14
IP_PROTOCOLS = (1, 2, 4, 6, 6, 6, 17, 17, 50, 51, 132, 255)
ETHERTYPES = (0x0800, 0x0800, 0x0800, 0x0806, 0x86DD, 0x8100, 0x0000, 0x05DC)
INTERESTING = (0, 1, 0x7F, 0x80, 0xFE, 0xFF)
CHECKSUM_AT = {1: 2, 6: 16, 17: 6}
"""Where the checksum of ICMP, TCP and UDP lies in their headers."""


def _sum16(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def with_checksums(frame: bytes) -> bytes:
    """The frame with the checksums that make its IPv4 packet look right, as far as it is one."""
    if len(frame) < ETH_HLEN + 20 or frame[12:14] != b"\x08\x00":
        return frame
    out = bytearray(frame)
    ihl = (out[ETH_HLEN] & 15) * 4
    end = ETH_HLEN + int.from_bytes(out[16:18], "big")
    if ihl < 20 or not ETH_HLEN + ihl <= end <= len(out):
        return frame
    out[24:26] = b"\0\0"
    out[24:26] = _sum16(bytes(out[ETH_HLEN : ETH_HLEN + ihl])).to_bytes(2, "big")
    offset = CHECKSUM_AT.get(out[23])
    start = ETH_HLEN + ihl
    fragment = int.from_bytes(out[20:22], "big") & 0x3FFF
    if offset is None or fragment or start + offset + 2 > end:
        return bytes(out)
    out[start + offset : start + offset + 2] = b"\0\0"
    body = bytes(out[start:end])
    if out[23] != 1:
        body = bytes(out[26:34]) + bytes([0, out[23]]) + len(body).to_bytes(2, "big") + body
    out[start + offset : start + offset + 2] = _sum16(body).to_bytes(2, "big")
    return bytes(out)


class Mutator:
    """Makes frames by seed. `mutant(frame)` is a relative of a live frame, `noise()` of none."""

    def __init__(self, seed: int, macs: tuple[bytes, bytes], addrs: tuple[bytes, bytes]) -> None:
        self.rng = random.Random(seed)
        self._macs = macs
        self._addrs = addrs
        self._seen: list[bytes] = []
        self._ways: tuple[Callable[[bytearray], None], ...] = (
            self._flip_bits, self._overwrite, self._word, self._cut, self._grow, self._drop_slice,
            self._double_slice, self._total_length, self._fragment, self._tcp_flags,
            self._tcp_numbers, self._tcp_options, self._splice_other, self._ip_options,
        )  # fmt: skip

    def mutant(self, frame: bytes) -> bytes:
        """`frame` with one to three things wrong; in two of three cases the checksums fit again."""
        self._remember(frame)
        out = bytearray(frame)
        for _ in range(self.rng.choice((1, 1, 1, 2, 3))):
            if out:
                self.rng.choice(self._ways)(out)
        return with_checksums(bytes(out)) if self.rng.random() < 0.67 else bytes(out)

    def noise(self) -> bytes:
        """Random bytes, most of them behind headers that lead somewhere."""
        rng = self.rng
        size = rng.choice((0, 1, 13, 14, 15, 33, 34, 54, 60, rng.randrange(14, 200), 1514))
        if rng.random() < 0.2:
            return rng.randbytes(size)
        kind = rng.choice(ETHERTYPES)
        head = self._macs[0] + self._macs[1] + kind.to_bytes(2, "big")
        body = bytearray(rng.randbytes(size))
        if kind == 0x0800 and size >= 20:
            body[0] = 0x45 if rng.random() < 0.8 else body[0]
            body[2:4] = size.to_bytes(2, "big")
            body[6:8] = b"\0\0" if rng.random() < 0.7 else body[6:8]
            body[9] = rng.choice(IP_PROTOCOLS)
            body[12:16], body[16:20] = self._addrs[1], self._addrs[0]
        return with_checksums(head + bytes(body))

    def _remember(self, frame: bytes) -> None:
        if len(self._seen) < 256:
            self._seen.append(frame)
        else:
            self._seen[self.rng.randrange(256)] = frame

    # -- what can be wrong -------------------------------------------------------------------------

    def _at(self, out: bytearray, beyond: int = 0) -> int:
        return self.rng.randrange(min(beyond, len(out) - 1), len(out))

    def _flip_bits(self, out: bytearray) -> None:
        for _ in range(self.rng.choice((1, 2, 8))):
            out[self._at(out)] ^= 1 << self.rng.randrange(8)

    def _overwrite(self, out: bytearray) -> None:
        out[self._at(out, ETH_HLEN)] = self.rng.choice(INTERESTING)

    def _word(self, out: bytearray) -> None:
        at = self._at(out, ETH_HLEN)
        word = self.rng.choice((b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", self.rng.randbytes(4)))
        out[at : at + 4] = word

    def _cut(self, out: bytearray) -> None:
        del out[self._at(out) :]

    def _grow(self, out: bytearray) -> None:
        out += self.rng.randbytes(self.rng.choice((1, 3, 20, 100)))

    def _drop_slice(self, out: bytearray) -> None:
        at = self._at(out, ETH_HLEN)
        del out[at : at + self.rng.randrange(1, 20)]

    def _double_slice(self, out: bytearray) -> None:
        at = self._at(out, ETH_HLEN)
        out[at:at] = out[at : at + self.rng.randrange(1, 20)]

    def _total_length(self, out: bytearray) -> None:
        exact = max(0, len(out) - ETH_HLEN)
        out[16:18] = (
            self.rng.choice((0, 19, 20, 21, exact, exact - 1, 65535, 40)).to_bytes(
                2, "big", signed=False
            )
            if exact
            else b"\0\0"
        )

    def _fragment(self, out: bytearray) -> None:
        word = self.rng.choice((0x2000, 0x0001, 0x1FFF, 0x3FFF, 0x2001, self.rng.randrange(65536)))
        out[20:22] = word.to_bytes(2, "big")

    def _tcp_flags(self, out: bytearray) -> None:
        if len(out) > 47:
            out[47] = self.rng.randrange(256)

    def _tcp_numbers(self, out: bytearray) -> None:
        """Move seq, ack or window a little or much."""
        at = self.rng.choice((38, 42, 48))
        size = 2 if at == 48 else 4
        if len(out) >= at + size:
            old = int.from_bytes(out[at : at + size], "big")
            step = self.rng.choice((-1, 1, -1448, 1448, -65536, 65536, 1 << 31))
            out[at : at + size] = ((old + step) % (1 << 8 * size)).to_bytes(size, "big")

    def _tcp_options(self, out: bytearray) -> None:
        """Garble the header length and what stands where the options are."""
        if len(out) > 54:
            out[46] = self.rng.randrange(16) << 4 | out[46] & 15
            kind = self.rng.choice((0, 1, 2, 3, 4, 5, 8, 19, 30, 34, 69, 253, 254, 255))
            out[54:56] = bytes([kind, self.rng.choice((0, 1, 2, 3, 4, 8, 10, 18, 40, 255))])

    def _splice_other(self, out: bytearray) -> None:
        """The head of this one, the tail of one seen before."""
        other = self.rng.choice(self._seen)
        at = self._at(out, ETH_HLEN)
        out[at:] = other[at:]

    def _ip_options(self, out: bytearray) -> None:
        if len(out) >= 34:
            words = self.rng.randrange(1, 11)
            out[14] = 0x40 | 5 + words
            out[34:34] = self.rng.randbytes(4 * words)
            out[16:18] = (len(out) - ETH_HLEN).to_bytes(2, "big")
