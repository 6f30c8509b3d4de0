"""The matches that look at the packet, at its mark, at chance and at time.

Linux: net/netfilter/xt_mark.c, xt_length.c, xt_dscp.c, xt_hl.c (ttl), xt_limit.c, xt_comment.c,
xt_statistic.c, xt_owner.c, xt_addrtype.c, xt_pkttype.c.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from pyhost.net.ipv4.fib.fib_frontend import inet_addr_type
from pyhost.net.netfilter.x_tables import XtActionParam, XtMatch
from pyhost.uapi.ip import IP_TOS_OFF, IP_TTL_OFF

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = [
    "AddrtypeMatch", "CommentMatch", "DscpMatch", "LengthMatch", "LimitMatch", "MarkMatch",
    "OwnerMatch", "PkttypeMatch", "StatisticMatch", "TosMatch", "TtlMatch",
]  # fmt: skip

DSCP_SHIFT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkMatch(XtMatch):
    """The packet's mark under a mask."""

    name: ClassVar[str] = "mark"

    mark: int
    mask: int = 0xFFFFFFFF
    inverted: bool = False

    def match(self, skb: SkBuff, par: XtActionParam) -> bool:
        """Linux: mark_mt."""
        return ((skb.mark & self.mask) == self.mark) != self.inverted


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthMatch(XtMatch):
    """Bytes of the packet, IP header included."""

    name: ClassVar[str] = "length"

    low: int
    high: int
    inverted: bool = False

    def match(self, skb: SkBuff, par: XtActionParam) -> bool:
        """Linux: length_mt."""
        return (self.low <= skb.len <= self.high) != self.inverted


@dataclass(frozen=True, slots=True, kw_only=True)
class TosMatch(XtMatch):
    """The TOS byte under a mask."""

    name: ClassVar[str] = "tos"

    value: int
    mask: int = 0xFF
    inverted: bool = False

    def match(self, skb: SkBuff, par: XtActionParam) -> bool:
        """Linux: tos_mt."""
        tos = skb.buf[skb.network_header + IP_TOS_OFF]
        return ((tos & self.mask) == self.value) != self.inverted


@dataclass(frozen=True, slots=True, kw_only=True)
class DscpMatch(XtMatch):
    """The upper six bits of the TOS byte (RFC 2474)."""

    name: ClassVar[str] = "dscp"

    value: int
    inverted: bool = False

    def match(self, skb: SkBuff, par: XtActionParam) -> bool:
        """Linux: dscp_mt."""
        tos = skb.buf[skb.network_header + IP_TOS_OFF]
        return (tos >> DSCP_SHIFT == self.value) != self.inverted


@dataclass(frozen=True, slots=True, kw_only=True)
class TtlMatch(XtMatch):
    """`mode` is "eq", "ne", "lt" or "gt"."""

    name: ClassVar[str] = "ttl"

    mode: str
    value: int

    def match(self, skb: SkBuff, par: XtActionParam) -> bool:
        """Linux: ttl_mt."""
        ttl = skb.buf[skb.network_header + IP_TTL_OFF]
        if self.mode == "lt":
            return ttl < self.value
        if self.mode == "gt":
            return ttl > self.value
        return (ttl == self.value) == (self.mode == "eq")


@dataclass(slots=True, kw_only=True)
class LimitMatch(XtMatch):
    """At most `burst` packets at once, then one every `period` ns. Each costs `period` of the
    credit that time brings.
    """

    name: ClassVar[str] = "limit"

    period: int
    burst: int
    _credit: int | None = field(default=None, compare=False)
    _since: int = field(default=0, compare=False)

    def match(self, skb: SkBuff, par: XtActionParam) -> bool:
        """Linux: limit_mt."""
        now = par.state.net.kernel.clock.now
        full = self.period * self.burst
        credit = full if self._credit is None else min(self._credit + now - self._since, full)
        self._since = now
        fits = credit >= self.period
        self._credit = credit - self.period if fits else credit
        return fits


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentMatch(XtMatch):
    """Fits everything; for whoever reads the rules."""

    name: ClassVar[str] = "comment"

    text: str

    def match(self, skb: SkBuff, par: XtActionParam) -> bool:
        """Linux: comment_mt."""
        return True


@dataclass(slots=True, kw_only=True)
class StatisticMatch(XtMatch):
    """By chance (`probability`, in 2^-31) or every `every`th packet, beginning with `packet`.

    Chance comes from the run's seed.
    """

    name: ClassVar[str] = "statistic"

    probability: int | None = None
    every: int = 0
    packet: int = 0
    inverted: bool = False
    _count: int = field(default=0, compare=False)

    def match(self, skb: SkBuff, par: XtActionParam) -> bool:
        """Linux: statistic_mt."""
        if self.probability is not None:
            drawn = par.state.net.kernel.random.getrandbits(31)
            return (drawn < self.probability) != self.inverted
        fits = self._count % self.every == self.packet
        self._count += 1
        return fits != self.inverted


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerMatch(XtMatch):
    """The socket that sends the packet. All programs of a machine run as user and group 0; None
    where the user, the group or the socket's being there was not asked for.
    """

    name: ClassVar[str] = "owner"

    uid: tuple[int, int] | None = None
    gid: tuple[int, int] | None = None
    socket: bool = False
    inv: frozenset[str] = frozenset()

    def match(self, skb: SkBuff, par: XtActionParam) -> bool:
        """Linux: owner_mt."""
        sk = par.state.sk if par.state.sk is not None else skb.sk
        if sk is None or sk.sk_socket is None:
            asked = {name for name in ("uid", "gid", "socket") if getattr(self, name)}
            return asked == self.inv
        if self.socket and "socket" in self.inv:
            return False
        return all(
            wanted is None or (wanted[0] == 0) != (name in self.inv)
            for name, wanted in (("uid", self.uid), ("gid", self.gid))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AddrtypeMatch(XtMatch):
    """What the routing table says of source and destination: sets of RTN_*, None for any."""

    name: ClassVar[str] = "addrtype"

    src: frozenset[int] | None = None
    dst: frozenset[int] | None = None
    inv: frozenset[str] = frozenset()

    def match(self, skb: SkBuff, par: XtActionParam) -> bool:
        """Linux: addrtype_mt_v1."""
        net = par.state.net
        return all(
            wanted is None or (inet_addr_type(net, addr) in wanted) != (name in self.inv)
            for name, wanted, addr in (("src", self.src, par.saddr), ("dst", self.dst, par.daddr))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PkttypeMatch(XtMatch):
    """To whom the frame was addressed: PACKET_HOST, PACKET_BROADCAST, PACKET_MULTICAST."""

    name: ClassVar[str] = "pkttype"

    pkttype: int
    inverted: bool = False

    def match(self, skb: SkBuff, par: XtActionParam) -> bool:
        """Linux: pkttype_mt."""
        return (skb.pkt_type == self.pkttype) != self.inverted
