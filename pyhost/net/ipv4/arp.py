"""ARP: asking the wire for a hardware address, and answering (RFC 826). Linux: net/ipv4/arp.c.

    neigh_output ─ unknown ─→ arp_solicit ─→ "who has 10.0.0.2? tell 10.0.0.1" (broadcast)
    arp_rcv ←──────────────── "10.0.0.2 is at 02:…:02" ─→ neigh_update ─→ the packets that waited

What is learned: a reply to us makes the entry REACHABLE; any other word of a neighbour that is
known makes it STALE with the address heard; only a request for one of our addresses creates an
entry, and with arp_accept also a gratuitous ARP. An entry changed less than locktime (1 s) ago is
not changed again by another host's reply, so that the first of two answers wins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_MSEC
from pyhost.net.core import drop_reason
from pyhost.net.core.dev import dev_queue_xmit
from pyhost.net.core.neighbour import (
    NEIGH_UPDATE_F_OVERRIDE,
    NUD_NOARP,
    NUD_REACHABLE,
    NUD_STALE,
    Neighbour,
    NeighTable,
    neigh_create,
    neigh_event_ns,
    neigh_ifdown,
    neigh_lookup,
    neigh_update,
)
from pyhost.net.core.netdev_chain import (
    NETDEV_CHANGEADDR,
    NETDEV_DOWN,
    NETDEV_UP,
    register_netdevice_notifier,
)
from pyhost.net.core.netdevice import (
    IFF_LOOPBACK,
    IFF_NOARP,
    NET_RX_DROP,
    NET_RX_SUCCESS,
    NetDevice,
)
from pyhost.net.core.skbuff import SkBuff, alloc_skb, consume_skb, kfree_skb_reason
from pyhost.net.eth import eth_header
from pyhost.net.ipv4.fib.devinet import all_addresses, inet_ifa_match, inet_select_addr
from pyhost.net.ipv4.icmp import dst_link_failure
from pyhost.uapi.arp import ARP_HLEN, ARPOP_REPLY, ARPOP_REQUEST, ArpPacket, ArpView
from pyhost.uapi.ethernet import (
    ETH_ALEN,
    ETH_P_ARP,
    ETH_P_IP,
    PACKET_HOST,
    PACKET_LOOPBACK,
    PACKET_OTHERHOST,
)
from pyhost.uapi.ip import ip_eth_mc_map
from pyhost.uapi.rtnetlink import RT_SCOPE_HOST, RT_SCOPE_LINK

if TYPE_CHECKING:
    from pyhost.net.net_namespace import Net

__all__ = ["arp_init", "arp_rcv", "arp_send", "arp_solicit"]

_BROADCAST_ADDR = 0xFFFFFFFF
ARP_ANNOUNCE_BEST = 2
_LL_RESERVED = 32


def arp_init(net: Net) -> None:
    """Make the table, register the packet type and the sysctls. Linux: arp_init."""
    table = net.arp_tbl = NeighTable(net, ETH_P_IP, _arp_constructor, arp_solicit)
    table.error_report = _arp_error_report
    table.register_sysctls("net.ipv4.neigh.default")
    net.ptype_base[ETH_P_ARP] = arp_rcv

    def notifier(dev: NetDevice, event: int) -> None:
        if event in (NETDEV_DOWN, NETDEV_CHANGEADDR):
            neigh_ifdown(table, dev)
        elif event == NETDEV_UP and net.ipv4.devconf.arp_notify:
            _announce(dev)

    register_netdevice_notifier(net, notifier)


def _arp_constructor(neigh: Neighbour) -> None:
    """Addresses that need no question: loopback, multicast (RFC 1112 section 6.4), broadcast.

    Linux: arp_constructor, arp_mc_map.
    """
    dev, addr = neigh.dev, neigh.primary_key
    if addr >> 28 == 0xE:
        neigh.ha = ip_eth_mc_map(addr)
    elif dev.flags & (IFF_NOARP | IFF_LOOPBACK):
        neigh.ha = dev.addr
    elif addr == _BROADCAST_ADDR or _is_subnet_broadcast(dev, addr):
        neigh.ha = dev.broadcast
    else:
        return
    neigh.nud_state = NUD_NOARP


def _is_subnet_broadcast(dev: NetDevice, addr: int) -> bool:
    """Whether `addr` is the broadcast address of one of the device's networks."""
    return any(
        addr == ifa.broadcast or (ifa.prefixlen < 31 and addr == ifa.local | ~ifa.mask & 0xFFFFFFFF)
        for ifa in dev.ifa_list
    )


