"""The way of a packet through its policy's transformations.

Linux: net/xfrm/xfrm_output.c, net/ipv4/xfrm4_output.c.

    dst_output = xfrm4_output → POST_ROUTING → xfrm_output (ESP …)
               → LOCAL_OUT → dst_output of the route below → POST_ROUTING → the wire
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core import drop_reason
from pyhost.net.core.gso import skb_gso_segment
from pyhost.net.core.skbuff import CHECKSUM_PARTIAL, SkBuff, consume_skb, kfree_skb_reason
from pyhost.net.ipv4.fib.route import ip_route_output
from pyhost.net.netfilter.core import NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING, nf_hook
from pyhost.net.xfrm.esp4 import esp_output
from pyhost.net.xfrm.xfrm_input import esp4_err, xfrm4_rcv
from pyhost.net.xfrm.xfrm_policy import (
    XfrmDst,
    decode_session,
    xfrm_lookup,
    xfrm_policy_lookup,
    xfrm_tmpl_resolve,
)
from pyhost.net.xfrm.xfrm_state import XFRM_MODE_TUNNEL, XfrmNet, XfrmState
from pyhost.uapi.errno import EHOSTUNREACH, ENOMEM, EPERM

if TYPE_CHECKING:
    from pyhost.net.core.dst import DstEntry
    from pyhost.net.core.sock import Sock
    from pyhost.net.net_namespace import Net

__all__ = ["xfrm4_output", "xfrm_init"]


def xfrm_init(net: Net) -> None:
    """No state and no policy. Linux: xfrm_init, xfrm4_init."""

    def lookup(dst: DstEntry, saddr: int, daddr: int) -> DstEntry:
        return xfrm_lookup(net, dst, saddr, daddr, xfrm4_output)

    net.xfrm = XfrmNet(lookup, xfrm4_rcv, esp4_err)


def xfrm4_output(net: Net, sk: Sock | None, skb: SkBuff) -> int:
    """The output of a route that a policy may concern. Linux: xfrm4_output.

    0 or NET_XMIT_*, -EPERM for a packet that a policy blocks, 0 for one whose association is not
    there (there is no key manager to ask).
    """
    dst = skb.dst
    assert isinstance(dst, XfrmDst)
    flow = decode_session(skb)
    policy = xfrm_policy_lookup(net, "out", flow) if skb.sp is None else None
    if policy is None or not (policy.block or policy.templates):
        skb.dst = dst.child
        return dst.child.output(net, sk, skb)
    if policy.block:
        net.count("XfrmOutPolBlock")
        kfree_skb_reason(skb, drop_reason.XFRM_POLICY)
        return -EPERM
    states = xfrm_tmpl_resolve(net, policy, flow)
    if states is None:
        net.count("XfrmOutNoStates")
        kfree_skb_reason(skb, drop_reason.XFRM_POLICY)
        return 0
    skb.sp = states
    skb.dev = dst.dev
    if net.nf.hooks[NF_INET_POST_ROUTING]:
        verdict = nf_hook(NF_INET_POST_ROUTING, net, sk, skb, None, dst.dev, _xfrm_output)
        if verdict != 1:
            return verdict
    return _xfrm_output(net, sk, skb)


def _xfrm_output(net: Net, sk: Sock | None, skb: SkBuff) -> int:
    """A super-packet is cut first: each frame gets a check value of its own.

    Linux: xfrm_output, xfrm_output_gso.
    """
    if not skb.shinfo.gso_size:
        return _xfrm_output_one(net, sk, skb)
    segments = skb_gso_segment(skb, 0)
    if isinstance(segments, int):
        kfree_skb_reason(skb, drop_reason.SKB_GSO_SEG)
        return segments
    states = skb.sp
    consume_skb(skb)
    result = 0
    for segment in segments:
        segment.sp = states
        result = _xfrm_output_one(net, sk, segment) or result
    return result


def _xfrm_output_one(net: Net, sk: Sock | None, skb: SkBuff) -> int:
    """Linux: xfrm_output_one, xfrm_output_resume."""
    dst = skb.dst
    assert isinstance(dst, XfrmDst)
    try:
        if skb.ip_summed == CHECKSUM_PARTIAL:
            skb.checksum_help()
        for state in skb.sp:
            seq = state.replay.next_output()
            if seq is None:
                net.count("XfrmOutStateSeqError")
                kfree_skb_reason(skb, drop_reason.XFRM_POLICY)
                return -EHOSTUNREACH
            esp_output(net, state, skb, seq)
    except MemoryError:
        kfree_skb_reason(skb, drop_reason.NOMEM)
        return -ENOMEM
    below = _route_below(net, dst, skb.sp)
    if below is None:
        net.count("IpOutNoRoutes")
        kfree_skb_reason(skb, drop_reason.IP_OUTNOROUTES)
        return -EHOSTUNREACH
    skb.dst = below
    skb.nfct = None
    if net.nf.hooks[NF_INET_LOCAL_OUT]:
        verdict = nf_hook(NF_INET_LOCAL_OUT, net, sk, skb, None, below.dev, _dst_output)
        if verdict != 1:
            return verdict
    return _dst_output(net, sk, skb)


def _dst_output(net: Net, sk: Sock | None, skb: SkBuff) -> int:
    dst = skb.dst
    assert dst is not None
    return dst.output(net, sk, skb)


def _route_below(net: Net, dst: XfrmDst, states: tuple[XfrmState, ...]) -> DstEntry | None:
    """The route of the packet as it is now: to the tunnel's other end, or as before.

    Linux: xfrm_bundle_create, xfrm_dst_lookup.
    """
    outer = states[-1] if states else None
    if outer is None or outer.mode != XFRM_MODE_TUNNEL:
        return dst.child
    found = ip_route_output(net, outer.daddr, outer.saddr)
    if isinstance(found, int):
        return None
    return found.child if isinstance(found, XfrmDst) else found
