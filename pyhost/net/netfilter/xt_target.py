"""The targets that change a packet and let the rules go on: MARK, CONNMARK, TOS, DSCP, TTL, CT.

Linux: net/netfilter/xt_mark.c, xt_connmark.c, xt_DSCP.c, xt_HL.c (TTL), xt_CT.c.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pyhost.net.netfilter.core import NF_DROP
from pyhost.net.netfilter.nf_conntrack_tuple import IP_CT_UNTRACKED, nf_ct_get
from pyhost.net.netfilter.nf_util import set_ip_field
from pyhost.net.netfilter.x_tables import XT_CONTINUE, XtActionParam, XtTarget
from pyhost.uapi.ip import IP_TOS_OFF, IP_TTL_OFF

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["ConnmarkTarget", "DscpTarget", "MarkTarget", "NotrackTarget", "TosTarget", "TtlTarget"]

MANGLE = frozenset({"mangle"})
MASK32 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkTarget(XtTarget):
    """Clear the bits of `mask` in the packet's mark, then XOR `mark` into it."""

    name: ClassVar[str] = "MARK"
    tables: ClassVar[frozenset[str] | None] = MANGLE

    mark: int
    mask: int = MASK32

    def target(self, skb: SkBuff, par: XtActionParam) -> int:
        """Linux: mark_tg."""
        skb.mark = skb.mark & ~self.mask ^ self.mark
        return XT_CONTINUE


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnmarkTarget(XtTarget):
    """`mode` "set": as MARK, on the connection; "save": packet's mark to connection; "restore":
    connection's to packet. `ctmask` and `nfmask` say which bits.
    """

    name: ClassVar[str] = "CONNMARK"
    needs_conntrack: ClassVar[bool] = True

    mode: str
    mark: int = 0
    ctmask: int = MASK32
    nfmask: int = MASK32

    def target(self, skb: SkBuff, par: XtActionParam) -> int:
        """Linux: connmark_tg."""
        ct, _ = nf_ct_get(skb)
        if ct is None:
            return XT_CONTINUE
        if self.mode == "set":
            ct.mark = ct.mark & ~self.ctmask ^ self.mark
        elif self.mode == "save":
            ct.mark = ct.mark & ~self.ctmask ^ skb.mark & self.nfmask
        else:
            skb.mark = skb.mark & ~self.nfmask ^ ct.mark & self.ctmask
        return XT_CONTINUE


@dataclass(frozen=True, slots=True, kw_only=True)
class TosTarget(XtTarget):
    """Clear the bits of `mask` in the TOS byte, then XOR `value` into it."""

    name: ClassVar[str] = "TOS"
    tables: ClassVar[frozenset[str] | None] = MANGLE

    value: int
    mask: int = 0xFF

    def target(self, skb: SkBuff, par: XtActionParam) -> int:
        """Linux: tos_tg."""
        old = skb.buf[skb.network_header + IP_TOS_OFF]
        new = old & ~self.mask & 0xFF ^ self.value
        return XT_CONTINUE if set_ip_field(skb, IP_TOS_OFF, new) else NF_DROP


@dataclass(frozen=True, slots=True, kw_only=True)
class DscpTarget(XtTarget):
    """Set the upper six bits of the TOS byte; ECN stays."""

    name: ClassVar[str] = "DSCP"
    tables: ClassVar[frozenset[str] | None] = MANGLE

    value: int

    def target(self, skb: SkBuff, par: XtActionParam) -> int:
        """Linux: dscp_tg."""
        old = skb.buf[skb.network_header + IP_TOS_OFF]
        done = set_ip_field(skb, IP_TOS_OFF, old & 3 | self.value << 2)
        return XT_CONTINUE if done else NF_DROP


@dataclass(frozen=True, slots=True, kw_only=True)
class TtlTarget(XtTarget):
    """`mode` is "set", "inc" or "dec"; the TTL stays between 0 and 255."""

    name: ClassVar[str] = "TTL"
    tables: ClassVar[frozenset[str] | None] = MANGLE

    mode: str
    value: int

    def target(self, skb: SkBuff, par: XtActionParam) -> int:
        """Linux: ttl_tg."""
        old = skb.buf[skb.network_header + IP_TTL_OFF]
        new = {"set": self.value, "inc": old + self.value, "dec": old - self.value}[self.mode]
        new = min(max(new, 0), 255)
        if new == old or set_ip_field(skb, IP_TTL_OFF, new):
            return XT_CONTINUE
        return NF_DROP


@dataclass(frozen=True, slots=True, kw_only=True)
class NotrackTarget(XtTarget):
    """`CT --notrack`: connection tracking shall not see the packet."""

    name: ClassVar[str] = "CT"
    tables: ClassVar[frozenset[str] | None] = frozenset({"raw"})

    def target(self, skb: SkBuff, par: XtActionParam) -> int:
        """Linux: notrack_tg."""
        if skb.nfct is None:
            skb.nfct = (None, IP_CT_UNTRACKED)
        return XT_CONTINUE
