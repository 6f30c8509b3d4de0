"""The target REJECT: drop, and tell the sender.

Linux: net/ipv4/netfilter/ipt_REJECT.c, nf_reject_ipv4.c.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pyhost.net.core import drop_reason
from pyhost.net.core.skbuff import kfree_skb_reason
from pyhost.net.ipv4.fib.route import ip_route_output
from pyhost.net.ipv4.ip.ip_output import ip_local_out, ip_push_header
from pyhost.net.ipv4.netfilter import ip_route_me_harder
from pyhost.net.ipv4.tcp.output.tcp_reply import tcp_build_segment
from pyhost.net.netfilter.core import (
    NF_DROP,
    NF_INET_FORWARD,
    NF_INET_LOCAL_IN,
    NF_INET_LOCAL_OUT,
)
from pyhost.net.netfilter.nf_conntrack_core import nf_ct_attach
from pyhost.net.netfilter.x_tables import XtActionParam, XtTarget
from pyhost.uapi.icmp import (
    ICMP_DEST_UNREACH,
    ICMP_HOST_ANO,
    ICMP_HOST_UNREACH,
    ICMP_NET_ANO,
    ICMP_NET_UNREACH,
    ICMP_PKT_FILTERED,
    ICMP_PORT_UNREACH,
    ICMP_PROT_UNREACH,
)
from pyhost.uapi.ip import IP_DF, IPPROTO_TCP
from pyhost.uapi.tcp import TCP_ACK, TCP_FIN, TCP_HDR_LEN, TCP_RST, TCP_SYN, TcpView

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["REJECT_WITH", "TCP_RESET", "RejectTarget"]

REJECT_WITH = {
    "icmp-net-unreachable": ICMP_NET_UNREACH,
    "icmp-host-unreachable": ICMP_HOST_UNREACH,
    "icmp-proto-unreachable": ICMP_PROT_UNREACH,
    "icmp-port-unreachable": ICMP_PORT_UNREACH,
    "icmp-net-prohibited": ICMP_NET_ANO,
    "icmp-host-prohibited": ICMP_HOST_ANO,
    "icmp-admin-prohibited": ICMP_PKT_FILTERED,
}
"""Codes of "destination unreachable", under the names that iptables has for them."""
TCP_RESET = "tcp-reset"


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectTarget(XtTarget):
    """`how` is a key of REJECT_WITH or TCP_RESET (a rule with that must say `-p tcp`)."""

    name: ClassVar[str] = "REJECT"
    tables: ClassVar[frozenset[str] | None] = frozenset({"filter"})
    hooks: ClassVar[frozenset[int] | None] = frozenset(
        {NF_INET_LOCAL_IN, NF_INET_FORWARD, NF_INET_LOCAL_OUT}
    )

    how: str = "icmp-port-unreachable"

    def target(self, skb: SkBuff, par: XtActionParam) -> int:
        """Linux: reject_tg."""
        if self.how == TCP_RESET:
            _nf_send_reset(skb, par)
        elif not par.fragoff:
            icmp = par.state.net.icmp
            icmp.send(skb, ICMP_DEST_UNREACH, REJECT_WITH[self.how], 0)
        return NF_DROP


def _nf_send_reset(old: SkBuff, par: XtActionParam) -> None:
    """A RST as the segment's receiver would send it (RFC 9293 section 3.10.7.1). Linux:
    nf_send_reset.
    """
    header = par.transport(old, TCP_HDR_LEN)
    if par.fragoff or header is None or header[13] & TCP_RST:
        return
    th = TcpView(header)
    flags = header[13]
    if flags & TCP_ACK:
        seq, ack, answer = th.ack_seq, 0, TCP_RST
    else:
        payload = old.len - par.thoff - th.header_len
        syn_fin = bool(flags & TCP_SYN) + bool(flags & TCP_FIN)
        seq, ack, answer = 0, th.seq + payload + syn_fin & 0xFFFFFFFF, TCP_RST | TCP_ACK
    ports = th.dest << 16 | th.source
    net = par.state.net
    # It seems to come from the other host: the route is looked up by the destination alone.
    route = ip_route_output(net, par.saddr)
    reset = tcp_build_segment(net, par.daddr, par.saddr, ports, seq, ack, answer, 0)
    if reset is None:
        return
    if isinstance(route, int):
        kfree_skb_reason(reset, drop_reason.IP_OUTNOROUTES)
        return
    reset.dst = route
    ttl = net.ipv4.sysctl_ip_default_ttl
    ip_push_header(reset, 0, 0, IP_DF, ttl, IPPROTO_TCP, par.daddr, par.saddr)
    if ip_route_me_harder(net, reset) < 0:
        kfree_skb_reason(reset, drop_reason.IP_OUTNOROUTES)
        return
    nf_ct_attach(reset, old)
    ip_local_out(net, None, reset)
