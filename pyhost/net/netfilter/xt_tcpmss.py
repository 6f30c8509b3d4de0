"""The target TCPMSS: no SYN shall promise larger segments than the path carries.

Linux: net/netfilter/xt_TCPMSS.c.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pyhost.net.core.skbuff import CHECKSUM_PARTIAL
from pyhost.net.ipv4.fib.route import ip_route_output
from pyhost.net.netfilter.core import (
    NF_DROP,
    NF_INET_FORWARD,
    NF_INET_LOCAL_OUT,
    NF_INET_POST_ROUTING,
)
from pyhost.net.netfilter.nf_util import (
    BE16,
    csum_replace,
    inet_proto_csum_replace,
    skb_ensure_writable,
)
from pyhost.net.netfilter.x_tables import XT_CONTINUE, XtActionParam, XtTarget
from pyhost.uapi.ip import IP_CHECK_OFF, IP_HDR_LEN, IP_TOT_LEN_OFF, IPPROTO_TCP
from pyhost.uapi.tcp import TCP_HDR_LEN, TCP_OFF_CHECK, TCPOPT_MSS

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["TcpmssTarget"]

TCPOLEN_MSS = 4
HEADERS = IP_HDR_LEN + TCP_HDR_LEN
MSS_WITHOUT_OPTION = 536
"""Who says nothing gets no more than this (RFC 9293 section 3.7.1)."""
DOFF_UNIT = 1 << 12
"""One word of header in the 16 bits that begin with the data offset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpmssTarget(XtTarget):
    """`mss`, or None: what the path MTU leaves. An MSS is made smaller, never larger."""

    name: ClassVar[str] = "TCPMSS"
    proto: ClassVar[int] = IPPROTO_TCP
    hooks: ClassVar[frozenset[int] | None] = frozenset(
        {NF_INET_FORWARD, NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING}
    )

    mss: int | None = None

    def target(self, skb: SkBuff, par: XtActionParam) -> int:
        """Linux: tcpmss_tg4, tcpmss_mangle_packet."""
        if par.fragoff:
            return XT_CONTINUE
        header = par.transport(skb, TCP_HDR_LEN)
        header_len = header[12] >> 4 << 2 if header is not None else 0
        if header_len < TCP_HDR_LEN or not skb_ensure_writable(skb, par.thoff + header_len):
            return NF_DROP
        mss = self.mss if self.mss is not None else _path_mss(skb, par)
        if mss <= 0:
            return NF_DROP
        th = skb.network_header + par.thoff
        where = _find_mss(skb.buf[th : th + header_len])
        if where is not None:
            _lower(skb, th, th + where + 2, mss)
        elif skb.len == par.thoff + header_len and header_len <= 60 - TCPOLEN_MSS:
            _insert(skb, par.thoff, header_len, min(mss, MSS_WITHOUT_OPTION))
        return XT_CONTINUE


def _path_mss(skb: SkBuff, par: XtActionParam) -> int:
    """The smaller of both directions' path MTUs, without headers. Linux: tcpmss_reverse_mtu."""
    assert skb.dst is not None
    mtu = skb.dst.mtu()
    back = ip_route_output(par.state.net, par.saddr)
    if not isinstance(back, int):
        mtu = min(mtu, back.mtu())
    return mtu - HEADERS


def _find_mss(header: memoryview) -> int | None:
    """Where the option begins, from the header's start."""
    at = TCP_HDR_LEN
    while at + TCPOLEN_MSS <= len(header):
        if header[at] == TCPOPT_MSS and header[at + 1] == TCPOLEN_MSS:
            return at
        at += 1 if header[at] < 2 else header[at + 1] or 1
    return None


def _lower(skb: SkBuff, th: int, where: int, mss: int) -> None:
    """The sum counts words from the header's start, so the value's bytes may change places."""
    old = BE16.unpack_from(skb.buf, where)[0]
    if old <= mss:
        return
    BE16.pack_into(skb.buf, where, mss)
    odd = (where - th) & 1
    before, after = (_swapped(old), _swapped(mss)) if odd else (old, mss)
    inet_proto_csum_replace(skb, th + TCP_OFF_CHECK, before, after, pseudohdr=False)


def _swapped(word: int) -> int:
    return (word & 0xFF) << 8 | word >> 8


def _insert(skb: SkBuff, thoff: int, header_len: int, mss: int) -> None:
    """Put the option in front of the others: header, packet and both checksums grow with it."""
    if skb.tailroom < TCPOLEN_MSS:
        skb.expand_head(0, TCPOLEN_MSS - skb.tailroom)
    buf = skb.buf
    skb.put(TCPOLEN_MSS)
    iph = skb.network_header
    th = iph + thoff
    first = th + TCP_HDR_LEN
    others = bytes(buf[first : th + header_len])
    option = bytes([TCPOPT_MSS, TCPOLEN_MSS]) + BE16.pack(mss)
    buf[first : th + header_len + TCPOLEN_MSS] = option + others
    length = header_len + TCPOLEN_MSS
    check = th + TCP_OFF_CHECK
    inet_proto_csum_replace(skb, check, header_len, length, pseudohdr=True)
    if skb.ip_summed != CHECKSUM_PARTIAL:
        for at in (0, 2):
            word = BE16.unpack_from(option, at)[0]
            inet_proto_csum_replace(skb, check, 0, word, pseudohdr=False)
    words = BE16.unpack_from(buf, th + 12)[0]
    BE16.pack_into(buf, th + 12, words + DOFF_UNIT)
    inet_proto_csum_replace(skb, check, words, words + DOFF_UNIT, pseudohdr=False)
    total = BE16.unpack_from(buf, iph + IP_TOT_LEN_OFF)[0]
    BE16.pack_into(buf, iph + IP_TOT_LEN_OFF, total + TCPOLEN_MSS)
    old = BE16.unpack_from(buf, iph + IP_CHECK_OFF)[0]
    new = csum_replace(old, total, total + TCPOLEN_MSS)
    BE16.pack_into(buf, iph + IP_CHECK_OFF, new)