def _is_local(net: Net, addr: int) -> bool:
    return any(ifa.local == addr for _, ifa in all_addresses(net))


def _announce(dev: NetDevice) -> None:
    """Tell everybody our addresses (a gratuitous ARP, RFC 5227 section 3).

    Linux: inetdev_send_gratuitous_arp.
    """
    for ifa in dev.ifa_list:
        arp_send(ARPOP_REQUEST, ifa.local, dev, ifa.local, None, dev.addr)


# -- asking ----------------------------------------------------------------------------------------


def arp_send(
    op: int,
    dest_ip: int,
    dev: NetDevice,
    src_ip: int,
    dest_hw: bytes | None,
    target_hw: bytes | None,
) -> int:
    """Send an ARP packet to `dest_hw` (None: broadcast) with `target_hw` in it (None: zeros).

    Linux: arp_send, arp_create.

    Returns what `dev_queue_xmit` says; 0 when the device does no ARP or memory is short.
    """
    if dev.flags & IFF_NOARP:
        return 0
    skb = alloc_skb(dev.net.skbs, _LL_RESERVED + ARP_HLEN)
    if skb is None:
        return 0
    skb.reserve(_LL_RESERVED)
    packet = ArpPacket(op, dev.addr, src_ip, target_hw or bytes(ETH_ALEN), dest_ip)
    skb.put_data(packet.emit())
    skb.reset_network_header()
    skb.dev = dev
    skb.protocol = ETH_P_ARP
    eth_header(skb, dev, ETH_P_ARP, dest_hw or dev.broadcast)
    return dev_queue_xmit(skb)


def arp_solicit(neigh: Neighbour, skb: SkBuff | None) -> None:
    """Ask for a neighbour's address, in the name of the packet that waits.

    Linux: arp_solicit.

    The first ucast_solicit requests go to the address that is known, the others to all.
    """
    dev = neigh.dev
    saddr = _announced_source(dev, neigh.primary_key, skb)
    if not saddr:
        return
    unicast = neigh.probes < neigh.table.ucast_solicit
    arp_send(ARPOP_REQUEST, neigh.primary_key, dev, saddr, neigh.ha if unicast else None, None)


def _announced_source(dev: NetDevice, target: int, skb: SkBuff | None) -> int:
    """In whose name to ask: the packet's own source with `arp_announce` 0, also with 1 where it is
    of the target's network; else the best address of the device.
    """
    mode = dev.net.ipv4.devconf.arp_announce
    if skb is not None and skb.protocol == ETH_P_IP and mode < ARP_ANNOUNCE_BEST:
        saddr = int.from_bytes(skb.buf[skb.network_header + 12 : skb.network_header + 16], "big")
        if mode == 0:
            if _is_local(dev.net, saddr):
                return saddr
        elif any(ifa.local == saddr and inet_ifa_match(target, ifa) for ifa in dev.ifa_list):
            return saddr
    return inet_select_addr(dev.net, dev, target, RT_SCOPE_LINK)


def _arp_error_report(_: Neighbour, skb: SkBuff) -> None:
    """Tell the sender that the next hop cannot be reached. Linux: arp_error_report."""
    dst_link_failure(skb)
    kfree_skb_reason(skb, drop_reason.NEIGH_FAILED)


