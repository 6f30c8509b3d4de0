"""A transformed packet has come: undo it, and go on with what was inside.

Linux: net/xfrm/xfrm_input.c, net/ipv4/xfrm4_input.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core import drop_reason
from pyhost.net.core.napi import netif_rx
from pyhost.net.core.skbuff import SkBuff, kfree_skb_reason
from pyhost.net.ipv4.fib.route import ip_route_output, ip_rt_update_pmtu
from pyhost.net.netfilter.core import NF_INET_PRE_ROUTING, nf_hook
from pyhost.net.xfrm.esp4 import ESP_HDR, esp_input
from pyhost.net.xfrm.xfrm_policy import XfrmDst
from pyhost.net.xfrm.xfrm_state import XFRM_MODE_TUNNEL, xfrm_state_lookup
from pyhost.uapi.ethernet import ETH_P_IP, PACKET_HOST
from pyhost.uapi.ip import IpView

if TYPE_CHECKING:
    from pyhost.net.core.sock import Sock
    from pyhost.net.net_namespace import Net

__all__ = ["esp4_err", "xfrm4_rcv"]


def xfrm4_rcv(skb: SkBuff) -> int:
    """An ESP packet; `skb.data` is at its ESP header. Linux: xfrm4_rcv, xfrm_input."""
    dev = skb.dev
    assert dev is not None
    net = dev.net
    if not skb.may_pull(ESP_HDR.size):
        return _drop(net, skb, "XfrmInHdrError")
    spi, _ = ESP_HDR.unpack_from(skb.buf, skb.data)
    daddr = IpView(skb.buf, skb.network_header).daddr
    state = xfrm_state_lookup(net, daddr, spi)
    if state is None:
        return _drop(net, skb, "XfrmInNoStates")
    path = skb.sp or ()
    try:
        fault = esp_input(state, skb)
    except MemoryError:
        kfree_skb_reason(skb, drop_reason.NOMEM)
        return 0
    if fault is not None:
        return _drop(net, skb, fault)
    skb.sp = (*path, state)
    skb.nfct = None
    if state.mode == XFRM_MODE_TUNNEL:
        return _receive_anew(skb)
    return _transport_finish(net, skb)


def esp4_err(skb: SkBuff, info: int) -> int:
    """An ICMP error about an ESP packet of ours; `skb.data` is at the quoted IP header, `info` is
    the MTU of a "fragmentation needed". Only that is believed, and only for a known association.

    Linux: esp4_err, ipv4_update_pmtu.
    """
    dev = skb.dev
    assert dev is not None
    net = dev.net
    iph = IpView(skb.buf, skb.data)
    if not info or not skb.may_pull(iph.header_len + ESP_HDR.size):
        return 0
    iph = IpView(skb.buf, skb.data)
    spi, _ = ESP_HDR.unpack_from(skb.buf, skb.data + iph.header_len)
    if xfrm_state_lookup(net, iph.daddr, spi) is not None:
        found = ip_route_output(net, iph.daddr)
        below = found.child if isinstance(found, XfrmDst) else found
        if not isinstance(below, int):
            ip_rt_update_pmtu(net, iph.daddr, info, below)
    return 0


def _drop(net: Net, skb: SkBuff, counter: str) -> int:
    net.count(counter)
    kfree_skb_reason(skb, drop_reason.XFRM_POLICY)
    return 0


def _receive_anew(skb: SkBuff) -> int:
    """The packet out of a tunnel comes in like one from the wire. Linux: gro_cells_receive."""
    skb.dst = None
    skb.mac_header = skb.data
    skb.protocol = ETH_P_IP
    skb.pkt_type = PACKET_HOST
    return netif_rx(skb)


def _transport_finish(net: Net, skb: SkBuff) -> int:
    """The same packet without its wrapping passes the hooks once more. Linux:
    xfrm4_transport_finish.
    """
    if net.nf.hooks[NF_INET_PRE_ROUTING]:
        verdict = nf_hook(NF_INET_PRE_ROUTING, net, None, skb, skb.dev, None, _dst_input)
        if verdict != 1:
            return verdict
    return _dst_input(net, None, skb)


def _dst_input(net: Net, _sk: Sock | None, skb: SkBuff) -> int:
    """Linux: xfrm4_rcv_encap_finish2."""
    dst = skb.dst
    if dst is None or dst.input is None:
        return _receive_anew(skb)
    return dst.input(skb)
