"""A packet whose addresses or mark a hook has changed is routed once more.

Linux: net/ipv4/netfilter.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.ipv4.fib.fib_frontend import inet_addr_type
from pyhost.net.ipv4.fib.route import ip_route_output
from pyhost.uapi.ip import IPTOS_RT_MASK, IpView
from pyhost.uapi.rtnetlink import RTN_LOCAL

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.net_namespace import Net

__all__ = ["ip_route_me_harder"]


def ip_route_me_harder(net: Net, skb: SkBuff) -> int:
    """Give `skb` the route that its header asks for now; a negative errno without one.

    A source address that is not ours does not take part in the look-up. Linux: ip_route_me_harder.
    """
    iph = IpView(skb.buf, skb.network_header)
    saddr = iph.saddr if inet_addr_type(net, iph.saddr) == RTN_LOCAL else 0
    oif = skb.sk.sk_bindtodevice if skb.sk is not None else 0
    found = ip_route_output(net, iph.daddr, saddr, oif, iph.tos & IPTOS_RT_MASK, skb.mark)
    if isinstance(found, int):
        return found
    skb.dst = found
    return 0
