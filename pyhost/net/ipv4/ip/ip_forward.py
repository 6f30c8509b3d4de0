"""Packets for other hosts: a router's work. Linux: net/ipv4/ip_forward.c (RFC 1812).

    ip_rcv → PRE_ROUTING → ip_forward → FORWARD → ip_forward_finish → dst_output

Only with `net.ipv4.ip_forward` does a look-up of a received packet lead here. Differences: options
are checked but not written to (record route, timestamp); a source route is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core import drop_reason
from pyhost.net.core.gso import skb_gso_validate_network_len
from pyhost.net.core.netdevice import NET_RX_DROP
from pyhost.net.core.skbuff import SkBuff, kfree_skb_reason
from pyhost.net.ipv4.ip.ip_output import dst_output
from pyhost.net.ipv4.ip.ip_sockglue import rt_tos2priority
from pyhost.net.netfilter.core import NF_INET_FORWARD, nf_hook
from pyhost.net.xfrm.xfrm_policy import xfrm_policy_check
from pyhost.uapi.errno import ENOMEM
from pyhost.uapi.ethernet import PACKET_HOST
from pyhost.uapi.icmp import (
    ICMP_DEST_UNREACH,
    ICMP_EXC_TTL,
    ICMP_FRAG_NEEDED,
    ICMP_REDIR_HOST,
    ICMP_REDIRECT,
    ICMP_TIME_EXCEEDED,
)
from pyhost.uapi.ip import IP_CHECK_OFF, IP_DF, IP_TTL_OFF, IpView

if TYPE_CHECKING:
    from pyhost.net.core.dst import DstEntry
    from pyhost.net.core.sock import Sock
    from pyhost.net.net_namespace import Net

__all__ = ["ip_forward"]


def ip_forward(skb: SkBuff) -> int:
    """Send a received packet on: TTL, size, redirect, FORWARD. NET_RX_*. Linux: ip_forward."""
    dst, dev = skb.dst, skb.dev
    assert dst is not None
    assert dev is not None
    net = dst.net
    if skb.pkt_type != PACKET_HOST:
        kfree_skb_reason(skb, drop_reason.IP_INADDRERRORS)
        return NET_RX_DROP
    xfrm = net.xfrm.policies
    if (xfrm["fwd"] or skb.sp is not None) and not xfrm_policy_check(net, "fwd", skb):
        kfree_skb_reason(skb, drop_reason.XFRM_POLICY)
        return NET_RX_DROP
    if xfrm["out"]:
        addresses = IpView(skb.buf, skb.network_header)
        skb.dst = dst = net.xfrm.lookup(dst, addresses.saddr, addresses.daddr)
        skb.sp = None
    refused = _refuse(net, skb, dst)
    if refused is not None:
        kfree_skb_reason(skb, refused)
        return NET_RX_DROP
    try:
        if skb.is_cloned():
            skb.expand_head(0, 0)
    except MemoryError:
        net.count("IpOutDiscards")
        kfree_skb_reason(skb, drop_reason.NOMEM)
        return -ENOMEM
    _decrease_ttl(skb)
    iph = IpView(skb.buf, skb.network_header)
    if dst.redirect:
        net.icmp.send(skb, ICMP_REDIRECT, ICMP_REDIR_HOST, dst.gateway or iph.daddr)
    skb.priority = rt_tos2priority(iph.tos)
    if net.nf.hooks[NF_INET_FORWARD]:
        verdict = nf_hook(NF_INET_FORWARD, net, None, skb, dev, dst.dev, _ip_forward_finish)
        if verdict != 1:
            return verdict
    return _ip_forward_finish(net, None, skb)


def _refuse(net: Net, skb: SkBuff, dst: DstEntry) -> str | None:
    """Why a packet cannot go on, after its sender was told; None when it can."""
    iph = IpView(skb.buf, skb.network_header)
    if iph.ttl <= 1:
        net.count("IpInHdrErrors")
        net.icmp.send(skb, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, 0)
        return drop_reason.IP_INHDR
    mtu = _forward_mtu(net, dst)
    if skb.len > mtu and iph.frag_off & IP_DF and not skb.ignore_df:
        if skb.shinfo.gso_size and skb_gso_validate_network_len(skb, mtu):
            return None
        net.count("IpFragFails")
        net.icmp.send(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu)
        return drop_reason.PKT_TOO_BIG
    return None


def _forward_mtu(net: Net, dst: DstEntry) -> int:
    """A router does not believe what it is told about paths of other hosts, unless
    `net.ipv4.ip_forward_use_pmtu` is set.

    Linux: ip_dst_mtu_maybe_forward.
    """
    if net.ipv4.sysctl_ip_forward_use_pmtu or dst.mtu_locked:
        return dst.mtu()
    return dst.metric_mtu or dst.dev.mtu


def _decrease_ttl(skb: SkBuff) -> None:
    """One hop less, and the checksum adjusted (RFC 1624). Linux: ip_decrease_ttl."""
    buf, where = skb.buf, skb.network_header
    buf[where + IP_TTL_OFF] -= 1
    at = where + IP_CHECK_OFF
    check = (buf[at] << 8 | buf[at + 1]) + 0x0100
    check += check >= 0xFFFF
    buf[at : at + 2] = (check & 0xFFFF).to_bytes(2, "big")


def _ip_forward_finish(net: Net, _sk: Sock | None, skb: SkBuff) -> int:
    """Linux: ip_forward_finish."""
    net.count("IpForwDatagrams")
    return dst_output(net, None, skb)
