"""Network address translation: changing the packets.

Linux: net/netfilter/nf_nat_proto.c, nf_nat_core.c nf_nat_packet, nf_nat_inet_fn.

    PRE_ROUTING, LOCAL_OUT    the destination, before the route is looked up (again)
    POST_ROUTING, LOCAL_IN    the source

An ICMP error carries a packet in its packet: that one is changed the other way round, since it went
the other way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhost.net.core.checksum import ip_compute_csum
from pyhost.net.core.skbuff import CHECKSUM_PARTIAL
from pyhost.net.ipv4.netfilter import ip_route_me_harder
from pyhost.net.netfilter.core import (
    NF_ACCEPT,
    NF_DROP,
    NF_INET_LOCAL_OUT,
    NF_INET_POST_ROUTING,
    NF_INET_PRE_ROUTING,
    NfHookState,
    nf_drop_err,
)
from pyhost.net.netfilter.nf_conntrack_tuple import (
    IP_CT_DIR_REPLY,
    IP_CT_NEW,
    IP_CT_RELATED,
    IP_CT_RELATED_REPLY,
    IPS_DST_NAT,
    IPS_SRC_NAT,
    NF_NAT_MANIP_SRC,
    NfConn,
    NfConntrackTuple,
    ctinfo2dir,
    hook2manip,
    invert_tuple,
    nf_ct_delete,
    nf_ct_get,
)
from pyhost.net.netfilter.nf_nat_core import NAT_DONE, nf_nat_alloc_null_binding
from pyhost.net.netfilter.nf_util import (
    BE16,
    BE32,
    csum_replace,
    inet_proto_csum_replace,
    skb_ensure_writable,
)
from pyhost.uapi.icmp import ICMP_HDR_LEN, ICMP_REDIRECT
from pyhost.uapi.ip import (
    IP_CHECK_OFF,
    IP_DADDR_OFF,
    IP_FRAG_OFF,
    IP_HDR_LEN,
    IP_OFFSET,
    IP_PROTOCOL_OFF,
    IP_SADDR_OFF,
    IPPROTO_ICMP,
    IPPROTO_TCP,
    IPPROTO_UDP,
)

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["nf_nat_ipv4_fn", "nf_nat_manip_pkt", "nf_nat_packet"]

CHECK_OFF = {IPPROTO_TCP: 16, IPPROTO_UDP: 6}
IPS_NAT_MASK = IPS_SRC_NAT | IPS_DST_NAT
CSUM_MANGLED_0 = 0xFFFF

TableHook = Callable[["SkBuff", NfHookState], int]


# -- hooks -----------------------------------------------------------------------------------------


def nf_nat_ipv4_fn(table: TableHook, skb: SkBuff, state: NfHookState) -> int:
    """The nat table's hook: bind a new connection by the rules of `table`, change every packet of
    it, and route again when the destination changed.

    Linux: nf_nat_inet_fn, nf_nat_ipv4_local_fn, nf_nat_ipv4_pre_routing, nf_nat_ipv4_out.
    """
    verdict = _nf_nat_inet_fn(table, skb, state)
    ct, ctinfo = nf_ct_get(skb)
    if verdict != NF_ACCEPT or ct is None:
        return verdict
    direction = ctinfo2dir(ctinfo)
    there, back = ct.tuples[direction], ct.tuples[1 - direction]
    if state.hook == NF_INET_PRE_ROUTING:
        if there.dst != back.src:
            skb.dst = None
    elif state.hook == NF_INET_LOCAL_OUT and there.dst != back.src:
        err = ip_route_me_harder(state.net, skb)
        if err < 0:
            return nf_drop_err(-err)
    return NF_ACCEPT


def _nf_nat_inet_fn(table: TableHook, skb: SkBuff, state: NfHookState) -> int:
    """Linux: nf_nat_inet_fn."""
    ct, ctinfo = nf_ct_get(skb)
    if ct is None:
        return NF_ACCEPT
    related = ctinfo in (IP_CT_RELATED, IP_CT_RELATED_REPLY)
    if related and skb.buf[skb.network_header + IP_PROTOCOL_OFF] == IPPROTO_ICMP:
        good = _icmp_reply_translation(skb, ct, ctinfo, state.hook)
        return NF_ACCEPT if good else NF_DROP
    done = NAT_DONE[hook2manip(state.hook)]
    if (related or ctinfo == IP_CT_NEW) and not ct.status & done:
        verdict = table(skb, state)
        if verdict != NF_ACCEPT:
            return verdict
        if not ct.status & done:
            verdict = nf_nat_alloc_null_binding(ct, state.hook)
            if verdict != NF_ACCEPT:
                return verdict
    elif _oif_changed(ct, state):
        nf_ct_delete(ct)
        return NF_DROP
    return nf_nat_packet(ct, ctinfo, state.hook, skb)


def _oif_changed(ct: NfConn, state: NfHookState) -> bool:
    """A masqueraded connection whose packets now leave another way. Linux: nf_nat_oif_changed."""
    return (
        bool(ct.masq_dev)
        and state.hook == NF_INET_POST_ROUTING
        and state.outdev is not None
        and state.outdev.ifindex != ct.masq_dev
    )


def _status_bit(ctinfo: int, manip: int) -> int:
    """Which kind of NAT of the connection changes this packet here: in answers source and
    destination have changed places.
    """
    bit = IPS_SRC_NAT if manip == NF_NAT_MANIP_SRC else IPS_DST_NAT
    return bit ^ IPS_NAT_MASK if ctinfo2dir(ctinfo) == IP_CT_DIR_REPLY else bit


def nf_nat_packet(ct: NfConn, ctinfo: int, hooknum: int, skb: SkBuff) -> int:
    """Change a packet as its connection wants it at this hook. Linux: nf_nat_packet."""
    manip = hook2manip(hooknum)
    if not ct.status & _status_bit(ctinfo, manip):
        return NF_ACCEPT
    target = invert_tuple(ct.tuples[1 - ctinfo2dir(ctinfo)])
    assert target is not None
    return NF_ACCEPT if nf_nat_manip_pkt(skb, 0, target, manip) else NF_DROP


def _icmp_reply_translation(skb: SkBuff, ct: NfConn, ctinfo: int, hooknum: int) -> bool:
    """An ICMP error: the quoted packet first, then the error itself. False: malformed.

    Linux: nf_nat_icmp_reply_translation.
    """
    header_len = (skb.buf[skb.network_header] & 15) * 4
    if not skb_ensure_writable(skb, header_len + ICMP_HDR_LEN + IP_HDR_LEN):
        return False
    if skb.buf[skb.network_header + header_len] == ICMP_REDIRECT and ct.status & IPS_NAT_MASK:
        return False
    manip = hook2manip(hooknum)
    if not ct.status & _status_bit(ctinfo, manip):
        return True
    other = ct.tuples[1 - ctinfo2dir(ctinfo)]
    skb.linearize()
    if not nf_nat_manip_pkt(skb, header_len + ICMP_HDR_LEN, other, 1 - manip):
        return False
    where = skb.network_header + header_len
    if skb.ip_summed != CHECKSUM_PARTIAL:
        BE16.pack_into(skb.buf, where + 2, 0)
        end = skb.data + skb.len
        BE16.pack_into(skb.buf, where + 2, ip_compute_csum(skb.buf[where:end]))
    target = invert_tuple(other)
    assert target is not None
    _manip_addr(skb, 0, target.src if manip == NF_NAT_MANIP_SRC else target.dst, manip)
    return True


# -- bytes -----------------------------------------------------------------------------------------


def nf_nat_manip_pkt(skb: SkBuff, iphdroff: int, target: NfConntrackTuple, manip: int) -> bool:
    """Write source or destination of `target` into the packet whose IP header is `iphdroff` bytes
    behind `skb.data`; False when the packet is too short. Linux: nf_nat_ipv4_manip_pkt.
    """
    if not skb_ensure_writable(skb, iphdroff + IP_HDR_LEN):
        return False
    iph = skb.network_header + iphdroff
    thoff = iphdroff + (skb.buf[iph] & 15) * 4
    fragment = BE16.unpack_from(skb.buf, iph + IP_FRAG_OFF)[0] & IP_OFFSET
    addr = target.src if manip == NF_NAT_MANIP_SRC else target.dst
    if not fragment and not _l4proto_manip_pkt(skb, iphdroff, thoff, target, manip):
        return False
    _manip_addr(skb, iphdroff, addr, manip)
    return True


def _manip_addr(skb: SkBuff, iphdroff: int, addr: int, manip: int) -> None:
    buf = skb.buf
    iph = skb.network_header + iphdroff
    where = iph + (IP_SADDR_OFF if manip == NF_NAT_MANIP_SRC else IP_DADDR_OFF)
    old = BE32.unpack_from(buf, where)[0]
    BE32.pack_into(buf, where, addr)
    check = BE16.unpack_from(buf, iph + IP_CHECK_OFF)[0]
    BE16.pack_into(buf, iph + IP_CHECK_OFF, csum_replace(check, old, addr))


def _l4proto_manip_pkt(
    skb: SkBuff, iphdroff: int, thoff: int, target: NfConntrackTuple, manip: int
) -> bool:
    """Ports and checksums; of a quoted packet only what is there. Linux: l4proto_manip_pkt."""
    if target.protonum == IPPROTO_ICMP:
        return _icmp_manip_pkt(skb, thoff, target)
    check_off = CHECK_OFF.get(target.protonum)
    if check_off is None:
        return True
    has_check = thoff + check_off + 2 <= skb.len
    if not skb_ensure_writable(skb, thoff + (check_off + 2 if has_check else 4)):
        return False
    buf = skb.buf
    th = skb.network_header + thoff
    source = manip == NF_NAT_MANIP_SRC
    port_at, port = (th, target.sport) if source else (th + 2, target.dport)
    old_port = BE16.unpack_from(buf, port_at)[0]
    BE16.pack_into(buf, port_at, port)
    udp = target.protonum == IPPROTO_UDP
    check_at = th + check_off
    partial = skb.ip_summed == CHECKSUM_PARTIAL and not iphdroff
    if not has_check or (udp and not partial and BE16.unpack_from(buf, check_at)[0] == 0):
        return True
    old_addr = BE32.unpack_from(
        buf, skb.network_header + iphdroff + (IP_SADDR_OFF if source else IP_DADDR_OFF)
    )[0]
    addr = target.src if source else target.dst
    inet_proto_csum_replace(skb, check_at, old_addr, addr, pseudohdr=True)
    inet_proto_csum_replace(skb, check_at, old_port, port, pseudohdr=False)
    if udp and BE16.unpack_from(buf, check_at)[0] == 0:
        BE16.pack_into(buf, check_at, CSUM_MANGLED_0)
    return True


def _icmp_manip_pkt(skb: SkBuff, thoff: int, target: NfConntrackTuple) -> bool:
    """The id of an echo. Linux: icmp_manip_pkt."""
    if not skb_ensure_writable(skb, thoff + ICMP_HDR_LEN):
        return False
    th = skb.network_header + thoff
    old = BE16.unpack_from(skb.buf, th + 4)[0]
    BE16.pack_into(skb.buf, th + 4, target.sport)
    inet_proto_csum_replace(skb, th + 2, old, target.sport, pseudohdr=False)
    return True
