"""The Internet checksum (RFC 1071). Linux: lib/checksum.c, include/net/checksum.h.

A one's complement sum of 16-bit words is the whole number that the bytes spell, modulo 65535: one
division instead of a loop.
"""

from __future__ import annotations

__all__ = ["csum_bytes", "csum_fold", "csum_tcpudp_nofold", "ip_compute_csum"]


def csum_bytes(data: bytes | bytearray | memoryview, csum: int = 0) -> int:
    """The one's complement sum of big-endian words, not inverted, added to `csum`; 0 only for all
    zero bytes. Linux: csum_partial.
    """
    number = int.from_bytes(data, "big")
    if len(data) & 1:
        number <<= 8
    number += csum
    return number % 0xFFFF or (0xFFFF if number else 0)


def csum_fold(csum: int) -> int:
    """The inverted sum, as it stands in a header. Linux: csum_fold."""
    return ~csum & 0xFFFF


def csum_tcpudp_nofold(saddr: int, daddr: int, length: int, proto: int, csum: int = 0) -> int:
    """`csum` plus the pseudo-header of TCP and UDP (RFC 9293 section 3.1), not inverted. Linux:
    csum_tcpudp_nofold.
    """
    total = csum + saddr + daddr + length + proto
    return total % 0xFFFF or (0xFFFF if total else 0)


def ip_compute_csum(data: bytes | bytearray | memoryview) -> int:
    """The checksum field for `data` with that field zero; over a header with a good checksum it
    gives 0. Linux: ip_compute_csum.
    """
    return ~csum_bytes(data) & 0xFFFF
