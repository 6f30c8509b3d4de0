"""The hooks of connection tracking, there while somebody needs it.

Linux: net/netfilter/nf_conntrack_proto.c, net/ipv4/netfilter/nf_defrag_ipv4.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.netfilter.core import (
    NF_ACCEPT,
    NF_INET_LOCAL_IN,
    NF_INET_LOCAL_OUT,
    NF_INET_POST_ROUTING,
    NF_INET_PRE_ROUTING,
    NF_IP_PRI_CONNTRACK,
    NF_IP_PRI_CONNTRACK_CONFIRM,
    NF_IP_PRI_CONNTRACK_DEFRAG,
    NF_STOLEN,
    NfHookEntry,
    NfHookState,
    NfQueueEntry,
    nf_register_net_hook,
    nf_reinject,
    nf_unregister_net_hook,
)
from pyhost.net.netfilter.nf_conntrack_core import nf_conntrack_confirm, nf_conntrack_in
from pyhost.uapi.ip import IP_FRAG_OFF, IP_MF, IP_OFFSET

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff
    from pyhost.net.net_namespace import Net

__all__ = ["nf_ct_netns_get", "nf_ct_netns_put"]

HOOKS = (
    (NF_INET_PRE_ROUTING, NF_IP_PRI_CONNTRACK, nf_conntrack_in),
    (NF_INET_LOCAL_OUT, NF_IP_PRI_CONNTRACK, nf_conntrack_in),
    (NF_INET_POST_ROUTING, NF_IP_PRI_CONNTRACK_CONFIRM, nf_conntrack_confirm),
    (NF_INET_LOCAL_IN, NF_IP_PRI_CONNTRACK_CONFIRM, nf_conntrack_confirm),
)
"""Linux: ipv4_conntrack_ops."""


def nf_ct_netns_get(net: Net) -> None:
    """One more needs connection tracking; the first one brings the hooks. Linux: nf_ct_netns_get,
    nf_defrag_ipv4_enable.
    """
    table = net.ct
    table.users += 1
    if table.users == 1:
        table.hooks = [nf_register_net_hook(net, *hook) for hook in HOOKS]
        for hooknum in (NF_INET_PRE_ROUTING, NF_INET_LOCAL_OUT):
            table.hooks.append(_register_defrag(net, hooknum))


def nf_ct_netns_put(net: Net) -> None:
    """One needs it no longer; with the last one the hooks go. Linux: nf_ct_netns_put."""
    table = net.ct
    table.users -= 1
    if table.users == 0:
        for entry in table.hooks:
            nf_unregister_net_hook(net, entry)
        table.hooks = []


def _register_defrag(net: Net, hooknum: int) -> NfHookEntry:
    """Connections are found by ports, which only a whole packet has.

    Linux: ipv4_conntrack_defrag.
    """

    def defrag(skb: SkBuff, state: NfHookState) -> int:
        where = skb.network_header + IP_FRAG_OFF
        if not (skb.buf[where] << 8 | skb.buf[where + 1]) & (IP_MF | IP_OFFSET):
            return NF_ACCEPT
        whole = net.frags.defrag(skb)
        if whole is None:
            return NF_STOLEN
        if whole is skb:
            return NF_ACCEPT
        # The whole packet is another one than came in: that one goes on behind this hook.
        nf_reinject(NfQueueEntry(whole, state, entry), NF_ACCEPT)
        return NF_STOLEN

    entry = nf_register_net_hook(net, hooknum, NF_IP_PRI_CONNTRACK_DEFRAG, defrag)
    return entry
