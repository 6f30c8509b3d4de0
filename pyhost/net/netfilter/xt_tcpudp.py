"""The matches tcp, udp, icmp and multiport: what stands in the transport header.

Linux: net/netfilter/xt_tcpudp.c, xt_multiport.c, net/ipv4/netfilter/ip_tables.c icmp_match.

A fragment behind the first has no transport header and fits none of them; one so small that it
could hide a part of the TCP header is dropped (RFC 1858).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pyhost.net.netfilter.x_tables import XtActionParam, XtMatch
from pyhost.uapi.ip import IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP
from pyhost.uapi.tcp import TCP_HDR_LEN

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["ANY_PORT", "IcmpMatch", "MultiportMatch", "PortRange", "TcpMatch", "UdpMatch"]

PortRange = tuple[int, int]
ANY_PORT: PortRange = (0, 0xFFFF)

TCP_FLAGS_OFF = 13
TCP_DOFF_OFF = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpMatch(XtMatch):
    """`flag_mask` are the flags looked at, `flag_cmp` those of them that must be set; `option` a
    kind of option that must be there (0: none). `inv` holds "sport", "dport", "flags", "option".
    """

    name: ClassVar[str] = "tcp"
    proto: ClassVar[int] = IPPROTO_TCP

    sport: PortRange = ANY_PORT
    dport: PortRange = ANY_PORT
    flag_mask: int = 0
    flag_cmp: int = 0
    option: int = 0
    inv: frozenset[str] = frozenset()

    def match(self, skb: SkBuff, par: XtActionParam) -> bool:
        """Linux: tcp_mt."""
        if par.fragoff:
            par.hotdrop = par.fragoff == 1
            return False
        header = par.transport(skb, TCP_HDR_LEN)
        if header is None:
            par.hotdrop = True
            return False
        inv = self.inv
        sport, dport = header[0] << 8 | header[1], header[2] << 8 | header[3]
        if (self.sport[0] <= sport <= self.sport[1]) == ("sport" in inv):
            return False
        if (self.dport[0] <= dport <= self.dport[1]) == ("dport" in inv):
            return False
        if ((header[TCP_FLAGS_OFF] & self.flag_mask) == self.flag_cmp) == ("flags" in inv):
            return False
        return not self.option or self._option_fits(skb, par, header[TCP_DOFF_OFF] >> 4 << 2)

    def _option_fits(self, skb: SkBuff, par: XtActionParam, header_len: int) -> bool:
        """Linux: tcp_find_option."""
        whole = par.transport(skb, header_len) if header_len >= TCP_HDR_LEN else None
        if whole is None:
            par.hotdrop = True
            return False
        at, found = TCP_HDR_LEN, False
        while at < len(whole) and not found:
            found = whole[at] == self.option
            at += 1 if whole[at] < 2 or at + 1 == len(whole) else whole[at + 1] or 1
        return found != ("option" in self.inv)


@dataclass(frozen=True, slots=True, kw_only=True)
class UdpMatch(XtMatch):
    """Ports of UDP; `inv` as in TcpMatch."""

    name: ClassVar[str] = "udp"
    proto: ClassVar[int] = IPPROTO_UDP

    sport: PortRange = ANY_PORT
    dport: PortRange = ANY_PORT
    inv: frozenset[str] = frozenset()

    def match(self, skb: SkBuff, par: XtActionParam) -> bool:
        """Linux: udp_mt."""
        if par.fragoff:
            return False
        header = par.transport(skb, 8)
        if header is None:
            par.hotdrop = True
            return False
        sport, dport = header[0] << 8 | header[1], header[2] << 8 | header[3]
        return (self.sport[0] <= sport <= self.sport[1]) != ("sport" in self.inv) and (
            self.dport[0] <= dport <= self.dport[1]
        ) != ("dport" in self.inv)


@dataclass(frozen=True, slots=True, kw_only=True)
class IcmpMatch(XtMatch):
    """A type (255: any) and a range of codes."""

    name: ClassVar[str] = "icmp"
    proto: ClassVar[int] = IPPROTO_ICMP

    type: int = 0xFF
    codes: tuple[int, int] = (0, 0xFF)
    inverted: bool = False

    def match(self, skb: SkBuff, par: XtActionParam) -> bool:
        """Linux: icmp_match."""
        if par.fragoff:
            return False
        header = par.transport(skb, 2)
        if header is None:
            par.hotdrop = True
            return False
        fits = self.type == 0xFF or (
            header[0] == self.type and self.codes[0] <= header[1] <= self.codes[1]
        )
        return fits != self.inverted


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiportMatch(XtMatch):
    """A list of ports and ranges; `which` is "sports", "dports" or "ports" (either)."""

    name: ClassVar[str] = "multiport"

    which: str
    ports: tuple[PortRange, ...]
    inverted: bool = False

    def match(self, skb: SkBuff, par: XtActionParam) -> bool:
        """Linux: multiport_mt."""
        if par.fragoff:
            return False
        header = par.transport(skb, 4)
        if header is None:
            par.hotdrop = True
            return False
        sport, dport = header[0] << 8 | header[1], header[2] << 8 | header[3]
        asked = {"sports": (sport,), "dports": (dport,), "ports": (sport, dport)}[self.which]
        found = any(low <= port <= high for low, high in self.ports for port in asked)
        return found != self.inverted