# -- answering and learning ------------------------------------------------------------------------


def arp_rcv(skb: SkBuff, dev: NetDevice) -> int:
    """An ARP packet came in; NET_RX_*. Linux: arp_rcv."""
    if dev.flags & IFF_NOARP or skb.pkt_type in (PACKET_OTHERHOST, PACKET_LOOPBACK):
        consume_skb(skb)
        return NET_RX_SUCCESS
    if not skb.may_pull(ARP_HLEN):
        kfree_skb_reason(skb, drop_reason.PKT_TOO_SMALL)
        return NET_RX_DROP
    arp = ArpView(skb.buf, skb.data)
    if arp.is_ipv4_over_ethernet() and arp.op in (ARPOP_REQUEST, ARPOP_REPLY):
        _arp_process(dev, arp, skb.pkt_type)
    consume_skb(skb)
    return NET_RX_SUCCESS


def _arp_process(dev: NetDevice, arp: ArpView, pkt_type: int) -> None:
    """Linux: arp_process."""
    net = dev.net
    sip, tip, sha = arp.spa, arp.tpa, arp.sha
    if _is_multicast_or_loopback(tip):
        return
    if sip == 0:
        # Somebody tests whether an address is free (RFC 5227): answer if it is ours, learn nothing.
        if arp.op == ARPOP_REQUEST and _is_local(net, tip) and not _arp_ignore(dev, sip, tip):
            arp_send(ARPOP_REPLY, sip, dev, tip, sha, sha)
        return
    if arp.op == ARPOP_REQUEST and _is_local(net, tip) and not _is_local(net, sip):
        if _arp_ignore(dev, sip, tip):
            return
        if neigh_event_ns(net.arp_tbl, sha, sip, dev) is not None:
            arp_send(ARPOP_REPLY, sip, dev, tip, sha, sha)
        return
    neigh = neigh_lookup(net.arp_tbl, sip, dev)
    if neigh is None and net.ipv4.devconf.arp_accept and _is_gratuitous(arp):
        neigh = neigh_create(net.arp_tbl, sip, dev)
    if neigh is not None:
        _arp_learn(neigh, arp, pkt_type)


def _arp_ignore(dev: NetDevice, sip: int, tip: int) -> bool:
    """Whether a request for one of our addresses is left unanswered.

    Linux: arp_ignore; by mode: 0 answer, 1 only for the device's own addresses, 2 and only to its
    network, 3 not for addresses of the host alone, 8 never.
    """
    mode = dev.net.ipv4.devconf.arp_ignore
    own = [ifa for ifa in dev.ifa_list if ifa.local == tip]
    if mode == 1:
        return not own
    if mode == 2:
        return not any(inet_ifa_match(sip, ifa) for ifa in own)
    if mode == 3:
        return all(
            ifa.scope >= RT_SCOPE_HOST for _, ifa in all_addresses(dev.net) if ifa.local == tip
        )
    return mode == 8


def _is_gratuitous(arp: ArpView) -> bool:
    """Whether somebody speaks of himself without being asked. Linux: arp_is_garp."""
    return arp.spa == arp.tpa and (arp.op == ARPOP_REQUEST or arp.tha == arp.sha)


def _arp_learn(neigh: Neighbour, arp: ArpView, pkt_type: int) -> None:
    table = neigh.table
    locked_until = neigh.updated + table.locktime_ms * NSEC_PER_MSEC
    override = _is_gratuitous(arp) or table.net.kernel.clock.now > locked_until
    state = NUD_REACHABLE if arp.op == ARPOP_REPLY and pkt_type == PACKET_HOST else NUD_STALE
    neigh_update(neigh, arp.sha, state, NEIGH_UPDATE_F_OVERRIDE if override else 0)


def _is_multicast_or_loopback(addr: int) -> bool:
    return addr >> 28 == 0xE or addr >> 24 == 127
