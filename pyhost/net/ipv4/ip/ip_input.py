"""The way up through IPv4: checks, netfilter, routing, reassembly, the transport.

Linux: net/ipv4/ip_input.c.

    ip_rcv → PRE_ROUTING → ip_rcv_finish → dst.input = ip_local_deliver
           → (reassembly) → LOCAL_IN → inet_protos[protocol]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.net.core import drop_reason
from pyhost.net.core.checksum import csum_bytes
from pyhost.net.core.dst import DstEntry
from pyhost.net.core.netdevice import NET_RX_DROP, NET_RX_SUCCESS
from pyhost.net.core.skbuff import (
    CHECKSUM_COMPLETE,
    CHECKSUM_NONE,
    SkBuff,
    consume_skb,
    kfree_skb_reason,
)
from pyhost.net.ipv4.fib.route import RTN_UNREACHABLE, ip_route_input
from pyhost.net.ipv4.ip.ip_options import ip_options_compile
from pyhost.net.ipv4.raw import raw_local_deliver
from pyhost.net.netfilter.core import NF_INET_LOCAL_IN, NF_INET_PRE_ROUTING, nf_hook
from pyhost.net.xfrm.xfrm_policy import xfrm_policy_check
from pyhost.net.xfrm.xfrm_state import IPPROTO_ESP
from pyhost.uapi.errno import EACCES, EHOSTUNREACH, EINVAL, ENETUNREACH, EXDEV
from pyhost.uapi.ethernet import PACKET_OTHERHOST
from pyhost.uapi.icmp import (
    ICMP_DEST_UNREACH,
    ICMP_HOST_UNREACH,
    ICMP_NET_UNREACH,
    ICMP_PARAMETERPROB,
    ICMP_PKT_FILTERED,
    ICMP_PROT_UNREACH,
)
from pyhost.uapi.ip import IP_HDR, IP_HDR_LEN, IP_MF, IP_OFFSET, IP_PROTOCOL_OFF, IPVERSION

if TYPE_CHECKING:
    from pyhost.net.core.netdevice import NetDevice
    from pyhost.net.core.sock import Sock
    from pyhost.net.net_namespace import Net

__all__ = ["ip_local_deliver", "ip_rcv"]

PLAIN_HEADER = IPVERSION << 4 | IP_HDR_LEN // 4
"""The first byte of a header without options."""

CSUM_OK = 0xFFFF
"""The sum over a header with a good checksum."""


def ip_rcv(skb: SkBuff, dev: NetDevice) -> int:
    """A frame of type 0x0800 came in on `dev`; `skb.data` is at the IP header. Linux: ip_rcv."""
    net = dev.net
    skb2 = _ip_rcv_core(skb, net)
    if skb2 is None:
        return NET_RX_DROP
    if net.nf.hooks[NF_INET_PRE_ROUTING]:
        verdict = nf_hook(NF_INET_PRE_ROUTING, net, None, skb2, dev, None, _ip_rcv_finish)
        if verdict != 1:
            return verdict
    return _ip_rcv_finish(net, None, skb2)


def _ip_rcv_core(skb: SkBuff, net: Net) -> SkBuff | None:
    """Check the header and cut off what is behind the packet; None when it was dropped.

    Linux: ip_rcv_core.
    """
    if skb.pkt_type == PACKET_OTHERHOST:
        kfree_skb_reason(skb, drop_reason.OTHERHOST)
        return None
    mib = net.mib
    mib["IpInReceives"] = mib.get("IpInReceives", 0) + 1
    if skb.users > 1:
        shared, skb = skb, skb.clone()
        consume_skb(shared)
    fault = _header_fault(skb, net)
    if fault is not None:
        kfree_skb_reason(skb, fault)
        return None
    buf, where = skb.buf, skb.data
    length = buf[where + 2] << 8 | buf[where + 3]
    if skb.len > length:
        skb.trim(length)
        if skb.ip_summed == CHECKSUM_COMPLETE:
            skb.ip_summed = CHECKSUM_NONE
    skb.network_header = skb.data
    skb.transport_header = skb.data + (buf[where] & 15) * 4
    return skb


def _header_fault(skb: SkBuff, net: Net) -> str | None:
    """Why the header cannot be believed, counted; None when it is good (RFC 1122 section 3.2.1)."""
    fault = None
    if not skb.may_pull(IP_HDR_LEN):
        fault = drop_reason.PKT_TOO_SMALL
    else:
        first = skb.buf[skb.data]
        header_len = (first & 15) * 4
        if first >> 4 != IPVERSION or header_len < IP_HDR_LEN:
            fault = drop_reason.IP_INHDR
        elif not skb.may_pull(header_len):
            fault = drop_reason.PKT_TOO_SMALL
        else:
            buf, where = skb.buf, skb.data
            length = buf[where + 2] << 8 | buf[where + 3]
            if csum_bytes(buf[where : where + header_len]) != CSUM_OK:
                net.count("IpInCsumErrors")
                fault = drop_reason.IP_CSUM
            elif skb.len < length:
                net.count("IpInTruncatedPkts")
                return drop_reason.PKT_TOO_SMALL
            elif length < header_len:
                fault = drop_reason.IP_INHDR
    if fault is not None:
        net.count("IpInHdrErrors")
    return fault


def _ip_rcv_finish(net: Net, _sk: Sock | None, skb: SkBuff) -> int:
    """Route the packet, unless it came over loopback with its route. Linux: ip_rcv_finish."""
    dst = skb.dst
    if dst is None or dst.input is None:
        fields = IP_HDR.unpack_from(skb.buf, skb.network_header)
        err = ip_route_input(skb, fields[9], fields[8])
        if err:
            return _no_route(net, skb, err)
        dst = skb.dst
        assert dst is not None
    if skb.buf[skb.network_header] != PLAIN_HEADER and not _ip_rcv_options(net, skb):
        return NET_RX_DROP
    assert dst.input is not None
    return dst.input(skb)


def _ip_rcv_options(net: Net, skb: SkBuff) -> bool:
    """Whether the header's options are good; else their fault was reported and the packet dropped.

    Linux: ip_rcv_options.
    """
    where = skb.network_header
    options = ip_options_compile(skb.buf[where + IP_HDR_LEN : skb.transport_header])
    if options.fault < 0 and not options.source_route:
        return True
    net.count("IpInHdrErrors")
    if options.fault >= 0:
        pointer = IP_HDR_LEN + options.fault
        net.icmp.send(skb, ICMP_PARAMETERPROB, 0, pointer << 24)
    kfree_skb_reason(skb, drop_reason.IP_INHDR)
    return False


UNREACH_CODES = {
    -EHOSTUNREACH: ICMP_HOST_UNREACH,
    -ENETUNREACH: ICMP_NET_UNREACH,
    -EACCES: ICMP_PKT_FILTERED,
}
"""What a router answers when it does not know the way, or may not go it."""


def _no_route(net: Net, skb: SkBuff, err: int) -> int:
    """Neither for this host nor through it, or with addresses that cannot be. A router tells the
    sender.

    Linux: ip_error, ip_handle_martian_source.
    """
    reason = drop_reason.IP_INADDRERRORS
    if err == -EXDEV:
        net.count("IPReversePathFilter")
        reason = drop_reason.IP_RPFILTER
    elif err == -EINVAL:
        net.count("IpInMartians")
    elif not net.ipv4.devconf.forwarding:
        net.count("IpInAddrErrors" if err == -EHOSTUNREACH else "IpInNoRoutes")
    else:
        if err == -ENETUNREACH:
            net.count("IpInNoRoutes")
        assert skb.dev is not None
        skb.dst = DstEntry(net, skb.dev, 0, 0, RTN_UNREACHABLE, net.fib.output)
        net.icmp.send(skb, ICMP_DEST_UNREACH, UNREACH_CODES[err], 0)
    kfree_skb_reason(skb, reason)
    return NET_RX_DROP


def ip_local_deliver(skb: SkBuff) -> int:
    """The packet is for this host: whole packets go on, fragments wait for the rest.

    Linux: ip_local_deliver.
    """
    assert skb.dev is not None
    net = skb.dev.net
    where = skb.network_header + 6
    if (skb.buf[where] << 8 | skb.buf[where + 1]) & (IP_MF | IP_OFFSET):
        whole = net.frags.defrag(skb)
        if whole is None:
            return NET_RX_SUCCESS
        skb = whole
    if net.nf.hooks[NF_INET_LOCAL_IN]:
        verdict = nf_hook(NF_INET_LOCAL_IN, net, None, skb, skb.dev, None, _ip_local_deliver_finish)
        if verdict != 1:
            return verdict
    return _ip_local_deliver_finish(net, None, skb)


def _ip_local_deliver_finish(net: Net, _sk: Sock | None, skb: SkBuff) -> int:
    """Take off the header and call the transport.

    Linux: ip_local_deliver_finish, ip_protocol_deliver_rcu.
    """
    protocol = skb.buf[skb.network_header + IP_PROTOCOL_OFF]
    trace = net.kernel.trace
    if trace.on:
        trace.hit("ip_local_deliver", skb.key, protocol=protocol, len=skb.len)
    if (
        (skb.sp is not None or net.xfrm.policies["in"])
        and protocol != IPPROTO_ESP
        and not xfrm_policy_check(net, "in", skb)
    ):
        kfree_skb_reason(skb, drop_reason.XFRM_POLICY)
        return NET_RX_DROP
    skb.pull(skb.transport_header - skb.data)
    seen = bool(net.raw) and raw_local_deliver(net, skb, protocol)
    handler = net.inet_protos.get(protocol)
    mib = net.mib
    if handler is None and seen:
        consume_skb(skb)
        return NET_RX_SUCCESS
    if handler is None:
        net.count("IpInUnknownProtos")
        net.icmp.send(skb, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, 0)
        kfree_skb_reason(skb, drop_reason.IP_NOPROTO)
        return NET_RX_DROP
    mib["IpInDelivers"] = mib.get("IpInDelivers", 0) + 1
    handler(skb)
    return NET_RX_SUCCESS
