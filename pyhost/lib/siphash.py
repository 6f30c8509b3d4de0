"""SipHash-2-4: a keyed hash that an outsider cannot steer. Linux: lib/siphash.c.

J.-P. Aumasson and D. J. Bernstein, "SipHash: a fast short-input PRF", 2012.
"""

from __future__ import annotations

from struct import Struct

__all__ = ["siphash"]

MASK = (1 << 64) - 1
_TWO_WORDS = Struct("<2Q").unpack
_WORD = Struct("<Q").unpack_from


def _rotl(value: int, by: int) -> int:
    return (value << by | value >> 64 - by) & MASK


def _rounds(state: list[int], count: int) -> None:
    """`count` SipRounds over the four words of the state."""
    v0, v1, v2, v3 = state
    for _ in range(count):
        v0 = v0 + v1 & MASK
        v2 = v2 + v3 & MASK
        v1 = _rotl(v1, 13) ^ v0
        v3 = _rotl(v3, 16) ^ v2
        v0 = _rotl(v0, 32)
        v2 = v2 + v1 & MASK
        v0 = v0 + v3 & MASK
        v1 = _rotl(v1, 17) ^ v2
        v3 = _rotl(v3, 21) ^ v0
        v2 = _rotl(v2, 32)
    state[:] = v0, v1, v2, v3


def siphash(data: bytes, key: bytes) -> int:
    """The 64-bit SipHash-2-4 of `data` under a key of 16 bytes. Linux: siphash."""
    k0: int
    k1: int
    k0, k1 = _TWO_WORDS(key)
    state = [
        k0 ^ 0x736F6D6570736575,
        k1 ^ 0x646F72616E646F6D,
        k0 ^ 0x6C7967656E657261,
        k1 ^ 0x7465646279746573,
    ]
    padded = data + bytes(-(len(data) + 1) % 8) + bytes((len(data) & 0xFF,))
    for at in range(0, len(padded), 8):
        word: int = _WORD(padded, at)[0]
        state[3] ^= word
        _rounds(state, 2)
        state[0] ^= word
    state[2] ^= 0xFF
    _rounds(state, 4)
    v0, v1, v2, v3 = state
    return v0 ^ v1 ^ v2 ^ v3
