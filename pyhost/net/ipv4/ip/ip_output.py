"""The way down through IPv4: header, routing, netfilter, fragmentation when needed, neighbour.

Linux: net/ipv4/ip_output.c. What builds datagrams from user data is in ip_append.py, what cuts them
in ip_do_fragment.py.

    ip_queue_xmit ─┐                                         ┌─ ip_fragment ─┐
    ip_make_skb ───┴→ ip_local_out → dst_output = ip_output ─┴───────────────┴→ ip_finish_output2
                       LOCAL_OUT              POST_ROUTING      (len > mtu)      → neigh_output

Difference: the header is written once, with length and checksum, when it is pushed (Linux fills
both in __ip_local_out). A hook that changes the header keeps its checksum right, as in Linux.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core import drop_reason
from pyhost.net.core.gso import skb_gso_segment, skb_gso_validate_network_len
from pyhost.net.core.napi import netif_rx
from pyhost.net.core.neighbour import neigh_lookup_or_create, neigh_output
from pyhost.net.core.netdevice import NET_XMIT_CN, NETIF_F_GSO_MASK
from pyhost.net.core.skbuff import CHECKSUM_UNNECESSARY, SkBuff, consume_skb, kfree_skb_reason
from pyhost.net.core.sock import InetSock
from pyhost.net.ipv4.fib.route import RTN_MULTICAST, ip_route_output
from pyhost.net.ipv4.ip.ip_do_fragment import ip_fragment
from pyhost.net.netfilter.core import NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING, nf_hook
from pyhost.uapi.errno import EHOSTUNREACH, ENOBUFS, ENOMEM
from pyhost.uapi.ethernet import ETH_P_IP, PACKET_LOOPBACK
from pyhost.uapi.ip import (
    IP_DADDR_OFF,
    IP_DF,
    IP_HDR,
    IP_HDR_LEN,
    IP_PMTUDISC_DO,
    IP_PMTUDISC_OMIT,
    IP_PMTUDISC_PROBE,
    IP_PMTUDISC_WANT,
    IP_TTL_OFF,
    IPPROTO_TCP,
    IPVERSION,
)

if TYPE_CHECKING:
    from pyhost.net.core.dst import DstEntry
    from pyhost.net.core.sock import Sock
    from pyhost.net.net_namespace import Net

__all__ = [
    "dst_output", "ip_build_and_send_pkt", "ip_dont_fragment", "ip_finish_output",
    "ip_finish_output2", "ip_local_out", "ip_mc_output", "ip_output", "ip_push_header",
    "ip_queue_xmit", "ip_select_ident", "ip_select_ttl", "ip_send_unicast_reply", "ip_sk_ignore_df",
    "ip_sk_use_pmtu", "net_xmit_errno",
]  # fmt: skip

IPV4_MIN_MTU = 68
MAX_TOT_LEN = 0xFFFF

VERSION_IHL = IPVERSION << 4 | IP_HDR_LEN // 4
VERSION_IHL_WORD = VERSION_IHL << 8

_pack_header = IP_HDR.pack_into


def net_xmit_errno(code: int) -> int:
    """A NET_XMIT_* code as an error: congestion is none, a drop is -ENOBUFS.

    Linux: net_xmit_errno.
    """
    return 0 if code == NET_XMIT_CN else -ENOBUFS


# -- header ----------------------------------------------------------------------------------------


def ip_push_header(
    skb: SkBuff,
    tos: int,
    ident: int,
    frag_off: int,
    ttl: int,
    protocol: int,
    saddr: int,
    daddr: int,
) -> None:
    """Push the 20 bytes of an IPv4 header without options, with length and checksum (RFC 791
    section 3.1). A super-packet may be longer than the length field can say, until it is cut.
    """
    where = skb.push(IP_HDR_LEN)
    skb.network_header = where
    length = skb.len if skb.len <= MAX_TOT_LEN else 0
    total = (
        VERSION_IHL_WORD + tos + length + ident + frag_off + (ttl << 8) + protocol + saddr + daddr
    )
    # A sum of 0 modulo 65535 stands for 0xffff: the version alone keeps it from being zero.
    check = 0xFFFF - (total % 0xFFFF or 0xFFFF)
    _pack_header(
        skb.buf,
        where,
        VERSION_IHL,
        tos,
        length,
        ident,
        frag_off,
        ttl,
        protocol,
        check,
        saddr,
        daddr,
    )


def ip_select_ttl(sk: InetSock, dst: DstEntry) -> int:
    """The socket's TTL, or the system's. Linux: ip_select_ttl."""
    return sk.uc_ttl if sk.uc_ttl >= 0 else dst.net.ipv4.sysctl_ip_default_ttl


def ip_sk_ignore_df(sk: InetSock) -> bool:
    """Whether what this socket sends may be fragmented here, DF or not. Linux: ip_sk_ignore_df."""
    return sk.pmtudisc < IP_PMTUDISC_DO or sk.pmtudisc == IP_PMTUDISC_OMIT


def ip_sk_use_pmtu(sk: InetSock) -> bool:
    """Whether the socket believes in learned path MTUs. Linux: ip_sk_use_pmtu."""
    return sk.pmtudisc < IP_PMTUDISC_PROBE


def ip_dont_fragment(sk: InetSock, dst: DstEntry) -> bool:
    """Whether DF is set: path MTU discovery is on and works for this path.

    Linux: ip_dont_fragment.
    """
    return sk.pmtudisc == IP_PMTUDISC_DO or (sk.pmtudisc == IP_PMTUDISC_WANT and not dst.mtu_locked)


def ip_select_ident(
    net: Net,
    sk: InetSock | None,
    skb: SkBuff,
    frag_off: int,
    saddr: int,
    daddr: int,
    protocol: int,
    segs: int = 1,
) -> int:
    """The identification of a packet that will leave as `segs` packets.

    Linux: ip_select_ident_segs.

    A connected socket counts for itself; what cannot be fragmented needs none (RFC 6864 section
    4.1); all else shares counters by destination.
    """
    if sk is not None and sk.inet_daddr:
        ident = sk.inet_id
        sk.inet_id = ident + segs & 0xFFFF
        return ident if protocol == IPPROTO_TCP else sk.inet_id
    if frag_off & IP_DF and not skb.ignore_df:
        return 0
    return net.ipv4.ip_idents_reserve(saddr, daddr, protocol, segs)


# -- from the transport ----------------------------------------------------------------------------


def ip_queue_xmit(sk: InetSock, skb: SkBuff) -> int:
    """Send a segment of a connected socket; `skb.data` is at the transport header.

    Linux: __ip_queue_xmit.

    0 or NET_XMIT_*, or a negative errno: -EHOSTUNREACH without a route. The packet is gone in every
    case.
    """
    net = sk.net
    dst = skb.dst
    if dst is None:
        dst = sk.sk_dst_cache
        if dst is None or dst.genid != net.rt_genid:
            found = ip_route_output(
                net, sk.inet_daddr, sk.inet_saddr, sk.sk_bindtodevice, sk.tos, sk.sk_mark
            )
            if isinstance(found, int):
                net.count("IpOutNoRoutes")
                kfree_skb_reason(skb, drop_reason.IP_OUTNOROUTES)
                return -EHOSTUNREACH
            sk.sk_dst_cache = dst = found
        skb.dst = dst
    trace = net.kernel.trace
    if trace.on:
        trace.hit("ip_queue_xmit", skb.key, len=skb.len)
    protocol = sk.sk_protocol
    frag_off = IP_DF if ip_dont_fragment(sk, dst) and not skb.ignore_df else 0
    ident = sk.inet_id
    sk.inet_id = ident + (skb.shinfo.gso_segs or 1) & 0xFFFF
    ttl = sk.uc_ttl
    if ttl < 0:
        ttl = net.ipv4.sysctl_ip_default_ttl
    ip_push_header(skb, sk.tos, ident, frag_off, ttl, protocol, sk.inet_saddr, sk.inet_daddr)
    skb.priority = sk.sk_priority
    skb.mark = sk.sk_mark
    return ip_local_out(net, sk, skb)


def ip_build_and_send_pkt(skb: SkBuff, sk: InetSock, saddr: int, daddr: int, tos: int = 0) -> int:
    """Send a packet with a route (`skb.dst`) but without a connected socket: a SYN-ACK.

    Linux: ip_build_and_send_pkt.

    `sk` is the listener, whose options it follows. Returns as `ip_queue_xmit`.
    """
    dst = skb.dst
    assert dst is not None
    net = sk.net
    protocol = sk.sk_protocol
    if skb.len <= IPV4_MIN_MTU or ip_dont_fragment(sk, dst):
        ident, frag_off = 0, IP_DF
    else:
        ident, frag_off = net.kernel.random.getrandbits(16), 0
    ip_push_header(skb, tos, ident, frag_off, ip_select_ttl(sk, dst), protocol, saddr, daddr)
    skb.priority = sk.sk_priority
    if not skb.mark:
        skb.mark = sk.sk_mark
    return ip_local_out(net, sk, skb)


def ip_send_unicast_reply(
    net: Net,
    skb: SkBuff,
    saddr: int,
    daddr: int,
    protocol: int = IPPROTO_TCP,
    tos: int = 0,
    oif: int = 0,
) -> int:
    """Answer where no socket stands behind the answer: a RST, an ACK of TIME-WAIT.

    Linux: ip_send_unicast_reply.

    `skb.data` is at the transport header, complete but for a PARTIAL checksum. DF is set and the
    identification 0, as Linux's control socket has it. Returns as `ip_queue_xmit`.
    """
    found = ip_route_output(net, daddr, saddr, oif, tos, skb.mark)
    if isinstance(found, int):
        net.count("IpOutNoRoutes")
        kfree_skb_reason(skb, drop_reason.IP_OUTNOROUTES)
        return -EHOSTUNREACH
    skb.dst = found
    ip_push_header(skb, tos, 0, IP_DF, net.ipv4.sysctl_ip_default_ttl, protocol, saddr, daddr)
    return ip_local_out(net, None, skb)


# -- down ------------------------------------------------------------------------------------------


def ip_local_out(net: Net, sk: Sock | None, skb: SkBuff) -> int:
    """A packet of this host is complete: LOCAL_OUT, then `dst_output`.

    Linux: ip_local_out, __ip_local_out.

    -EPERM or the verdict's own error when a hook drops it, 0 when a hook keeps it.
    """
    mib = net.mib
    mib["IpOutRequests"] = mib.get("IpOutRequests", 0) + 1
    trace = net.kernel.trace
    if trace.on:
        trace.hit("ip_local_out", skb.key, len=skb.len)
    skb.protocol = ETH_P_IP
    dst = skb.dst
    assert dst is not None
    if net.nf.hooks[NF_INET_LOCAL_OUT]:
        verdict = nf_hook(NF_INET_LOCAL_OUT, net, sk, skb, None, dst.dev, dst_output)
        if verdict != 1:
            return verdict
        return dst_output(net, sk, skb)
    return dst.output(net, sk, skb)


def dst_output(net: Net, sk: Sock | None, skb: SkBuff) -> int:
    """Go where the route leads. Linux: include/net/dst.h dst_output."""
    dst = skb.dst
    assert dst is not None
    return dst.output(net, sk, skb)


def ip_output(net: Net, sk: Sock | None, skb: SkBuff) -> int:
    """The output of a unicast route: POST_ROUTING. Linux: ip_output."""
    dst = skb.dst
    assert dst is not None
    skb.dev = dev = dst.dev
    mib = net.mib
    mib["IpOutTransmits"] = mib.get("IpOutTransmits", 0) + 1
    trace = net.kernel.trace
    if trace.on:
        trace.hit("ip_output", skb.key, dev=dev.name)
    if net.nf.hooks[NF_INET_POST_ROUTING]:
        verdict = nf_hook(NF_INET_POST_ROUTING, net, sk, skb, None, dev, ip_finish_output)
        if verdict != 1:
            return verdict
    return ip_finish_output(net, sk, skb)


def ip_mc_output(net: Net, sk: Sock | None, skb: SkBuff) -> int:
    """The output of a broadcast route, and of a multicast route to a group of this host: it gets a
    copy too, unless the socket does not want that (IP_MULTICAST_LOOP).

    Linux: ip_mc_output, dev_loopback_xmit.
    """
    dst = skb.dst
    assert dst is not None
    if dst.type == RTN_MULTICAST and isinstance(sk, InetSock) and not sk.mc_loop:
        return ip_output(net, sk, skb)
    copy = skb.clone()
    copy.dev = dst.dev
    copy.mac_header = copy.data
    copy.pkt_type = PACKET_LOOPBACK
    copy.ip_summed = CHECKSUM_UNNECESSARY
    netif_rx(copy)
    if dst.type == RTN_MULTICAST and not skb.buf[skb.network_header + IP_TTL_OFF]:
        consume_skb(skb)
        return 0
    return ip_output(net, sk, skb)


def ip_finish_output(net: Net, sk: Sock | None, skb: SkBuff) -> int:
    """Fit the packet to the path: as it is, in segments, or in fragments.

    Linux: __ip_finish_output.
    """
    dst = skb.dst
    assert dst is not None
    mtu = dst.dev.mtu
    if (dst.pmtu or dst.metric_mtu or dst.mtu_locked) and _skb_uses_pmtu(skb):
        mtu = dst.mtu()
    trace = net.kernel.trace
    if trace.on:
        trace.hit("ip_finish_output", skb.key, mtu=mtu)
    if skb.shinfo.gso_size:
        return _ip_finish_output_gso(net, sk, skb, mtu)
    if skb.len > mtu:
        return ip_fragment(net, sk, skb, mtu, ip_finish_output2)
    return ip_finish_output2(net, sk, skb)


def _skb_uses_pmtu(skb: SkBuff) -> bool:
    """Whether the packet's socket believes in path MTUs; a packet without one does.

    Linux: ip_skb_dst_mtu.
    """
    sk = skb.sk
    return not isinstance(sk, InetSock) or ip_sk_use_pmtu(sk)


def _ip_finish_output_gso(net: Net, sk: Sock | None, skb: SkBuff, mtu: int) -> int:
    """The device cuts it if each segment fits; else it is cut here and each segment fragmented.

    Linux: ip_finish_output_gso.
    """
    if skb_gso_validate_network_len(skb, mtu):
        return ip_finish_output2(net, sk, skb)
    assert skb.dst is not None
    segments = skb_gso_segment(skb, skb.dst.dev.features & ~NETIF_F_GSO_MASK)
    if isinstance(segments, int):
        kfree_skb_reason(skb, drop_reason.SKB_GSO_SEG)
        return -ENOMEM
    result = 0
    for segment in segments:
        segment.ignore_df = skb.ignore_df
        result = ip_fragment(net, sk, segment, mtu, ip_finish_output2) or result
    consume_skb(skb)
    return result


def ip_finish_output2(net: Net, sk: Sock | None, skb: SkBuff) -> int:
    """Make room for the link header and hand the packet to the neighbour. Linux: ip_finish_output2.

    -ENOMEM without memory for the room, -ENOBUFS with a full neighbour table.
    """
    dst = skb.dst
    assert dst is not None
    dev = dst.dev
    room = ((dev.hard_header_len + dev.needed_headroom) & ~15) + 16
    if skb.data - skb.head < room:
        try:
            skb.expand_head(room - skb.headroom, 0)
        except MemoryError:
            kfree_skb_reason(skb, drop_reason.NOMEM)
            return -ENOMEM
    where = skb.network_header + IP_DADDR_OFF
    next_hop = dst.gateway or int.from_bytes(skb.buf[where : where + 4], "big")
    trace = net.kernel.trace
    if trace.on:
        trace.hit("ip_finish_output2", skb.key, dev=dev.name, next_hop=next_hop)
    neigh = neigh_lookup_or_create(net.arp_tbl, next_hop, dev)
    if neigh is None:
        kfree_skb_reason(skb, drop_reason.NEIGH_CREATEFAIL)
        return -ENOBUFS
    return neigh_output(neigh, skb)
