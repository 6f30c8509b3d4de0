"""Numbers that an outsider cannot guess, and that go on from one connection to the next. Linux:
net/core/secure_seq.c.

A connection's first sequence number is a keyed hash of its ends plus a clock, so that a new
connection between the same ends begins beyond the old one (RFC 6528). The offset of the timestamp
clock is a hash of the two addresses alone: all connections between two machines share one clock, or
PAWS would refuse a new one (RFC 7323 section 7.1).
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from pyhost.lib.siphash import siphash

if TYPE_CHECKING:
    from random import Random

    from pyhost.kernel.clock import Clock

__all__ = ["SecureSeq"]

SEQ_SCALE_SHIFT = 6
"""The sequence clock ticks every 64 ns, so it comes round in 4.6 minutes."""

_TWO_WORDS = Struct("<2I").pack
_THREE_WORDS = Struct("<3I").pack


class SecureSeq:
    """The keys of a machine. Linux: net_secret, ts_secret."""

    __slots__ = ("_clock", "_net_secret", "_ts_secret")

    def __init__(self, clock: Clock, random: Random) -> None:
        self._clock = clock
        self._net_secret = random.randbytes(16)
        self._ts_secret = random.randbytes(16)

    def tcp_seq(self, saddr: int, daddr: int, sport: int, dport: int) -> int:
        """The first sequence number of a connection. Linux: secure_tcp_seq."""
        ends = _THREE_WORDS(saddr, daddr, sport << 16 | dport)
        tick = self._clock.now >> SEQ_SCALE_SHIFT
        return siphash(ends, self._net_secret) + tick & 0xFFFFFFFF

    def tcp_ts_off(self, saddr: int, daddr: int) -> int:
        """What the timestamps between two machines are ahead. Linux: secure_tcp_ts_off."""
        return siphash(_TWO_WORDS(saddr, daddr), self._ts_secret) & 0xFFFFFFFF
