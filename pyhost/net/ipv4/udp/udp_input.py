"""UDP datagrams and ICMP errors from the wire.

Linux: net/ipv4/udp.c __udp4_lib_rcv, udp_queue_rcv_skb, __udp4_lib_err.

Difference: the checksum is verified when the datagram comes in, not when it is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.mm.memory import PAGE_SIZE
from pyhost.net.core import drop_reason
from pyhost.net.core.checksum import csum_tcpudp_nofold
from pyhost.net.core.skbuff import (
    CHECKSUM_PARTIAL,
    CHECKSUM_UNNECESSARY,
    SkBuff,
    consume_skb,
    kfree_skb_reason,
)
from pyhost.net.core.sock import TCP_ESTABLISHED, sock_rfree
from pyhost.net.ipv4.fib.route import RTN_BROADCAST, RTN_MULTICAST, ip_rt_update_pmtu
from pyhost.net.ipv4.icmp import icmp_err_to_errno
from pyhost.net.ipv4.ip.ip_errqueue import ip_icmp_error
from pyhost.uapi.errno import EMSGSIZE
from pyhost.uapi.icmp import (
    ICMP_DEST_UNREACH,
    ICMP_FRAG_NEEDED,
    ICMP_PORT_UNREACH,
    ICMP_SOURCE_QUENCH,
)
from pyhost.uapi.ip import IP_HDR, IP_PMTUDISC_DONT, IP_PMTUDISC_INTERFACE, IPPROTO_UDP, IpView
from pyhost.uapi.udp import UDP_HDR, UDP_HDR_LEN

if TYPE_CHECKING:
    from pyhost.net.ipv4.udp.udp_sock import UdpSock
    from pyhost.net.net_namespace import Net

__all__ = ["udp_err", "udp_queue_rcv_skb", "udp_rcv"]

CSUM_OK = 0xFFFF


def udp_rcv(skb: SkBuff) -> int:
    """A UDP datagram has come; `skb.data` is at its header. Linux: __udp4_lib_rcv."""
    assert skb.dev is not None
    net = skb.dev.net
    trace = net.kernel.trace
    if trace.on:
        trace.hit("udp_rcv", skb.key, len=skb.len)
    if not skb.may_pull(UDP_HDR_LEN):
        return _drop(net, skb, drop_reason.PKT_TOO_SMALL)
    sport, dport, length, check = UDP_HDR.unpack_from(skb.buf, skb.data)
    fields = IP_HDR.unpack_from(skb.buf, skb.network_header)
    saddr, daddr = fields[8], fields[9]
    if length > skb.len or length < UDP_HDR_LEN:
        return _drop(net, skb, drop_reason.PKT_TOO_SMALL)
    skb.trim(length)
    skb.transport_header = skb.data
    if check and not _checksum_ok(skb, saddr, daddr):
        net.count("UdpInCsumErrors")
        return _drop(net, skb, drop_reason.UDP_CSUM)
    dif = skb.dev.ifindex
    if skb.dst is not None and skb.dst.type in (RTN_BROADCAST, RTN_MULTICAST):
        return _deliver_broadcast(net, skb, net.udp.matches(saddr, sport, daddr, dport, dif))
    sk = net.udp.lookup(saddr, sport, daddr, dport, dif)
    if sk is not None:
        return udp_queue_rcv_skb(sk, skb)
    net.count("UdpNoPorts")
    net.icmp.send(skb, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0)
    kfree_skb_reason(skb, drop_reason.NO_SOCKET)
    return 0


def _checksum_ok(skb: SkBuff, saddr: int, daddr: int) -> bool:
    """Linux: udp4_csum_init, __udp_lib_checksum_complete.

    A PARTIAL one comes over loopback and was never on a wire.
    """
    if skb.ip_summed in (CHECKSUM_UNNECESSARY, CHECKSUM_PARTIAL):
        return True
    pseudo = csum_tcpudp_nofold(saddr, daddr, skb.len, IPPROTO_UDP)
    if skb.checksum(0, skb.len, pseudo) != CSUM_OK:
        return False
    skb.ip_summed = CHECKSUM_UNNECESSARY
    return True


def _drop(net: Net, skb: SkBuff, reason: str) -> int:
    net.count("UdpInErrors")
    kfree_skb_reason(skb, reason)
    return 0


def _deliver_broadcast(net: Net, skb: SkBuff, sockets: list[UdpSock]) -> int:
    """Each socket gets a copy; nobody is told when there is none.

    Linux: __udp4_lib_mcast_deliver.
    """
    for sk in sockets:
        udp_queue_rcv_skb(sk, skb.clone())
    if not sockets:
        net.count("UdpNoPorts")
    consume_skb(skb)
    return 0


def udp_queue_rcv_skb(sk: UdpSock, skb: SkBuff) -> int:
    """Put a datagram into the receive queue, unless that is full (one always fits) or all UDP
    sockets together hold too much.

    Linux: __udp_queue_rcv_skb, __udp_enqueue_schedule_skb.
    """
    net = sk.net
    if sk.sk_rmem_alloc > sk.sk_rcvbuf:
        sk.sk_drops += 1
        net.count("UdpRcvbufErrors")
        return _drop(net, skb, drop_reason.SOCKET_RCVBUFF)
    table = net.udp
    if not _mem_allows(sk, skb.truesize):
        sk.sk_drops += 1
        net.count("UdpMemErrors")
        return _drop(net, skb, drop_reason.PROTO_MEM)
    skb.pull(UDP_HDR_LEN)
    skb.dst = None
    sk.set_owner_r(skb)
    skb.destructor = _udp_rmem_release
    table.memory += skb.truesize
    sk.sk_receive_queue.append(skb)
    if not sk.sock_dead:
        sk.sk_data_ready(sk)
    return 0


def _mem_allows(sk: UdpSock, size: int) -> bool:
    """Whether `size` more bytes may wait. Above the first limit of udp_mem a socket has no more
    than udp_rmem_min, above the last none has any.

    Linux: __sk_mem_raise_allocated, which knows no pressure between the two for UDP.
    """
    table = sk.net.udp
    pages = -(-(table.memory + size) // PAGE_SIZE)
    low, _, high = table.sysctl_udp_mem
    if pages <= low:
        return True
    return pages <= high and sk.sk_rmem_alloc + size < sk.net.ipv4.sysctl_udp_rmem_min


def _udp_rmem_release(skb: SkBuff) -> None:
    """A datagram was read. Linux: udp_skb_destructor, udp_rmem_release."""
    assert skb.sk is not None
    skb.sk.net.udp.memory -= skb.truesize
    sock_rfree(skb)


def udp_err(skb: SkBuff, info: int) -> int:
    """An ICMP error quotes a datagram of ours: tell its socket. Linux: __udp4_lib_err.

    Only a connected socket hears of it, and only of fatal errors, unless it asked for all with
    IP_RECVERR.
    """
    assert skb.dev is not None
    net = skb.dev.net
    quoted = IpView(skb.buf, skb.data)
    sport, dport, _, _ = UDP_HDR.unpack_from(skb.buf, skb.data + quoted.header_len)
    sk = net.udp.lookup(quoted.daddr, dport, quoted.saddr, sport, skb.dev.ifindex)
    if sk is None:
        net.count("IcmpInErrors")
        return 0
    icmp_type, code = skb.buf[skb.transport_header], skb.buf[skb.transport_header + 1]
    if icmp_type == ICMP_SOURCE_QUENCH:
        return 0
    err = icmp_err_to_errno(icmp_type, code)
    errno, fatal = err.errno, err.fatal
    if icmp_type == ICMP_DEST_UNREACH and code == ICMP_FRAG_NEEDED:
        if sk.pmtudisc < IP_PMTUDISC_INTERFACE:
            ip_rt_update_pmtu(net, quoted.daddr, info, sk.sk_dst_cache)
        if sk.pmtudisc == IP_PMTUDISC_DONT:
            return 0
        errno, fatal = EMSGSIZE, True
    if sk.recverr:
        ip_icmp_error(sk, skb, errno, dport, info)
    elif not fatal or sk.sk_state != TCP_ESTABLISHED:
        return 0
    sk.sk_err = errno
    sk.error_report()
    return 0
