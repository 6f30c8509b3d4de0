"""802.1Q tags in and beside frames. Linux: include/linux/if_vlan.h, net/core/skbuff.c
(skb_vlan_untag), net/8021q/vlan_core.c (vlan_do_receive).

    beside the frame   skb.vlan_proto, vlan_tci     │ dest │ source │ type │ payload
    in the frame       │ dest │ source │ 8100 tci │ type │ payload

The stack keeps a tag beside the frame. A card that can puts it in and takes it out; else
`vlan_insert_tag` does just before the driver and `skb_vlan_untag` just behind it.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from pyhost.net.core import drop_reason
from pyhost.net.core.netdevice import IFF_UP
from pyhost.net.core.skbuff import kfree_skb_reason
from pyhost.uapi.ethernet import (
    ETH_ALEN,
    ETH_HLEN,
    ETH_P_802_2,
    ETH_P_802_3,
    ETH_P_802_3_MIN,
    ETH_P_8021Q,
    PACKET_HOST,
    PACKET_MULTICAST,
    PACKET_OTHERHOST,
    VLAN_HLEN,
)

if TYPE_CHECKING:
    from pyhost.net.core.skbuff import SkBuff

__all__ = [
    "VLAN_N_VID", "VLAN_PRIO_SHIFT", "VLAN_VID_MASK", "skb_vlan_untag", "vlan_do_receive",
    "vlan_get_protocol", "vlan_hwaccel_put_tag", "vlan_insert_tag",
]  # fmt: skip

VLAN_VID_MASK = 0xFFF
VLAN_N_VID = 4096
VLAN_PRIO_SHIFT = 13

_TAG = Struct("!HH")


def vlan_hwaccel_put_tag(skb: SkBuff, tci: int) -> None:
    """Put a tag beside the frame. Linux: __vlan_hwaccel_put_tag."""
    skb.vlan_proto = ETH_P_8021Q
    skb.vlan_tci = tci


def _clear_tag(skb: SkBuff) -> None:
    """Linux: __vlan_hwaccel_clear_tag."""
    skb.vlan_proto = skb.vlan_tci = 0


def vlan_insert_tag(skb: SkBuff) -> None:
    """Move the tag beside a frame, whose `data` is at the Ethernet header, into it. Raises
    MemoryError. Linux: __vlan_hwaccel_push_inside, vlan_insert_tag_set_proto.
    """
    if skb.headroom < VLAN_HLEN or skb.header_cloned():
        skb.expand_head(max(0, VLAN_HLEN - skb.headroom), 0)
    buf = skb.buf
    addresses = bytes(buf[skb.data : skb.data + 2 * ETH_ALEN])
    start = skb.push(VLAN_HLEN)
    buf[start : start + 2 * ETH_ALEN] = addresses
    _TAG.pack_into(buf, start + 2 * ETH_ALEN, skb.vlan_proto, skb.vlan_tci)
    skb.mac_header = start
    skb.protocol = skb.vlan_proto
    _clear_tag(skb)


def skb_vlan_untag(skb: SkBuff) -> bool:
    """Move the tag in a received frame, whose `data` is behind the type 8100, beside it; False for
    a frame that is too short, or when memory is. Linux: skb_vlan_untag, skb_reorder_vlan_header.
    """
    if not skb.may_pull(VLAN_HLEN):
        return False
    if skb.is_cloned():
        try:
            skb.expand_head(0, 0)
        except MemoryError:
            return False
    buf = skb.buf
    tci, proto = _TAG.unpack_from(buf, skb.data)
    vlan_hwaccel_put_tag(skb, tci)
    skb.pull(VLAN_HLEN)
    mac = skb.mac_header
    buf[mac + VLAN_HLEN : mac + VLAN_HLEN + 2 * ETH_ALEN] = bytes(buf[mac : mac + 2 * ETH_ALEN])
    skb.mac_header = mac + VLAN_HLEN
    if proto < ETH_P_802_3_MIN:
        proto = ETH_P_802_3 if skb.may_pull(2) and _is_ipx(skb) else ETH_P_802_2
    skb.protocol = proto
    return True


def _is_ipx(skb: SkBuff) -> bool:
    """Linux: vlan_set_encap_proto."""
    return bytes(skb.buf[skb.data : skb.data + 2]) == b"\xff\xff"


def vlan_get_protocol(skb: SkBuff) -> int:
    """The protocol of the network header of a frame to be sent, behind tags in the frame; `data` is
    at the Ethernet header. Linux: vlan_get_protocol, skb_network_protocol.
    """
    proto = skb.protocol
    depth = ETH_HLEN
    while proto == ETH_P_8021Q and skb.may_pull(depth + VLAN_HLEN):
        _, proto = _TAG.unpack_from(skb.buf, skb.data + depth)
        depth += VLAN_HLEN
    return proto


def vlan_do_receive(skb: SkBuff) -> bool | None:
    """A frame came in with a tag beside it. True: it belongs to a VLAN device, `skb.dev`, as if
    that had received it. None: it is gone, that device is down. False: no such device; what has a
    VLAN id is for somebody else then, what has priority alone goes on. Linux: vlan_do_receive.
    """
    dev = skb.dev
    assert dev is not None
    vid = skb.vlan_tci & VLAN_VID_MASK
    vlan_dev = dev.vlan_info.get(vid)
    if vlan_dev is None:
        if vid:
            skb.pkt_type = PACKET_OTHERHOST
        _clear_tag(skb)
        return False
    if not vlan_dev.flags & IFF_UP:
        kfree_skb_reason(skb, drop_reason.DEV_READY)
        return None
    skb.dev = vlan_dev
    if skb.pkt_type == PACKET_OTHERHOST:
        dest = bytes(skb.buf[skb.mac_header : skb.mac_header + ETH_ALEN])
        if dest == vlan_dev.addr:
            skb.pkt_type = PACKET_HOST
    vlan_dev.priv.received(skb)
    _clear_tag(skb)
    stats = vlan_dev.stats
    stats.rx_packets += 1
    stats.rx_bytes += skb.len
    if skb.pkt_type == PACKET_MULTICAST:
        stats.multicast += 1
    return True
