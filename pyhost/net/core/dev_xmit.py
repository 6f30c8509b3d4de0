"""From the qdisc to the driver. Linux: net/core/dev.c, the part below sch_direct_xmit.

All of it runs with BH disabled. Lists of packets are Python lists; a function that sends from a
list removes from its front what the driver took.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.kernel.bug import KernelBug
from pyhost.net.core import drop_reason
from pyhost.net.core.gso import SKB_GSO_TCPV4, skb_gso_segment
from pyhost.net.core.if_vlan import vlan_get_protocol, vlan_insert_tag
from pyhost.net.core.netdevice import (
    NET_XMIT_MASK,
    NETDEV_TX_BUSY,
    NETDEV_TX_OK,
    NETIF_F_ALL_CSUM,
    NETIF_F_FRAGLIST,
    NETIF_F_GSO_MASK,
    NETIF_F_GSO_SHIFT,
    NETIF_F_HW_CSUM,
    NETIF_F_HW_VLAN_CTAG_TX,
    NETIF_F_SG,
    NETIF_F_TSO_MANGLEID,
    NetDevice,
    NetdevQueue,
    PacketType,
)
from pyhost.net.core.skbuff import (
    CHECKSUM_PARTIAL,
    CHECKSUM_UNNECESSARY,
    SkBuff,
    consume_skb,
    kfree_skb_reason,
)
from pyhost.net.core.ubuf import skb_orphan_frags_rx
from pyhost.uapi.ethernet import ETH_P_8021Q, ETH_P_IP, PACKET_OUTGOING

if TYPE_CHECKING:
    from pyhost.net.net_namespace import Net

__all__ = [
    "dev_hard_start_xmit", "dev_queue_xmit_nit", "dev_xmit_complete", "netif_needs_gso",
    "netif_skb_features", "validate_xmit_skb", "validate_xmit_skb_list", "xmit_one",
]  # fmt: skip

_IP_DF = 0x40
"""Don't fragment, in the first byte of the IPv4 fragment field."""

_L4_WITH_IP_CSUM = (6, 17)
"""TCP and UDP: what a device with NETIF_F_IP_CSUM can sum."""


def dev_xmit_complete(rc: int) -> bool:
    """Whether the packet is gone, sent or dropped, so that nobody may touch it.

    Linux: dev_xmit_complete.
    """
    return rc < NET_XMIT_MASK


def netif_skb_features(skb: SkBuff, dev: NetDevice) -> int:
    """What `dev` can do for this very packet, a mask of NETIF_F_*. Linux: netif_skb_features."""
    features = dev.features
    if skb.shinfo.gso_size:
        features = _gso_features_check(skb, dev, features)
    if skb.vlan_proto or skb.protocol == ETH_P_8021Q:
        features &= dev.vlan_features | NETIF_F_HW_VLAN_CTAG_TX
    check = getattr(dev.ops, "ndo_features_check", None)
    if check is not None:
        features = check(skb, dev, features)
    return _harmonize_features(skb, features)


def _gso_features_check(skb: SkBuff, dev: NetDevice, features: int) -> int:
    """A super-packet that is too much for the device is cut in software. Linux:
    gso_features_check.

    A packet that may be fragmented on its way keeps identifications of its own.
    """
    shinfo = skb.shinfo
    if not shinfo.gso_type or shinfo.gso_segs > dev.gso_max_segs or skb.len >= dev.gso_max_size:
        return features & ~NETIF_F_GSO_MASK
    if shinfo.gso_type & SKB_GSO_TCPV4 and not skb.buf[skb.network_header + 6] & _IP_DF:
        features &= ~NETIF_F_TSO_MANGLEID
    return features


def _harmonize_features(skb: SkBuff, features: int) -> int:
    """What goes together: no segmentation without a checksum, none without gathering. Linux:
    harmonize_features.
    """
    if skb.ip_summed == CHECKSUM_PARTIAL and not _can_checksum(skb, features):
        features &= ~(NETIF_F_ALL_CSUM | NETIF_F_GSO_MASK)
    if not features & NETIF_F_SG:
        features &= ~NETIF_F_GSO_MASK
    return features


def _can_checksum(skb: SkBuff, features: int) -> bool:
    """Linux: can_checksum_protocol and skb_csum_hwoffload_help's test of the header."""
    if features & NETIF_F_HW_CSUM:
        return True
    return (
        bool(features & NETIF_F_ALL_CSUM)
        and vlan_get_protocol(skb) == ETH_P_IP
        and skb.buf[skb.network_header + 9] in _L4_WITH_IP_CSUM
    )


def netif_needs_gso(skb: SkBuff, features: int) -> bool:
    """Whether a super-packet must be cut here: the device cannot cut this kind, not from several
    parts, or not without summing it. Linux: netif_needs_gso, skb_gso_ok.
    """
    shinfo = skb.shinfo
    wanted = shinfo.gso_type << NETIF_F_GSO_SHIFT
    return (
        features & wanted != wanted
        or (shinfo.frag_list is not None and not features & NETIF_F_FRAGLIST)
        or skb.ip_summed not in (CHECKSUM_PARTIAL, CHECKSUM_UNNECESSARY)
    )


