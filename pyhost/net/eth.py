"""Ethernet framing for the stack. Linux: net/ethernet/eth.c."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.uapi.ethernet import (
    ETH_ALEN,
    ETH_HDR,
    ETH_HLEN,
    ETH_P_802_2,
    ETH_P_802_3,
    ETH_P_802_3_MIN,
    PACKET_BROADCAST,
    PACKET_HOST,
    PACKET_MULTICAST,
    PACKET_OTHERHOST,
)

if TYPE_CHECKING:
    from pyhost.net.core.netdevice import NetDevice
    from pyhost.net.core.skbuff import SkBuff

__all__ = ["eth_header", "eth_type_trans"]


def eth_header(skb: SkBuff, dev: NetDevice, proto: int, daddr: bytes, saddr: bytes = b"") -> int:
    """Put an Ethernet header in front of `skb`; returns its length. Linux: eth_header.

    `saddr` empty means the device's own address. With ETH_P_802_3 or ETH_P_802_2 the type field
    holds the length of what follows.
    """
    if proto in (ETH_P_802_3, ETH_P_802_2):
        proto = skb.len
    ETH_HDR.pack_into(skb.buf, skb.push(ETH_HLEN), daddr, saddr or dev.addr, proto)
    return ETH_HLEN


def eth_type_trans(skb: SkBuff, dev: NetDevice) -> int:
    """Take the Ethernet header off a received frame; returns its protocol. Linux: eth_type_trans.

    Sets `dev`, `mac_header` and `pkt_type`. The frame has at least 14 linear bytes.
    """
    data = skb.data
    skb.dev = dev
    skb.mac_header = data
    skb.pull(ETH_HLEN)
    buf = skb.buf
    dest = bytes(buf[data : data + ETH_ALEN])
    if dest == dev.addr:
        skb.pkt_type = PACKET_HOST
    elif dest[0] & 1:
        skb.pkt_type = PACKET_BROADCAST if dest == dev.broadcast else PACKET_MULTICAST
    else:
        skb.pkt_type = PACKET_OTHERHOST
    proto = buf[data + 12] << 8 | buf[data + 13]
    if proto >= ETH_P_802_3_MIN:
        return proto
    return ETH_P_802_3 if bytes(buf[data + 14 : data + 16]) == b"\xff\xff" else ETH_P_802_2
