"""What names a direction of a connection, and the connection itself.

Linux: include/net/netfilter/nf_conntrack_tuple.h, nf_conntrack.h,
include/uapi/linux/netfilter/nf_conntrack_common.h.

A connection has two tuples: of the first packet, and of the answers that are expected. NAT changes
the second one: what the answers will be addressed to is where the first packet really went.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pyhost.net.netfilter.core import NF_INET_LOCAL_IN, NF_INET_POST_ROUTING
from pyhost.uapi.icmp import ICMP_ECHO, ICMP_ECHOREPLY
from pyhost.uapi.ip import IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.net_namespace import Net

__all__ = [
    "ICMP_INVERT",
    "IPS_ASSURED",
    "IPS_CONFIRMED",
    "IPS_DST_NAT",
    "IPS_DST_NAT_DONE",
    "IPS_DYING",
    "IPS_SEEN_REPLY",
    "IPS_SRC_NAT",
    "IPS_SRC_NAT_DONE",
    "IP_CT_DIR_ORIGINAL",
    "IP_CT_DIR_REPLY",
    "IP_CT_ESTABLISHED",
    "IP_CT_ESTABLISHED_REPLY",
    "IP_CT_IS_REPLY",
    "IP_CT_NEW",
    "IP_CT_RELATED",
    "IP_CT_RELATED_REPLY",
    "IP_CT_UNTRACKED",
    "NF_NAT_MANIP_DST",
    "NF_NAT_MANIP_SRC",
    "NfConn",
    "NfConntrackTuple",
    "ctinfo2dir",
    "hook2manip",
    "invert_tuple",
    "nf_ct_get",
]  # fmt: skip

IP_CT_DIR_ORIGINAL = 0
IP_CT_DIR_REPLY = 1

IP_CT_ESTABLISHED = 0
IP_CT_RELATED = 1
IP_CT_NEW = 2
IP_CT_ESTABLISHED_REPLY = 3
IP_CT_RELATED_REPLY = 4
IP_CT_UNTRACKED = 7
IP_CT_IS_REPLY = 3

IPS_SEEN_REPLY = 1 << 1
IPS_ASSURED = 1 << 2
IPS_CONFIRMED = 1 << 3
IPS_SRC_NAT = 1 << 4
IPS_DST_NAT = 1 << 5
IPS_SRC_NAT_DONE = 1 << 7
IPS_DST_NAT_DONE = 1 << 8
IPS_DYING = 1 << 9

NF_NAT_MANIP_SRC = 0
NF_NAT_MANIP_DST = 1

ICMP_INVERT = {ICMP_ECHO: ICMP_ECHOREPLY, ICMP_ECHOREPLY: ICMP_ECHO, 13: 14, 14: 13, 15: 16, 16: 15,
               17: 18, 18: 17}  # fmt: skip
"""Request and answer: echo, timestamp, information, address mask (RFC 792, RFC 950)."""


class NfConntrackTuple(NamedTuple):
    """One direction. Ports of TCP and UDP; of ICMP the id is `sport` and type << 8 | code `dport`;
    0 where a protocol has none. Linux: struct nf_conntrack_tuple.
    """

    src: int
    dst: int
    sport: int
    dport: int
    protonum: int


def invert_tuple(tup: NfConntrackTuple) -> NfConntrackTuple | None:
    """What answers look like; None for an ICMP message that has none. Linux: nf_ct_invert_tuple."""
    if tup.protonum != IPPROTO_ICMP:
        return NfConntrackTuple(tup.dst, tup.src, tup.dport, tup.sport, tup.protonum)
    answer = ICMP_INVERT.get(tup.dport >> 8)
    if answer is None:
        return None
    return NfConntrackTuple(
        tup.dst, tup.src, tup.sport, answer << 8 | tup.dport & 0xFF, IPPROTO_ICMP
    )


def tuple_of(protonum: int, src: int, dst: int, transport: bytes) -> NfConntrackTuple | None:
    """A packet's tuple; `transport` are its first bytes behind the IP header, 8 at least for TCP,
    UDP and ICMP. None when they are missing. Linux: nf_ct_get_tuple.
    """
    if protonum in (IPPROTO_TCP, IPPROTO_UDP):
        if len(transport) < 4:
            return None
        sport = transport[0] << 8 | transport[1]
        return NfConntrackTuple(src, dst, sport, transport[2] << 8 | transport[3], protonum)
    if protonum == IPPROTO_ICMP:
        if len(transport) < 8:
            return None
        ident = transport[4] << 8 | transport[5]
        return NfConntrackTuple(src, dst, ident, transport[0] << 8 | transport[1], protonum)
    return NfConntrackTuple(src, dst, 0, 0, protonum)


class NfConn:
    """A connection. Linux: struct nf_conn.

    `timeout` is a duration (ns) until the connection is confirmed, then the time at which it ends.
    `proto` is the state of the protocol's tracker; `masq_dev` the index of the device whose address
    it has taken (0: none).
    """

    __slots__ = ("mark", "masq_dev", "net", "proto", "status", "timeout", "tuples")

    def __init__(self, net: Net, original: NfConntrackTuple, reply: NfConntrackTuple) -> None:
        self.net = net
        self.tuples = [original, reply]
        self.status = 0
        self.timeout = 0
        self.mark = 0
        self.masq_dev = 0
        self.proto: Any = None

    @property
    def confirmed(self) -> bool:
        """Whether the first packet came through. Linux: nf_ct_is_confirmed."""
        return bool(self.status & IPS_CONFIRMED)

    def refresh(self, duration: int) -> None:
        """It shall live `duration` ns from now on. Linux: nf_ct_refresh."""
        if self.status & IPS_CONFIRMED:
            duration += self.net.kernel.clock.now
        self.timeout = duration

    def expired(self, now: int) -> bool:
        """Whether its time is over. Linux: nf_ct_is_expired."""
        return self.timeout <= now


def nf_ct_delete(ct: NfConn) -> None:
    """Take a connection out of the table. Linux: nf_ct_delete."""
    if not ct.status & IPS_CONFIRMED or ct.status & IPS_DYING:
        return
    ct.status |= IPS_DYING
    table = ct.net.ct
    for tup in ct.tuples:
        del table.hash[tup]
    original = ct.tuples[IP_CT_DIR_ORIGINAL]
    key = (original.src, original.sport, original.protonum)
    table.bysource[key].remove(ct)
    if not table.bysource[key]:
        del table.bysource[key]
    table.count -= 1


def nf_ct_get(skb: SkBuff) -> tuple[NfConn | None, int]:
    """The connection of a packet and the packet's place in it (IP_CT_*); (None, IP_CT_UNTRACKED)
    when it shall have none, (None, IP_CT_NEW) when it could have none. Linux: nf_ct_get.
    """
    found: tuple[NfConn | None, int] | None = skb.nfct
    return (None, IP_CT_NEW) if found is None else found


def ctinfo2dir(ctinfo: int) -> int:
    """Linux: CTINFO2DIR."""
    return IP_CT_DIR_REPLY if ctinfo >= IP_CT_IS_REPLY else IP_CT_DIR_ORIGINAL


def hook2manip(hooknum: int) -> int:
    """Which address is changed at a hook. Linux: HOOK2MANIP."""
    if hooknum in (NF_INET_POST_ROUTING, NF_INET_LOCAL_IN):
        return NF_NAT_MANIP_SRC
    return NF_NAT_MANIP_DST