def validate_xmit_skb(skb: SkBuff, dev: NetDevice) -> list[SkBuff]:
    """Do in software what the device cannot: tag, segment, linearise, sum. Linux:
    validate_xmit_skb.

    Returns the frames to hand to the driver; none when the packet was dropped.
    """
    if not skb.shinfo.gso_size:
        if skb.ip_summed != CHECKSUM_PARTIAL and not skb.data_len and not skb.vlan_proto:
            return [skb]
        features = netif_skb_features(skb, dev)
        if not _validate_vlan(skb, features):
            return _drop_invalid(skb, dev, drop_reason.NOMEM)
        return _validate_frame(skb, dev, features)
    features = netif_skb_features(skb, dev)
    if not _validate_vlan(skb, features):
        return _drop_invalid(skb, dev, drop_reason.NOMEM)
    if not netif_needs_gso(skb, features):
        return _validate_frame(skb, dev, features)
    segments = skb_gso_segment(skb, features)
    if isinstance(segments, int):
        return _drop_invalid(skb, dev, drop_reason.SKB_GSO_SEG)
    consume_skb(skb)
    return [frame for part in segments for frame in _validate_frame(part, dev, features)]


def _validate_vlan(skb: SkBuff, features: int) -> bool:
    """Put the tag of a packet into it if the device does not; False when memory is short. Linux:
    validate_xmit_vlan.
    """
    if skb.vlan_proto and not features & NETIF_F_HW_VLAN_CTAG_TX:
        try:
            vlan_insert_tag(skb)
        except MemoryError:
            return False
    return True


def _validate_frame(skb: SkBuff, dev: NetDevice, features: int) -> list[SkBuff]:
    """Linearise and sum one packet if the device must be spared it."""
    try:
        if skb.data_len and (
            (skb.shinfo.frags and not features & NETIF_F_SG)
            or (skb.shinfo.frag_list and not features & NETIF_F_FRAGLIST)
        ):
            skb.linearize()
        if skb.ip_summed == CHECKSUM_PARTIAL and not features & NETIF_F_ALL_CSUM:
            skb.checksum_help()
    except MemoryError:
        return _drop_invalid(skb, dev, drop_reason.NOMEM)
    return [skb]


def _drop_invalid(skb: SkBuff, dev: NetDevice, reason: str) -> list[SkBuff]:
    dev.stats.tx_dropped += 1
    kfree_skb_reason(skb, reason)
    return []


def validate_xmit_skb_list(skbs: list[SkBuff], dev: NetDevice) -> list[SkBuff]:
    """Linux: validate_xmit_skb_list."""
    if len(skbs) == 1:
        return validate_xmit_skb(skbs[0], dev)
    return [frame for skb in skbs for frame in validate_xmit_skb(skb, dev)]


def dev_queue_xmit_nit(net: Net, skb: SkBuff, dev: NetDevice) -> None:
    """Show a packet that goes to the driver to all taps: one clone for all of them.

    Linux: dev_queue_xmit_nit.

    A tap of the socket that sent the packet does not see it.
    """
    sender = skb.sk
    takers = [
        ptype
        for ptype in net.ptype_all
        if (ptype.dev is None or ptype.dev is dev) and (ptype.sk is None or ptype.sk is not sender)
    ]
    if not takers:
        return
    twin = skb.clone()
    twin.tstamp = net.kernel.clock.now
    twin.reset_mac_header()
    twin.pkt_type = PACKET_OUTGOING
    if twin.shinfo.uarg is not None:
        takers = _takers_of_pages(twin, takers)
        if not takers:
            kfree_skb_reason(twin, drop_reason.NOMEM)
            return
    last = takers.pop()
    for ptype in takers:
        ptype.func(twin.get(), dev)
    last.func(twin, dev)


def _takers_of_pages(twin: SkBuff, takers: list[PacketType]) -> list[PacketType]:
    """A packet of a program's own pages: whoever keeps packets gets copies of the pages, or nothing
    when memory is short. Linux: deliver_skb.
    """
    if not any(ptype.keeps for ptype in takers) or not skb_orphan_frags_rx(twin):
        return takers
    return [ptype for ptype in takers if not ptype.keeps]


def xmit_one(skb: SkBuff, dev: NetDevice, txq: NetdevQueue, more: bool) -> int:
    """Taps, then the driver; NETDEV_TX_*. Linux: xmit_one, netdev_start_xmit."""
    net = dev.net
    if net.ptype_all:
        dev_queue_xmit_nit(net, skb, dev)
    trace = net.kernel.trace
    if trace.on:
        trace.hit("dev_hard_start_xmit", skb.key, dev=dev.name, len=skb.len, more=more)
    rc = dev.ops.ndo_start_xmit(skb, dev, more)
    if rc == NETDEV_TX_OK:
        txq.trans_start = net.kernel.clock.now
    return rc


def dev_hard_start_xmit(skbs: list[SkBuff], dev: NetDevice, txq: NetdevQueue) -> int:
    """Hand packets to the driver until it refuses or stops the queue. Linux: dev_hard_start_xmit.

    What the driver took is removed from the front of `skbs`. Returns NETDEV_TX_OK or
    NETDEV_TX_BUSY.
    """
    if len(skbs) == 1:
        rc = xmit_one(skbs[0], dev, txq, False)
        if rc < NET_XMIT_MASK:
            skbs.clear()
        return rc
    sent = 0
    last = len(skbs) - 1
    rc = NETDEV_TX_OK
    for index, skb in enumerate(skbs):
        rc = xmit_one(skb, dev, txq, index < last)
        if not dev_xmit_complete(rc):
            break
        sent += 1
        if txq.state and index < last:
            rc = NETDEV_TX_BUSY
            break
    del skbs[:sent]
    return rc


def hard_tx_lock(txq: NetdevQueue) -> None:
    """Linux: HARD_TX_LOCK; on one CPU a second taker would wait for itself."""
    if txq.xmit_lock_owner:
        raise KernelBug(f"{txq.dev.name}: transmit queue {txq.index} locked twice")
    txq.xmit_lock_owner = True
