"""The matches that ask for the connection: conntrack, state, connmark.

Linux: net/netfilter/xt_conntrack.c, xt_state.c, xt_connmark.c.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.net.netfilter.nf_conntrack_tuple import (
    IP_CT_DIR_ORIGINAL,
    IP_CT_DIR_REPLY,
    IP_CT_ESTABLISHED,
    IP_CT_IS_REPLY,
    IP_CT_NEW,
    IP_CT_RELATED,
    IP_CT_UNTRACKED,
    IPS_ASSURED,
    IPS_CONFIRMED,
    IPS_DST_NAT,
    IPS_SEEN_REPLY,
    IPS_SRC_NAT,
    NfConn,
    ctinfo2dir,
    nf_ct_get,
)
from pyhost.net.netfilter.x_tables import XtActionParam, XtMatch

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["CT_STATES", "CT_STATUSES", "ConnmarkMatch", "ConntrackMatch", "StateMatch", "ct_states"]

CT_STATES = ("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED", "SNAT", "DNAT")
CT_STATUSES = {
    "SEEN_REPLY": IPS_SEEN_REPLY,
    "ASSURED": IPS_ASSURED,
    "CONFIRMED": IPS_CONFIRMED,
}

STATE_OF = {IP_CT_ESTABLISHED: "ESTABLISHED", IP_CT_RELATED: "RELATED", IP_CT_NEW: "NEW"}

Cidr = tuple[int, int]


def ct_states(skb: SkBuff) -> frozenset[str]:
    """What a packet is to its connection, and what NAT did to that. Linux: XT_CONNTRACK_STATE."""
    ct, ctinfo = nf_ct_get(skb)
    if ct is None:
        return frozenset({"UNTRACKED" if ctinfo == IP_CT_UNTRACKED else "INVALID"})
    states = {STATE_OF[ctinfo % IP_CT_IS_REPLY]}
    if ct.status & IPS_SRC_NAT:
        states.add("SNAT")
    if ct.status & IPS_DST_NAT:
        states.add("DNAT")
    return frozenset(states)


@dataclass(frozen=True, slots=True, kw_only=True)
class StateMatch(XtMatch):
    """The older form: a set of INVALID, NEW, RELATED, ESTABLISHED, UNTRACKED."""

    name: ClassVar[str] = "state"
    needs_conntrack: ClassVar[bool] = True

    states: frozenset[str]
    inverted: bool = False

    def match(self, skb: SkBuff, par: XtActionParam) -> bool:
        """Linux: state_mt."""
        return bool(self.states & ct_states(skb)) != self.inverted


@dataclass(frozen=True, slots=True, kw_only=True)
class ConntrackMatch(XtMatch):
    """Everything about the connection; None where something was not asked for.

    Addresses are (address, mask), `expire` seconds; `inv` holds the names of fields.
    """

    name: ClassVar[str] = "conntrack"
    needs_conntrack: ClassVar[bool] = True

    ctstate: frozenset[str] | None = None
    ctproto: int | None = None
    ctorigsrc: Cidr | None = None
    ctorigdst: Cidr | None = None
    ctreplsrc: Cidr | None = None
    ctrepldst: Cidr | None = None
    ctorigsrcport: tuple[int, int] | None = None
    ctorigdstport: tuple[int, int] | None = None
    ctstatus: int | None = None
    ctexpire: tuple[int, int] | None = None
    ctdir: str | None = None
    inv: frozenset[str] = frozenset()

    def match(self, skb: SkBuff, par: XtActionParam) -> bool:
        """Linux: conntrack_mt."""
        if self.ctstate is not None and bool(self.ctstate & ct_states(skb)) == (
            "ctstate" in self.inv
        ):
            return False
        ct, ctinfo = nf_ct_get(skb)
        if ct is None:
            return self.ctstate is not None
        if self.ctdir is not None:
            wanted = IP_CT_DIR_ORIGINAL if self.ctdir == "ORIGINAL" else IP_CT_DIR_REPLY
            if (ctinfo2dir(ctinfo) == wanted) == ("ctdir" in self.inv):
                return False
        return self._tuples_fit(ct) and self._life_fits(ct)

    def _tuples_fit(self, ct: NfConn) -> bool:
        """Linux: conntrack_mt_origsrc and the like."""
        original, reply = ct.tuples
        addrs = {
            "ctorigsrc": original.src,
            "ctorigdst": original.dst,
            "ctreplsrc": reply.src,
            "ctrepldst": reply.dst,
        }
        for name, addr in addrs.items():
            cidr: Cidr | None = getattr(self, name)
            if cidr is not None and ((addr & cidr[1]) == cidr[0]) == (name in self.inv):
                return False
        ports = {"ctorigsrcport": original.sport, "ctorigdstport": original.dport}
        for name, port in ports.items():
            span: tuple[int, int] | None = getattr(self, name)
            if span is not None and (span[0] <= port <= span[1]) == (name in self.inv):
                return False
        proto = self.ctproto
        return proto is None or (original.protonum == proto) != ("ctproto" in self.inv)

    def _life_fits(self, ct: NfConn) -> bool:
        status, expire = self.ctstatus, self.ctexpire
        if status is not None:
            # A status of 0 asks for a connection that has none of them.
            found = bool(ct.status & status) if status else not ct.status & IPS_SEEN_REPLY
            if found == ("ctstatus" in self.inv):
                return False
        if expire is not None:
            now = ct.net.kernel.clock.now if ct.confirmed else 0
            left = max(0, ct.timeout - now) // NSEC_PER_SEC
            if (expire[0] <= left <= expire[1]) == ("ctexpire" in self.inv):
                return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnmarkMatch(XtMatch):
    """The connection's mark under a mask."""

    name: ClassVar[str] = "connmark"
    needs_conntrack: ClassVar[bool] = True

    mark: int
    mask: int = 0xFFFFFFFF
    inverted: bool = False

    def match(self, skb: SkBuff, par: XtActionParam) -> bool:
        """Linux: connmark_mt."""
        ct, _ = nf_ct_get(skb)
        return ct is not None and ((ct.mark & self.mask) == self.mark) != self.inverted
