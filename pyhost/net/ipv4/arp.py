"""ARP: asking the wire for a hardware address, and answering (RFC 826). Linux: net/ipv4/arp.c.

    neigh_output ─ unknown ─→ arp_solicit ─→ "who has 10.0.0.2? tell 10.0.0.1" (broadcast)
    arp_rcv ←──────────────── "10.0.0.2 is at 02:…:02" ─→ neigh_update ─→ the packets that waited

What is learned: a reply to us makes the entry REACHABLE; any other word of a neighbour that is
known makes it STALE with the address heard; only a request for one of our addresses creates an
entry (arp_accept 0). An entry changed less than a second ago is not changed again by another host's
reply (locktime), so that the first of two answers wins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.clock import NSEC_PER_SEC
from pyhost.net.core import drop_reason
from pyhost.net.core.dev import NETDEV_DOWN, dev_queue_xmit, register_netdevice_notifier
from pyhost.net.core.neighbour import (
    NEIGH_UPDATE_F_OVERRIDE,
    NUD_NOARP,
    NUD_REACHABLE,
    NUD_STALE,
    Neighbour,
    NeighTable,
    neigh_event_ns,
    neigh_ifdown,
    neigh_lookup,
    neigh_update,
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

if TYPE_CHECKING:
    from pyhost.net.net_namespace import Net

__all__ = ["arp_init", "arp_rcv", "arp_send", "arp_solicit"]

LOCKTIME_NS = NSEC_PER_SEC
"""net.ipv4.neigh.*.locktime."""

_BROADCAST_ADDR = 0xFFFFFFFF
_LL_RESERVED = 32


def arp_init(net: Net) -> None:
    """Make the table, register the packet type and the sysctls. Linux: arp_init."""
    table = net.arp_tbl = NeighTable(net, ETH_P_IP, _arp_constructor, arp_solicit)
    table.error_report = _arp_error_report
    table.register_sysctls("net.ipv4.neigh.default")
    net.ptype_base[ETH_P_ARP] = arp_rcv

    def notifier(dev: NetDevice, event: int) -> None:
        if event == NETDEV_DOWN:
            neigh_ifdown(table, dev)

    register_netdevice_notifier(net, notifier)


def _arp_constructor(neigh: Neighbour) -> None:
    """Addresses that need no question: loopback, multicast (RFC 1112 section 6.4), broadcast.

    Linux: arp_constructor, arp_mc_map.
    """
    dev, addr = neigh.dev, neigh.primary_key
    if addr >> 28 == 0xE:
        neigh.ha = b"\x01\x00\x5e" + (addr & 0x7FFFFF).to_bytes(3, "big")
    elif dev.flags & (IFF_NOARP | IFF_LOOPBACK):
        neigh.ha = dev.addr
    elif addr == _BROADCAST_ADDR or addr == _subnet_broadcast(dev):
        neigh.ha = dev.broadcast
    else:
        return
    neigh.nud_state = NUD_NOARP


def _subnet_broadcast(dev: NetDevice) -> int:
    """The directed broadcast address of the device's network; 0 when it has none (RFC 3021)."""
    if not dev.in_addr or dev.in_prefixlen >= 31:
        return 0
    return dev.in_addr | (1 << (32 - dev.in_prefixlen)) - 1


def _is_local(net: Net, addr: int) -> bool:
    return addr != 0 and any(dev.in_addr == addr for dev in net.devices.values())


# -- asking ----------------------------------------------------------------------------------------
# --------------------


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

    Linux: arp_solicit, arp_announce 0.

    The first ucast_solicit requests go to the address that is known, the others to all.
    """
    dev = neigh.dev
    saddr = 0
    if skb is not None and skb.protocol == ETH_P_IP:
        saddr = int.from_bytes(skb.buf[skb.network_header + 12 : skb.network_header + 16], "big")
    if not _is_local(dev.net, saddr):
        saddr = dev.in_addr
    if not saddr:
        return
    unicast = neigh.probes < neigh.table.ucast_solicit
    arp_send(ARPOP_REQUEST, neigh.primary_key, dev, saddr, neigh.ha if unicast else None, None)


def _arp_error_report(_: Neighbour, skb: SkBuff) -> None:
    """Tell the sender that the next hop cannot be reached. Linux: arp_error_report."""
    dst_link_failure(skb)
    kfree_skb_reason(skb, drop_reason.NEIGH_FAILED)


# -- answering and learning
# --------------------------------------------------------------------------------------------


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
        if arp.op == ARPOP_REQUEST and _is_local(net, tip):
            arp_send(ARPOP_REPLY, sip, dev, tip, sha, sha)
        return
    if arp.op == ARPOP_REQUEST and _is_local(net, tip) and not _is_local(net, sip):
        if neigh_event_ns(net.arp_tbl, sha, sip, dev) is not None:
            arp_send(ARPOP_REPLY, sip, dev, tip, sha, sha)
        return
    neigh = neigh_lookup(net.arp_tbl, sip, dev)
    if neigh is not None:
        _arp_learn(neigh, arp, pkt_type)


def _arp_learn(neigh: Neighbour, arp: ArpView, pkt_type: int) -> None:
    gratuitous = arp.spa == arp.tpa and (arp.op == ARPOP_REQUEST or arp.tha == arp.sha)
    now = neigh.table.net.kernel.clock.now
    override = gratuitous or now > neigh.updated + LOCKTIME_NS
    state = NUD_REACHABLE if arp.op == ARPOP_REPLY and pkt_type == PACKET_HOST else NUD_STALE
    neigh_update(neigh, arp.sha, state, NEIGH_UPDATE_F_OVERRIDE if override else 0)


def _is_multicast_or_loopback(addr: int) -> bool:
    return addr >> 28 == 0xE or addr >> 24 == 127
